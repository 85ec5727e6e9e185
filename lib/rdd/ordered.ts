/**
 * Sorting: a shuffle by ranges of keys, each partition then sorted.
 *
 * Invariant: a range partitioner is owned by the RDD that sorts. Its bounds are null in the node: the job that first needs
 * them runs a sampling stage, and they are kept for that RDD from then on, so that each computation of it is laid out alike.
 * (Spark samples when `sortByKey` is called, and may then give fewer partitions than asked for; here the last ones are empty.)
 */
import type { PartitionerSpec } from '../../protocol/rdd.ts';
import { shuffleIdOf } from '../../protocol/ids.ts';
import type { RDD } from './rdd.ts';
import { derivedFunction, userFunction, wholeNumber } from './rdd-base.ts';
import { mapBuiltin } from './reshape.ts';

export function sortByKey<K, V>(rdd: RDD<readonly [K, V]>, ascending: boolean, numPartitions: number | undefined, method: string): RDD<[K, V]> {
  const partitions = numPartitions === undefined ? Math.max(1, rdd.getNumPartitions()) : wholeNumber(numPartitions, 1, method, 'numPartitions');
  return rdd.derive(method, (id) => {
    const spec: PartitionerSpec = { kind: 'range', partitions, ascending, bounds: null, owner: id };
    return {
      kind: 'shuffled', parents: [rdd.id], partitions, partitioner: spec,
      shuffle: shuffleIdOf(id, 0), spec, aggregator: null, mapSideCombine: false, sort: ascending ? 'ascending' : 'descending', narrow: false,
    };
  });
}

export function sortBy<T, K>(rdd: RDD<T>, keyOf: (record: T) => K, ascending: boolean, numPartitions: number | undefined): RDD<T> {
  const sorted = sortByKey<K, T>(keyBy(rdd, keyOf, 'sortBy'), ascending, numPartitions, 'sortBy');
  return mapBuiltin<T>(sorted, 'valueOf', 'sortBy');
}

/** [f(record), record]. */
export function keyBy<T, K>(rdd: RDD<T>, f: (record: T) => K, method: string): RDD<[K, T]> {
  return mapBuiltin<[K, T]>(rdd, derivedFunction('keyBy', [userFunction(rdd.context, f, method)]), method);
}
