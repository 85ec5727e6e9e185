/**
 * The RDD as the user sees it: a lazy, partitioned collection with Spark's operators. Methods are thin; the work is in the
 * files beside this one, one idea each (reshape, pair-combine, pair-join, ordered, actions).
 *
 * Invariant: an RDD object is only a name (context, id). All that it is lies in its node, so two objects of the same id are
 * the same RDD. Operators define a node and run nothing; actions return promises and run a job.
 *
 * Pairs are records that are arrays of two. Pair methods have a `this` type: they exist only on RDDs of pairs.
 */
import type { PartitionerSpec, RddNode } from '../../protocol/rdd.ts';
import type { RddId } from '../../protocol/ids.ts';
import { callError } from '../base/caller-place.ts';
import * as actions from './actions.ts';
import type { RddContext } from './context.ts';
import * as joins from './pair-join.ts';
import * as ordered from './ordered.ts';
import * as pairs from './pair-combine.ts';
import type { Partitioning } from './partitioner.ts';
import type { NodeFields } from './rdd-base.ts';
import { defineNode, userFunction } from './rdd-base.ts';
import * as reshape from './reshape.ts';
import type { RecordsOnly } from './records-only.ts';
import type { RecordOptions } from './record-options.ts';
import { policyOf, refusedPolicy, refusePolicy } from './record-options.ts';
import { StorageLevel, checkLevel, levelName, sameLevel } from './storage-level.ts';
import type { TaskContext } from './task-context.ts';
import { TextRdd } from './text/text-operators.ts';

/**
 * The bound of a type parameter that is inferred from what a function returns. It takes every value; what it is for is the
 * hint: with it, `word => [word, 1]` gives [string, number] and not (string | number)[], at any depth. Overloads for pairs can't
 * do this: the compiler fixes a function's result by the first overload that it tries. The price: `[word]` is a tuple of one;
 * for a list that grows write `[word] as string[]`.
 */
export type RecordHint = readonly [RecordHint, RecordHint] | {} | null | undefined;

/** As `RecordHint`, for zero values: a literal 0 gives number. */
export type ZeroHint = readonly [ZeroHint, ZeroHint] | {};

/** A lazy collection in partitions. Operators define another RDD and run nothing; actions return promises and run a job. Spark's `RDD`. */
export class RDD<T> extends TextRdd {
  readonly context: RddContext;
  readonly id: RddId;
  /** See RecordsOnly. @internal */
  declare readonly 'A function on records must return the record itself, neither a promise nor a function; for async work use foreachPartition': RecordsOnly<never>['A function on records must return the record itself, neither a promise nor a function; for async work use foreachPartition'];

  constructor(context: RddContext, id: RddId) {
    super();
    this.context = context;
    this.id = id;
  }

  /** The node. Throws RddReleased after the RDD's batch is over. */
  get node(): RddNode {
    return this.context.node(this.id);
  }

  /** Defines a child of this RDD's context. For operators in other files; not for users. */
  derive<U>(name: string, fields: NodeFields | ((id: RddId) => NodeFields)): RDD<U> {
    return new RDD<U>(this.context, defineNode(this.context, name, fields));
  }

  getNumPartitions(): number {
    return this.node.partitions;
  }

  /** How pairs are laid out, where that is known. */
  get partitioner(): PartitionerSpec | null {
    return this.node.partitioner;
  }

  getStorageLevel(): StorageLevel {
    return this.node.storage ?? StorageLevel.NONE;
  }

  // Record by record.

  /** One record for each record. */
  map<U extends RecordHint>(this: RDD<T> & RecordsOnly<U>, f: (record: T) => U, options?: RecordOptions): RDD<U> {
    return reshape.narrowed<U>(this, 'map', f, null, options);
  }

  /** The records for which `f` holds; keeps the partitioner. */
  filter<U extends T>(f: (record: T) => record is U, options?: RecordOptions): RDD<U>;
  filter(f: (record: T) => boolean, options?: RecordOptions): RDD<T>;
  filter(f: (record: T) => boolean, options?: RecordOptions): RDD<T> {
    return reshape.narrowed<T>(this, 'filter', f, this.partitioner, options);
  }

