/**
 * Pair operators with one parent: values by key become one, or move to where their key belongs.
 *
 * Invariant: every one is a `shuffled` node, marked narrow where the parent is laid out by the wanted partitioner already.
 */
import type { AggregatorSpec, FunctionRef, RecordPolicy } from '../../protocol/rdd.ts';
import { shuffleIdOf } from '../../protocol/ids.ts';
import type { Partitioning } from './partitioner.ts';
import { defaultPartitioner, samePartitioner } from './partitioner.ts';
import type { RDD } from './rdd.ts';
import type { RecordOptions } from './record-options.ts';
import { policyOf } from './record-options.ts';
import { builtin, derivedFunction, encodedValue, partitionerFor, userFunction } from './rdd-base.ts';

type Pairs<K, V> = RDD<readonly [K, V]>;

/** The node behind all `*ByKey` operators. */
export function combine<K, C>(rdd: RDD<readonly [K, unknown]>, aggregator: AggregatorSpec, mapSideCombine: boolean, partitioning: Partitioning | undefined, method: string): RDD<[K, C]> {
  const spec = partitioning === undefined ? defaultPartitioner(rdd.context.defaultParallelism, [rdd.node]) : partitionerFor(partitioning, method);
  return rdd.derive(method, (id) => ({
    kind: 'shuffled', parents: [rdd.id], partitions: spec.partitions, partitioner: spec,
    shuffle: shuffleIdOf(id, 0), spec, aggregator, mapSideCombine, sort: null, narrow: samePartitioner(rdd.partitioner, spec),
  }));
}

export function combineByKey<K, V, C>(
  rdd: Pairs<K, V>,
  createCombiner: (value: V) => C,
  mergeValue: (combiner: C, value: V) => C,
  mergeCombiners: (a: C, b: C) => C,
  partitioning: Partitioning | undefined,
  mapSideCombine: boolean,
  options?: RecordOptions,
): RDD<[K, C]> {
  const { context } = rdd;
  const aggregator = {
    createCombiner: userFunction(context, createCombiner, 'combineByKey', 'createCombiner'),
    mergeValue: userFunction(context, mergeValue, 'combineByKey', 'mergeValue'),
    mergeCombiners: userFunction(context, mergeCombiners, 'combineByKey', 'mergeCombiners'),
    ...policyOf('combineByKey', options),
  };
  return combine<K, C>(rdd, aggregator, mapSideCombine, partitioning, 'combineByKey');
}

export function reduceByKey<K, V>(rdd: Pairs<K, V>, fn: FunctionRef, partitioning: Partitioning | undefined, method: string, options?: RecordOptions): RDD<[K, V]> {
  const policy = policyOf(method, options);
  // Combined before the shuffle, a value that is left out behind it would be many records, and which they are would depend on how the
  // records lie in partitions. So under a policy the function always meets one record's value on its right.
  const mapSideCombine = policy.onError === undefined;
  return combine<K, V>(rdd, { createCombiner: builtin('identity'), mergeValue: fn, mergeCombiners: fn, ...policy }, mapSideCombine, partitioning, method);
}

export function groupByKey<K, V>(rdd: Pairs<K, V>, partitioning: Partitioning | undefined, method: string): RDD<[K, V[]]> {
  const aggregator = { createCombiner: builtin('listOf'), mergeValue: builtin('listAppend'), mergeCombiners: builtin('listConcat') };
  return combine<K, V[]>(rdd, aggregator, false, partitioning, method);
}

export function aggregateByKey<K, V, C>(
  rdd: Pairs<K, V>,
  zero: C,
  seqFn: (combiner: C, value: V) => C,
  combFn: (a: C, b: C) => C,
  partitioning: Partitioning | undefined,
): RDD<[K, C]> {
  const seq = userFunction(rdd.context, seqFn, 'aggregateByKey', 'seqFn');
  const aggregator = {
    createCombiner: derivedFunction('fromZero', [seq], encodedValue(zero)),
    mergeValue: seq,
    mergeCombiners: userFunction(rdd.context, combFn, 'aggregateByKey', 'combFn'),
  };
  return combine<K, C>(rdd, aggregator, true, partitioning, 'aggregateByKey');
}

export function foldByKey<K, V>(rdd: Pairs<K, V>, zero: V, f: (a: V, b: V) => V, partitioning: Partitioning | undefined): RDD<[K, V]> {
  const fn = userFunction(rdd.context, f, 'foldByKey');
  const aggregator = { createCombiner: derivedFunction('fromZero', [fn], encodedValue(zero)), mergeValue: fn, mergeCombiners: fn };
  return combine<K, V>(rdd, aggregator, true, partitioning, 'foldByKey');
}

export function partitionBy<K, V>(rdd: Pairs<K, V>, partitioning: Partitioning): RDD<[K, V]> {
  const spec = partitionerFor(partitioning, 'partitionBy');
  if (samePartitioner(rdd.partitioner, spec)) return rdd as unknown as RDD<[K, V]>;
  return rdd.derive('partitionBy', (id) => ({
    kind: 'shuffled', parents: [rdd.id], partitions: spec.partitions, partitioner: spec,
    shuffle: shuffleIdOf(id, 0), spec, aggregator: null, mapSideCombine: false, sort: null, narrow: false,
  }));
}

/** `mapValues` or `flatMapValues`: keys stay, so the partitioner does. */
export function withValues<K, W>(rdd: RDD<readonly [K, unknown]>, kind: 'mapValues' | 'flatMapValues', fn: FunctionRef, method: string, policy: { readonly onError?: RecordPolicy } = {}): RDD<[K, W]> {
  const { partitions, partitioner } = rdd.node;
  return rdd.derive(method, { kind, parents: [rdd.id], partitions, partitioner, fn, ...policy });
}
