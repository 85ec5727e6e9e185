/**
 * Making the RDDs of keyed state: a version of it, and what its functions emitted.
 *
 * Invariant: what a version is made of is laid out by its partitioner already, so a partition of state is made of the same partition
 * of each.
 */
import type { RddId } from '../../protocol/ids.ts';
import type { FunctionRef, PartitionerSpec, RddNode, StateUpdate } from '../../protocol/rdd.ts';
import type { BatchTime } from '../../protocol/time.ts';
import type { RddContext } from './context.ts';
import { samePartitioner } from './partitioner.ts';
import { RDD } from './rdd.ts';
import { defineNode } from './rdd-base.ts';

type Pairs = RDD<readonly [unknown, unknown]>;

export interface StateMaking {
  readonly name: string;
  readonly table: number;
  readonly time: BatchTime;
  readonly spec: PartitionerSpec;
  readonly update: StateUpdate;
  /** Pairs, or (for `update` and `window`) pairs grouped by key. Null: nothing came. */
  readonly input: RDD<unknown> | null;
  /** Taken where there is no version before. */
  readonly initial: RDD<unknown> | null;
  readonly previous: RDD<unknown> | null;
  readonly versionsKept: number;
  readonly stateVersion?: number;
  readonly migrate?: FunctionRef;
}

/** The state after the batch: pairs [key, state]. `emits`: an RDD for what the functions return is made, too. */
export function stateRdd(context: RddContext, making: StateMaking, emits: boolean): { readonly state: RDD<unknown>; readonly emitted: RDD<unknown> | null } {
  const { name, spec, input, initial, previous, ...rest } = making;
  for (const rdd of [input, initial]) {
    if (rdd !== null && !samePartitioner(rdd.partitioner, spec)) throw new Error(`RDD ${rdd.id} is not laid out as the state ${name} is.`);
  }
  const ids = [input, initial, previous].flatMap((rdd) => (rdd === null ? [] : [rdd.id]));
  const emitted = emits ? context.newRddId() : null;
  const state = defineNode(context, name, {
    ...rest, kind: 'state', parents: ids, partitions: spec.partitions, partitioner: spec, spec,
    input: input?.id ?? null, initial: initial?.id ?? null, previous: previous?.id ?? null, emits: emitted,
  });
  if (emitted !== null) context.define({ kind: 'emitted', id: emitted, parents: [state], partitions: spec.partitions, partitioner: null, storage: null, operator: context.place(name) });
  return { state: new RDD(context, state), emitted: emitted === null ? null : new RDD(context, emitted) };
}

/** False of a version that was restored, or that emits nothing. */
export function hasEmitted({ node }: RDD<unknown>): boolean {
  return node.kind === 'state' && node.emits !== null;
}

/** What a `track` state has emitted. */
export function emittedOf(state: RDD<unknown>): RDD<unknown> {
  const { node } = state;
  if (node.kind !== 'state' || node.emits === null) throw new Error(`RDD ${state.id} emits nothing.`);
  return new RDD(state.context, node.emits);
}

/** A version that is made, or never will be, leads to nothing any more. */
export function settled(node: RddNode, made: boolean): RddNode {
  return node.kind === 'state' ? { ...node, parents: [], input: null, initial: null, previous: null, ...(made ? {} : { failed: true }) } : node;
}

/** It will never be made. A window falls with the one that it is made of: what entered or left with that is in no other. */
export function neverMade(rdds: Pick<RddContext, 'node'>, id: RddId): boolean {
  for (let at = rdds.node(id); at.kind === 'state'; at = rdds.node(at.previous)) {
    if (at.failed === true) return true;
    if (at.update.kind !== 'window' || at.previous === null) return false;
  }
  return false;
}

/** It is made, or never will be. */
export function isOver(rdds: Pick<RddContext, 'node'>, id: RddId): boolean {
  return isSettled(rdds.node(id)) || neverMade(rdds, id);
}

/** True where it leads to nothing. */
export function isSettled(node: RddNode): boolean {
  return node.kind !== 'state' || node.parents.length === 0;
}

/** Pairs where they belong. */
export function laidOut(rdd: Pairs, spec: PartitionerSpec): Pairs {
  return samePartitioner(rdd.partitioner, spec) ? rdd : rdd.partitionBy(spec);
}