  /** The records of the iterable (or array) that `f` gives for each record. */
  flatMap<U extends RecordHint>(this: RDD<T> & RecordsOnly<U>, f: (record: T) => Iterable<U>, options?: RecordOptions): RDD<U> {
    return reshape.narrowed<U>(this, 'flatMap', f, null, options);
  }

  /** [f(record), record]. */
  keyBy<K extends RecordHint>(this: RDD<T> & RecordsOnly<K>, f: (record: T) => K): RDD<[K, T]> {
    refusePolicy('keyBy', arguments);
    return ordered.keyBy(this, f, 'keyBy');
  }

  // Partition by partition.

  /** `f` gets all records of a partition, once. `preservesPartitioning`: `f` changes no keys. */
  mapPartitions<U extends RecordHint>(this: RDD<T> & RecordsOnly<U>, f: (records: Iterable<T>, context: TaskContext) => Iterable<U>, preservesPartitioning = false): RDD<U> {
    refusePolicy('mapPartitions', arguments);
    return reshape.mapPartitions<T, U>(this, f, false, preservesPartitioning, 'mapPartitions');
  }

  mapPartitionsWithIndex<U extends RecordHint>(this: RDD<T> & RecordsOnly<U>, f: (partition: number, records: Iterable<T>) => Iterable<U>, preservesPartitioning = false): RDD<U> {
    refusePolicy('mapPartitionsWithIndex', arguments);
    return reshape.mapPartitions<T, U>(this, f, true, preservesPartitioning, 'mapPartitionsWithIndex');
  }

  /** Each partition as one record: the array of its records. */
  glom(): RDD<T[]> {
    return this.derive('glom', { kind: 'glom', parents: [this.id], partitions: this.getNumPartitions(), partitioner: null });
  }

  // Partitions put together in another way.

  /** This RDD's partitions, then the others'. Where all have the same partitioner, partition by partition, and it is kept. */
  union(...others: readonly RDD<T>[]): RDD<T> {
    return reshape.union<T>(this, others, 'union');
  }

  /** At most `numPartitions` partitions, neighbours put together; with `shuffle` exactly that many, records dealt out evenly. */
  coalesce(numPartitions: number, shuffle = false): RDD<T> {
    return reshape.coalesce<T>(this, numPartitions, shuffle, 'coalesce');
  }

  repartition(numPartitions: number): RDD<T> {
    return reshape.coalesce<T>(this, numPartitions, true, 'repartition');
  }

  /** All [x, y], x of this RDD, y of the other. */
  cartesian<U>(other: RDD<U>): RDD<[T, U]> {
    return reshape.cartesian<T, U>(this, other);
  }

  /** Position by position. Both must have equally many partitions, and equally many records in each. */
  zip<U>(other: RDD<U>): RDD<[T, U]> {
    return reshape.zip<T, U>(this, other);
  }

  /** [record, its index over all partitions]. Counts all partitions but the last one first, if there are several. */
  zipWithIndex(): RDD<[T, number]> {
    return this.derive('zipWithIndex', { kind: 'zipWithIndex', parents: [this.id], partitions: this.getNumPartitions(), partitioner: null });
  }

  // As sets.

  /** First occurrences. Default: as many partitions as this RDD has. */
  distinct(partitioning?: Partitioning): RDD<T> {
    return reshape.distinct<T>(this, partitioning);
  }

  /** Distinct records that are in both. */
  intersection(other: RDD<T>, partitioning?: Partitioning): RDD<T> {
    return reshape.intersection<T>(this, other, partitioning);
  }

  /** The records that are not in `other`, duplicates kept. */
  subtract(other: RDD<T>, partitioning?: Partitioning): RDD<T> {
    return reshape.subtract<T>(this, other, partitioning);
  }

  /** Sorted by `keyOf(record)`, in the canonical order of keys. Stable. */
  sortBy<K extends RecordHint>(this: RDD<T> & RecordsOnly<K>, keyOf: (record: T) => K, ascending = true, numPartitions?: number): RDD<T> {
    refusePolicy('sortBy', arguments);
    return ordered.sortBy<T, K>(this, keyOf, ascending, numPartitions);
  }

