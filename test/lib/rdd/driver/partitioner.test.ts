import t from 'tap';
import fc from 'fast-check';
import type { PartitionerSpec } from '../../../../protocol/rdd.ts';
import { decodeRecords, encodeRecords } from '../../../../protocol/codec.ts';
import { asRddId } from '../../../../protocol/ids.ts';
import { compareKeys, partitionOf } from '../../../../lib/base/key.ts';
import { defaultPartitioner, hashPartitioner, partitionFunctionOf, rangeBounds, sampleLimit, samePartitioner } from '../../../../lib/rdd/partitioner.ts';

const range = (partitions: number, owner = 1, ascending = true, bounds: Uint8Array | null = null): PartitionerSpec =>
  ({ kind: 'range', partitions, ascending, bounds, owner: asRddId(owner) });

t.test('partitioners are the same by kind and number, range ones by their owner', async (t) => {
  t.equal(samePartitioner(hashPartitioner(2), hashPartitioner(2)), true);
  t.equal(samePartitioner(hashPartitioner(2), hashPartitioner(3)), false);
  t.equal(samePartitioner(hashPartitioner(2), null), false);
  t.equal(samePartitioner(null, null), false);
  t.equal(samePartitioner(range(2), range(2, 1, true, encodeRecords([1]))), true, 'known bounds make no difference');
  t.equal(samePartitioner(range(2), range(2, 9)), false);
  t.equal(samePartitioner(range(2), range(2, 1, false)), false);
  t.equal(samePartitioner(range(2), hashPartitioner(2)), false);
  t.equal(samePartitioner({ kind: 'roundRobin', partitions: 2 }, { kind: 'roundRobin', partitions: 2 }), false, 'no key decides there');
});

t.test('the default partitioner is Spark\'s', async (t) => {
  const plain = (partitions: number) => ({ partitions, partitioner: null });
  const hashed = (partitions: number) => ({ partitions, partitioner: hashPartitioner(partitions) });
  t.same(defaultPartitioner(4, [plain(7)]), hashPartitioner(4), 'the default parallelism, not the parent\'s number');
  t.same(defaultPartitioner(4, [hashed(3)]), hashPartitioner(3), 'a partitioner that is there is used again');
  t.same(defaultPartitioner(4, [hashed(3), hashed(5)]), hashPartitioner(5), 'the widest of them');
  t.same(defaultPartitioner(4, [hashed(3), plain(29)]), hashPartitioner(3), 'within one order of magnitude of the largest parent');
  t.same(defaultPartitioner(4, [hashed(3), plain(30)]), hashPartitioner(4), 'no longer within it');
  t.same(defaultPartitioner(2, [hashed(3), plain(30)]), hashPartitioner(3), 'but not narrower than the default');
  t.same(defaultPartitioner(4, []), hashPartitioner(4));
  t.same(defaultPartitioner(4, [hashed(0), plain(2)]), hashPartitioner(4), 'a partitioner without partitions is none');
});

t.test('a hash partition is the key bucket\'s', async (t) => {
  const partition = partitionFunctionOf(hashPartitioner(5));
  for (const key of ['a', 1, [1, 'b'], null]) t.equal(partition(key), partitionOf(key, 5));
  t.equal(partitionFunctionOf(hashPartitioner(1))('a'), 0);
});

t.test('range partitions follow the bounds, an upper bound belonging to its partition', async (t) => {
  const ascending = partitionFunctionOf(range(3, 1, true, encodeRecords([10, 20])));
  t.same([5, 10, 11, 20, 21].map(ascending), [0, 0, 1, 1, 2]);
  const descending = partitionFunctionOf(range(3, 1, false, encodeRecords([10, 20])));
  t.same([5, 10, 11, 20, 21].map(descending), [2, 2, 1, 1, 0]);
  t.throws(() => partitionFunctionOf(range(3)), { code: 'InvalidArgument' }, 'without bounds it can\'t be used');
  t.throws(() => partitionFunctionOf({ kind: 'roundRobin', partitions: 2 }), { code: 'InvalidArgument' });
});

t.test('bounds cut a whole sample into equal pieces', async (t) => {
  const keys = Array.from({ length: 12 }, (_, index) => (index * 7) % 12);
  t.same(decodeRecords(rangeBounds([{ keys, records: 12 }], 3)), [3, 7]);
  t.same(decodeRecords(rangeBounds([{ keys: [1, 1, 1, 1, 2], records: 5 }], 4)), [1, 2], 'equal keys are never cut');
  t.same(decodeRecords(rangeBounds([], 4)), []);
  t.same(decodeRecords(rangeBounds([{ keys: [1, 2], records: 2_000 }, { keys: [3, 4], records: 2 }], 2)), [2], 'a sample weighs as much as what it stands for');
});

t.test('whatever the keys: bounds are increasing, and partitions are in the order of their keys', async (t) => {
  fc.assert(fc.property(
    fc.array(fc.oneof(fc.integer({ min: -20, max: 20 }), fc.string({ maxLength: 2 }), fc.constant(null)), { maxLength: 60 }),
    fc.integer({ min: 1, max: 6 }), fc.boolean(),
    (keys, partitions, ascending) => {
      const encoded = rangeBounds([{ keys, records: keys.length }], partitions);
      const bounds = decodeRecords(encoded);
      if (bounds.length > Math.max(0, partitions - 1)) return false;
      if (bounds.some((bound, index) => index > 0 && compareKeys(bounds[index - 1], bound) >= 0)) return false;
      const partition = partitionFunctionOf(range(partitions, 1, ascending, encoded));
      const sorted = [...keys].sort(ascending ? compareKeys : (a, b) => compareKeys(b, a));
      return sorted.every((key, index) => partition(key) >= 0 && partition(key) < partitions && (index === 0 || partition(sorted[index - 1]) <= partition(key)));
    },
  ), { seed: 20_261, numRuns: 300 });
});

t.test('the sample grows with the result and shrinks with the number of partitions it is taken from', async (t) => {
  t.equal(sampleLimit(2, 1), 120);
  t.equal(sampleLimit(2, 4), 30);
  t.equal(sampleLimit(1_000_000, 1), 3_000_000);
});
