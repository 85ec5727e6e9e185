/**
 * The app's thread -> program manager on the driver: the life of one streaming context.
 *
 * Invariant: a program is `starting`, `active`, `stopping`, then gone, and never goes back; after `stopProgram` is answered
 * nothing of it is left on any thread but the built graph.
 */
import type { ReplyTo } from './ref.ts';
import type { HostId, ProgramId } from './ids.ts';
import type { StreamingSpec } from './host.ts';
import type { InputWaiting } from './batch.ts';
import type { ReceiverOf } from './listener.ts';
import type { BatchTime } from './time.ts';
import type { WireError } from './errors.ts';

export type ToProgramManager =
  /** Answered when the program is built everywhere, its actors run and its receivers have been told to start. */
  | { readonly type: 'startProgram'; readonly spec: StreamingSpec; readonly replyTo: ReplyTo<{ readonly zeroTime: number }> }
  /** Graceful: intake ends, everything received is processed, then all is closed. */
  | { readonly type: 'stopProgram'; readonly program: ProgramId; readonly graceful: boolean; readonly timeoutMs: number; readonly replyTo: ReplyTo<null> }
  | { readonly type: 'programStep'; readonly program: ProgramId; readonly step: ProgramStep }
  /** From the host manager: a thread that takes the place of another one can't build the program, or builds another. From a receiver tracker: a receiver has failed too often. */
  | { readonly type: 'programBroken'; readonly program: ProgramId; readonly error: WireError }
  /**
   * From the host manager: an io thread is gone; another will take its place. From itself, with the programs whose trackers have entered
   * all that the thread had reported: when none is left, its memory is reclaimed.
   */
  | { readonly type: 'ioHostDown'; readonly host: HostId; readonly error: WireError; readonly entered: readonly ProgramId[] };

/** Outcomes of the manager's own asks. */
export type ProgramStep =
  | { readonly type: 'loaded'; readonly error: WireError | null; readonly io: readonly HostId[] }
  | { readonly type: 'treeStarted'; readonly error: WireError | null }
  | { readonly type: 'receiversEnded'; readonly unallocated: number; readonly running: number }
  /** No further batch comes by itself; `time`: the last one's. Also after each batch that the stop has asked for. */
  | { readonly type: 'timerStopped'; readonly time: number | null; readonly unallocated: number }
  | { readonly type: 'inputCounted'; readonly time: number; readonly unallocated: number; readonly waiting: InputWaiting }
  /** `late`: the time was over first. `halted`: no further batch starts, since one has failed. */
  | { readonly type: 'lastBatchRun'; readonly late: boolean; readonly halted: boolean }
  /** One of those who know it has told what was left. */
  | { readonly type: 'leftTold'; readonly next: 'generator' | 'scheduler' | 'nobody'; readonly left: Partial<LeftUndone> }
  /** Complete batches are in the log (or will not be: the time is over). */
  | { readonly type: 'commitsDone' }
  | { readonly type: 'logClosed' }
  | { readonly type: 'treeStopped' }
  | { readonly type: 'outputsFlushed' };

/** What a graceful stop did not get to. */
export interface LeftUndone {
  /** Batches that were announced and are not complete. */
  readonly batches: readonly BatchTime[];
  /** The output that has begun and not ended; `held`: it waits for the reader of what it has published. */
  readonly output: { readonly output: number; readonly batchTime: BatchTime; readonly held: boolean } | null;
  /** Received, and in no batch. */
  readonly blocks: number;
  readonly records: number;
  /** RDDs that the app has pushed and no batch has taken, in the fullest queue. */
  readonly queued: number;
  /** These have not handed over what they have. */
  readonly receivers: readonly ReceiverOf[];
}