  /** [key, all records of that key]. */
  groupBy<K extends RecordHint>(this: RDD<T> & RecordsOnly<K>, f: (record: T) => K, partitioning?: Partitioning): RDD<[K, T[]]> {
    refusePolicy('groupBy', arguments);
    return pairs.groupByKey<K, T>(ordered.keyBy(this, f, 'groupBy'), partitioning, 'groupBy');
  }

  // Pairs.

  /** Keeps keys and partitioner. */
  mapValues<K, V, W extends RecordHint>(this: RDD<readonly [K, V]> & RecordsOnly<W>, f: (value: V) => W, options?: RecordOptions): RDD<[K, W]> {
    return pairs.withValues<K, W>(this, 'mapValues', userFunction(this.context, f, 'mapValues'), 'mapValues', policyOf('mapValues', options));
  }

  flatMapValues<K, V, W extends RecordHint>(this: RDD<readonly [K, V]> & RecordsOnly<W>, f: (value: V) => Iterable<W>, options?: RecordOptions): RDD<[K, W]> {
    return pairs.withValues<K, W>(this, 'flatMapValues', userFunction(this.context, f, 'flatMapValues'), 'flatMapValues', policyOf('flatMapValues', options));
  }

  keys<K, V>(this: RDD<readonly [K, V]>): RDD<K> {
    return reshape.mapBuiltin<K>(this, 'keyOf', 'keys');
  }

  values<K, V>(this: RDD<readonly [K, V]>): RDD<V> {
    return reshape.mapBuiltin<V>(this, 'valueOf', 'values');
  }

  /**
   * [key, its values made one by an associative function]. Under `options.onError` the second value is left out where the function throws,
   * always that of one record: nothing is combined before the shuffle then, which costs more.
   */
  reduceByKey<K, V>(this: RDD<readonly [K, V]>, f: (a: V, b: V) => V, partitioning?: Partitioning, options?: RecordOptions): RDD<[K, V]> {
    return pairs.reduceByKey<K, V>(this, userFunction(this.context, f, 'reduceByKey'), partitioning, 'reduceByKey', options);
  }

  /** [key, values in the order of their partitions]. Combines nothing before the shuffle. */
  groupByKey<K, V>(this: RDD<readonly [K, V]>, partitioning?: Partitioning): RDD<[K, V[]]> {
    return pairs.groupByKey<K, V>(this, partitioning, 'groupByKey');
  }

  /** `options.onError` is of `createCombiner` and `mergeValue`; what `mergeCombiners` throws fails the task. */
  combineByKey<K, V, C extends RecordHint>(
    this: RDD<readonly [K, V]> & RecordsOnly<C>,
    createCombiner: (value: V) => C,
    mergeValue: (combiner: C, value: V) => C,
    mergeCombiners: (a: C, b: C) => C,
    partitioning?: Partitioning,
    mapSideCombine = true,
    options?: RecordOptions,
  ): RDD<[K, C]> {
    return pairs.combineByKey<K, V, C>(this, createCombiner, mergeValue, mergeCombiners, partitioning, mapSideCombine, options);
  }

  /** As `combineByKey`, each key beginning with a copy of `zero`. */
  aggregateByKey<K, V, C extends ZeroHint>(this: RDD<readonly [K, V]>, zero: C, seqFn: (combiner: C, value: V) => C, combFn: (a: C, b: C) => C, partitioning?: Partitioning): RDD<[K, C]>;
  aggregateByKey<K, V, C>(this: RDD<readonly [K, V]>, zero: C, seqFn: (combiner: C, value: V) => C, combFn: (a: C, b: C) => C, partitioning?: Partitioning): RDD<[K, C]>;
  aggregateByKey<K, V, C>(this: RDD<readonly [K, V]>, zero: C, seqFn: (combiner: C, value: V) => C, combFn: (a: C, b: C) => C, partitioning?: Partitioning): RDD<[K, C]> {
    refusePolicy('aggregateByKey', arguments);
    return pairs.aggregateByKey<K, V, C>(this, zero, seqFn, combFn, partitioning);
  }

  /** As `reduceByKey`, each key of each partition beginning with a copy of `zero`. */
  foldByKey<K, V>(this: RDD<readonly [K, V]>, zero: NoInfer<V>, f: (a: V, b: V) => V, partitioning?: Partitioning): RDD<[K, V]> {
    refusePolicy('foldByKey', arguments);
    return pairs.foldByKey<K, V>(this, zero, f, partitioning);
  }

