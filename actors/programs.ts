/**
 * A program as the actors of a host see it: the built graph behind the few things that a role needs of it.
 *
 * Invariant: the same program gives the same operators, function numbers and uids on every host (compared by fingerprint
 * when it is started); what differs between hosts is only which of these methods is called there.
 */
import type { RunningFunction } from '../lib/rdd/function-scope.ts';
import type { AppJob, DueState, EncodedPartition, InputWaiting, SlicedRdds } from '../protocol/batch.ts';
import type { Fingerprint } from '../protocol/host.ts';
import type { InputRecord } from '../protocol/recovery.ts';
import type { AccumulatorUpdate } from '../protocol/task.ts';
import type { Eventually } from '../lib/dstream/generated.ts';
import type { RestoreOrders } from '../lib/program/program-recovery.ts';
import type { RecoveryBook } from '../lib/recovery/book.ts';
import type { MissedGap } from '../lib/dstream/missed.ts';
import type { OutputJob } from '../protocol/job.ts';
import type { BroadcastVersion, FunctionRef, RddNode, ReplayRecord, SharedHandle } from '../protocol/rdd.ts';
import type { StreamBlocks } from '../protocol/receiver.ts';
import type { ProgramId, RddId, StreamId } from '../protocol/ids.ts';
import type { BatchTime } from '../protocol/time.ts';

/** What no batch leads to any more. */
export interface Cleared {
  readonly rdds: readonly RddId[];
  /** Records that were stored for RDDs among them. */
  readonly handles: readonly SharedHandle[];
  /** Blocks received for batches up to this one are of no more use; null: for none yet. */
  readonly inputsUpTo: BatchTime | null;
}

/** What the driver makes of one batch. */
export interface GeneratedBatch {
  readonly jobs: readonly OutputJob[];
  readonly nodes: readonly RddNode[];
  readonly replays: readonly ReplayRecord[];
  readonly broadcasts: readonly BroadcastVersion[];
}

export type { EncodedPartition };

export interface HostProgram {
  readonly program: ProgramId;
  readonly appName: string;
  readonly fingerprint: Fingerprint;

  /** Driver. Before the first batch: the grid's zero, when the start was asked for, and the times that no batch was or will be made for. */
  startAt(zeroTime: number, startTime: number, missed: readonly MissedGap[]): void;
  /** Driver. Calls transform functions; a promise only where one of them is async, or where memory is short. Throws what they throw. */
  generate(time: BatchTime, blocks: readonly StreamBlocks[]): GeneratedBatch | Promise<GeneratedBatch>;
  /** Driver. For the log, once the batch is generated or that has failed: what its inputs have taken, and the version of each broadcast variable. */
  takenFor(time: BatchTime): { readonly inputs: readonly InputRecord[]; readonly broadcasts: readonly number[] };
  /** Driver. Where the program goes on from what a log has told, before its first batch; after `startAt`. `directory`: where the files lie that the book names. */
  restore(book: RecoveryBook, directory: string): RestoreOrders;
  /** Driver. The blocks of a batch that was generated before the restart, and is to be run again. */
  blocksOf(time: BatchTime): readonly StreamBlocks[];
  /** Driver. The batch's outputs are done: sees to it that each version of keyed state is made that can be. Names them. */
  makeStates(time: BatchTime): Eventually<readonly DueState[]>;
  /** Driver. What tasks have added to accumulators until that batch was complete, for the totals that the log keeps. */
  accumulate(time: BatchTime, updates: readonly AccumulatorUpdate[]): void;
  /** Driver. The totals, encoded one by one; null: as they were at the last call. */
  totals(): readonly Uint8Array[] | null;
  /** Driver. The batch is complete: forgets what no later batch needs, and says what can be given back. */
  clear(time: BatchTime): Cleared;
  /** Driver. A version of keyed state is made, or never will be: what it is made of is not needed for it any more. */
  settle(rdd: RddId, made: boolean): void;
  /** Driver. RDDs of an operator's stream for the batch times within [from, to], and all their lineage. */
  slice(operator: number, from: number, to: number): Promise<SlicedRdds>;
  /** Driver. What the app has put into a queue; `item`: its number there. Throws BlockMemoryExhausted; then nothing is stored. */
  push(queue: number, partitions: readonly EncodedPartition[]): { readonly item: number };
  /** Driver. True where the queue holds more than its bound: whoever pushed waits. */
  isOverBound(queue: number): boolean;
  /** Driver. What was pushed and is in no batch yet: see `InputWaiting`. */
  waitingInput(): InputWaiting;
  /** Driver. A new value of a broadcast variable: batches generated from now on see that version. Throws BlockMemoryExhausted. */
  setBroadcast(broadcast: number, value: Uint8Array): { readonly version: number };

  /** Driver. All that a job on an RDD of the app's making needs: its nodes are those that the app made itself. */
  completeJob(job: AppJob): Eventually<Pick<GeneratedBatch, 'nodes' | 'replays' | 'broadcasts'>>;

  /** Worker. Makes the functions that `resolve` will be asked for; a promise only where an async transform must be replayed. */
  prepare(replays: readonly ReplayRecord[], broadcasts: readonly BroadcastVersion[], read: (version: BroadcastVersion) => Uint8Array): void | Promise<void>;
  /** Worker. The closure of this thread. */
  resolve(ref: FunctionRef): (...args: never[]) => unknown;
  /** Worker. Does a task's work: what is the app's alone, its functions can't do meanwhile. Inline it is one thread. */
  duringTask<R>(work: () => R): R;
  /** Worker. Where accumulators look up which function adds to them; null where the program has none. */
  readonly running: RunningFunction | null;

  /** Io. The user's receiver or decoder factory of an input stream. */
  factory(stream: StreamId): unknown;
}
