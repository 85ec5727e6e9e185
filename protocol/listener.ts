/**
 * What the runtime tells the outside: events for `ssc.on(...)`.
 *
 * Invariant: events of one batch come in the order submitted, started, completed; none comes after the context stopped.
 * They are news, not part of a batch's path: a slow listener delays no batch, and a lost event loses nothing else.
 */
import type { BatchTime } from './time.ts';
import type { HostId, ProgramId, StreamId } from './ids.ts';
import type { OperatorPlace, RecordPolicy } from './rdd.ts';
import type { ReplyTo } from './ref.ts';
import type { WireError } from './errors.ts';

/** The input that a receiver's news is of; `operator` is null for a stream that the program doesn't have. */
export interface ReceiverOf {
  readonly stream: StreamId;
  readonly operator: OperatorPlace | null;
}

/** Times are wall-clock milliseconds, as Spark's BatchInfo. */
export interface BatchInfo {
  readonly batchTime: BatchTime;
  readonly submissionTime: number;
  readonly processingStartTime: number | null;
  readonly processingEndTime: number | null;
  readonly schedulingDelayMs: number | null;
  readonly processingDelayMs: number | null;
  readonly totalDelayMs: number | null;
  /** Records received for it; -1 where a source doesn't count. */
  readonly records: number;
  readonly outputs: readonly OutputInfo[];
  /** Records left out by `onError` while it ran, by operator; empty where none were. */
  readonly leftOut: readonly LeftOutInfo[];
}

/** What one operator with `onError` has left out. A record counts once, however often it is computed again. */
export interface LeftOutInfo {
  /** Null where nobody knows: an RDD of the app's own. */
  readonly operator: OperatorPlace | null;
  readonly onError: RecordPolicy;
  readonly records: number;
  /** Of these, how many came into the dead-letter stream. */
  readonly deadLetters: number;
  /** `deadLetter`: how many did not, since their task had passed deadLettersPerTaskMax. */
  readonly dropped: number;
}

/** How one output operation of a batch went. */
export interface OutputInfo {
  readonly output: number;
  readonly name: string;
  readonly durationMs: number;
  readonly error: WireError | null;
}

/** What each event of `ssc.on` tells. */
export interface ListenerEvents {
  readonly streamingStarted: { readonly time: number };
  readonly batchSubmitted: BatchInfo;
  readonly batchStarted: BatchInfo;
  readonly batchCompleted: BatchInfo;
  readonly receiverStarted: ReceiverOf & { readonly host: HostId };
  readonly receiverError: ReceiverOf & { readonly message: string; readonly error: WireError | null; readonly willRestart: boolean };
  /** It is not started again: it has ended by itself (`error` as it said), or has failed more often than `receiverRestartsMax`. */
  readonly receiverStopped: ReceiverOf & { readonly message: string; readonly error: WireError | null };
  /** A thread of the runtime has died and another is being started in its place. With the driver's all others die, too. */
  readonly threadLost: { readonly host: HostId; readonly role: 'io' | 'worker' | 'driver'; readonly error: WireError };
  readonly threadStarted: { readonly host: HostId; readonly role: 'io' | 'worker' | 'driver' };
  /**
   * The driver's thread has died, and the program goes on from its checkpoint directory, on a new cluster. `error`: what ended it; `restarts`: how often that
   * has happened, in all. Comes before anything that is put out again: batches behind `recoveredFrom.completed` run again.
   */
  readonly driverRestarted: { readonly error: WireError; readonly restarts: number; readonly recoveredFrom: { readonly completed: BatchTime | null; readonly generated: BatchTime | null } | null };
  /** Records that had been received but not stored: their thread died (-1: nobody knows how many), or they were refused. */
  readonly recordsLost: ReceiverOf & { readonly host: HostId; readonly records: number };
  /** Records went into the dead-letter stream: of one operator and partition. `error`: the first one's. */
  readonly deadLetters: { readonly operator: OperatorPlace | null; readonly batchTime: BatchTime | null; readonly partition: number; readonly records: number; readonly dropped: number; readonly error: WireError | null };
  /** The driver has given the program up: nothing of it runs any more. */
  readonly programEnded: { readonly error: WireError };
  /** The first failure of a batch or of the runtime: what `awaitTermination` throws. */
  readonly failed: { readonly error: WireError; readonly time: BatchTime | null };
}

/** What `ssc.on` takes. */
export type ListenerEventName = keyof ListenerEvents;
export type ListenerEvent = { [Name in ListenerEventName]: { readonly type: Name; readonly info: ListenerEvents[Name] } }[ListenerEventName];

/** To the listener bus on the driver, and from it to the app's thread. No program: it concerns them all. */
export type ToListenerBus = { readonly type: 'emit'; readonly program: ProgramId | null; readonly event: ListenerEvent }
  /** Answered by the app's end when every event sent before has been told. */
  | { readonly type: 'flush'; readonly replyTo: ReplyTo<null> };
