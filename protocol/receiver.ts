/**
 * Receiver tracker <-> the receivers' actors on the io threads.
 *
 * Invariant: a block is in exactly one place of this order, and never goes back:
 *   open (receiver) -> cut (block generator) -> stored (block manager) -> received (tracker) -> allocated to one batch.
 */
import type { ReceiverSource } from './host.ts';
import type { ActorRef, ReplyTo } from './ref.ts';
import type { BatchTime } from './time.ts';
import type { HostId, ProgramId, StreamId } from './ids.ts';
import type { BlockRef } from './rdd.ts';
import type { WireError } from './errors.ts';

/** What an io thread must know to run a receiver. */
export interface ReceiverSpec extends ReceiverSource {
  readonly program: ProgramId;
  readonly blockIntervalMs: number;
  readonly recordBytesMax: number;
  /** A receiver that says `restart` waits this long. */
  readonly restartDelayMs: number;
}

export type ToReceiverTracker =
  /** From a block manager. Lost with its thread: then the block is lost too, and reported as such. */
  | { readonly type: 'addBlock'; readonly stream: StreamId; readonly block: BlockRef; readonly records: number }
  /** From a receiver's actor, at each start. */
  | { readonly type: 'receiverStarted'; readonly stream: StreamId; readonly host: HostId; readonly receiver: ActorRef<ToReceiver> }
  /** Something went wrong but the receiver goes on, or is about to be restarted. */
  | { readonly type: 'receiverError'; readonly stream: StreamId; readonly message: string; readonly error: WireError | null; readonly willRestart: boolean }
  | { readonly type: 'receiverStopped'; readonly stream: StreamId; readonly message: string }
  /** From the job generator: gives everything received so far to the batch. Answered with the batch's blocks, also when asked twice for one batch. */
  | { readonly type: 'allocate'; readonly time: BatchTime; readonly replyTo: ReplyTo<readonly StreamBlocks[]> }
  /** A receiver has handed over what it had for the batch, or could not in time. */
  | { readonly type: 'flushed'; readonly time: BatchTime }
  /** The batch and all before it are done with. */
  | { readonly type: 'forgetBatches'; readonly upTo: BatchTime }
  /**
   * From the program manager: a thread with receivers is gone, what was on it and not handed over is lost. Answered behind the blocks
   * that it had reported: by then the ledger has been told to hold them.
   */
  | { readonly type: 'ioHostDown'; readonly host: HostId; readonly error: WireError; readonly replyTo: ReplyTo<null> }
  /** Graceful stop: end intake; answered when all receivers have handed over their last block. */
  | { readonly type: 'stopReceivers'; readonly timeoutMs: number; readonly replyTo: ReplyTo<{ readonly unallocated: number }> }
  | { readonly type: 'receiversStopped' };

export interface StreamBlocks {
  readonly stream: StreamId;
  readonly blocks: readonly BlockRef[];
  readonly records: number;
}

/** To a receiver's actor. */
export type ToReceiver =
  /** From its block generator, at each block interval. */
  | { readonly type: 'cutBlock' }
  /** From the tracker, for a batch that is due: hand over what is there, and answer when it is known. */
  | { readonly type: 'flushBlock'; readonly replyTo: ReplyTo<null> }
  /** From the tracker: take no more, hand over what is there, answer, end. */
  | { readonly type: 'endIntake'; readonly replyTo: ReplyTo<null> }
  | { readonly type: 'sourceEvent'; readonly event: SourceEvent }
  /** Own timer: the delay that a user's receiver asked for is over. */
  | { readonly type: 'restartNow'; readonly error: WireError };

/** What a source tells its actor; the bytes themselves never come as messages. */
export type SourceEvent =
  | { readonly type: 'connected'; readonly peer: string }
  | { readonly type: 'closed'; readonly message: string }
  | { readonly type: 'failed'; readonly message: string; readonly error: WireError }
  /** The open block is full: cut it now. */
  | { readonly type: 'blockFull' }
  | { readonly type: 'restart'; readonly message: string; readonly error: WireError | null; readonly delayMs: number | null }
  | { readonly type: 'stopped'; readonly message: string };

/** What a source wants known, while it runs and while it ends: goes to the tracker as `receiverError`, past its actor. */
export type SourceReport =
  /** A record over the bound was thrown away; the stream goes on. */
  | { readonly type: 'recordTooLarge'; readonly bytes: number }
  /** Something went wrong, and the source goes on (or ends, as it was about to). */
  | { readonly type: 'reported'; readonly message: string; readonly error: WireError | null };

/** To a block generator. */
export type ToBlockGenerator =
  | { readonly type: 'blockCut'; readonly block: BlockRef; readonly records: number }
  | { readonly type: 'receiverReady'; readonly receiver: ActorRef<ToReceiver> }
  | { readonly type: 'blockTick' }
  /** Everything that the receiver had was handed over before this: passed on to the block manager, which answers. */
  | { readonly type: 'drained'; readonly replyTo: ReplyTo<null> };
