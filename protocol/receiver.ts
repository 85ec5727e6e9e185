/**
 * Receiver tracker <-> the receivers' actors on the io threads.
 *
 * Invariant: a block is in exactly one place of this order, and never goes back:
 *   open (receiver) -> cut (block generator) -> stored (block manager) -> received (tracker) -> allocated to one batch.
 * Each life of a receiver has an epoch, given out by the tracker and greater than all before; its blocks are numbered from 0
 * in the order in which they were cut. So (stream, epoch, sequence) names a block for good.
 */
import type { ReceiverSource } from './host.ts';
import type { ActorRef, ReplyTo } from './ref.ts';
import type { BatchTime } from './time.ts';
import type { BlockId, HostId, ProgramId, StreamId } from './ids.ts';
import type { BlockRef } from './rdd.ts';
import type { LeftUndone } from './program.ts';
import type { WireError } from './errors.ts';

/** What an io thread must know to run a receiver. */
export interface ReceiverSpec extends ReceiverSource {
  readonly program: ProgramId;
  readonly blockIntervalMs: number;
  readonly recordBytesMax: number;
  /** The longest back-off before it starts again. */
  readonly restartDelayMs: number;
  /** Cut and not yet answered for: over it the source is held back. */
  readonly blocksInFlightMax: number;
}

/** A block on its way from its receiver to the tracker. */
export interface ReceivedBlock {
  readonly program: ProgramId;
  readonly stream: StreamId;
  readonly epoch: number;
  readonly sequence: number;
  readonly block: BlockRef;
  readonly records: number;
  /** One encoded record: the place in its source up to which the receiver has stored, with this block. Null: it gave none. */
  readonly position: Uint8Array | null;
  /** Its receiver gives positions: what is behind the last one that counts, its next life brings again. */
  readonly resumes: boolean;
}

/** What a receiver is told when it starts. */
export interface Resume {
  /** Of this life: greater than that of every life before. */
  readonly epoch: number;
  /** The last position that came with a block. Null: none ever did. */
  readonly lastAcknowledged: Uint8Array | null;
  /** It waits this long before it starts: its threads have died, again and again. */
  readonly delayMs: number;
}

export type ToReceiverTracker =
  /**
   * From a block manager: blocks of one life, in order. Answered when they are received, for good, and their memory is held: now they can be
   * acknowledged; or by `BlockNotStored`. Comes twice (the answer was lost; another block manager serves): counted once, answered again.
   * `drained`: of this stream they are the last that a batch which is due waits for; there may be none.
   */
  | { readonly type: 'addBlocks'; readonly blocks: readonly ReceivedBlock[]; readonly drained: StreamId | null; readonly replyTo: ReplyTo<null> }
  /** Own: the ledger holds them, or (null) they are no more. */
  | { readonly type: 'blocksHeld'; readonly blocks: readonly ReceivedBlock[]; readonly held: readonly boolean[] | null; readonly drained: StreamId | null; readonly replyTo: ReplyTo<null> }
  /** From a receiver's actor, at each start: it begins when it is answered. */
  | { readonly type: 'receiverStarted'; readonly stream: StreamId; readonly host: HostId; readonly receiver: ActorRef<ToReceiver>; readonly replyTo: ReplyTo<Resume> }
  /** Something went wrong but the receiver goes on, or is about to be restarted. */
  | { readonly type: 'receiverError'; readonly stream: StreamId; readonly message: string; readonly error: WireError | null; readonly willRestart: boolean }
  /** It has ended for good, with an error or without. */
  | { readonly type: 'receiverStopped'; readonly stream: StreamId; readonly message: string; readonly error: WireError | null }
  /** Blocks of a receiver could not be stored: it starts again. Records of a source that sends nothing twice are lost. */
  | { readonly type: 'blocksRefused'; readonly stream: StreamId; readonly host: HostId; readonly records: number; readonly error: WireError }
  /** From the job generator: gives everything received so far to the batch. Answered with the batch's blocks, also when asked twice for one batch. */
  | { readonly type: 'allocate'; readonly time: BatchTime; readonly replyTo: ReplyTo<readonly StreamBlocks[]> }
  /** A receiver has handed over what it had for the batch, or could not in time. */
  | { readonly type: 'flushed'; readonly time: BatchTime; readonly stream: StreamId }
  /** Own timer: a batch has waited for its receivers; what they have handed over so far is synced. */
  | { readonly type: 'hurryLog' }
  /** From the job generator, after a restart: blocks of the log that no batch has yet. They go into the next one. */
  | { readonly type: 'restoreBlocks'; readonly waiting: readonly StreamBlocks[]; readonly lives: readonly StreamLife[] }
  /** Own: a block is in the log, or can't be. */
  | { readonly type: 'blockLogged'; readonly stream: StreamId; readonly block: BlockId; readonly error: WireError | null }
  /** The batch and all before it are done with. */
  | { readonly type: 'forgetBatches'; readonly upTo: BatchTime }
  /**
   * From the program manager: a thread with receivers is gone, what was on it and not handed over is lost. Answered behind the blocks
   * that it had reported: by then the ledger has been told to hold them.
   */
  | { readonly type: 'ioHostDown'; readonly host: HostId; readonly error: WireError; readonly replyTo: ReplyTo<null> }
  /** Own timer: do the threads with receivers answer? */
  | { readonly type: 'checkHealth' }
  /** Own: a thread with receivers, which has `withinMs` in all, has answered; or it has not, after `missed` times in a row. */
  | { readonly type: 'healthChecked'; readonly host: HostId; readonly answered: boolean; readonly missed: number; readonly withinMs: number }
  /** Graceful stop: end intake; answered when all receivers have handed over their last block, or (`running`: so many) have had `timeoutMs` for it. */
  | { readonly type: 'stopReceivers'; readonly timeoutMs: number; readonly replyTo: ReplyTo<{ readonly unallocated: number; readonly running: number }> }
  /** Own: a receiver has handed over its last block, or (not `ended`) has had its time. */
  | { readonly type: 'receiverEnded'; readonly stream: StreamId; readonly ended: boolean }
  /** A graceful stop whose time is over: what has no batch, and who has not handed over? */
  | { readonly type: 'whatIsLeft'; readonly replyTo: ReplyTo<Pick<LeftUndone, 'blocks' | 'records' | 'receivers'>> };

