/**
 * Batch timer -> job generator -> job scheduler, and what the outside asks of them.
 *
 * Invariant: batch times are multiples of the batch interval and are generated one after another, none twice and none
 * left out; the jobs of a batch run in the order in which the outputs were defined, batches in the order of their times.
 */
import type { ReplyTo } from './ref.ts';
import type { BatchTime } from './time.ts';
import type { WireError } from './errors.ts';
import type { JobRequest, JobResult, JobSet, ToJobScheduler } from './job.ts';
import type { LeftUndone } from './program.ts';
import type { AccumulatorUpdate } from './task.ts';
import type { RddId } from './ids.ts';
import type { BroadcastVersion, RddNode, ReplayRecord } from './rdd.ts';
import type { StreamBlocks } from './receiver.ts';

export type ToBatchTimer =
  /** The grid's next point has come (own timer). */
  | { readonly type: 'tick' }
  /** Manual clock: generate the next `batches` batches now. Answered when the last of them is complete, and, with a log, written down. */
  | { readonly type: 'advance'; readonly batches: number; readonly replyTo: ReplyTo<BatchTime> }
  | { readonly type: 'batchesRun'; readonly replyTo: ReplyTo<BatchTime>; readonly time: BatchTime; readonly error: WireError | null }
  | { readonly type: 'advanced'; readonly replyTo: ReplyTo<BatchTime>; readonly time: BatchTime; readonly error: WireError | null }
  /** A batch has failed and no further one is to start: nothing more is announced. */
  | { readonly type: 'halt' }
  /** No more batches after those already due. Answered with the last batch time generated. */
  | { readonly type: 'stopTimer'; readonly replyTo: ReplyTo<BatchTime> }
  /** One batch more, at the next grid point, now (graceful stop: for what was received or pushed last). Answered with its time. */
  | { readonly type: 'lastBatch'; readonly replyTo: ReplyTo<BatchTime> };

export type ToJobGenerator =
  | { readonly type: 'generateJobs'; readonly time: BatchTime }
  /** The driver's own work on a batch has come back. */
  | { readonly type: 'jobsGenerated'; readonly jobSet: JobSet }
  | { readonly type: 'generationFailed'; readonly time: BatchTime; readonly error: WireError }
  | { readonly type: 'blocksAllocated'; readonly time: BatchTime; readonly blocks: readonly StreamBlocks[] }
  /** From the job scheduler: everything of this batch has run. `accumulated`: what its tasks have added (with a checkpoint directory). */
  | { readonly type: 'batchCompleted'; readonly time: BatchTime; readonly accumulated: readonly AccumulatorUpdate[] }
  /** What was written down before a restart is in place: batches can be generated. */
  | { readonly type: 'restored'; readonly error: WireError | null }
  /** The batch's inputs are in the log: its jobs may run. */
  | { readonly type: 'batchLogged'; readonly time: BatchTime; readonly submit: Extract<ToJobScheduler, { type: 'submitJobSet' | 'generationFailed' }>; readonly error: WireError | null }
  /** What the app has pushed or set is in the log. */
  | { readonly type: 'inputLogged'; readonly given: Extract<ToJobGenerator, { type: 'queuePushed' | 'broadcastSet' }>; readonly error: WireError | null }
  /** Own: the task scheduler has made room for what was given first and found none, or could not. */
  | { readonly type: 'roomForInput'; readonly made: boolean }
  /** Answered when no complete batch is on its way into the log: before that is closed, and before a manual clock's advance is over. */
  | { readonly type: 'awaitCommits'; readonly replyTo: ReplyTo<null> }
  /** From the checkpoint writer: a complete batch, and its states, are in the log. */
  | { readonly type: 'batchCommitted'; readonly time: BatchTime }
  /** From the task scheduler: a version of keyed state is made, or never will be: its lineage ends there. Lost: it ends with the next one. */
  | { readonly type: 'stateSettled'; readonly rdd: RddId; readonly made: boolean }
  /** Between batches, on the driver: the stream's RDDs for the batch times within [from, to], oldest first. */
  | { readonly type: 'slice'; readonly operator: number; readonly from: number; readonly to: number; readonly replyTo: ReplyTo<SlicedRdds> }
  | { readonly type: 'sliced'; readonly replyTo: ReplyTo<SlicedRdds>; readonly rdds: SlicedRdds | null; readonly error: WireError | null }
  /** From the app: one RDD more in a queue. Batches generated from now on can take it. */
  | { readonly type: 'queuePushed'; readonly queue: number; readonly partitions: readonly EncodedPartition[]; readonly replyTo: ReplyTo<null> }
  /** Graceful stop: what is still in queues? Answered when all batches announced before it are generated. */
  | { readonly type: 'countWaiting'; readonly replyTo: ReplyTo<InputWaiting> }
  /** A graceful stop whose time is over: what is not with the job scheduler yet? Answered at once. */
  | { readonly type: 'whatIsLeft'; readonly replyTo: ReplyTo<Pick<LeftUndone, 'batches' | 'queued'>> }
  /** From the app: a new value of a broadcast variable. */
  | { readonly type: 'broadcastSet'; readonly broadcast: number; readonly value: Uint8Array; readonly replyTo: ReplyTo<null> }
  /** From a foreachRDD body: an action. `nodes` are those that the app's thread made; the rest is known here. */
  | { readonly type: 'appJob'; readonly request: AppJob; readonly replyTo: ReplyTo<JobResult> }
  /** Own: all that such a job reads has its place in memory by now; or there is no room for it. */
  | { readonly type: 'appJobCompleted'; readonly given: Extract<ToJobGenerator, { type: 'appJob' }>; readonly completed: Pick<JobRequest, 'nodes' | 'replays' | 'broadcasts'> }
  | { readonly type: 'appJobRefused'; readonly given: Extract<ToJobGenerator, { type: 'appJob' }>; readonly error: WireError };

/** A version of keyed state that a complete batch has to show. */
export interface DueState {
  /** Of the version: the batch's time, or an earlier one that only this batch has asked for. */
  readonly time: BatchTime;
  /** The operator's. */
  readonly uid: string;
  readonly rdd: RddId;
  /** The oldest version that somebody may still read. */
  readonly oldest: BatchTime;
}

export type AppJob = Pick<JobRequest, 'target' | 'partitions' | 'sink' | 'nodes' | 'batchTime' | 'scope' | 'resultScope'>;

/** What the app has pushed and no batch has taken. */
export interface InputWaiting {
  /** How many more times the fullest queue must be read; 0: all queues are empty. */
  readonly reads: number;
  /** In so many batches it has been read so often. */
  readonly batchesMax: number;
}

/** Records of one partition in the record codec. */
export interface EncodedPartition {
  readonly bytes: Uint8Array;
  readonly records: number;
}

/** RDDs and what a job on them needs to know. */
export interface SlicedRdds {
  readonly rdds: readonly RddId[];
  readonly nodes: readonly RddNode[];
  readonly replays: readonly ReplayRecord[];
  readonly broadcasts: readonly BroadcastVersion[];
}
