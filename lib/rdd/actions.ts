/**
 * Actions: what runs jobs and brings results to the caller.
 *
 * Invariant: partial results are merged in the order of the partitions, so a result is the same in every run. Each block
 * that a job hands over is loaded, and so given back, exactly once.
 */
import type { Sink } from '../../protocol/rdd.ts';
import type { TaskOutput } from '../../protocol/task.ts';
import { decodeRecord, encodeRecord } from '../../protocol/codec.ts';
import { MillraceError, previewOf } from '../../protocol/errors.ts';
import { callError } from '../base/caller-place.ts';
import { compareKeys, partitionOf } from '../base/key.ts';
import { reduceByKey, withValues } from './pair-combine.ts';
import type { RDD } from './rdd.ts';
import { builtin, derivedFunction, userFunction, wholeNumber } from './rdd-base.ts';
import { mapBuiltin } from './reshape.ts';
import type { RecordOptions } from './record-options.ts';
import { policyOf } from './record-options.ts';
import type { TaskContext } from './task-context.ts';

type Rdd = RDD<unknown>;

export function collect<T>(rdd: Rdd): Promise<T[]> {
  return act(rdd, 'collect', () => collectNow<T>(rdd));
}

export function collectPartitions<T>(rdd: Rdd): Promise<T[][]> {
  return act(rdd, 'collectPartitions', () => recordsOf<T>(rdd, { kind: 'collect', limit: -1 }));
}

export function take<T>(rdd: Rdd, limit: number): Promise<T[]> {
  return act(rdd, 'take', async () => takeNow<T>(rdd, wholeNumber(limit, 0, 'take', 'limit')));
}

export function first<T>(rdd: Rdd): Promise<T> {
  return act(rdd, 'first', async () => {
    const found = await takeNow<T>(rdd, 1);
    if (found.length === 0) throw emptyCollection('first');
    return found[0] as T;
  });
}

export function isEmpty(rdd: Rdd): Promise<boolean> {
  return act(rdd, 'isEmpty', async () => (await takeNow(rdd, 1)).length === 0);
}

export function count(rdd: Rdd): Promise<number> {
  return act(rdd, 'count', async () => {
    let total = 0;
    for (const output of await rdd.context.runJob(rdd.id, null, { kind: 'count' })) total += output.kind === 'count' ? output.count : 0;
    return total;
  });
}

export function takeOrdered<T>(rdd: Rdd, limit: number, descending: boolean, compare: ((a: T, b: T) => number) | undefined, method: string): Promise<T[]> {
  return act(rdd, method, async () => {
    wholeNumber(limit, 0, method, 'limit');
    const order = compare === undefined ? null : userFunction(rdd.context, compare, method, 'compare');
    if (limit === 0) return [];
    const parts = await recordsOf<T>(rdd, { kind: 'takeOrdered', limit, descending, order });
    const by: (a: T, b: T) => number = compare ?? compareKeys;
    return parts.flat().sort(descending ? (a, b) => by(b, a) : by).slice(0, limit);
  });
}

export function reduce<T>(rdd: Rdd, f: (a: T, b: T) => T): Promise<T> {
  return act(rdd, 'reduce', async () => {
    const parts = (await recordsOf<T>(rdd, { kind: 'reduce', fn: userFunction(rdd.context, f, 'reduce') })).flat();
    if (parts.length === 0) throw emptyCollection('reduce');
    return parts.reduce((a, b) => f(a, b));
  });
}

/** Also `fold`, where both functions are the same. */
export function aggregate<T, U>(rdd: Rdd, zero: U, seqFn: (result: U, record: T) => U, combFn: (a: U, b: U) => U, method: string): Promise<U> {
  return act(rdd, method, async () => {
    const encoded = encodeRecord(zero);
    const seq = userFunction(rdd.context, seqFn, method, method === 'fold' ? 'f' : 'seqFn');
    const parts = await recordsOf<U>(rdd, { kind: 'aggregate', zero: encoded, seqFn: seq });
    return parts.flat().reduce((a, b) => combFn(a, b), decodeRecord(encoded) as U);
  });
}

export function countByKey<K>(rdd: RDD<readonly [K, unknown]>): Promise<Map<K, number>> {
  return act(rdd, 'countByKey', () => countKeys<K>(rdd, 'countByKey'));
}

export function countByValue<T>(rdd: Rdd): Promise<Map<T, number>> {
  return act(rdd, 'countByValue', () => countKeys<T>(mapBuiltin<[T, null]>(rdd, 'withNull', 'countByValue'), 'countByValue'));
}

export function collectAsMap<K, V>(rdd: RDD<readonly [K, V]>): Promise<Map<K, V>> {
  return act(rdd, 'collectAsMap', async () => new Map(await collectNow<[K, V]>(rdd)));
}

