/**
 * Job generator -> job scheduler -> task scheduler, and the outputs on the app's thread.
 *
 * Invariant: a job set holds every output of one batch; it is completed exactly once, whether its jobs succeeded or not.
 */
import type { ActorRef, ReplyTo } from './ref.ts';
import type { BatchTime } from './time.ts';
import type { HostId, JobId, ProgramId, RddId } from './ids.ts';
import type { BlockRef, BroadcastVersion, RddNode, ReplayRecord, SharedHandle, Sink } from './rdd.ts';
import type { AccumulatorUpdate, FromTaskWorker, LeftOutRecords, TaskOutput, ToTaskWorker } from './task.ts';
import type { Scope } from './block.ts';
import type { RestoredState, StateVersionLinks } from './state.ts';
import type { WireError } from './errors.ts';

/** What an output operation does with its batch's RDD. */
export type OutputAction =
  /** The body runs on the app's thread. */
  | { readonly kind: 'foreachRDD' }
  /** The first `limit` records, and one more where there is one, go to the app's thread, which prints them. */
  | { readonly kind: 'print'; readonly limit: number }
  /** All records go to the app's thread. `outstandingMax` batches may be under way to a reader before the output waits. */
  | { readonly kind: 'publish'; readonly outstandingMax: number; readonly mode: 'hold' | 'latest' }
  /** Runs on the workers alone. */
  | { readonly kind: 'run'; readonly sink: Sink };

export interface OutputJob {
  /** Place among the program's outputs. */
  readonly output: number;
  readonly action: OutputAction;
  readonly rdd: RddId;
}

export interface JobSet {
  readonly time: BatchTime;
  readonly jobs: readonly OutputJob[];
  /** All lineage that the jobs can reach. */
  readonly nodes: readonly RddNode[];
  readonly replays: readonly ReplayRecord[];
  readonly broadcasts: readonly BroadcastVersion[];
  readonly inputRecords: number;
  readonly submittedAt: number;
}

export type ToJobScheduler =
  | { readonly type: 'submitJobSet'; readonly jobSet: JobSet }
  /** The batch could not be generated: it counts as a batch whose every output failed. */
  | { readonly type: 'generationFailed'; readonly time: BatchTime; readonly error: WireError }
  | { readonly type: 'jobEnded'; readonly time: BatchTime; readonly output: number; readonly error: WireError | null }
  /** The output directory holds nothing of an earlier run any more, so that parts can be written. */
  | { readonly type: 'directoryClaimed'; readonly time: BatchTime; readonly output: number }
  | { readonly type: 'partsWritten'; readonly time: BatchTime; readonly output: number; readonly directory: string }
  /** The records of a printed or published output. */
  | { readonly type: 'jobResult'; readonly time: BatchTime; readonly output: number; readonly result: JobResult }
  /** A task that has succeeded left these out. They may have come before, from another task that did the same work. */
  | { readonly type: 'recordsLeftOut'; readonly leftOut: readonly LeftOutRecords[] }
  /** A task that has succeeded has added these to accumulators: handed on with the end of the batch. */
  | { readonly type: 'accumulated'; readonly updates: readonly AccumulatorUpdate[] }
  /** A reader on the app's thread has taken a published batch. */
  | { readonly type: 'publishedTaken'; readonly output: number }
  /** For the message of an advance, or of a graceful stop, that took too long. */
  | { readonly type: 'whatIsUnderWay'; readonly replyTo: ReplyTo<WorkUnderWay> }
  /** No further batch begins. Lost: the rest of them run until the end. */
  | { readonly type: 'endBatches' }
  /** Answered when every batch up to `time` is complete. */
  | { readonly type: 'awaitBatch'; readonly time: BatchTime; readonly replyTo: ReplyTo<{ readonly error: WireError | null }> };

/** What a job scheduler does at the moment. */
export interface WorkUnderWay {
  /** The batch that runs; null: none does. */
  readonly batch: BatchTime | null;
  /** The output of it that has begun and not ended. */
  readonly output: number | null;
  /** That output is done and waits for the reader of what it has published. */
  readonly held: boolean;
  /** Batches in the queue. */
  readonly waiting: number;
  /** All that are here and not complete: the one that runs, and those in the queue. */
  readonly batches: readonly BatchTime[];
}

/** A job: one action on one RDD. */
export interface JobRequest {
  readonly target: RddId;
  readonly partitions: readonly number[] | null;
  readonly sink: Sink;
  readonly nodes: readonly RddNode[];
  readonly program: ProgramId | null;
  readonly batchTime: BatchTime | null;
  /** Where shuffle buckets and persisted partitions are entered in the ledger. */
  readonly scope: Scope;
  /** Where its results are, until whoever asked has read them. */
  readonly resultScope: Scope;
  readonly replays: readonly ReplayRecord[];
  readonly broadcasts: readonly BroadcastVersion[];
}

export type JobResult = { readonly ok: true; readonly outputs: readonly TaskOutput[] } | { readonly ok: false; readonly error: WireError };

