/**
 * The operators that work on one batch's RDD alone: record by record, partition by partition, key by key.
 *
 * Invariant: where the parent has no RDD for a time, they have none either (Spark passes the absence on). Those that combine
 * several streams fail instead: see combined.ts.
 *
 * Keyed operators use the default parallelism where no number is given, never the parent's number of partitions.
 */
import type { RDD, RecordHint } from '../rdd/rdd.ts';
import type { RddContext } from '../rdd/context.ts';
import type { RecordOptions } from '../rdd/record-options.ts';
import { policyOf } from '../rdd/record-options.ts';
import type { TaskContext } from '../rdd/task-context.ts';
import type { DStream } from './dstream.ts';
import { andThen } from './generated.ts';
import type { OperatorFunction, OperatorSpec } from './operator-spec.ts';

/** An operator on one parent: `make` turns the parent's RDD into this stream's. */
export function narrow<T, U>(
  parent: DStream<T>,
  kind: string,
  functions: readonly OperatorFunction[],
  parameters: Readonly<Record<string, unknown>>,
  make: (rdd: RDD<T>) => RDD<U>,
): OperatorSpec<U> {
  return {
    kind,
    parents: [parent as DStream<unknown>],
    functions,
    parameters,
    make: ([rdd]) => make(rdd as RDD<T>),
    compute: (time, env, self) => andThen(parent.getOrCompute(time, env), (rdd) => (rdd === null ? null : self.making(() => make(rdd)))),
  };
}

/** An operator whose functions may have a policy. It is no part of the uid: an operator with another policy is the same one. */
export function withPolicy<U>(method: string, options: RecordOptions | undefined, spec: OperatorSpec<U>): OperatorSpec<U> {
  return { ...spec, ...policyOf(method, options) };
}

/** A function on records, for the function table. */
export function onWorkers(role: string, fn: Function): OperatorFunction {
  return { fn, role, runsOn: 'workers' };
}

export function mapSpec<T, U extends RecordHint>(parent: DStream<T>, fn: (record: T) => U, options?: RecordOptions): OperatorSpec<U> {
  return withPolicy('map', options, narrow(parent, 'map', [onWorkers('map', fn)], {}, (rdd) => rdd.map(fn, options)));
}

export function flatMapSpec<T, U extends RecordHint>(parent: DStream<T>, fn: (record: T) => Iterable<U>, options?: RecordOptions): OperatorSpec<U> {
  return withPolicy('flatMap', options, narrow(parent, 'flatMap', [onWorkers('flatMap', fn)], {}, (rdd) => rdd.flatMap(fn, options)));
}

export function filterSpec<T>(parent: DStream<T>, fn: (record: T) => boolean, options?: RecordOptions): OperatorSpec<T> {
  return withPolicy('filter', options, narrow(parent, 'filter', [onWorkers('filter', fn)], {}, (rdd) => rdd.filter(fn, options)));
}

export function glomSpec<T>(parent: DStream<T>): OperatorSpec<T[]> {
  return narrow(parent, 'glom', [], {}, (rdd) => rdd.glom());
}

export function mapPartitionsSpec<T, U extends RecordHint>(parent: DStream<T>, fn: (records: Iterable<T>, context: TaskContext) => Iterable<U>): OperatorSpec<U> {
  return narrow(parent, 'mapPartitions', [onWorkers('mapPartitions', fn)], {}, (rdd) => rdd.mapPartitions(fn));
}

// Reducing without a key is reducing under one key, null: one partition, and no record where there was none.
export const underNull = <T>(record: T): [null, T] => [null, record];
export const withOne = <T>(record: T): [T, number] => [record, 1];
export const sum = (a: number, b: number): number => a + b;

export function reduceSpec<T>(parent: DStream<T>, fn: (a: T, b: T) => T): OperatorSpec<T> {
  const functions = [onWorkers('reduce', fn), onWorkers('reduce', underNull)];
  return narrow(parent, 'reduce', functions, {}, (rdd) => rdd.map(underNull<T>).reduceByKey(fn, 1).values());
}

export function countByValueSpec<T>(parent: DStream<T>, partitions: number | undefined): OperatorSpec<[T, number]> {
  const functions = [onWorkers('countByValue', withOne), onWorkers('countByValue', sum)];
  return narrow(parent, 'countByValue', functions, given({ partitions }), (rdd) => rdd.map(withOne<T>).reduceByKey(sum, partitionsOf(rdd, partitions)));
}

/** Leaves out what was not given, so that an absent argument and an undefined one have the same uid. */
export function given(parameters: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== undefined));
}

/** The number of partitions of a keyed operation on `rdd`. */
export function partitionsOf(rdd: { readonly context: RddContext }, partitions: number | undefined): number {
  return partitions ?? rdd.context.defaultParallelism;
}
