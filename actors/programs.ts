/**
 * A program as the actors of a host see it: the built graph behind the few things that a role needs of it.
 *
 * Invariant: the same program gives the same operators, function numbers and uids on every host (compared by fingerprint
 * when it is started); what differs between hosts is only which of these methods is called there.
 */
import type { RunningFunction } from '../lib/rdd/function-scope.ts';
import type { AppJob, EncodedPartition, InputWaiting, SlicedRdds } from '../protocol/batch.ts';
import type { Fingerprint } from '../protocol/host.ts';
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
  readonly fingerprint: Fingerprint;

  /** Driver. Before the first batch: the grid's zero, and when the start was asked for. */
  startAt(zeroTime: number, startTime: number): void;
  /** Driver. Calls transform functions; a promise only where one of them is async. Throws what they throw. */
  generate(time: BatchTime, blocks: readonly StreamBlocks[]): GeneratedBatch | Promise<GeneratedBatch>;
  /** Driver. The batch is complete: forgets what no later batch needs, and says what can be given back. */
  clear(time: BatchTime): Cleared;
  /** Driver. A version of keyed state is made, or never will be: what it is made of is not needed for it any more. */
  settle(rdd: RddId): void;
  /** Driver. RDDs of an operator's stream for the batch times within [from, to], and all their lineage. */
  slice(operator: number, from: number, to: number): Promise<SlicedRdds>;
  /** Driver. What the app has put into a queue. */
  push(queue: number, partitions: readonly EncodedPartition[]): void;
  /** Driver. True where the queue holds more than its bound: whoever pushed waits. */
  isOverBound(queue: number): boolean;
  /** Driver. What was pushed and is in no batch yet: see `InputWaiting`. */
  waitingInput(): InputWaiting;
  /** Driver. A new value of a broadcast variable: batches generated from now on see it. */
  setBroadcast(broadcast: number, value: Uint8Array): void;

  /** Driver. All that a job on an RDD of the app's making needs: its nodes are those that the app made itself. */
  completeJob(job: AppJob): Pick<GeneratedBatch, 'nodes' | 'replays' | 'broadcasts'>;

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
