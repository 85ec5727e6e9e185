/**
 * A DStream: a series of RDDs, one for each multiple of its slide after the zero time; and the methods by which users build on
 * it, in Spark's words.
 *
 * Invariant: a method checks its arguments and takes a place in the graph, no more. What an operator means is said by its spec
 * (narrow.ts, keyed.ts, combined.ts), and how RDDs are made and remembered by StreamNode.
 */
import type { RDD, RecordHint } from '../rdd/rdd.ts';
import type { RecordsOnly } from '../rdd/records-only.ts';
import type { RecordOptions } from '../rdd/record-options.ts';
import { policyOf, refusePolicy } from '../rdd/record-options.ts';
import { StorageLevel, checkLevel, sameLevel } from '../rdd/storage-level.ts';
import type { OutputTaskContext, TaskContext } from '../rdd/task-context.ts';
import { callError } from '../base/caller-place.ts';
import { previewOf } from '../../protocol/errors.ts';
import type { BatchTime } from '../../protocol/time.ts';
import { checkCount, checkDuration, checkFiles, checkFunction, checkObject, requireCount } from './arguments.ts';
import { cogroupSpec, countSpec, joinSpec, repartitionSpec, transformSpec, unionSpec } from './combined.ts';
import type { Eventually } from './generated.ts';
import { combineByKeySpec, flatMapValuesSpec, groupByKeySpec, mapValuesSpec, reduceByKeySpec } from './keyed.ts';
import { countByValueSpec, filterSpec, flatMapSpec, glomSpec, mapPartitionsSpec, mapSpec, reduceSpec } from './narrow.ts';
import type { OperatorSpec } from './operator-spec.ts';
import type { OutputBody, OutputContext } from './output.ts';
import { PublishedStream } from './published-stream.ts';
import type { PublishOptions } from './published-stream.ts';
import { emittedSpec, snapshotsSpec, trackStateSpec, updateStateSpec } from './state.ts';
import type { IteratorUpdateFunction, StateSpec, TimedUpdateFunction, UpdateFunction, UpdateStateOptions } from './state.ts';
import { countedByValueAndWindow, countedByWindow, incrementallyReducedByWindow } from './counted-windows.ts';
import { incrementallyReduced } from './reduced-windowed.ts';
import { TextStream } from './text-stream.ts';
import { groupedByKeyAndWindow, reducedByKeyAndWindow, reducedByWindow, windowDurations, windowed } from './windowed.ts';

/** A stream: one RDD for each multiple of its slide. Operations on it make other streams; outputs are what makes them run. Spark's `DStream`. */
export class DStream<T> extends TextStream<T> {
  /** See RecordsOnly. @internal */
  declare readonly 'A function on records must return the record itself, neither a promise nor a function; for async work use foreachPartition': RecordsOnly<never>['A function on records must return the record itself, neither a promise nor a function; for async work use foreachPartition'];

  // Record by record, partition by partition.

  /** One record for each. A function that returns an array of two makes a stream of pairs. */
  map<U extends RecordHint>(this: DStream<T> & RecordsOnly<U>, fn: (record: T) => U, options?: RecordOptions): DStream<U> {
    return this.derive(mapSpec(this, checkFunction('map', fn), options));
  }

  /** None, one or many records for each: whatever the function's result iterates over. With `onError`: all of them or none. */
  flatMap<U extends RecordHint>(this: DStream<T> & RecordsOnly<U>, fn: (record: T) => Iterable<U>, options?: RecordOptions): DStream<U> {
    return this.derive(flatMapSpec(this, checkFunction('flatMap', fn), options));
  }

  /** The records for which the function returns true. */
  filter<S extends T>(fn: (record: T) => record is S, options?: RecordOptions): DStream<S>;
  filter(fn: (record: T) => boolean, options?: RecordOptions): DStream<T>;
  filter(fn: (record: T) => boolean, options?: RecordOptions): DStream<T> {
    return this.derive(filterSpec(this, checkFunction('filter', fn), options));
  }

