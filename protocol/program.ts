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
import type { WireError } from './errors.ts';

export type ToProgramManager =
  /** Answered when the program is built everywhere, its actors run and its receivers have been told to start. */
  | { readonly type: 'startProgram'; readonly spec: StreamingSpec; readonly replyTo: ReplyTo<{ readonly zeroTime: number }> }
  /** Graceful: intake ends, everything received is processed, then all is closed. */
  | { readonly type: 'stopProgram'; readonly program: ProgramId; readonly graceful: boolean; readonly timeoutMs: number; readonly replyTo: ReplyTo<null> }
  | { readonly type: 'programStep'; readonly program: ProgramId; readonly step: ProgramStep }
  /** From the host manager: a thread that takes the place of another one can't build the program, or builds another. */
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
  | { readonly type: 'receiversEnded'; readonly unallocated: number }
  /** No further batch comes by itself; `time`: the last one's. Also after each batch that the stop has asked for. */
  | { readonly type: 'timerStopped'; readonly time: number | null; readonly unallocated: number }
  | { readonly type: 'inputCounted'; readonly time: number; readonly unallocated: number; readonly waiting: InputWaiting }
  /** `late`: what was not done when the time was over; null where all was. */
  | { readonly type: 'lastBatchRun'; readonly late: string | null }
  | { readonly type: 'treeStopped' }
  | { readonly type: 'outputsFlushed' };
