/** A partition behind an iterable. */
import t from 'tap';
import { PairRecords, PartitionRecords } from '../../../../lib/rdd/partition-records.ts';

t.test('pairs of columns can be gone through any number of times, and what one pass does to a pair no other sees', (t) => {
  const columns = { keys: ['a', 'b'], values: [1, 2] };
  const records = new PairRecords([columns, { keys: [], values: [] }, { keys: ['c'], values: [3] }]);
  for (const pair of records) pair[1] = 'changed';
  t.strictSame([...records], [['a', 1], ['b', 2], ['c', 3]]);
  t.strictSame(columns, { keys: ['a', 'b'], values: [1, 2] });
  const [first] = records;
  t.strictSame(first, ['a', 1], 'a pass may end early');
  t.end();
});

t.test('neither kind is the array itself', (t) => {
  for (const records of [new PartitionRecords([1, 2]), new PairRecords([{ keys: [1], values: [2] }])]) {
    t.notOk(Array.isArray(records));
    t.strictSame(Object.keys(records), []);
  }
  t.end();
});