  /** Each partition as one record: the array of its records. */
  glom(): DStream<T[]> {
    return this.derive(glomSpec(this));
  }

  /** Whole partitions: the function is called once for each, and its result's records are the new partition. */
  mapPartitions<U extends RecordHint>(this: DStream<T> & RecordsOnly<U>, fn: (records: Iterable<T>, context: TaskContext) => Iterable<U>): DStream<U> {
    refusePolicy('mapPartitions', arguments);
    return this.derive(mapPartitionsSpec(this, checkFunction('mapPartitions', fn)));
  }

  // Whole RDDs.

  /** The same records in so many partitions. */
  repartition(partitions: number): DStream<T> {
    return this.derive(repartitionSpec(this, requireCount('repartition', 'partitions', partitions)));
  }

  /** This stream's records, then the other's. Throws SlideMismatch, ContextMismatch. */
  union(other: DStream<T>): DStream<T> {
    return this.derive(unionSpec([this, other]));
  }

  /** One record a batch: the number of records, 0 for an empty batch. */
  count(): DStream<number> {
    return this.derive(countSpec(this));
  }

  /** One record a batch, made of all of them by an associative function; none for an empty batch. */
  reduce(fn: (a: T, b: T) => T): DStream<T> {
    refusePolicy('reduce', arguments);
    return this.derive(reduceSpec(this, checkFunction('reduce', fn)));
  }

  /** [record, how often]. `partitions`: default parallelism. */
  countByValue(partitions?: number): DStream<[T, number]> {
    return this.derive(countByValueSpec(this, checkCount('countByValue', 'partitions', partitions)));
  }

  /**
   * Any RDD made of this stream's. The function is called once a batch, on the driver, and may depend on its arguments and
   * broadcast variables alone: workers call it again, to get at the functions that it makes.
   */
  transform<U>(fn: (rdd: RDD<T>, time: BatchTime) => Eventually<RDD<U>>): DStream<U> {
    refusePolicy('transform', arguments);
    checkFunction('transform', fn);
    return this.derive(transformSpec<U>('transform', [this as DStream<unknown>], fn, ([rdd], time) => fn(rdd as RDD<T>, time)));
  }

  /** Any RDD made of this stream's and another's: as `transform`. */
  transformWith<U, V>(other: DStream<U>, fn: (rdd: RDD<T>, otherRdd: RDD<U>, time: BatchTime) => Eventually<RDD<V>>): DStream<V> {
    refusePolicy('transformWith', arguments);
    checkFunction('transformWith', fn);
    const parents = [this as DStream<unknown>, other as DStream<unknown>];
    return this.derive(transformSpec<V>('transformWith', parents, fn, ([rdd, otherRdd], time) => fn(rdd as RDD<T>, otherRdd as RDD<U>, time)));
  }

  // Pairs.

  /** The value changed, the key and the layout kept. */
  mapValues<K, V, W extends RecordHint>(this: DStream<readonly [K, V]> & RecordsOnly<W>, fn: (value: V) => W, options?: RecordOptions): DStream<[K, W]> {
    return this.derive(mapValuesSpec(this, checkFunction('mapValues', fn), options));
  }

  /** None, one or many values for each, all under its key. */
  flatMapValues<K, V, W extends RecordHint>(this: DStream<readonly [K, V]> & RecordsOnly<W>, fn: (value: V) => Iterable<W>, options?: RecordOptions): DStream<[K, W]> {
    return this.derive(flatMapValuesSpec(this, checkFunction('flatMapValues', fn), options));
  }

  /** [key, all its values]. */
  groupByKey<K, V>(this: DStream<readonly [K, V]>, partitions?: number): DStream<[K, V[]]> {
    return this.derive(groupByKeySpec(this, checkCount('groupByKey', 'partitions', partitions)));
  }

