/** Which blocks make room: the decision alone, and the book of who reads what. */
import t from 'tap';
import { chooseEvictions, hasRoomToKeep, slabsToFree } from '../../../lib/storage/eviction.ts';
import type { Evictable, Wanted } from '../../../lib/storage/eviction.ts';
import type { SlabUse } from '../../../lib/storage/slab-book.ts';
import { StoredBlocks } from '../../../lib/storage/stored-blocks.ts';
import { asProgramId, asRddId } from '../../../protocol/ids.ts';
import type { SharedHandle } from '../../../protocol/rdd.ts';

interface Named extends Evictable {
  readonly name: string;
}

const slabBytes = 1_000;
const block = (name: string, slab: number, lastUse: number, more: Partial<Evictable> = {}): Named => ({ name, slab, lastUse, bytes: 400, pins: 0, rdd: 1, mayGo: true, phase: 'resident', ...more });
const wanted = (slabs: number, storing: readonly number[] = [], more: Partial<Wanted> = {}): Wanted => ({ slabs, slabBytes, storing: new Set(storing), isUrgent: false, useOf: () => ({ handles: 1, isOpen: false }), ...more });
const chosen = (blocks: readonly Named[], slabs: number, storing: readonly number[] = []): string => chooseEvictions(blocks, wanted(slabs, storing)).map(({ name }) => name).join('');

t.test('the slab whose last use is longest ago goes first, with all its blocks, and no more slabs than are asked for', (t) => {
  const blocks = [block('a', 1, 5), block('b', 2, 1), block('c', 2, 6), block('d', 3, 4), block('e', 3, 3)];
  t.equal(chosen(blocks, 1), 'de');
  t.equal(chosen(blocks, 2), 'dea');
  t.equal(chosen(blocks, 9), 'deabc', 'or all that there is');
  t.equal(chosen(blocks, 0), '');
  t.end();
});

t.test('a block of several slabs frees them all', (t) => {
  t.equal(chosen([block('a', 1, 1, { bytes: 3_500 }), block('b', 5, 2)], 4), 'a');
  t.end();
});

t.test('nothing goes from a slab in which a block has to stay, since nothing would be gained', (t) => {
  const stays: readonly [string, Partial<Evictable>][] = [['it is read', { pins: 1 }], ['its RDD is being stored', { rdd: 7 }], ['it can go nowhere', { mayGo: false }]];
  for (const [why, more] of stays) t.equal(chosen([block('a', 1, 1), block('b', 1, 2, more), block('c', 2, 9)], 2, [7]), 'c', why);
  t.equal(chosen([block('a', 1, 1), block('b', 1, 2, { phase: 'moving', pins: 1 })], 1), 'a', 'one that is on its way does not keep the others');
  t.end();
});

t.test('what a task is about to read stays ahead of need, and goes where somebody waits; what is being read never does', (t) => {
  const blocks = [block('a', 1, 1, { expected: 1 }), block('b', 2, 2, { pins: 1, expected: 1 }), block('c', 3, 3)];
  t.equal(chooseEvictions(blocks, wanted(9)).map(({ name }) => name).join(''), 'c');
  t.equal(chooseEvictions(blocks, wanted(9, [], { isUrgent: true })).map(({ name }) => name).join(''), 'ac');
  t.end();
});

t.test('a slab in which something else lives stays, and one that its owner still cuts from goes only where somebody waits', (t) => {
  const blocks = [block('a', 1, 1), block('b', 2, 2, { handleCount: 3 }), block('c', 3, 3)];
  const uses: Record<number, SlabUse> = { 1: { handles: 2, isOpen: false }, 2: { handles: 3, isOpen: true }, 3: { handles: 1, isOpen: false } };
  const useOf = (slab: number): SlabUse => uses[slab] as SlabUse;
  t.equal(chooseEvictions(blocks, wanted(9, [], { useOf })).map(({ name }) => name).join(''), 'c');
  t.equal(chooseEvictions(blocks, wanted(9, [], { useOf, isUrgent: true })).map(({ name }) => name).join(''), 'bc');
  t.end();
});

