/**
 * What is written down so that a program can go on after its process has died: the events of its log, and who writes them.
 *
 * Invariant: an event says all that is needed to carry it out again, by names that outlive a process (operators' uids, never
 * indices of streams). Carrying one out twice changes nothing. Events have their place in one sequence, that of the log.
 *
 *   programStarted | blockAdded ... | batchGenerated t1 | batchCompleted t1 | blockAdded ... | batchGenerated t2 | (killed)
 *                                                                             `-- goes into t3 -'       `-- run again at t2
 */
import type { Fingerprint } from './host.ts';
import type { BlockCodec, BlockRef, FilePlace } from './rdd.ts';
import type { StateVersion, StateVersionLinks } from './state.ts';
import type { AccumulatorUpdate } from './task.ts';
import type { DueState, EncodedPartition } from './batch.ts';
import type { BlockId, ProgramId, StreamId } from './ids.ts';
import type { ReplyTo } from './ref.ts';
import type { BatchTime } from './time.ts';
import type { WireError } from './errors.ts';

/** What an input took for one time, by the input's uid. */
export interface InputRecord {
  readonly uid: string;
  /** Of the input's own RDD: earlier than the batch's where a window reads several at once. */
  readonly time: BatchTime;
  readonly taken: InputTaken;
}

export type InputTaken =
  /** `partitions`: how many of them each partition has, in order; left out: one each. */
  | { readonly kind: 'blocks'; readonly blocks: readonly BlockId[]; readonly partitions?: readonly number[] }
  | { readonly kind: 'files'; readonly files: readonly { readonly path: string; readonly bytes: number }[] }
  /** Numbers of the queue's items, in the order of their pushes, from 0. */
  | { readonly kind: 'queue'; readonly queue: number; readonly items: readonly number[] };

/** A version of an operator's keyed state that is made, or failed and was passed over. */
export interface StateCommit {
  /** The operator's. */
  readonly uid: string;
  /** The oldest version that somebody may still read. */
  readonly oldest: BatchTime;
  /** The version's: up to here nothing of the state is still to be made. */
  readonly time: BatchTime;
  /** Null: it failed, and the one before it stands in. */
  readonly version: StateVersion | null;
}

/** What a program is started with, and must be started with again. */
export interface ProgramIdentity {
  readonly url: string | null;
  readonly args: unknown;
  readonly appName: string;
  readonly batchIntervalMs: number;
  readonly zeroTime: number;
  readonly startTime: number;
  readonly fingerprint: Fingerprint;
  /** Of the run: what its unfinished batches were cut into. Left out: the log is of a version that did not write it down. */
  readonly defaultParallelism?: number;
}

export type RecoveryEvent =
  | { readonly type: 'programStarted'; readonly identity: ProgramIdentity }
  /** Its bytes lie behind it, in the same frame; without bytes it says only how far its receiver had come (`epoch`, `position`: see receiver.ts). */
  | { readonly type: 'blockAdded'; readonly uid: string; readonly block: BlockId; readonly codec: BlockCodec; readonly records: number; readonly epoch: number; readonly position: Uint8Array | null }
  /** Before its jobs run: what they run on. */
  | { readonly type: 'batchGenerated'; readonly time: BatchTime; readonly inputs: readonly InputRecord[]; readonly broadcasts: readonly number[] }
  /** Its outputs are done, one way or the other. `accumulators`: the totals as they are then; null: none has changed. */
  | { readonly type: 'batchCompleted'; readonly time: BatchTime; readonly states: readonly StateCommit[]; readonly accumulators: readonly Uint8Array[] | null }
  | { readonly type: 'broadcastSet'; readonly broadcast: number; readonly version: number; readonly value: Uint8Array }
  | { readonly type: 'queuePushed'; readonly queue: number; readonly item: number; readonly partitions: readonly EncodedPartition[] }
  /** Nobody reads these batches' inputs any more. */
  | { readonly type: 'batchesForgotten'; readonly upTo: BatchTime };

/** What was written to one of a program's two logs since it was started. */
export interface WrittenLog {
  /** Of segments, and of their directory: that of a new segment. */
  readonly syncs: number;
  readonly directorySyncs: number;
  /** Groups that were written: each is one write and, where the log syncs, one sync. */
  readonly groups: number;
  readonly appended: number;
  /** With headers. */
  readonly bytes: number;
  readonly segments: number;
  /** Segments that failed. */
  readonly suspects: number;
  /** Appends that have no outcome yet. */
  readonly waiting: number;
  /** Segments that are there. */
  readonly segmentsKept: number;
}