  /**
   * [key, its values made one by an associative function]; a single value is passed on untouched. Under `options.onError` the second value
   * is left out where the function throws, always that of one record: nothing is combined before the shuffle then, which costs more.
   */
  reduceByKey<K, V>(this: DStream<readonly [K, V]>, fn: (a: V, b: V) => V, partitions?: number, options?: RecordOptions): DStream<[K, V]> {
    return this.derive(reduceByKeySpec(this, checkFunction('reduceByKey', fn), checkCount('reduceByKey', 'partitions', partitions), options));
  }

  /**
   * As `reduceByKey`, into a value of another type. `options.onError` is of `createCombiner` and `mergeValue`, which see one
   * record's value; what `mergeCombiners` throws fails the task.
   */
  combineByKey<K, V, C extends RecordHint>(
    this: DStream<readonly [K, V]> & RecordsOnly<C>,
    createCombiner: (value: V) => C,
    mergeValue: (combiner: C, value: V) => C,
    mergeCombiners: (a: C, b: C) => C,
    partitions?: number,
    mapSideCombine = true,
    options?: RecordOptions,
  ): DStream<[K, C]> {
    checkFunction('combineByKey', createCombiner);
    checkFunction('combineByKey', mergeValue);
    checkFunction('combineByKey', mergeCombiners);
    const count = checkCount('combineByKey', 'partitions', partitions);
    return this.derive(combineByKeySpec(this, createCombiner, mergeValue, mergeCombiners, count, mapSideCombine, options));
  }

  /** [key, [value, other value]] for every pair of values of a key that both streams have in the batch. */
  join<K, V, W>(this: DStream<readonly [K, V]>, other: DStream<readonly [K, W]>, partitions?: number): DStream<[K, [V, W]]> {
    return this.derive(joinSpec<K, V, W, [V, W]>('join', this, other, checkCount('join', 'partitions', partitions)));
  }

  /** As `join`, and every record of this stream; null where the other has no such key. */
  leftOuterJoin<K, V, W>(this: DStream<readonly [K, V]>, other: DStream<readonly [K, W]>, partitions?: number): DStream<[K, [V, W | null]]> {
    return this.derive(joinSpec<K, V, W, [V, W | null]>('leftOuterJoin', this, other, checkCount('leftOuterJoin', 'partitions', partitions)));
  }

  /** As `join`, and every record of the other stream; null where this one has no such key. */
  rightOuterJoin<K, V, W>(this: DStream<readonly [K, V]>, other: DStream<readonly [K, W]>, partitions?: number): DStream<[K, [V | null, W]]> {
    return this.derive(joinSpec<K, V, W, [V | null, W]>('rightOuterJoin', this, other, checkCount('rightOuterJoin', 'partitions', partitions)));
  }

  /** As `join`, and every record of both; null where a side has no such key. */
  fullOuterJoin<K, V, W>(this: DStream<readonly [K, V]>, other: DStream<readonly [K, W]>, partitions?: number): DStream<[K, [V | null, W | null]]> {
    return this.derive(joinSpec<K, V, W, [V | null, W | null]>('fullOuterJoin', this, other, checkCount('fullOuterJoin', 'partitions', partitions)));
  }

  /** [key, [its values here, its values there]] for every key that either stream has in the batch. */
  cogroup<K, V, W>(this: DStream<readonly [K, V]>, other: DStream<readonly [K, W]>, partitions?: number): DStream<[K, [V[], W[]]]> {
    return this.derive(cogroupSpec(this, other, checkCount('cogroup', 'partitions', partitions)));
  }

  // State.

