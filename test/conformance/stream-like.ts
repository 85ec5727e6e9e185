/**
 * What cases ask of the runtime: the public methods of DStreams and contexts, with records that are JSON.
 *
 * Invariant: only methods that users have. The types are our own since a graph that is read from JSON has no static types;
 * the names, the order of arguments and their meaning are the runtime's.
 */
import type { CaseOperation } from './case.ts';
import type { FlatMapFunction, MapFunction, Predicate, ReduceFunction } from './functions.ts';
import type { RddMaker, TransformFunction, TransformManyFunction, TransformWithFunction } from './rdd-functions.ts';
import { sortedValues } from './values.ts';
import type { Value } from './values.ts';

/** What the operations ask of a DStream: the public methods, with records that are JSON. */
export interface StreamLike {
  uid(id: string): this;
  map(fn: MapFunction): StreamLike;
  flatMap(fn: FlatMapFunction): StreamLike;
  filter(fn: Predicate): StreamLike;
  glom(): StreamLike;
  mapPartitions(fn: (records: Iterable<Value>) => Iterable<Value>): StreamLike;
  repartition(partitions: number): StreamLike;
  union(other: StreamLike): StreamLike;
  cache(): StreamLike;
  count(): StreamLike;
  reduce(fn: ReduceFunction): StreamLike;
  countByValue(partitions?: number): StreamLike;
  groupByKey(partitions?: number): StreamLike;
  reduceByKey(fn: ReduceFunction, partitions?: number): StreamLike;
  combineByKey(create: MapFunction, mergeValue: ReduceFunction, mergeCombiners: ReduceFunction, partitions?: number, mapSideCombine?: boolean): StreamLike;
  mapValues(fn: MapFunction): StreamLike;
  flatMapValues(fn: FlatMapFunction): StreamLike;
  join(other: StreamLike, partitions?: number): StreamLike;
  leftOuterJoin(other: StreamLike, partitions?: number): StreamLike;
  rightOuterJoin(other: StreamLike, partitions?: number): StreamLike;
  fullOuterJoin(other: StreamLike, partitions?: number): StreamLike;
  cogroup(other: StreamLike, partitions?: number): StreamLike;
  transform(fn: TransformFunction): StreamLike;
  transformWith(other: StreamLike, fn: TransformWithFunction): StreamLike;
}

/** What the operations ask of the context. */
export interface ContextLike {
  readonly sc: RddMaker;
  union(streams: readonly StreamLike[]): StreamLike;
  transform(streams: readonly StreamLike[], fn: TransformManyFunction): StreamLike;
}

/** Makes an operation's stream of its parents. */
export type Build = (operation: CaseOperation, parents: readonly StreamLike[], ssc: ContextLike) => StreamLike;

/** An operation on one parent. */
export function onOne(build: (stream: StreamLike, operation: CaseOperation, ssc: ContextLike) => StreamLike): Build {
  return (operation, [stream], ssc) => {
    if (stream === undefined) throw new Error(`Expected ${operation.op} (${operation.id}) to be of one stream, got none.`);
    return build(stream, operation, ssc);
  };
}

/** An operation on two. */
export function onTwo(build: (left: StreamLike, right: StreamLike, operation: CaseOperation, ssc: ContextLike) => StreamLike): Build {
  return (operation, [left, right], ssc) => {
    if (left === undefined || right === undefined) throw new Error(`Expected ${operation.op} (${operation.id}) to be of two streams, got ${operation.of.length}.`);
    return build(left, right, operation, ssc);
  };
}

/** Values of a group have no promised order in Spark: a case has them sorted. */
export function sortValues(grouped: StreamLike): StreamLike {
  return grouped.mapValues(sortList);
}

const sortList: MapFunction = (values) => sortedValues(values as readonly Value[]);
