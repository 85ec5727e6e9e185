/**
 * Making nodes: the few helpers with which every operator is written.
 *
 * Invariant: an RDD's node is complete when it is defined, and defined after its parents.
 */
import type { FunctionRef, PartitionerSpec, RddNode } from '../../protocol/rdd.ts';
import type { RddId } from '../../protocol/ids.ts';
import { previewOf } from '../../protocol/errors.ts';
import { encodeRecord } from '../../protocol/codec.ts';
import { callError } from '../base/caller-place.ts';
import type { RddContext } from './context.ts';
import type { Partitioning } from './partitioner.ts';
import { hashPartitioner } from './partitioner.ts';

type OmitEach<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** A node without what every node gets in the same way. */
export type NodeFields = OmitEach<RddNode, 'id' | 'storage' | 'operator'>;

/** Defines the node of the operator `name`; a function gets the new id where fields depend on it (shuffle ids). */
export function defineNode(context: RddContext, name: string, fields: NodeFields | ((id: RddId) => NodeFields)): RddId {
  const id = context.newRddId();
  const given = typeof fields === 'function' ? fields(id) : fields;
  context.define({ ...given, id, storage: null, operator: context.place(name) } as RddNode);
  return id;
}

/** One of our own functions, by name. */
export function builtin(name: string): FunctionRef {
  return { kind: 'builtin', name };
}

/** One of our own functions, made from others and, where given, from one encoded record. */
export function derivedFunction(name: string, over: readonly FunctionRef[], value?: Uint8Array): FunctionRef {
  return value === undefined ? { kind: 'builtin', name, over } : { kind: 'builtin', name, over, value };
}

export function encodedValue(value: unknown): Uint8Array {
  return encodeRecord(value);
}

/** Throws InvalidArgument unless `fn` is a function; gives its reference. */
export function userFunction(context: RddContext, fn: unknown, method: string, argument = 'f'): FunctionRef {
  if (typeof fn !== 'function') {
    throw callError('InvalidArgument', method, `${method}: ${argument} must be a function, got ${previewOf(fn)}.`, { method, argument });
  }
  return context.functionRef(fn as (...args: never[]) => unknown, method);
}

/** Throws InvalidArgument unless `value` is a whole number of at least `least`. */
export function wholeNumber(value: unknown, least: number, method: string, argument: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value;
  throw callError('InvalidArgument', method, `${method}: ${argument} must be a whole number of ${least} or more, got ${previewOf(value)}.`, { method, argument, value: previewOf(value) });
}

/** The spec that a `Partitioning` argument means. A number is that many hash partitions, at least one. */
export function partitionerFor(partitioning: Partitioning, method: string): PartitionerSpec {
  if (typeof partitioning === 'object' && partitioning !== null) {
    if (partitioning.kind === 'hash' || partitioning.kind === 'range') return partitioning;
    throw callError('InvalidArgument', method, `${method}: a keyed operation needs a hash or range partitioner, got ${previewOf(partitioning)}.`, { method });
  }
  return hashPartitioner(wholeNumber(partitioning, 1, method, 'numPartitions'));
}

interface Placed {
  readonly context: RddContext;
  readonly id: RddId;
}

/** Throws ContextMismatch unless both live on the same context. */
export function sameContext(a: Placed, b: Placed, method: string): void {
  if (a.context === b.context) return;
  throw callError('ContextMismatch', method, `${method}: both RDDs must be made on the same context; RDD ${a.id} and RDD ${b.id} are of different ones.`);
}