  /**
   * [key, state] of all keys, after each batch. The function is called in every batch for each key that has state or values; undefined or
   * null as its result ends the key's state. States and values are not to be changed in place.
   */
  updateStateByKey<K, V, S extends RecordHint>(this: DStream<readonly [K, V]> & RecordsOnly<S>, fn: UpdateFunction<V, S>, options?: UpdateStateOptions<K, S> & { readonly variant?: 'plain' | undefined }): DStream<[K, S]>;
  updateStateByKey<K, V, S extends RecordHint>(this: DStream<readonly [K, V]> & RecordsOnly<S>, fn: TimedUpdateFunction<K, V, S>, options: UpdateStateOptions<K, S> & { readonly variant: 'time' }): DStream<[K, S]>;
  updateStateByKey<K, V, S extends RecordHint>(this: DStream<readonly [K, V]> & RecordsOnly<S>, fn: IteratorUpdateFunction<K, V, S>, options: Omit<UpdateStateOptions<K, S>, 'onError'> & { readonly variant: 'iterator' }): DStream<[K, S]>;
  updateStateByKey<K, V, S>(this: DStream<readonly [K, V]>, fn: Function, options: UpdateStateOptions<K, S> = {}): DStream<[K, S]> {
    checkObject('updateStateByKey', 'options', options);
    const stream = this.derive(updateStateSpec<K, V, S>(this, fn, options));
    stream.persistByItself(StorageLevel.MEMORY_ONLY_SER);
    return stream;
  }

  /**
   * What a function emits that is called for each record with its key's state. It costs by the keys that a batch touches, not by
   * those that have state. `stateSnapshots()` of the result is the state itself.
   */
  mapWithState<K, V, S, E extends RecordHint>(this: DStream<readonly [K, V]> & RecordsOnly<S | E>, spec: StateSpec<K, V, S, E>): MapWithStateDStream<K, S, E> {
    const states = this.derive(trackStateSpec(this, spec));
    states.persistByItself(StorageLevel.MEMORY_ONLY_SER);
    return new MapWithStateDStream<K, S, E>(states, emittedSpec<E>(states as DStream<unknown>));
  }

  // Windows. Lengths and slides are in ms, and whole multiples of this stream's slide: else WindowNotMultiple. Streams that they are
  // made of are persisted by themselves. With an inverse function a checkpoint directory is needed.

  /** The records of all batches of the last `windowMs`, every `slideMs` (this stream's slide). */
  window(windowMs: number, slideMs?: number): DStream<T> {
    return windowed(this, windowDurations('window', this, windowMs, slideMs));
  }

  /**
   * One record a window: the number of records. No record until the first record ever has come; where the slide is longer than the
   * window there is one from the first window on.
   */
  countByWindow(windowMs: number, slideMs: number): DStream<number> {
    return countedByWindow(this, windowDurations('countByWindow', this, windowMs, slideMs));
  }

  /**
   * One record a window, made of all of them by an associative function; none for an empty window. With an inverse function
   * (`inverse(fn(a, b), b)` is a), each result is made of the one before: see `reduceByKeyAndWindow`.
   */
  reduceByWindow(fn: (a: T, b: T) => T, windowMs: number, slideMs: number): DStream<T>;
  reduceByWindow(fn: (a: T, b: T) => T, inverse: (a: T, b: T) => T, windowMs: number, slideMs: number): DStream<T>;
  reduceByWindow(fn: (a: T, b: T) => T, ...rest: readonly [number, number] | readonly [(a: T, b: T) => T, number, number]): DStream<T> {
    const method = 'reduceByWindow';
    refusePolicy(method, arguments);
    checkFunction(method, fn);
    if (typeof rest[0] !== 'function') return reducedByWindow(this, fn, windowDurations(method, this, rest[0], rest[1] as number));
    const [inverse, windowMs, slideMs] = rest as readonly [(a: T, b: T) => T, number, number];
    return incrementallyReducedByWindow(this, fn, inverse, windowDurations(method, this, windowMs, slideMs));
  }

  /** [key, all its values in the window]. */
  groupByKeyAndWindow<K, V>(this: DStream<readonly [K, V]>, windowMs: number, slideMs?: number, partitions?: number): DStream<[K, V[]]> {
    const method = 'groupByKeyAndWindow';
    return groupedByKeyAndWindow(this, windowDurations(method, this, windowMs, slideMs), checkCount(method, 'partitions', partitions));
  }

