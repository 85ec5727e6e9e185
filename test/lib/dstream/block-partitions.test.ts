/** Blocks of a batch to partitions of its input. */
import t from 'tap';
import fc from 'fast-check';
import { partitionBytesMax, partitionsAsBefore, partitionsOf } from '../../../lib/dstream/block-partitions.ts';
import type { BlockRef } from '../../../protocol/rdd.ts';
import type { BlockId } from '../../../protocol/ids.ts';

const blocksOf = (sizes: readonly number[]): BlockRef[] => sizes.map((bytes, index) => ({ id: `b${index}` as BlockId, codec: 'text', records: bytes, place: bytes === 0 ? null : { slab: 0, offset: 0, bytes, generation: 0 } }));
const sizesOf = (partitions: readonly (readonly BlockRef[])[]): number[] => partitions.map((own) => own.length);

t.test('few blocks are a partition each, whatever their sizes', (t) => {
  t.same(sizesOf(partitionsOf(blocksOf([1, 0, 900_000, 2, 3, 4, 5, 6]), 2)), [1, 1, 1, 1, 1, 1, 1, 1]);
  t.same(partitionsOf([], 2), []);
  t.end();
});

t.test('many blocks are four partitions for each slot, of about the same size', (t) => {
  t.same(sizesOf(partitionsOf(blocksOf(Array.from({ length: 34 }, () => 1_000_000)), 2)), [4, 4, 5, 4, 4, 4, 5, 4]);
  t.same(sizesOf(partitionsOf(blocksOf([8_000, ...Array.from({ length: 16 }, () => 1_000)]), 1)), [1, 4, 6, 6]);
  t.end();
});

t.test('a partition is not made larger than a task may keep in memory', (t) => {
  const partitions = partitionsOf(blocksOf(Array.from({ length: 400 }, () => 1_048_576)), 2);
  t.equal(partitions.length, 25);
  t.ok(partitions.every((own) => own.length * 1_048_576 <= partitionBytesMax));
  t.end();
});

t.test('whatever the blocks: all of them, in their order, in no more partitions than there may be, and none of these empty', (t) => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 3_000_000 })), { maxLength: 200 }), fc.integer({ min: 1, max: 8 }), (sizes, slots) => {
      const blocks = blocksOf(sizes);
      const partitions = partitionsOf(blocks, slots);
      const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
      const most = total === 0 ? Infinity : Math.max(slots * 4, Math.ceil(total / partitionBytesMax));
      const again = partitionsAsBefore(blocks.map(({ id }) => id), sizesOf(partitions), (id) => blocks.find((block) => block.id === id));
      return partitions.flat().every((block, index) => block === blocks[index]) && partitions.flat().length === blocks.length && partitions.length <= most && partitions.every((own) => own.length > 0) && JSON.stringify(again) === JSON.stringify(partitions);
    }),
    { seed: 7, numRuns: 1_000 },
  );
  t.end();
});

t.test('as they were written down: one each where nothing was said, and a block that is gone leaves its partition where it was', (t) => {
  const blocks = blocksOf([1, 2, 3, 4]);
  const refOf = (id: number): BlockRef | undefined => (id === 1 ? undefined : blocks[id]);
  t.same(sizesOf(partitionsAsBefore([0, 1, 2, 3], undefined, refOf)), [1, 1, 1]);
  t.same(sizesOf(partitionsAsBefore([0, 1, 2, 3], [1, 1, 2], refOf)), [1, 0, 2]);
  t.end();
});