/** How far the receiver of a stream had come. */
export interface StreamLife {
  readonly stream: StreamId;
  readonly epoch: number;
  readonly position: Uint8Array | null;
}

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
  /** Own: the tracker has answered; and the delay that it asked for is over. */
  | { readonly type: 'resumed'; readonly resume: Resume | null; readonly error: WireError | null }
  | { readonly type: 'startNow' }
  /** From its block generator, once for each block: it is stored (null), and can be acknowledged; or it is not. */
  | { readonly type: 'blockSettled'; readonly epoch: number; readonly sequence: number; readonly error: WireError | null }
  /** Own timer: the delay that a user's receiver asked for is over. */
  | { readonly type: 'restartNow' }
  /** Own timer: it ends, and can't wait any longer for the blocks that are under way. */
  | { readonly type: 'settleOver' };

/** What a source tells its actor; the bytes themselves never come as messages. */
export type SourceEvent =
  | { readonly type: 'connected'; readonly peer: string }
  | { readonly type: 'closed'; readonly message: string }
  | { readonly type: 'failed'; readonly message: string; readonly error: WireError }
  /** The open block is full: cut it now. */
  | { readonly type: 'blockFull' }
  | { readonly type: 'restart'; readonly message: string; readonly error: WireError | null; readonly delayMs: number | null }
  | { readonly type: 'stopped'; readonly message: string; readonly error: WireError | null };

/** What a source wants known, while it runs and while it ends: goes to the tracker as `receiverError`, past its actor. */
export type SourceReport =
  /** A record over the bound was thrown away; the stream goes on. */
  | { readonly type: 'recordTooLarge'; readonly bytes: number }
  /** Something went wrong, and the source goes on (or ends, as it was about to). */
  | { readonly type: 'reported'; readonly message: string; readonly error: WireError | null };

/** To a block generator. */
export type ToBlockGenerator =
  /** Not yet named. `copies`: how many block managers know it before it is reported. */
  | { readonly type: 'blockCut'; readonly cut: Omit<ReceivedBlock, 'program' | 'stream'>; readonly copies: number }
  /** Own: the block manager has answered. */
  | { readonly type: 'blockPut'; readonly cut: Omit<ReceivedBlock, 'program' | 'stream'>; readonly error: WireError | null }
  | { readonly type: 'receiverReady'; readonly receiver: ActorRef<ToReceiver> }
  | { readonly type: 'blockTick' }
  /** Everything that the receiver had was handed over before this: passed on to the block manager, which answers when all of it is settled. */
  | { readonly type: 'drained'; readonly epoch: number; readonly replyTo: ReplyTo<null> };