  /**
   * [key, its values in the window made one by an associative function].
   *
   * With an inverse function (`inverse(fn(a, b), b)` is a), each result is made of the one before, of what leaves the window and of
   * what enters it: the cost is that of the slide, not of the window. A key then stays, with the value of nothing, until
   * `filter` is false for its pair; `filter` must not drop a key whose values still count (InverseWindowInconsistent).
   */
  reduceByKeyAndWindow<K, V>(this: DStream<readonly [K, V]>, fn: (a: V, b: V) => V, windowMs: number, slideMs?: number, partitions?: number): DStream<[K, V]>;
  reduceByKeyAndWindow<K, V>(
    this: DStream<readonly [K, V]>, fn: (a: V, b: V) => V, inverse: (a: V, b: V) => V, windowMs: number, slideMs?: number, partitions?: number, filter?: (pair: readonly [K, V]) => boolean,
  ): DStream<[K, V]>;
  reduceByKeyAndWindow<K, V>(this: DStream<readonly [K, V]>, fn: (a: V, b: V) => V, ...rest: readonly unknown[]): DStream<[K, V]> {
    const method = 'reduceByKeyAndWindow';
    refusePolicy(method, arguments);
    checkFunction(method, fn);
    const inverse = typeof rest[0] === 'function' ? (rest[0] as (a: V, b: V) => V) : undefined;
    const [windowMs, slideMs, partitions, filter] = (inverse === undefined ? rest : rest.slice(1)) as [number, number?, number?, ((pair: readonly [K, V]) => boolean)?];
    const durations = windowDurations(method, this, windowMs, slideMs);
    checkCount(method, 'partitions', partitions);
    if (filter !== undefined) checkFunction(method, filter);
    if (filter !== undefined && inverse === undefined) {
      throw callError('InvalidArgument', method, `${method} expects an inverse function before the window, where it gets a filter, and got none: a plain window drops nothing. Give it one, or put .filter(...) behind it.`);
    }
    if (inverse === undefined) return reducedByKeyAndWindow(this, fn, durations, partitions);
    return incrementallyReduced(this, { fn, inverse, filter }, durations, partitions);
  }

  /** [record, how often it is in the window]. */
  countByValueAndWindow(windowMs: number, slideMs: number, partitions?: number): DStream<[T, number]> {
    const method = 'countByValueAndWindow';
    return countedByValueAndWindow(this, windowDurations(method, this, windowMs, slideMs), checkCount(method, 'partitions', partitions));
  }

  // Outputs.

  /** Writes the first `num` records of every batch to standard output, under its time. */
  print(num = 10): void {
    if (!Number.isSafeInteger(num) || num < 0) throw callError('InvalidArgument', 'print', `print expects a number of records, 0 or more, and got ${previewOf(num)}.`);
    this.graph.addOutput(this, 'print', { kind: 'print', limit: num });
  }

  /**
   * Calls the function with every RDD of this stream, on the app's thread. It may be async, and outputs after it wait for it;
   * the RDD is valid until its promise settles. Functions for the workers are made beforehand: `ssc.task(fn)`.
   */
  foreachRDD<App = Readonly<Record<string, unknown>>>(fn: (rdd: RDD<T>, time: BatchTime, context: OutputContext<App>) => void | Promise<void>): void {
    refusePolicy('foreachRDD', arguments);
    checkFunction('foreachRDD', fn);
    this.graph.addOutput(this, 'foreachRDD', { kind: 'foreachRDD', body: fn as unknown as OutputBody });
  }

  /** Calls the function with every record, on the workers. `context.id` names what the record's partition writes in this batch. */
  foreach<R>(this: DStream<T> & RecordsOnly<R>, fn: (record: T, context: OutputTaskContext) => R, options?: RecordOptions): void {
    checkFunction('foreach', fn);
    const policy = policyOf('foreach', options);
    this.graph.addOutput(this, 'foreach', (place) => ({ kind: 'foreach', fn: this.host.registerFunction(fn, 'foreach', place, false), ...policy }));
  }