export type ToTaskScheduler =
  | { readonly type: 'runJob'; readonly request: JobRequest; readonly replyTo: ReplyTo<JobResult> }
  /** A worker can take tasks. */
  | { readonly type: 'workerUp'; readonly host: HostId; readonly worker: ActorRef<ToTaskWorker> }
  | { readonly type: 'workerDown'; readonly host: HostId; readonly error: WireError }
  /** Nothing leads to these RDDs any more: their shuffle outputs and persisted partitions are given back. */
  | { readonly type: 'forgetRdds'; readonly program: ProgramId; readonly rdds: readonly RddId[] }
  /** `unpersist`: the stored partitions go, the RDD stays. */
  | { readonly type: 'forgetStored'; readonly program: ProgramId; readonly rdd: RddId }
  /** The program has ended: all its jobs end, and what is known of it is forgotten. */
  | { readonly type: 'forgetProgram'; readonly program: ProgramId }
  /**
   * Answered with what these versions of keyed state consist of; RDDs that no job has begun to make are left out. What is named stays where
   * it is, whoever forgets it, until `stateLinksRead`.
   */
  | { readonly type: 'stateLinks'; readonly program: ProgramId; readonly rdds: readonly RddId[]; readonly replyTo: ReplyTo<readonly StateVersionLinks[]> }
  /** Once for each `stateLinks` with the same RDDs. */
  | { readonly type: 'stateLinksRead'; readonly program: ProgramId; readonly rdds: readonly RddId[] }
  /** Before the first job of a program that goes on: tables as they were. Answered when they can be read; StateNotMigrated. */
  | { readonly type: 'restoreState'; readonly program: ProgramId; readonly tables: readonly RestoredState[]; readonly replyTo: ReplyTo<null> }
  /** Own: a block that makes room for others lies in a file now; null: it could not be written. */
  | { readonly type: 'blockSpilled'; readonly from: SharedHandle; readonly to: { readonly file: string; readonly offset: number; readonly bytes: number } | null }
  /** Own: the same for what tasks have put out, by its file. */
  | { readonly type: 'outputSpilled'; readonly file: string; readonly written: boolean }
  /** Own: the memory of the blocks that made room has been given back. */
  | { readonly type: 'roomMade' }
  /** From who found no shared memory and is no task. Answered when it is worth while to try again, or when nothing can make room. Comes twice: two rounds. */
  | { readonly type: 'makeRoom'; readonly bytes: number; readonly replyTo: ReplyTo<RoomMade> }
  /** From whoever has stored records of the app or the program: they may leave memory, also before any task has read them. */
  | { readonly type: 'sourceStored'; readonly program: ProgramId; readonly rdd: RddId; readonly blocks: readonly BlockRef[] }
  /** From the block manager master: receivers have taken memory, and little is left. */
  | { readonly type: 'keepRoom' }
  | { readonly type: 'storageStats'; readonly replyTo: ReplyTo<StorageStats> }
  /** Own timer: taskTimeoutMs after this task was the one to run there. */
  | { readonly type: 'taskTimedOut'; readonly host: HostId; readonly task: number }
  /** The job whose results would go there has taken too long. */
  | { readonly type: 'cancelOutput'; readonly resultScope: Scope; readonly error: WireError }
  /** For messages: the stages of the program's jobs that are not done, a line for each. */
  | { readonly type: 'whichJobs'; readonly program: ProgramId; readonly replyTo: ReplyTo<readonly string[]> }
  /** All jobs of a program end with this error. */
  | { readonly type: 'cancelProgram'; readonly program: ProgramId; readonly error: WireError }
  | FromTaskWorker;

/** False: nothing that could go is left, nor does a task run whose end would change that. */
export interface RoomMade {
  readonly made: boolean;
}

/** What is kept for later jobs, and what had to make room. */
export interface StorageStats {
  /** Persisted partitions, wherever they lie. */
  readonly persistedPartitions: number;
  readonly persistedInMemory: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  /** Outputs of map tasks that a later job can read. */
  readonly mapOutputs: number;
  /** RDDs of which anything is known. */
  readonly rdds: number;
  /** Blocks that may leave memory; blocks of sources that have. */
  readonly evictable: number;
  readonly sourceBlocksOnDisk: number;
  /** Map outputs and steps of keyed state of which something lies in a file. */
  readonly outputsOnDisk: number;
  /** Since the cluster's start: blocks and outputs moved to the disk, persisted partitions dropped, how often a task or a store waited for memory. */
  readonly spilled: number;
  readonly dropped: number;
  readonly memoryWaits: number;
}

/** To the app's outputs actor. */
export type ToAppOutputs =
  /** Answered when the body's promise has settled. `lineage`: the RDD alone; its parents stay on the driver. */
  | { readonly type: 'runBody'; readonly output: number; readonly time: BatchTime; readonly rdd: RddNode; readonly replyTo: ReplyTo<{ readonly error: WireError | null }> }
  | { readonly type: 'printBatch'; readonly output: number; readonly time: BatchTime; readonly limit: number; readonly records: readonly BlockRef[]; readonly scope: Scope }
  | { readonly type: 'publishBatch'; readonly output: number; readonly time: BatchTime; readonly records: readonly BlockRef[]; readonly scope: Scope }
  | { readonly type: 'accumulated'; readonly updates: readonly AccumulatorUpdate[] }
  /** Records that an operator left out, each once: for the program's dead-letter streams. */
  | { readonly type: 'deadLetters'; readonly letters: LeftOutRecords }
  /** An output of a batch has failed for good and is passed over: for the program's dead-letter streams. Output null: the batch could not be generated. */
  | { readonly type: 'outputSkipped'; readonly output: number | null; readonly time: BatchTime; readonly error: WireError }
  /** A marker: answered when everything sent before it has been handled. */
  | { readonly type: 'flush'; readonly replyTo: ReplyTo<null> }
  | { readonly type: 'bodyEnded'; readonly replyTo: ReplyTo<{ readonly error: WireError | null }>; readonly error: WireError | null };
