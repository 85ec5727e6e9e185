/** What the driver knows of state: versions, chains of steps, what is passed over and what is forgotten. */
import t from 'tap';
import { StateBook } from '../../../../lib/rdd/state/state-book.ts';
import type { StateNode } from '../../../../lib/rdd/state/state-book.ts';
import type { StateLink } from '../../../../protocol/rdd.ts';
import { asBlockId, asHostId, asProgramId, asRddId } from '../../../../protocol/ids.ts';
import { asBatchTime } from '../../../../protocol/time.ts';
import { heapBytes } from '../../../helpers/heap.ts';

const program = asProgramId(1);

/** Version number n of table 3, at n seconds, of two partitions. */
const version = (n: number): StateNode => ({
  kind: 'state', id: asRddId(n), parents: [], partitions: 2, partitioner: null, storage: null, operator: null, table: 3, time: asBatchTime(n * 1_000),
  spec: { kind: 'hash', partitions: 2 }, update: { kind: 'update', fn: { kind: 'builtin', name: 'identity' }, form: 'plain' },
  input: null, initial: null, previous: n === 1 ? null : asRddId(n - 1), emits: null, versionsKept: 1,
});

/** Its bytes lie at slab n * 10 + partition. */
const step = (n: number, partition: number, snapshot = n === 1): StateLink => ({
  time: asBatchTime(n * 1_000), snapshot, extra: null,
  pairs: { id: asBlockId('b'), codec: 'records', place: { slab: n * 10 + partition, offset: 0, bytes: 8, generation: 0 }, records: 1 },
});

function made(book: StateBook, n: number, snapshot?: boolean): void {
  for (const partition of [0, 1]) t.equal(book.add(program, version(n), partition, step(n, partition, snapshot)), true);
}

const slabs = (places: ReturnType<StateBook['places']>): number[] => places.map((place) => ('slab' in place ? place.slab : -1)).sort((a, b) => a - b);
const times = (book: StateBook, n: number): (number | undefined)[] => (book.input(asRddId(n), 0).chain ?? []).map(({ time }) => Number(time));

t.test('a version is made when all its partitions are, and each only once', (t) => {
  const book = new StateBook();
  book.add(program, version(1), 1, step(1, 1));
  t.equal(book.isMade(asRddId(1)), false);
  t.equal(book.isPartitionMade(asRddId(1), 1), true);
  t.equal(book.add(program, version(1), 1, step(1, 1)), false);
  book.add(program, version(1), 0, step(1, 0));
  t.equal(book.isMade(asRddId(1)), true);
  t.end();
});

t.test('who has no table gets the steps from the last snapshot on; who has it gets none', (t) => {
  const book = new StateBook();
  for (const n of [1, 2, 3]) made(book, n);
  t.same(times(book, 3), [1_000, 2_000, 3_000]);
  made(book, 4, true);
  made(book, 5);
  t.same(times(book, 5), [4_000, 5_000]);
  book.own(asRddId(5), 0, asHostId(9));
  t.equal(book.input(asRddId(5), 0).chain, null);
  t.equal(book.ownerOf(asRddId(3), 0), 9, 'the table is one for all versions');
  book.lose(asRddId(5), 0);
  t.same(times(book, 5), [4_000, 5_000], 'told once more, with the steps');
  made(book, 6);
  t.equal(book.input(asRddId(6), 0).chain, null, 'a newer version is there');
  book.disown(asHostId(9));
  t.same(times(book, 6), [4_000, 5_000, 6_000]);
  t.end();
});

t.test('a version that failed is passed over, and says what it failed of', (t) => {
  const book = new StateBook();
  made(book, 1);
  book.add(program, version(2), 0, step(2, 0));
  book.fail(program, version(2), new Error('No luck.'));
  t.throws(() => book.refuseFailed(asRddId(2)), { code: 'StateFailed', message: /2000 ms.*No luck/ });
  t.equal(book.add(program, version(2), 1, step(2, 1)), false, 'too late');
  book.fail(program, version(3), new Error('Nor this.'));
  t.equal(book.baseOf(version(4)), 1);
  made(book, 4);
  t.same(times(book, 4), [1_000, 4_000]);
  book.fail(program, version(4), new Error('An output failed.'));
  book.refuseFailed(asRddId(4));
  t.equal(book.isMade(asRddId(4)), true, 'what is made can\'t fail any more');
  t.same(slabs(book.forget([asRddId(2), asRddId(3)])), [20], 'the half of it that was made');
  t.end();
});

t.test('steps are given back once no version that is remembered, nor the newest, needs them', (t) => {
  const book = new StateBook();
  for (const n of [1, 2, 3]) made(book, n);
  t.same(book.forget([asRddId(1), asRddId(2)]), [], 'the newest is made of them');
  made(book, 4, true);
  t.same(slabs(book.forget([asRddId(3)])), [10, 11, 20, 21, 30, 31]);
  t.equal(book.size, 1);
  t.same(slabs(book.forget([asRddId(4)])), [], 'the next one will be made of it');
  made(book, 5);
  t.same(slabs(book.forgetProgram(program)), [40, 41, 50, 51]);
  t.equal(book.size, 0);
  t.end();
});

/**
 * Bug: each version named the one that it was made of, so all that there ever were could be reached from the newest: some 400 bytes on
 * the driver for each state and batch, for as long as the stream ran.
 */
t.test('versions that are forgotten can no longer be reached from the newest', (t) => {
  const book = new StateBook();
  let failed = 0;
  const run = (from: number, to: number): void => {
    for (let n = from; n <= to; n += 1) {
      if (n % 50 === 0) book.fail(program, version(n), new Error(`Number ${(failed += 1)}.`));
      else for (const partition of [0, 1]) book.add(program, version(n), partition, step(n, partition, n % 10 === 1));
      if (n > 3) book.forget([asRddId(n - 3)]);
    }
  };
  run(1, 2_000);
  const before = heapBytes();
  run(2_001, 22_000);
  const grown = heapBytes() - before;
  t.ok(grown < 20_000 * 50, `${grown} bytes more after 20,000 versions`);
  t.ok(failed === 440 && book.size < 20, 'some had failed, and few are held', { held: book.size });
  t.end();
});
