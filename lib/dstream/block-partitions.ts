/**
 * How a batch's blocks become the partitions of its input: one each, as in Spark, as long as there are few; more than that go together with their
 * neighbours, since each partition is a task with tables of its own, whose results the reducers put together.
 *
 *   blocks:       b1 b2 b3 | b4 b5 | b6 b7 b8 | ...     in the order in which they came
 *   partitions:      p0    |   p1  |    p2    |
 *
 * Invariant: a partition is a run of neighbours, so the records' order stays. The choice is made once for a batch, from its blocks, and written down with
 * it: when the batch runs again, it has the same partitions, whatever has changed since.
 */
import type { BlockRef } from '../../protocol/rdd.ts';

/** Tasks for each that can run at once, so that none waits long for the last one. */
const partitionsPerSlot = 4;
/** A task keeps what it reads in memory: no more than this for the sake of fewer tasks. */
export const partitionBytesMax = 16 * 1024 * 1024;

export type BlockPartitions = readonly (readonly BlockRef[])[];

/** `slots`: how many tasks are meant to run at once. */
export function partitionsOf(blocks: readonly BlockRef[], slots: number): BlockPartitions {
  const sizes = blocks.map(({ place }) => place?.bytes ?? 0);
  const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
  const partitions = Math.max(slots * partitionsPerSlot, Math.ceil(total / partitionBytesMax));
  if (blocks.length <= partitions || total === 0) return blocks.map((block) => [block]);
  const groups: BlockRef[][] = [];
  let before = 0;
  let last = -1;
  for (const [index, block] of blocks.entries()) {
    // Where its middle lies, of as many equal parts: never farther than the last part, and never back.
    const part = Math.min(partitions - 1, Math.floor(((before + sizes[index]! / 2) * partitions) / total));
    if (part === last) groups.at(-1)!.push(block);
    else groups.push([block]);
    last = part;
    before += sizes[index]!;
  }
  return groups;
}

/** As they were written down: how many blocks each partition has. Blocks that are gone are missing in theirs. */
export function partitionsAsBefore<T>(blocks: readonly T[], sizes: readonly number[] | undefined, refOf: (block: T) => BlockRef | undefined): BlockPartitions {
  const refs = (from: number, to: number): BlockRef[] => blocks.slice(from, to).flatMap((block) => refOf(block) ?? []);
  if (sizes === undefined) return blocks.flatMap((_, index) => (refs(index, index + 1).length === 0 ? [] : [refs(index, index + 1)]));
  let end = 0;
  return sizes.map((size) => refs(end, (end += size)));
}