  /**
   * Calls the function with every partition, on the workers. It may be async: its worker takes no other task meanwhile. `context.id` names
   * the records in every attempt and every run of the batch: see `transactionalSink`.
   */
  foreachPartition(fn: (records: Iterable<T>, context: OutputTaskContext) => void | Promise<void>): void {
    refusePolicy('foreachPartition', arguments);
    checkFunction('foreachPartition', fn);
    this.graph.addOutput(this, 'foreachPartition', (place) => ({ kind: 'foreachPartition', fn: this.host.registerFunction(fn, 'foreachPartition', place, true) }));
  }

  /** Writes each batch as text, a record a line: `prefix-TIME_IN_MS[.suffix]/part-NNNNN`, and `_SUCCESS` when all parts are there. A directory of an earlier run is written anew. */
  saveAsTextFiles(prefix: string, suffix?: string): void {
    this.graph.addOutput(this, 'saveAsTextFiles', { kind: 'saveText', ...checkFiles('saveAsTextFiles', prefix, suffix) });
  }

  /** Writes each batch in the record codec: `prefix-TIME_IN_MS[.suffix]/part-NNNNN`. */
  saveAsObjectFiles(prefix: string, suffix?: string): void {
    this.graph.addOutput(this, 'saveAsObjectFiles', { kind: 'saveObjects', ...checkFiles('saveAsObjectFiles', prefix, suffix) });
  }

  /** Brings every batch's records to the app, which reads them from the program's exports. See PublishedStream. */
  publish(options: PublishOptions = {}): PublishedStream<T> {
    const published = new PublishedStream<T>(this.graph.outputs.length, options);
    this.graph.addOutput(this, 'publish', { kind: 'publish', published: published as PublishedStream<unknown> });
    return published;
  }

  // Keeping.

  /** Keeps each RDD's records once they are computed, as long as the stream remembers the RDD. Throws CannotChangeAfterStart. */
  persist(level: StorageLevel = StorageLevel.MEMORY_ONLY_SER): this {
    checkLevel('persist', level);
    this.setStorageLevel(sameLevel(level, StorageLevel.NONE) ? null : level);
    return this;
  }

  /** `persist()`: MEMORY_ONLY_SER. */
  cache(): this {
    return this.persist();
  }

  /**
   * How often the stream is checkpointed, in ms: a whole multiple of its slide. The stream is persisted, too. Default, for streams
   * that build on their own results: a multiple of the slide of at least 10 s. Throws CannotChangeAfterStart, InvalidArgument.
   */
  checkpoint(intervalMs: number): this {
    this.setCheckpointInterval(checkDuration('checkpoint', 'the interval', intervalMs));
    this.persistByItself(StorageLevel.MEMORY_ONLY_SER);
    return this;
  }

  /**
   * The RDDs for the times from..to, both included and floored to the slide. Times after the last batch are computed on the spot: a queue is
   * read for that. Throws NotInitialized before start, SliceUnavailable where records are needed that are gone, or that a receiver has yet to bring.
   */
  async slice(from: number, to: number): Promise<RDD<T>[]> {
    return (await this.graph.slice(this as unknown as DStream<unknown>, from, to)) as RDD<T>[];
  }

  /** A new stream on top of this one. For operators, not for users. @internal */
  derive<U>(spec: OperatorSpec<U>): DStream<U> {
    return new DStream<U>(this.graph, spec);
  }
}

/**
 * The stream that mapWithState gives: what its function emits, and the state beside it.
 *
 * Invariant: both are of one version of the state; where only one of them has an output, the other costs nothing.
 */
export class MapWithStateDStream<K, S, E> extends DStream<E> {
  readonly #states: DStream<[K, S]>;

  constructor(states: DStream<[K, S]>, emitted: OperatorSpec<E>) {
    super(states.graph, emitted);
    this.#states = states;
  }

  /** Of the state: how often it is checkpointed, and keys that were idle longer than the timeout are looked for. */
  override checkpoint(intervalMs: number): this {
    this.#states.checkpoint(intervalMs);
    return this;
  }

  /** [key, state] of all keys, after each batch. */
  stateSnapshots(): DStream<[K, S]> {
    return this.derive(snapshotsSpec(this.#states));
  }
}
