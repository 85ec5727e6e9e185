/**
 * What each operation on single batches means, over plain arrays: record by record, by key, and of several streams.
 *
 * Invariant: one entry for each operation of a case's graph; the named functions are those that the real runtime is given.
 */
import { required } from '../conformance/case.ts';
import type { CaseOperation } from '../conformance/case.ts';
import { combiner, flatMapFunction, keyOf, mapFunction, partitionFunction, predicate, reduceFunction, valueOf } from '../conformance/functions.ts';
import { transformFunction, transformManyFunction, transformWithFunction } from '../conformance/rdd-functions.ts';
import { sortedValues } from '../conformance/values.ts';
import type { Value } from '../conformance/values.ts';
import { sequentialMaker } from './sequential-rdd.ts';
import type { SequentialOptions, SequentialRdd } from './sequential-rdd.ts';
import { combined, derived } from './sequential-stream.ts';
import type { SequentialStream } from './sequential-stream.ts';

/** Makes an operation's stream of its parents. */
export type Model = (operation: CaseOperation, parents: readonly SequentialStream[], options: SequentialOptions) => SequentialStream;

type Rdd = SequentialRdd;

function narrow(make: (operation: CaseOperation) => (rdd: Rdd) => Rdd): Model {
  return (operation, [parent]) => derived(parent as SequentialStream, make(operation));
}

function binary(run: (left: Rdd, right: Rdd, operation: CaseOperation) => Rdd): Model {
  return (operation, parents) => combined(parents, ([left, right]) => run(left as Rdd, right as Rdd, operation));
}

const mapValue = (fn: (value: Value) => Value) => (pair: Value): Value => [keyOf(pair), fn(valueOf(pair))];
const sortLists = (lists: Value): Value => (lists as readonly (readonly Value[])[]).map((list) => sortedValues(list));

/** [key, values], with the values sorted: no order of theirs is promised. */
export function groupedSorted(rdd: Rdd, partitions: number | undefined): Rdd {
  return rdd.groupByKey(partitions).map(mapValue((values) => sortedValues(values as readonly Value[])));
}

/** All records as one, or none where there was none. */
export function reduced(rdd: Rdd, fn: (a: Value, b: Value) => Value): Rdd {
  return rdd.map((x) => [null, x]).reduceByKey(fn, 1).map(valueOf);
}

export const statelessModels: Readonly<Record<string, Model>> = {
  map: narrow((op) => { const fn = mapFunction(required(op, 'fn')); return (rdd) => rdd.map(fn); }),
  flatMap: narrow((op) => { const fn = flatMapFunction(required(op, 'fn')); return (rdd) => rdd.flatMap(fn); }),
  filter: narrow((op) => { const fn = predicate(required(op, 'fn')); return (rdd) => rdd.filter(fn); }),
  mapPartitions: narrow((op) => { const fn = partitionFunction(required(op, 'fn')); return (rdd) => rdd.mapPartitions(fn); }),
  glom: narrow(() => (rdd) => rdd.glom()),
  cache: narrow(() => (rdd) => rdd),
  reduce: narrow((op) => { const fn = reduceFunction(required(op, 'fn')); return (rdd) => reduced(rdd, fn); }),
  countByValue: narrow((op) => (rdd) => rdd.map((x) => [x, 1]).reduceByKey(reduceFunction('add'), op.numPartitions)),
  groupByKey: narrow((op) => (rdd) => groupedSorted(rdd, op.numPartitions)),
  reduceByKey: narrow((op) => { const fn = reduceFunction(required(op, 'fn')); return (rdd) => rdd.reduceByKey(fn, op.numPartitions); }),
  combineByKey: narrow((op) => { const fn = combiner(required(op, 'fn')); return (rdd) => rdd.combineByKey(fn, op.numPartitions ?? 2, op.mapSideCombine ?? true); }),
  mapValues: narrow((op) => { const fn = mapFunction(required(op, 'fn')); return (rdd) => rdd.map(mapValue(fn)); }),
  flatMapValues: narrow((op) => {
    const fn = flatMapFunction(required(op, 'fn'));
    return (rdd) => rdd.flatMap((pair) => fn(valueOf(pair)).map((value): Value => [keyOf(pair), value]));
  }),
  repartition: (op, parents) => combined(parents, ([rdd]) => (rdd as Rdd).repartition(required(op, 'numPartitions'))),
  count: (op, parents, options) => combined(parents, ([rdd]) => {
    // The zero is in one partition more, so that an empty batch has a record too.
    const zero = sequentialMaker(options).parallelize([[null, 0]], 1);
    return (rdd as Rdd).map(() => [null, 1]).union(zero).reduceByKey(reduceFunction('add'), op.numPartitions).map(valueOf);
  }),
  union: binary((left, right) => left.union(right)),
  unionAll: (_op, parents) => combined(parents, ([first, ...others]) => (first as Rdd).union(...others)),
  join: binary((left, right, op) => left.join(right, op.numPartitions)),
  leftOuterJoin: binary((left, right, op) => left.leftOuterJoin(right, op.numPartitions)),
  rightOuterJoin: binary((left, right, op) => left.rightOuterJoin(right, op.numPartitions)),
  fullOuterJoin: binary((left, right, op) => left.fullOuterJoin(right, op.numPartitions)),
  cogroup: binary((left, right, op) => left.cogroup([right], op.numPartitions).map(mapValue(sortLists))),
  transform: (op, parents, options) => {
    const maker = sequentialMaker(options);
    const fn = transformFunction(required(op, 'fn'), maker, op.data === undefined ? null : maker.parallelize(op.data, op.dataPartitions ?? 1));
    return combined(parents, async ([rdd], time) => given(await fn(rdd as Rdd, time)));
  },
  transformWith: (op, parents, options) => {
    const fn = transformWithFunction(required(op, 'fn'), sequentialMaker(options));
    return combined(parents, async ([left, right], time) => given(await fn(left as Rdd, right as Rdd, time)));
  },
  transformMany: (op, parents, options) => {
    const fn = transformManyFunction(required(op, 'fn'), sequentialMaker(options));
    return combined(parents, async (rdds, time) => given(await fn(rdds, time)));
  },
};

function given(rdd: unknown): Rdd {
  if (rdd === null) throw new Error('Transform function must not return null.');
  return rdd as Rdd;
}
