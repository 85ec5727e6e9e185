/**
 * The operators on one stream of pairs.
 *
 * Invariant: those that move records between partitions use the default parallelism where no number is given. Where the parent
 * has no RDD they have none.
 */
import type { RecordHint } from '../rdd/rdd.ts';
import type { RecordOptions } from '../rdd/record-options.ts';
import type { DStream } from './dstream.ts';
import { given, narrow, onWorkers, partitionsOf, withPolicy } from './narrow.ts';
import type { OperatorSpec } from './operator-spec.ts';

type Pairs<K, V> = DStream<readonly [K, V]>;

export function mapValuesSpec<K, V, W extends RecordHint>(parent: Pairs<K, V>, fn: (value: V) => W, options?: RecordOptions): OperatorSpec<[K, W]> {
  return withPolicy('mapValues', options, narrow(parent, 'mapValues', [onWorkers('mapValues', fn)], {}, (rdd) => rdd.mapValues(fn, options)));
}

export function flatMapValuesSpec<K, V, W extends RecordHint>(parent: Pairs<K, V>, fn: (value: V) => Iterable<W>, options?: RecordOptions): OperatorSpec<[K, W]> {
  return withPolicy('flatMapValues', options, narrow(parent, 'flatMapValues', [onWorkers('flatMapValues', fn)], {}, (rdd) => rdd.flatMapValues(fn, options)));
}

export function groupByKeySpec<K, V>(parent: Pairs<K, V>, partitions: number | undefined): OperatorSpec<[K, V[]]> {
  return narrow(parent, 'groupByKey', [], given({ partitions }), (rdd) => rdd.groupByKey(partitionsOf(rdd, partitions)));
}

export function reduceByKeySpec<K, V>(parent: Pairs<K, V>, fn: (a: V, b: V) => V, partitions: number | undefined, options?: RecordOptions): OperatorSpec<[K, V]> {
  const spec = narrow(parent, 'reduceByKey', [onWorkers('reduceByKey', fn)], given({ partitions }), (rdd) => rdd.reduceByKey(fn, partitionsOf(rdd, partitions), options));
  return withPolicy('reduceByKey', options, spec);
}

export function combineByKeySpec<K, V, C extends RecordHint>(
  parent: Pairs<K, V>,
  createCombiner: (value: V) => C,
  mergeValue: (combiner: C, value: V) => C,
  mergeCombiners: (a: C, b: C) => C,
  partitions: number | undefined,
  mapSideCombine: boolean,
  options?: RecordOptions,
): OperatorSpec<[K, C]> {
  const functions = [onWorkers('createCombiner', createCombiner), onWorkers('mergeValue', mergeValue), onWorkers('mergeCombiners', mergeCombiners)];
  const spec = narrow(parent, 'combineByKey', functions, given({ partitions, mapSideCombine }), (rdd) =>
    rdd.combineByKey(createCombiner, mergeValue, mergeCombiners, partitionsOf(rdd, partitions), mapSideCombine, options),
  );
  return withPolicy('combineByKey', options, spec);
}
