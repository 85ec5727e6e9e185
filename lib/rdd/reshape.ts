/**
 * Operators that put partitions or whole RDDs together: union, coalesce, cartesian, zip, and the set operations; and the plain narrow ones.
 *
 * Invariant: each is a few plain nodes over the parents; where two partitions of a parent meet in one, their order is that
 * of the parent.
 */
import type { FunctionRef, PartitionerSpec } from '../../protocol/rdd.ts';
import { shuffleIdOf } from '../../protocol/ids.ts';
import { callError } from '../base/caller-place.ts';
import { cogroup, subtractByKey } from './pair-join.ts';
import { reduceByKey } from './pair-combine.ts';
import type { Partitioning } from './partitioner.ts';
import { hashPartitioner, samePartitioner } from './partitioner.ts';
import type { RDD } from './rdd.ts';
import { builtin, sameContext, userFunction, wholeNumber } from './rdd-base.ts';
import type { RecordOptions } from './record-options.ts';
import { policyOf } from './record-options.ts';

/** Record by record. */
export function narrowed<U>(rdd: RDD<unknown>, method: 'map' | 'filter' | 'flatMap', f: (record: never) => unknown, partitioner: PartitionerSpec | null, options: RecordOptions | undefined): RDD<U> {
  const fn = userFunction(rdd.context, f, method);
  return rdd.derive(method, { kind: method, parents: [rdd.id], partitions: rdd.getNumPartitions(), partitioner, fn, ...policyOf(method, options) });
}

export function mapPartitions<T, U>(rdd: RDD<T>, f: unknown, withIndex: boolean, preservesPartitioning: boolean, method: string): RDD<U> {
  const { partitions, partitioner } = rdd.node;
  const fn = userFunction(rdd.context, f, method);
  return rdd.derive(method, { kind: 'mapPartitions', parents: [rdd.id], partitions, partitioner: preservesPartitioning ? partitioner : null, fn, withIndex });
}

/** `map` with one of our own functions. */
export function mapBuiltin<U>(rdd: RDD<unknown>, fn: string | FunctionRef, method: string): RDD<U> {
  const ref = typeof fn === 'string' ? builtin(fn) : fn;
  return rdd.derive(method, { kind: 'map', parents: [rdd.id], partitions: rdd.getNumPartitions(), partitioner: null, fn: ref });
}

/**
 * Partitions one after another. As in Spark, parents without partitions don't count, and parents that all have the same
 * partitioner give partitions put together by number, laid out by it:
 *
 *   union of a (2), b (2):   0: a0  1: a1  2: b0  3: b1        the same partitioner:   0: a0 b0   1: a1 b1
 */
export function union<T>(first: RDD<T>, others: readonly RDD<T>[], method: string): RDD<T> {
  for (const other of others) sameContext(first, other, method);
  const parents = [first, ...others].filter((parent) => parent.getNumPartitions() > 0);
  const partitions = parents.reduce((sum, parent) => sum + parent.getNumPartitions(), 0);
  const joined = first.derive<T>(method, { kind: 'union', parents: parents.map((parent) => parent.id), partitions, partitioner: null });
  const shared = parents[0]?.partitioner ?? null;
  if (shared === null || !parents.every((parent) => samePartitioner(parent.partitioner, shared))) return joined;
  const each = shared.partitions;
  const groups = Array.from({ length: each }, (_, partition) => parents.map((_parent, index) => index * each + partition));
  return first.derive(method, { kind: 'coalesce', parents: [joined.id], partitions: each, partitioner: shared, groups });
}

export function coalesce<T>(rdd: RDD<T>, numPartitions: number, shuffle: boolean, method: string): RDD<T> {
  const wanted = wholeNumber(numPartitions, 1, method, 'numPartitions');
  const { partitions } = rdd.node;
  if (shuffle) {
    const spec: PartitionerSpec = { kind: 'roundRobin', partitions: wanted };
    return rdd.derive(method, (id) => ({
      kind: 'shuffled', parents: [rdd.id], partitions: wanted, partitioner: null,
      shuffle: shuffleIdOf(id, 0), spec, aggregator: null, mapSideCombine: false, sort: null, narrow: false,
    }));
  }
  const count = Math.min(wanted, partitions);
  const groups = Array.from({ length: count }, (_, group) => {
    const start = Math.floor((group * partitions) / count);
    const end = Math.floor(((group + 1) * partitions) / count);
    return Array.from({ length: end - start }, (_parent, index) => start + index);
  });
  return rdd.derive(method, { kind: 'coalesce', parents: [rdd.id], partitions: count, partitioner: null, groups });
}

export function cartesian<T, U>(left: RDD<T>, right: RDD<U>): RDD<[T, U]> {
  sameContext(left, right, 'cartesian');
  const rightPartitions = right.getNumPartitions();
  return left.derive('cartesian', { kind: 'cartesian', parents: [left.id, right.id], partitions: left.getNumPartitions() * rightPartitions, partitioner: null, rightPartitions });
}

export function zip<T, U>(left: RDD<T>, right: RDD<U>): RDD<[T, U]> {
  sameContext(left, right, 'zip');
  const partitions = left.getNumPartitions();
  const others = right.getNumPartitions();
  if (partitions !== others) {
    throw callError('InvalidArgument', 'zip', `zip: both RDDs must have equally many partitions, got ${partitions} and ${others}. Use repartition, or zipWithIndex and join.`, { partitions: [partitions, others] });
  }
  return left.derive('zip', { kind: 'zip', parents: [left.id, right.id], partitions, partitioner: null });
}

export function distinct<T>(rdd: RDD<T>, partitioning: Partitioning | undefined): RDD<T> {
  const pairs = mapBuiltin<[T, null]>(rdd, 'withNull', 'distinct');
  return mapBuiltin<T>(reduceByKey<T, null>(pairs, builtin('keepFirst'), partitioning ?? hashPartitioner(rdd.getNumPartitions()), 'distinct'), 'keyOf', 'distinct');
}

export function intersection<T>(left: RDD<T>, right: RDD<T>, partitioning: Partitioning | undefined): RDD<T> {
  const method = 'intersection';
  const groups = cogroup(mapBuiltin<[T, null]>(left, 'withNull', method), [mapBuiltin<[T, null]>(right, 'withNull', method)], partitioning, method);
  const { partitions, partitioner } = groups.node;
  const both = groups.derive(method, { kind: 'filter', parents: [groups.id], partitions, partitioner, fn: builtin('inBoth') });
  return mapBuiltin<T>(both, 'keyOf', method);
}

export function subtract<T>(left: RDD<T>, right: RDD<T>, partitioning: Partitioning | undefined): RDD<T> {
  const method = 'subtract';
  const kept = subtractByKey<T, null, null>(mapBuiltin(left, 'withNull', method), mapBuiltin(right, 'withNull', method), partitioning ?? hashPartitioner(left.getNumPartitions()), method);
  return mapBuiltin<T>(kept, 'keyOf', method);
}
