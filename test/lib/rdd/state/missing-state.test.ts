/** What tasks are told of versions of state that their worker no longer has. */
import t from 'tap';
import { StateBook } from '../../../../lib/rdd/state/state-book.ts';
import type { StateNode } from '../../../../lib/rdd/state/state-book.ts';
import type { StateLink } from '../../../../protocol/rdd.ts';
import { asHostId, asRddId } from '../../../../protocol/ids.ts';
import { asBatchTime } from '../../../../protocol/time.ts';

/** Versions 1..count of one table with two partitions, all made by host 3. */
function bookOf(count: number): StateBook {
  const book = new StateBook();
  for (let version = 1; version <= count; version += 1) {
    const time = asBatchTime(version * 1_000);
    const node = { kind: 'state', id: asRddId(version), table: 7, time, versionsKept: count, partitions: 2, previous: version === 1 ? null : asRddId(version - 1) } as unknown as StateNode;
    for (const partition of [0, 1]) {
      book.add(null, node, partition, { time, snapshot: version === 1, pairs: null, extra: null } as unknown as StateLink);
      book.own(node.id, partition, asHostId(3));
    }
  }
  return book;
}

const chainTimes = (book: StateBook, rdd: number, partition: number): readonly number[] | null => book.input(asRddId(rdd), partition).chain?.map(({ time }) => Number(time)) ?? null;

t.test('a task is told no chain where the worker has the table', (t) => {
  t.equal(chainTimes(bookOf(3), 3, 0), null);
  t.end();
});

/**
 * Bug: a task read old versions of two tables, both of which its worker had left behind. Each attempt brought the chain of the one
 * that was missing last, and of that alone, so the other was missing again, nine times, and the batch failed.
 */
t.test('once a worker did not have a version, all of its table come with their chains, in every attempt', (t) => {
  const book = bookOf(4);
  book.lose(asRddId(2), 0);
  for (let attempt = 0; attempt < 3; attempt += 1) {
    t.same(chainTimes(book, 2, 0), [1_000, 2_000]);
    t.same(chainTimes(book, 3, 0), [1_000, 2_000, 3_000], 'a window that reads several needs them all at once');
  }
  t.equal(chainTimes(book, 2, 1), null, 'the other partition is where it was');
  t.end();
});

t.test('where no worker has the table, everybody is told the chain', (t) => {
  const book = bookOf(2);
  book.disown(asHostId(3));
  t.same(chainTimes(book, 2, 1), [1_000, 2_000]);
  t.end();
});
