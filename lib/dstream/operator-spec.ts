/**
 * An operator as data: what tells one kind of DStream from another.
 *
 * Invariant: two threads that build the same program get equal specs in the same order, functions aside, and these are
 * compared by a hash of their text. `compute` is called on the driver only.
 *
 * A new kind of operator (a window, a state) is a function that returns a spec; a DStream needs no subclass for it.
 */
import type { RDD } from '../rdd/rdd.ts';
import type { PartitionerSpec, RecordPolicy, StateUpdate } from '../../protocol/rdd.ts';
import type { BatchTime } from '../../protocol/time.ts';
import type { BatchEnvironment } from './environment.ts';
import type { DStream } from './dstream.ts';
import type { Eventually } from './generated.ts';

/** The RDD of one batch; null: none for this time. */
export type Generated<T> = Eventually<RDD<T> | null>;

export interface OperatorFunction {
  readonly fn: Function;
  /** What it is, for messages: `map`, `createCombiner`. */
  readonly role: string;
  /** `workers`: on records, by the function table. `workersAsync`: the same, and it may return a promise. `driver`: a transform's, called here. */
  readonly runsOn: 'workers' | 'workersAsync' | 'driver';
}

export interface OperatorSpec<T> {
  /** The method's name in the user's program. */
  readonly kind: string;
  readonly parents: readonly DStream<unknown>[];
  /** Of its parents the one with the state that it stands for, and that no user gets hold of: whoever names it names that (`stateUidOf`). */
  readonly ownState?: DStream<unknown>;
  /** Plain data that tells two operators of a kind apart: partitions, hosts, durations. Part of the derived uid. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly functions?: readonly OperatorFunction[];
  /** Of functions on records: what becomes of a record whose function throws. Left out: the task fails. */
  readonly onError?: RecordPolicy;
  /** Left out: the first parent's, or the batch interval. */
  readonly slideMs?: number;
  /** How long parents must remember their RDDs, given how long this stream does. Left out: as long. */
  readonly parentRememberMs?: (ownMs: number) => number;
  /** It builds on its own earlier results, so it needs a checkpoint directory, and has a checkpoint interval by default. */
  readonly mustCheckpoint?: boolean;
  /** Of the type of its state, where the user can name one. No part of the uid: the operator is the same one. */
  readonly stateVersion?: number;
  /** It has a function that makes a state of it out of one of another version. */
  readonly migrates?: boolean;
  /** That interval, in slides, where it is not the least multiple of the slide of 10 s or more. */
  readonly checkpointSlides?: number;
  /** Its newest RDD is remembered until there is a newer one, however long that takes: the next is made of it. */
  readonly keepsNewest?: boolean;
  /** Of keyed state: how its version of a time is laid out and changed, apart from what it is made of. (A method, as `compute`.) */
  state?(self: DStream<T>, time: BatchTime): { readonly partitioner: PartitionerSpec; readonly update: StateUpdate; readonly written?: { readonly stateVersion: number; readonly migrate: Function | undefined } };
  /** Whose RDDs `persist` on this stream keeps: a window holds none but its parent's. Left out: its own. */
  readonly persists?: 'self' | 'parents' | 'both';
  /** Transforms only: calls the user's function again, with stubs of the parents' RDDs. On workers. */
  readonly replay?: (rdds: readonly RDD<unknown>[], time: BatchTime) => Eventually<unknown>;
  /** Where it is made of its parents' RDDs of the same batch by operators alone: how. For `explain`; `compute` does the same. (A method, as `compute`.) */
  make?(rdds: readonly RDD<unknown>[]): RDD<T>;
  /** Called once for each time at which the stream has an RDD and somebody asks for it. (A method, so that DStream<T> stays covariant.) */
  compute(time: BatchTime, env: BatchEnvironment, self: DStream<T>): Generated<T>;
}
