/**
 * The named functions on whole RDDs: of transform, transformWith and transformMany.
 *
 * Invariant: they use only what `RddLike` and `RddMaker` name, in Spark's words; so the same functions run on the real
 * runtime and on the sequential model (test/model), and a difference between the two is the runtime's or the model's.
 * Those that need an action's result (a count, the smallest records) are async.
 */
import { asNumber, keyOf, makeFunction, mod, numberArgument, valueOf } from './functions.ts';
import type { FunctionTable } from './functions.ts';
import { compareValues } from './values.ts';
import type { Value } from './values.ts';

/** What these functions ask of an RDD. */
export interface RddLike {
  map(each: (record: Value) => Value): RddLike;
  mapPartitionsWithIndex(each: (partition: number, records: Iterable<Value>) => Iterable<Value>): RddLike;
  sortBy(key: (record: Value) => Value, ascending?: boolean): RddLike;
  sortByKey(ascending?: boolean): RddLike;
  distinct(): RddLike;
  zipWithIndex(): RddLike;
  join(other: RddLike): RddLike;
  leftOuterJoin(other: RddLike): RddLike;
  subtractByKey(other: RddLike): RddLike;
  subtract(other: RddLike): RddLike;
  intersection(other: RddLike): RddLike;
  union(other: RddLike): RddLike;
  cartesian(other: RddLike): RddLike;
  coalesce(partitions: number): RddLike;
  count(): Promise<number>;
  isEmpty(): Promise<boolean>;
  takeOrdered(limit: number, order?: (a: Value, b: Value) => number): Promise<Value[]>;
}

/** What these functions ask of the context. */
export interface RddMaker {
  parallelize(records: readonly Value[], partitions?: number): RddLike;
  emptyRDD(): RddLike;
}

type MaybePromise<T> = T | Promise<T>;
/** `time` is in ms after the zero time. */
export type TransformFunction = (rdd: RddLike, time: number) => MaybePromise<RddLike>;
export type TransformWithFunction = (left: RddLike, right: RddLike, time: number) => MaybePromise<RddLike>;
export type TransformManyFunction = (rdds: readonly RddLike[], time: number) => MaybePromise<RddLike>;

/** `data`: the dataset of the `...Static` functions, made while the graph is built; null where the case has none. */
export function transformFunction(text: string, sc: RddMaker, data: RddLike | null): TransformFunction {
  return makeFunction('transform function', transformFunctions, text)(sc, data);
}

export function transformWithFunction(text: string, sc: RddMaker): TransformWithFunction {
  return makeFunction('transformWith function', transformWithFunctions, text)(sc);
}

export function transformManyFunction(text: string, sc: RddMaker): TransformManyFunction {
  return makeFunction('transformMany function', transformManyFunctions, text)(sc);
}

type MakeTransform = (sc: RddMaker, data: RddLike | null) => TransformFunction;

/** A transform function that combines the RDD with the static data. */
function withStatic(combine: (rdd: RddLike, data: RddLike) => RddLike): () => MakeTransform {
  return () => (_sc, data) => {
    if (data === null) throw new Error('Expected the operation to have data, got none.');
    return (rdd) => combine(rdd, data);
  };
}

/** A transform function that needs neither the context nor the static data. */
function plain(transform: TransformFunction): () => MakeTransform {
  return () => () => transform;
}

// Values of these cases are numbers, so negating them turns the order round while keys stay ascending.
const byValueDescending = (pair: Value): Value => [0 - asNumber(valueOf(pair)), keyOf(pair)];

export const transformFunctions: FunctionTable<MakeTransform> = {
  sortByKey: plain((rdd) => rdd.sortByKey(true)),
  sortByKeyDesc: plain((rdd) => rdd.sortByKey(false)),
  sorted: plain((rdd) => rdd.sortBy((x) => x, true)),
  sortedDesc: plain((rdd) => rdd.sortBy((x) => x, false)),
  sortByValueDesc: plain((rdd) => rdd.sortBy(byValueDescending, true)),
  distinct: plain((rdd) => rdd.distinct()),
  zipWithIndexSorted: plain((rdd) => rdd.sortBy((x) => x, true).zipWithIndex()),
  joinStatic: withStatic((rdd, data) => rdd.join(data)),
  leftOuterJoinStatic: withStatic((rdd, data) => rdd.leftOuterJoin(data)),
  subtractByKeyStatic: withStatic((rdd, data) => rdd.subtractByKey(data)),
  subtractStatic: withStatic((rdd, data) => rdd.subtract(data)),
  intersectionStatic: withStatic((rdd, data) => rdd.intersection(data)),
  unionStatic: withStatic((rdd, data) => rdd.union(data)),
  cartesianStatic: withStatic((rdd, data) => rdd.cartesian(data)),
  countRdd: () => (sc) => async (rdd) => sc.parallelize([await rdd.count()], 1),
  takeSorted: (n) => (sc) => async (rdd) => sc.parallelize(await rdd.takeOrdered(numberArgument(n)), 1),
  topByValue: (n) => (sc) => async (rdd) =>
    sc.parallelize(await rdd.takeOrdered(numberArgument(n), (a, b) => compareValues(byValueDescending(a), byValueDescending(b))), 1),
  withTime: plain((rdd, time) => rdd.map((x) => [time, x])),
  timeOnly: () => (sc) => (_rdd, time) => sc.parallelize([time], 1),
  emptyRdd: () => (sc) => () => sc.emptyRDD(),
  keepIfEvenBatch: (ms) => (sc) => (rdd, time) => (mod(Math.floor(time / numberArgument(ms)), 2) === 0 ? rdd : sc.emptyRDD()),
  partitionIndex: plain((rdd) => rdd.mapPartitionsWithIndex(withPartitionIndex)),
  coalesce: (n) => () => (rdd) => rdd.coalesce(numberArgument(n)),
  returnNull: plain(() => null as unknown as RddLike),
};

export const transformWithFunctions: FunctionTable<(sc: RddMaker) => TransformWithFunction> = {
  unionRdd: () => () => (left, right) => left.union(right),
  joinRdd: () => () => (left, right) => left.join(right),
  subtractRdd: () => () => (left, right) => left.subtract(right),
  subtractByKeyRdd: () => () => (left, right) => left.subtractByKey(right),
  intersectionRdd: () => () => (left, right) => left.intersection(right),
  cartesianRdd: () => () => (left, right) => left.cartesian(right),
  timeAndCounts: () => (sc) => async (left, right, time) => sc.parallelize([[time, await left.count(), await right.count()]], 1),
  firstIfSecondNonEmpty: () => (sc) => async (left, right) => ((await right.isEmpty()) ? sc.emptyRDD() : left),
};

export const transformManyFunctions: FunctionTable<(sc: RddMaker) => TransformManyFunction> = {
  counts: () => (sc) => async (rdds) => sc.parallelize([await countEach(rdds)], 1),
  unionAllRdds: () => () => (rdds) => rdds.slice(1).reduce((all, rdd) => all.union(rdd), rdds[0] as RddLike),
  timeAndCounts: () => (sc) => async (rdds, time) => sc.parallelize([[time, ...(await countEach(rdds))]], 1),
};

function* withPartitionIndex(partition: number, records: Iterable<Value>): Iterable<Value> {
  for (const record of records) yield [partition, record];
}

// One after another: a transform function's actions are recorded in the order of their calls.
async function countEach(rdds: readonly RddLike[]): Promise<number[]> {
  const counts: number[] = [];
  for (const rdd of rdds) counts.push(await rdd.count());
  return counts;
}