export function lookup<K, V>(rdd: RDD<readonly [K, V]>, key: K): Promise<V[]> {
  return act(rdd, 'lookup', async () => {
    const { partitions, partitioner } = rdd.node;
    const fn = derivedFunction('keyIs', [], encodeRecord(key));
    const found = rdd.derive('lookup', { kind: 'filter', parents: [rdd.id], partitions, partitioner, fn });
    // The bounds of a range partitioner are not known here: all partitions are looked at.
    const where = partitioner?.kind === 'hash' ? [partitionOf(key, partitioner.partitions)] : null;
    return (await recordsOf<V>(mapBuiltin(found, 'valueOf', 'lookup'), { kind: 'collect', limit: -1 }, where)).flat();
  });
}

export function foreach<T>(rdd: Rdd, f: (record: T, context: TaskContext) => void, options?: RecordOptions): Promise<void> {
  return effect(rdd, 'foreach', () => ({ kind: 'foreach', fn: userFunction(rdd.context, f, 'foreach'), ...policyOf('foreach', options) }));
}

export function foreachPartition<T>(rdd: Rdd, f: (records: Iterable<T>, context: TaskContext) => void | Promise<void>): Promise<void> {
  return effect(rdd, 'foreachPartition', () => ({ kind: 'foreachPartition', fn: userFunction(rdd.context, f, 'foreachPartition') }));
}

export function save(rdd: Rdd, kind: 'saveText' | 'saveObjects', directory: string, overwrite: boolean, method: string): Promise<void> {
  return act(rdd, method, async () => {
    if (typeof directory !== 'string' || directory === '') {
      throw callError('InvalidArgument', method, `${method}: directory must be a path, got ${previewOf(directory)}.`, { method, argument: 'directory' });
    }
    await rdd.context.claimDirectory?.(directory, overwrite);
    await rdd.context.runJob(rdd.id, null, { kind, directory });
    await rdd.context.completeDirectory?.(directory);
  });
}

/** How many times more partitions `take` looks at where all it has seen were empty. Spark's `spark.rdd.limit.scaleUpFactor`. */
const scaleUpFactor = 4;

async function takeNow<T>(rdd: Rdd, limit: number): Promise<T[]> {
  const partitions = rdd.getNumPartitions();
  const taken: T[] = [];
  let scanned = 0;
  while (taken.length < limit && scanned < partitions) {
    const end = Math.min(partitions, scanned + partitionsToTry(limit, taken.length, scanned));
    const some = Array.from({ length: end - scanned }, (_, index) => scanned + index);
    for (const part of await recordsOf<T>(rdd, { kind: 'collect', limit: limit - taken.length }, some)) {
      for (const record of part) if (taken.length < limit) taken.push(record);
    }
    scanned = end;
  }
  return taken;
}

/** Spark's rule: one partition, then by the density seen so far and half as many more, never over `scaleUpFactor` times. */
function partitionsToTry(limit: number, taken: number, scanned: number): number {
  if (scanned === 0) return 1;
  if (taken === 0) return scanned * scaleUpFactor;
  const guessed = Math.ceil((1.5 * limit * scanned) / taken) - scanned;
  return Math.min(Math.max(guessed, 1), scanned * scaleUpFactor);
}

async function collectNow<T>(rdd: Rdd): Promise<T[]> {
  const parts = await recordsOf<T>(rdd, { kind: 'collect', limit: -1 });
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : parts.flat();
}

async function countKeys<K>(rdd: RDD<readonly [K, unknown]>, method: string): Promise<Map<K, number>> {
  const ones = withValues<K, number>(rdd, 'mapValues', builtin('one'), method);
  return new Map(await collectNow<[K, number]>(reduceByKey<K, number>(ones, builtin('add'), undefined, method)));
}

async function recordsOf<T>(rdd: Rdd, sink: Sink, partitions: readonly number[] | null = null): Promise<T[][]> {
  const outputs = await rdd.context.runJob(rdd.id, partitions, sink);
  return outputs.map((output) => load<T>(rdd, output));
}

function load<T>(rdd: Rdd, output: TaskOutput): T[] {
  return output.kind === 'records' ? (rdd.context.loadRecords(output.block) as T[]) : [];
}

function effect(rdd: Rdd, name: string, sink: () => Sink): Promise<void> {
  return act(rdd, name, async () => {
    await rdd.context.runJob(rdd.id, null, sink());
  });
}

function act<R>(rdd: Rdd, name: string, run: () => Promise<R>): Promise<R> {
  return rdd.context.action === undefined ? run() : rdd.context.action(name, run);
}

function emptyCollection(method: string): MillraceError {
  return new MillraceError('EmptyCollection', `${method}: expected at least one record, the RDD has none. Use fold or aggregate, or check isEmpty() first.`);
}

