/**
 * Keys to partitions: equality of partitioners, Spark's rule for the default one, the partition function itself, and the
 * bounds of a range partitioner.
 *
 * Invariant: equal keys go to the same partition number under equal specs, on every thread and in every run. So an RDD laid
 * out by a spec equal to the wanted one needs no shuffle.
 *
 *   range, 3 partitions, ascending:   keys <= b0 | b0 < keys <= b1 | b1 < keys      bounds [b0, b1]
 *   descending: the same pieces, numbered from the other end.
 */
import type { PartitionerSpec } from '../../protocol/rdd.ts';
import { decodeRecords, encodeRecords } from '../../protocol/codec.ts';
import { MillraceError } from '../../protocol/errors.ts';
import { compareKeys, partitionOf } from '../base/key.ts';

/** What a keyed operation takes for its result's layout: a number of hash partitions, or a whole spec. */
export type Partitioning = number | PartitionerSpec;

export function hashPartitioner(partitions: number): PartitionerSpec {
  return { kind: 'hash', partitions };
}

/**
 * True where records laid out by `a` are laid out by `b` too. Range partitioners are equal where the same RDD owns their
 * bounds: these are not known before its inner stage has run, and are kept per owner after that.
 */
export function samePartitioner(a: PartitionerSpec | null, b: PartitionerSpec | null): boolean {
  if (a === null || b === null || a.partitions !== b.partitions) return false;
  if (a.kind === 'hash') return b.kind === 'hash';
  if (a.kind === 'range') return b.kind === 'range' && a.owner === b.owner && a.ascending === b.ascending;
  return false;
}

/** As much of an RDD as the default rule looks at. */
export interface Layout {
  readonly partitions: number;
  readonly partitioner: PartitionerSpec | null;
}

/**
 * Spark's `Partitioner.defaultPartitioner`, where `spark.default.parallelism` is set (here it always is): the parents'
 * partitioner with the most partitions is used again, if that parent has at least `defaultParallelism` partitions or is
 * within one order of magnitude of the largest parent. Otherwise: hash, `defaultParallelism` partitions.
 */
export function defaultPartitioner(defaultParallelism: number, parents: readonly Layout[]): PartitionerSpec {
  let widest: Layout | null = null;
  let partitionsMax = 0;
  for (const parent of parents) {
    partitionsMax = Math.max(partitionsMax, parent.partitions);
    if (parent.partitioner === null || parent.partitioner.partitions === 0) continue;
    if (widest === null || parent.partitions > widest.partitions) widest = parent;
  }
  if (widest !== null && widest.partitioner !== null) {
    const eligible = Math.log10(partitionsMax) - Math.log10(widest.partitions) < 1;
    if (eligible || defaultParallelism <= widest.partitions) return widest.partitioner;
  }
  return hashPartitioner(defaultParallelism);
}

/**
 * The partition of a key under a keyed spec. A range spec must hold its bounds; they may be fewer than `partitions - 1`
 * (few distinct keys), and the last partitions are empty then.
 */
export function partitionFunctionOf(spec: PartitionerSpec): (key: unknown) => number {
  const { partitions } = spec;
  if (spec.kind === 'hash') return partitions <= 1 ? () => 0 : (key) => partitionOf(key, partitions);
  if (spec.kind === 'roundRobin') {
    throw new MillraceError('InvalidArgument', 'A partition function needs a keyed partitioner, got roundRobin: records have no key there. Count them instead.');
  }
  if (partitions <= 1) return () => 0;
  if (spec.bounds === null) {
    throw new MillraceError('InvalidArgument', `The bounds of the range partitioner of RDD ${spec.owner} are not known yet: its sampling stage must run first.`);
  }
  const bounds = decodeRecords(spec.bounds);
  const { ascending } = spec;
  return (key) => {
    // The first bound that is not below the key.
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(bounds[middle], key) < 0) low = middle + 1;
      else high = middle;
    }
    return ascending ? low : bounds.length - low;
  };
}

/** Keys of one partition, evenly spread, and how many records they stand for. */
export interface KeySample {
  readonly keys: readonly unknown[];
  readonly records: number;
}

/** Keys that Spark's range partitioner samples for each partition of its result, and the most that it takes in all. */
const sampledKeysPerPartition = 20;
const sampledKeysMax = 1_000_000;

/** The `limit` of a `sampleKeys` sink: three times what would do if the parent's partitions were equally full, as in Spark. */
export function sampleLimit(partitions: number, parentPartitions: number): number {
  return Math.ceil((3 * Math.min(sampledKeysPerPartition * partitions, sampledKeysMax)) / Math.max(1, parentPartitions));
}

/**
 * Upper bounds that cut the samples into `partitions` pieces of about equal weight; equal keys are never cut, so there can be
 * fewer. Spark's `RangePartitioner.determineBounds`.
 */
export function rangeBounds(samples: readonly KeySample[], partitions: number): Uint8Array {
  const candidates: { readonly key: unknown; readonly weight: number }[] = [];
  let total = 0;
  for (const { keys, records } of samples) {
    for (const key of keys) candidates.push({ key, weight: records / keys.length });
    if (keys.length > 0) total += records;
  }
  candidates.sort((a, b) => compareKeys(a.key, b.key));
  const step = total / partitions;
  const bounds: unknown[] = [];
  let weight = 0;
  let target = step;
  for (const candidate of candidates) {
    if (bounds.length >= partitions - 1) break;
    weight += candidate.weight;
    if (weight < target) continue;
    if (bounds.length > 0 && compareKeys(candidate.key, bounds[bounds.length - 1]) <= 0) continue;
    bounds.push(candidate.key);
    target += step;
  }
  return encodeRecords(bounds);
}
