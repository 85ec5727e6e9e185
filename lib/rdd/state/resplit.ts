/**
 * Keyed state in another number of partitions than it was written with.
 *
 * A key belongs to one of 4,096 buckets for good, and a partition is a range of buckets, so a new partition holds keys of a few old ones:
 *
 *   2 partitions    |   0..2047    |  2048..4095  |
 *   3 partitions    | 0..1365 | 1366..2730 | 2731..4095 |      new 1 = the end of old 0, then the beginning of old 1
 *
 * Invariant: a new partition's keys are those of the old partitions in the order of their numbers, each in its own order. So the table
 * depends on what was written alone, and any worker makes the same one.
 */
import { keyBuckets, partitionOf } from '../../base/key.ts';

/** Buckets [first, end) of a partition. */
export function bucketsOf(partition: number, partitions: number): { readonly first: number; readonly end: number } {
  return { first: Math.ceil((partition * keyBuckets) / partitions), end: Math.ceil(((partition + 1) * keyBuckets) / partitions) };
}

/** The old partitions (of `oldPartitions`) that share buckets with the new one (of `partitions`), ascending. */
export function overlapping(partition: number, partitions: number, oldPartitions: number): number[] {
  const { first, end } = bucketsOf(partition, partitions);
  const found: number[] = [];
  for (let old = 0; old < oldPartitions; old += 1) {
    const its = bucketsOf(old, oldPartitions);
    if (its.first < end && its.end > first) found.push(old);
  }
  return found;
}

/** Whether a key is of the partition. */
export function belongsTo(partition: number, partitions: number): (key: unknown) => boolean {
  return (key) => partitionOf(key, partitions) === partition;
}
