/**
 * The operations of cases, as calls of DStream methods by their names.
 *
 * Invariant: one entry for each row of the table of operations; an entry calls only public methods.
 */
import { required } from './case.ts';
import type { CaseOperation } from './case.ts';
import { combiner, flatMapFunction, mapFunction, partitionFunction, predicate, reduceFunction } from './functions.ts';
import type { MapFunction, PartitionFunction } from './functions.ts';
import { transformFunction, transformManyFunction, transformWithFunction } from './rdd-functions.ts';
import { stateOperations } from './state-operations.ts';
import { onOne, onTwo, sortValues } from './stream-like.ts';
import type { Build, ContextLike, StreamLike } from './stream-like.ts';
import { sortedValues } from './values.ts';
import type { Value } from './values.ts';

/** Throws where the operation is unknown or lacks a parameter. */
export function buildOperation(operation: CaseOperation, parents: readonly StreamLike[], ssc: ContextLike): StreamLike {
  const build = Object.hasOwn(operations, operation.op) ? operations[operation.op] : stateOperations[operation.op];
  if (build === undefined) throw new Error(`Expected an operation of the table, got '${operation.op}' (${operation.id}).`);
  return build(operation, parents, ssc);
}

export const operations: Readonly<Record<string, Build>> = {
  map: onOne((stream, op) => stream.map(mapFunction(required(op, 'fn')))),
  flatMap: onOne((stream, op) => stream.flatMap(flatMapFunction(required(op, 'fn')))),
  filter: onOne((stream, op) => stream.filter(predicate(required(op, 'fn')))),
  glom: onOne((stream) => stream.glom()),
  mapPartitions: onOne((stream, op) => stream.mapPartitions(onIterable(partitionFunction(required(op, 'fn'))))),
  repartition: onOne((stream, op) => stream.repartition(required(op, 'numPartitions'))),
  union: onTwo((left, right) => left.union(right)),
  unionAll: (_operation, parents, ssc) => ssc.union(parents),
  cache: onOne((stream) => stream.cache()),
  count: onOne((stream) => stream.count()),
  reduce: onOne((stream, op) => stream.reduce(reduceFunction(required(op, 'fn')))),
  countByValue: onOne((stream, op) => stream.countByValue(op.numPartitions)),
  groupByKey: onOne((stream, op) => sortValues(stream.groupByKey(op.numPartitions))),
  reduceByKey: onOne((stream, op) => stream.reduceByKey(reduceFunction(required(op, 'fn')), op.numPartitions)),
  combineByKey: onOne((stream, op) => {
    const { createCombiner, mergeValue, mergeCombiners } = combiner(required(op, 'fn'));
    return stream.combineByKey(createCombiner, mergeValue, mergeCombiners, op.numPartitions ?? 2, op.mapSideCombine ?? true);
  }),
  mapValues: onOne((stream, op) => stream.mapValues(mapFunction(required(op, 'fn')))),
  flatMapValues: onOne((stream, op) => stream.flatMapValues(flatMapFunction(required(op, 'fn')))),
  join: onTwo((left, right, op) => left.join(right, op.numPartitions)),
  leftOuterJoin: onTwo((left, right, op) => left.leftOuterJoin(right, op.numPartitions)),
  rightOuterJoin: onTwo((left, right, op) => left.rightOuterJoin(right, op.numPartitions)),
  fullOuterJoin: onTwo((left, right, op) => left.fullOuterJoin(right, op.numPartitions)),
  cogroup: onTwo((left, right, op) => left.cogroup(right, op.numPartitions).mapValues(sortEachList)),
  transform: onOne((stream, op, ssc) => {
    const data = op.data === undefined ? null : ssc.sc.parallelize(op.data, op.dataPartitions ?? 1);
    return stream.transform(transformFunction(required(op, 'fn'), ssc.sc, data));
  }),
  transformWith: onTwo((left, right, op, ssc) => left.transformWith(right, transformWithFunction(required(op, 'fn'), ssc.sc))),
  transformMany: (op, parents, ssc) => ssc.transform(parents, transformManyFunction(required(op, 'fn'), ssc.sc)),
};

const sortEachList: MapFunction = (lists) => (lists as readonly (readonly Value[])[]).map((list) => sortedValues(list));

function onIterable(fn: PartitionFunction): (records: Iterable<Value>) => Iterable<Value> {
  return (records) => fn([...records]);
}

