/**
 * Pair operators with several parents: cogroup, and the joins made of it.
 *
 * Invariant: parent i is read directly (`shuffles[i]` null) where it is laid out by the result's partitioner already. Join
 * results keep that partitioner, since they keep the keys. Parents beyond `shuffleParentsMax` must be read directly.
 */
import { shuffleIdOf, shuffleParentsMax } from '../../protocol/ids.ts';
import { callError } from '../base/caller-place.ts';
import { withValues } from './pair-combine.ts';
import type { Partitioning } from './partitioner.ts';
import { defaultPartitioner, hashPartitioner, samePartitioner } from './partitioner.ts';
import type { RDD } from './rdd.ts';
import { builtin, partitionerFor, sameContext } from './rdd-base.ts';

type Pairs<K, V> = RDD<readonly [K, V]>;

/** [key, [values of `first`, values of `others[0]`, ...]]. */
export function cogroup<K>(first: Pairs<K, unknown>, others: readonly Pairs<K, unknown>[], partitioning: Partitioning | undefined, method: string): RDD<[K, unknown[][]]> {
  const parents = [first, ...others];
  for (const other of others) sameContext(first, other, method);
  const spec = partitioning === undefined
    ? defaultPartitioner(first.context.defaultParallelism, parents.map((parent) => parent.node))
    : partitionerFor(partitioning, method);
  const direct = parents.map((parent) => samePartitioner(parent.partitioner, spec));
  if (direct.lastIndexOf(false) >= shuffleParentsMax) {
    throw callError('InvalidArgument', method, `${method}: only the first ${shuffleParentsMax} RDDs can be shuffled, and number ${direct.lastIndexOf(false) + 1} of ${parents.length} would have to be. Lay the RDDs out alike before, by partitionBy, or cogroup them in steps.`, { rdds: parents.length, shuffleParentsMax });
  }
  return first.derive(method, (id) => ({
    kind: 'coGrouped', parents: parents.map((parent) => parent.id), partitions: spec.partitions, partitioner: spec, spec,
    shuffles: direct.map((isDirect, index) => (isDirect ? null : shuffleIdOf(id, index))),
  }));
}

export type JoinKind = 'innerJoin' | 'leftOuterJoin' | 'rightOuterJoin' | 'fullOuterJoin';

/** For each key all [left value, right value], left values outside; an absent side of an outer join is null. */
export function join<K, J>(left: Pairs<K, unknown>, right: Pairs<K, unknown>, kind: JoinKind, partitioning: Partitioning | undefined, method: string): RDD<[K, J]> {
  return withValues<K, J>(cogroup(left, [right], partitioning, method), 'flatMapValues', builtin(kind), method);
}

/** Default, as Spark's: the left side's partitioner, else as many hash partitions as it has. */
export function subtractByKey<K, V, W>(left: Pairs<K, V>, right: Pairs<K, W>, partitioning: Partitioning | undefined, method: string): RDD<[K, V]> {
  const { partitioner, partitions } = left.node;
  const groups = cogroup<K>(left, [right], partitioning ?? partitioner ?? hashPartitioner(partitions), method);
  return withValues<K, V>(groups, 'flatMapValues', builtin('onlyLeft'), method);
}