  /** Laid out by key; this RDD itself where it already is. */
  partitionBy<K, V>(this: RDD<readonly [K, V]>, partitioning: Partitioning): RDD<[K, V]> {
    return pairs.partitionBy<K, V>(this, partitioning);
  }

  /** Sorted over all partitions, in the canonical order of keys. Stable. Default: as many partitions as this RDD has. */
  sortByKey<K, V>(this: RDD<readonly [K, V]>, ascending = true, numPartitions?: number): RDD<[K, V]> {
    return ordered.sortByKey<K, V>(this, ascending, numPartitions, 'sortByKey');
  }

  /** [key, [values of this, values of the other, ...]] for each key of any of them. */
  cogroup<K, V, W>(this: RDD<readonly [K, V]>, other: RDD<readonly [K, W]>, partitioning?: Partitioning): RDD<[K, [V[], W[]]]>;
  cogroup<K, V, W, X>(this: RDD<readonly [K, V]>, other1: RDD<readonly [K, W]>, other2: RDD<readonly [K, X]>, partitioning?: Partitioning): RDD<[K, [V[], W[], X[]]]>;
  cogroup(this: RDD<readonly [unknown, unknown]>, ...rest: readonly unknown[]): RDD<never> {
    const others = rest.filter((argument) => argument instanceof RDD) as RDD<readonly [unknown, unknown]>[];
    return joins.cogroup(this, others, rest[others.length] as Partitioning | undefined, 'cogroup') as unknown as RDD<never>;
  }

  join<K, V, W>(this: RDD<readonly [K, V]>, other: RDD<readonly [K, W]>, partitioning?: Partitioning): RDD<[K, [V, W]]> {
    return joins.join(this, other, 'innerJoin', partitioning, 'join');
  }

  /** The other's value is null where it has none for the key. */
  leftOuterJoin<K, V, W>(this: RDD<readonly [K, V]>, other: RDD<readonly [K, W]>, partitioning?: Partitioning): RDD<[K, [V, W | null]]> {
    return joins.join(this, other, 'leftOuterJoin', partitioning, 'leftOuterJoin');
  }

  rightOuterJoin<K, V, W>(this: RDD<readonly [K, V]>, other: RDD<readonly [K, W]>, partitioning?: Partitioning): RDD<[K, [V | null, W]]> {
    return joins.join(this, other, 'rightOuterJoin', partitioning, 'rightOuterJoin');
  }

  fullOuterJoin<K, V, W>(this: RDD<readonly [K, V]>, other: RDD<readonly [K, W]>, partitioning?: Partitioning): RDD<[K, [V | null, W | null]]> {
    return joins.join(this, other, 'fullOuterJoin', partitioning, 'fullOuterJoin');
  }

  /** The pairs whose key is not in `other`, duplicates kept. */
  subtractByKey<K, V, W>(this: RDD<readonly [K, V]>, other: RDD<readonly [K, W]>, partitioning?: Partitioning): RDD<[K, V]> {
    return joins.subtractByKey<K, V, W>(this, other, partitioning, 'subtractByKey');
  }

  // Storage.

  /** Keeps what is computed of it from now on. A level once given can only be taken back by `unpersist`. */
  persist(level: StorageLevel = StorageLevel.MEMORY_ONLY): this {
    checkLevel('persist', level);
    const current = this.node.storage;
    if (current !== null && !sameLevel(current, level)) {
      throw callError('InvalidArgument', 'persist', `persist: the storage level of an RDD can't change: it is ${levelName(current)}, got ${levelName(level)}. Call unpersist() first.`);
    }
    if (current === null && !sameLevel(level, StorageLevel.NONE)) this.context.setStorage(this.id, level);
    return this;
  }

  cache(): this {
    return this.persist();
  }

  unpersist(): this {
    this.context.setStorage(this.id, null);
    return this;
  }

  // Actions. Each rejects with the job's own error (TaskFailed, ...).

  /** All records, in the order of the partitions. */
  collect(): Promise<T[]> {
    return actions.collect<T>(this);
  }

  /** The records of each partition. */
  collectPartitions(): Promise<T[][]> {
    return actions.collectPartitions<T>(this);
  }

