import t from 'tap';
import type { BlockRef, SharedHandle } from '../../../../protocol/rdd.ts';
import { asBlockId, asRddId, shuffleIdOf } from '../../../../protocol/ids.ts';
import { KnownOutputs, parentOfShuffle, rddOfShuffle } from '../../../../lib/rdd/known-outputs.ts';

const at = (slab: number): SharedHandle => ({ slab, offset: 0, bytes: 1, generation: 0 });
const block = (slab: number | null): BlockRef => ({ id: asBlockId('b'), codec: 'records', place: slab === null ? null : at(slab), records: 0 });
const rdd = asRddId(7);
const shuffle = shuffleIdOf(rdd, 3);

t.test('a shuffle names the RDD that reads it and the parent that is written', async (t) => {
  const big = asRddId(5 * 2 ** 32 + 123);
  t.equal(rddOfShuffle(shuffleIdOf(big, 15)), big);
  t.equal(parentOfShuffle(shuffleIdOf(big, 15)), 15);
});

t.test('the first output for a place stays', async (t) => {
  const known = new KnownOutputs();
  t.equal(known.addMapOutput(shuffle, 2, [at(1), null]), true);
  t.equal(known.addMapOutput(shuffle, 2, [at(2), at(3)]), false);
  t.same(known.mapOutput(shuffle, 2), [at(1), null]);
  t.equal(known.mapOutput(shuffle, 0), null);
  t.equal(known.addBlock(rdd, 0, block(4)), true);
  t.equal(known.addBlock(rdd, 0, block(5)), false);
  t.same(known.block(rdd, 0), block(4));
  known.addCount(rdd, 1, 10);
  known.addCount(rdd, 1, 11);
  t.same([known.count(rdd, 0), known.count(rdd, 1)], [null, 10]);
  known.addBounds(rdd, new Uint8Array([1]));
  known.addBounds(rdd, new Uint8Array([2]));
  t.same(known.bounds(rdd), new Uint8Array([1]));
});

t.test('what is lost is forgotten, unless it was made after the reader looked', async (t) => {
  const known = new KnownOutputs();
  const before = known.version;
  known.addMapOutput(shuffle, 0, [at(1)]);
  known.dropMapOutput(shuffle, 0, before);
  t.not(known.mapOutput(shuffle, 0), null);
  known.dropMapOutput(shuffle, 0, known.version);
  t.equal(known.mapOutput(shuffle, 0), null);
  t.equal(known.dropBlock(rdd, 0, known.version), false, 'nothing there');
  const then = known.version;
  known.addBlock(rdd, 0, block(2));
  t.equal(known.dropBlock(rdd, 0, then), true);
  t.not(known.block(rdd, 0), null);
  t.equal(known.dropBlock(rdd, 0, known.version), true);
  t.equal(known.block(rdd, 0), null);
});

t.test('forgetting an RDD names all of its places once, the lost ones too', async (t) => {
  const known = new KnownOutputs();
  known.addMapOutput(shuffle, 0, [at(1), null]);
  known.dropMapOutput(shuffle, 0, known.version);
  known.addMapOutput(shuffle, 0, [at(2), at(3)]);
  known.addBlock(rdd, 1, block(4));
  known.addBlock(rdd, 2, block(null));
  known.addMapOutput(shuffleIdOf(asRddId(8), 0), 0, [at(9)]);
  known.addBounds(rdd, new Uint8Array());
  t.same(known.places().map((place) => 'slab' in place && place.slab).sort(), [1, 2, 3, 4, 9]);
  t.same(known.forgetRdds([rdd]).map((place) => 'slab' in place && place.slab).sort(), [1, 2, 3, 4]);
  t.same([known.mapOutput(shuffle, 0), known.block(rdd, 1), known.bounds(rdd)], [null, null, null]);
  t.same(known.forgetRdds([rdd]), []);
  t.equal(known.places().length, 1, 'others are kept');
});

t.test('unpersisting forgets the stored partitions, not the shuffles', async (t) => {
  const known = new KnownOutputs();
  known.addMapOutput(shuffle, 0, [at(1)]);
  known.addBlock(rdd, 1, block(4));
  t.same(known.forgetBlocks(rdd), [at(4)]);
  t.same(known.forgetBlocks(rdd), []);
  t.not(known.mapOutput(shuffle, 0), null);
});