/** What one program has written to its checkpoint directory since it was started. */
export interface LogStats {
  readonly program: ProgramId;
  readonly directory: string;
  /** Events and received data. */
  readonly log: WrittenLog;
  /** Steps and snapshots of keyed state. */
  readonly state: WrittenLog;
  /** `heldMs`: for how long the driver's thread did nothing else, in all and for the longest of them. */
  readonly checkpoints: { readonly written: number; readonly bytes: number; readonly heldMs: number; readonly heldMsMax: number };
}

/** To the program's write-ahead log, on the driver. Each is answered when it is durable. Lost with the driver: then nobody acts on it either. */
export type ToWriteAheadLog =
  | { readonly type: 'logEvent'; readonly event: Exclude<RecoveryEvent, { type: 'blockAdded' | 'batchCompleted' }>; readonly replyTo: ReplyTo<null> | null }
  /** From the receiver tracker: the block and its bytes, which the ledger holds. `urgent`: a batch waits for it. */
  | { readonly type: 'logBlock'; readonly stream: StreamId; readonly block: BlockRef; readonly epoch: number; readonly position: Uint8Array | null; readonly urgent: boolean; readonly replyTo: ReplyTo<null> }
  /** What waits for the next sync is not to wait any longer. */
  | { readonly type: 'syncNow' }
  /** The links' bytes lie in memory (or in scratch files), and stay there until this is answered. */
  | { readonly type: 'logCompleted'; readonly time: BatchTime; readonly states: readonly StateCommit[]; readonly accumulators: readonly Uint8Array[] | null; readonly replyTo: ReplyTo<null> }
  /** From the app. */
  | { readonly type: 'logStats'; readonly replyTo: ReplyTo<LogStats> }
  /** Own: the counts are there, or the files could not be opened. */
  | { readonly type: 'logCounted'; readonly counted: { readonly log: WrittenLog; readonly state: WrittenLog } | WireError; readonly replyTo: ReplyTo<LogStats> }
  /** The last checkpoint is written, the files are closed. */
  | { readonly type: 'closeLog'; readonly replyTo: ReplyTo<null> }
  /** Own: the files are open, or can't be. */
  | { readonly type: 'logOpened'; readonly error: WireError | null }
  /** Own: an append has ended. `place`: of the event's own data. */
  | { readonly type: 'logged'; readonly event: RecoveryEvent; readonly outcome: { readonly sequence: number; readonly place: FilePlace | null } | WireError; readonly replyTo: ReplyTo<null> | null }
  /** Own: a state's steps are in their files; now its batch can be said to be complete. */
  | { readonly type: 'statesWritten'; readonly time: BatchTime; readonly accumulators: readonly Uint8Array[] | null; readonly outcome: readonly StateCommit[] | WireError; readonly replyTo: ReplyTo<null> }
  /** Own: a checkpoint is written, and what is older than the kept ones is removed. */
  | { readonly type: 'checkpointWritten'; readonly sequence: number; readonly error: WireError | null }
  | { readonly type: 'logClosed' };

/** To the program's checkpoint writer, on the driver: brings complete batches into the log, one after another. */
export type ToCheckpointWriter =
  /** From the job generator. */
  | { readonly type: 'commitBatch'; readonly time: BatchTime; readonly accumulated: readonly AccumulatorUpdate[] }
  /** Own: its states are made, as far as they can be. */
  | { readonly type: 'statesMade'; readonly due: readonly DueState[] }
  /** Own: what it has printed and published is with the app, or why nobody can say so. */
  | { readonly type: 'outputsFlushed'; readonly error: WireError | null }
  /** Own, from the task scheduler. */
  | { readonly type: 'linksKnown'; readonly versions: readonly StateVersionLinks[]; readonly error: WireError | null }
  /** Own: it is in the log. */
  | { readonly type: 'completionLogged'; readonly error: WireError | null }
  /** Before the log is closed: answered when no complete batch is on its way there. */
  | { readonly type: 'awaitCommits'; readonly replyTo: ReplyTo<null> };

/** How the program's log is written. */
export interface LogSettings {
  readonly directory: string;
  /** Received data are logged, not only what became of them. */
  readonly logsBlocks: boolean;
  readonly sync: boolean;
  readonly syncIntervalMs: number;
  readonly segmentBytesMax: number;
  readonly segmentMsMax: number;
  readonly closeFileAfterWrite: boolean;
  /** Between two checkpoints, at least. */
  readonly checkpointIntervalMs: number;
}