t.test('eviction begins before the tasks\' share is touched, and goes on beyond the mark at which it begins', (t) => {
  t.equal(slabsToFree({ slabs: 16, free: 5 }), 0);
  t.equal(slabsToFree({ slabs: 16, free: 4 }), 2);
  t.equal(slabsToFree({ slabs: 512, free: 0 }), 192);
  t.ok(hasRoomToKeep({ slabs: 16, free: 5 }, 1_000, slabBytes));
  t.notOk(hasRoomToKeep({ slabs: 16, free: 4 }, 1_000, slabBytes), 'a quarter is the tasks\' own');
  t.notOk(hasRoomToKeep({ slabs: 16, free: 5 }, 1_001, slabBytes), 'two slabs would touch it');
  t.end();
});

const program = asProgramId(0);
const scope = 'program/0';
const handle = (slab: number): SharedHandle => ({ slab, offset: 0, bytes: 900, generation: 1 });
const file = (name: string) => ({ file: name, offset: 0, bytes: 900 });
const names = (blocks: readonly { readonly handle: SharedHandle }[]): number[] => blocks.map((one) => one.handle.slab);

t.test('a partition that may go to the disk moves, another is dropped, and what is being read does neither', (t) => {
  const blocks = new StoredBlocks();
  blocks.keepPartition(asRddId(1), 0, handle(1), program, scope, true);
  blocks.keepPartition(asRddId(2), 0, handle(2), program, scope, false);
  blocks.keepPartition(asRddId(3), 0, handle(3), program, scope, false);
  blocks.pin([handle(3)]);
  const { drop, move } = blocks.choose(wanted(9));
  t.same([names(drop), names(move)], [[2], [1]]);
  t.same(blocks.choose(wanted(9)), { drop: [], move: [], others: [] }, 'each once');
  t.end();
});

t.test('memory of a block that moved while it was read goes back with its last reader, once', (t) => {
  const blocks = new StoredBlocks();
  blocks.keepPartition(asRddId(1), 0, handle(1), program, scope, true);
  blocks.choose(wanted(1));
  blocks.pin([handle(1)]);
  blocks.pin([handle(1)]);
  t.match(blocks.moved(handle(1), file('f')), { kind: 'moved', release: false });
  blocks.forget([asRddId(1)]);
  t.same(names(blocks.unpin([handle(1)])), []);
  t.same(names(blocks.unpin([handle(1)])), [1], 'also where its RDD is over by then');
  t.same(names(blocks.unpin([handle(1)])), []);
  t.equal(blocks.resident, 0);
  t.end();
});

t.test('a source\'s block keeps its name, and is found in its file until its last RDD is over', (t) => {
  const blocks = new StoredBlocks();
  blocks.keepSource(asRddId(1), handle(1), program, scope);
  blocks.keepSource(asRddId(2), handle(1), program, scope);
  t.same(blocks.placeOf(handle(1)), handle(1));
  blocks.choose(wanted(1));
  t.match(blocks.moved(handle(1), file('f')), { kind: 'moved', release: true });
  t.same(blocks.placeOf(handle(1)), file('f'));
  blocks.keepSource(asRddId(3), handle(1), program, scope);
  t.equal(blocks.resident, 0, 'it is not taken for one in memory again');
  t.same(blocks.forget([asRddId(1), asRddId(2)]), []);
  t.same(blocks.forget([asRddId(3)]), ['f']);
  t.same([blocks.onDisk, blocks.resident], [0, 0]);
  t.end();
});

t.test('unpersisting an RDD that is a source forgets its stored partition, and not the block that it reads', (t) => {
  const blocks = new StoredBlocks();
  blocks.keepSource(asRddId(1), handle(1), program, scope);
  blocks.keepPartition(asRddId(1), 0, handle(2), program, scope, true);
  blocks.forgetPartitions(asRddId(1));
  t.same(names(blocks.choose(wanted(9)).move), [1]);
  t.end();
});

t.test('a block that was forgotten while it was written leaves a file for nobody; one that could not be written stays', (t) => {
  const blocks = new StoredBlocks();
  blocks.keepPartition(asRddId(1), 0, handle(1), program, scope, true);
  blocks.keepSource(asRddId(2), handle(2), program, scope);
  blocks.choose(wanted(9));
  blocks.forget([asRddId(1)]);
  t.match(blocks.moved(handle(1), file('f')), { kind: 'forgotten' });
  t.match(blocks.moved(handle(2), null), { kind: 'kept' });
  t.same(blocks.placeOf(handle(2)), handle(2));
  t.same(blocks.choose(wanted(9)), { drop: [], move: [], others: [] }, 'and is not tried again');
  t.end();
});