  /** The first `limit` records. Looks at the first partition first, then at more and more. */
  take(limit: number): Promise<T[]> {
    return actions.take<T>(this, limit);
  }

  /** Rejects with EmptyCollection where there is none. */
  first(): Promise<T> {
    return actions.first<T>(this);
  }

  /** The `limit` greatest, greatest first. `compare` default: the canonical order of keys. */
  top(limit: number, compare?: (a: T, b: T) => number): Promise<T[]> {
    return actions.takeOrdered<T>(this, limit, true, compare, 'top');
  }

  /** The `limit` smallest, ascending. */
  takeOrdered(limit: number, compare?: (a: T, b: T) => number): Promise<T[]> {
    return actions.takeOrdered<T>(this, limit, false, compare, 'takeOrdered');
  }

  count(): Promise<number> {
    return actions.count(this);
  }

  isEmpty(): Promise<boolean> {
    return actions.isEmpty(this);
  }

  /** Rejects with EmptyCollection where there are no records. `f` also runs here, on the partitions' results. */
  reduce(f: (a: T, b: T) => T): Promise<T> {
    return refusedPolicy('reduce', arguments) ?? actions.reduce<T>(this, f);
  }

  /** Each partition begins with a copy of `zero`, and so does the fold of their results. */
  fold(zero: NoInfer<T>, f: (a: T, b: T) => T): Promise<T> {
    return refusedPolicy('fold', arguments) ?? actions.aggregate<T, T>(this, zero, f, f, 'fold');
  }

  aggregate<U extends ZeroHint>(zero: U, seqFn: (result: U, record: T) => U, combFn: (a: U, b: U) => U): Promise<U>;
  aggregate<U>(zero: U, seqFn: (result: U, record: T) => U, combFn: (a: U, b: U) => U): Promise<U>;
  aggregate<U>(zero: U, seqFn: (result: U, record: T) => U, combFn: (a: U, b: U) => U): Promise<U> {
    return refusedPolicy('aggregate', arguments) ?? actions.aggregate<T, U>(this, zero, seqFn, combFn, 'aggregate');
  }

  /** Keys that are objects (dates, arrays) are found in the Map by identity only. */
  countByKey<K, V>(this: RDD<readonly [K, V]>): Promise<Map<K, number>> {
    return actions.countByKey<K>(this);
  }

  countByValue(): Promise<Map<T, number>> {
    return actions.countByValue<T>(this);
  }

  /** The last value of each key. */
  collectAsMap<K, V>(this: RDD<readonly [K, V]>): Promise<Map<K, V>> {
    return actions.collectAsMap<K, V>(this);
  }

  /** All values of a key; runs on one partition only where the partitioner is known. */
  lookup<K, V>(this: RDD<readonly [K, V]>, key: K): Promise<V[]> {
    return actions.lookup<K, V>(this, key);
  }

  /** `f` runs on the workers. In a body of foreachRDD its context has an `id` that names what the partition writes. */
  foreach<R>(this: RDD<T> & RecordsOnly<R>, f: (record: T, context: TaskContext) => R, options?: RecordOptions): Promise<void> {
    return actions.foreach<T>(this, f, options);
  }

  /**
   * `f` runs on the workers and may be async: its worker takes no other task until it has settled. In a body of foreachRDD its context
   * has an `id` that names the partition in every attempt.
   */
  foreachPartition(f: (records: Iterable<T>, context: TaskContext) => void | Promise<void>): Promise<void> {
    return refusedPolicy('foreachPartition', arguments) ?? actions.foreachPartition<T>(this, f);
  }

  /** One file part-NNNNN for each partition, a line for each record: String(record); then `_SUCCESS`. Rejects with FileExists unless `overwrite`. */
  saveAsTextFile(directory: string, options: { readonly overwrite?: boolean } = {}): Promise<void> {
    return actions.save(this, 'saveText', directory, options.overwrite ?? false, 'saveAsTextFile');
  }

  saveAsObjectFile(directory: string, options: { readonly overwrite?: boolean } = {}): Promise<void> {
    return actions.save(this, 'saveObjects', directory, options.overwrite ?? false, 'saveAsObjectFile');
  }
}
