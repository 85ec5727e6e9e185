/**
 * Anyone <-> block manager master: the ledger of what lies in shared memory.
 *
 * Invariant: every handle that outlives the turn in which it was made is in the ledger, under exactly one scope, before
 * anybody else is told of it. A scope is given back as a whole; what a dead thread had not yet entered is reclaimed.
 *
 *   received (not yet allocated)  --allocate-->  program  --nothing leads to its RDD-->  given back, handle by handle
 *   shuffle buckets, persisted partitions, stored records  ------------->  the same
 */
import type { ActorRef, ReplyTo } from './ref.ts';
import type { WireError } from './errors.ts';
import type { BlockId, HostId, ProgramId, StreamId } from './ids.ts';
import type { ReceivedBlock } from './receiver.ts';
import type { SharedHandle } from './rdd.ts';

/** `program/<id>`, `received/<program>`, `result/<program>/<label>`. */
export type Scope = string;

export const programScope = (program: ProgramId | null): Scope => `program/${program ?? 'none'}`;
/** Results on their way to whoever asked for the job, who gives them back one by one. */
export const resultScope = (program: ProgramId | null, label: string): Scope => `result/${program ?? 'none'}/${label}`;
export const receivedScope = (program: ProgramId): Scope => `received/${program}`;

/** True for every scope that ends with the program. */
export const isScopeOf = (program: ProgramId, scope: Scope): boolean => scope === programScope(program) || scope === receivedScope(program) || scope.startsWith(`result/${program}/`);

/** A number that no two live handles share. Slab numbers stay below 2^20 and offsets below 2^32: together a safe integer. */
export const handleKey = (handle: SharedHandle): number => handle.slab * 0x1_0000_0000 + handle.offset;

/** To the master. */
export type ToBlockManagerMaster =
  /** Sent with the news that made the handles known, never later. Coming twice is a bug of the sender: asserted. */
  | { readonly type: 'hold'; readonly scope: Scope; readonly handles: readonly SharedHandle[] }
  /**
   * From a receiver tracker: as `hold`, but of handles that may be gone with their thread. Answered, for each, whether it is held. Comes twice: the
   * second changes nothing.
   */
  | { readonly type: 'holdLive'; readonly scope: Scope; readonly handles: readonly SharedHandle[]; readonly replyTo: ReplyTo<readonly boolean[]> }
  /**
   * From a block manager that keeps a replica: the handles outlive the thread `origin`, until they are unpinned or the pin's `holder` has
   * exited. Answered, for each, whether it is there to be pinned.
   */
  | { readonly type: 'pin'; readonly holder: HostId; readonly origin: HostId; readonly handles: readonly SharedHandle[]; readonly replyTo: ReplyTo<readonly boolean[]> }
  /** The blocks were received, or refused: what no scope holds, and whose origin is gone, is given back. */
  | { readonly type: 'unpin'; readonly holder: HostId; readonly handles: readonly SharedHandle[] }
  /** From who has cut or stored a block that was refused: given back, unless it is held all the same; a pinned one with its last pin. */
  | { readonly type: 'releaseUnheld'; readonly handles: readonly SharedHandle[] }
  /** From one scope to another: received blocks that a batch was given. */
  | { readonly type: 'moveHold'; readonly from: Scope; readonly to: Scope; readonly handles: readonly SharedHandle[] }
  /** These handles of the scope were read for the last time. */
  | { readonly type: 'release'; readonly scope: Scope; readonly handles: readonly SharedHandle[] }
  /** Spilled partitions that were read for the last time. */
  | { readonly type: 'removeFiles'; readonly files: readonly string[] }
  /** All scopes of a program that has ended. */
  | { readonly type: 'releaseProgram'; readonly program: ProgramId }
  /** The thread has exited: its slabs keep only what the ledger holds. */
  | { readonly type: 'hostExited'; readonly host: HostId }
  /** A block manager is there: each is told of all others. One on an io thread can write blocks to files, too. Again with each life. */
  | { readonly type: 'blockManagerUp'; readonly host: HostId; readonly manager: ActorRef<ToBlockManager> }
  /** From the task scheduler: a copy of a block (or of what is forgotten together) in a file, one after another, by whichever io thread is next; its memory stays held. */
  | { readonly type: 'spillBlock'; readonly places: readonly SharedHandle[]; readonly file: string; readonly replyTo: ReplyTo<Spilled> }
  /** Own: the io thread that was to do so is gone: by the driver's, now. */
  | { readonly type: 'spillHere'; readonly places: readonly SharedHandle[]; readonly file: string; readonly replyTo: ReplyTo<Spilled> }
  /** Own: it is written, or can't be. */
  | { readonly type: 'spillEnded'; readonly replyTo: ReplyTo<Spilled>; readonly spilled: boolean }
  /** Answered behind everything that was sent before it: what was released then is free. */
  | { readonly type: 'blockStats'; readonly replyTo: ReplyTo<BlockStats> };

export interface BlockStats {
  readonly poolBytes: number;
  readonly usedBytes: number;
  readonly liveHandles: number;
  readonly scopes: number;
  /** Handles in the ledger. */
  readonly heldHandles: number;
}

/** False: the file could not be written, and there is none. */
export interface Spilled {
  readonly spilled: boolean;
}

/** A received block as a block manager has it. */
export interface PutBlock extends ReceivedBlock {
  /** Of a `_2` level 2: so many block managers, on different threads, know it before the tracker is told. */
  readonly copies: number;
}

/** To a block manager: from its block generators, from the master, and from other block managers. There is one on each io thread, and one on the driver. */
export type ToBlockManager =
  /** From the master: a copy of these places in this file, one after another. */
  | { readonly type: 'spillBlock'; readonly places: readonly SharedHandle[]; readonly file: string; readonly replyTo: ReplyTo<Spilled> }
  /** Own: it is written, or can't be. */
  | { readonly type: 'spillEnded'; readonly replyTo: ReplyTo<Spilled>; readonly spilled: boolean }
  /** From the master: all block managers there are, whenever one comes or goes. */
  | { readonly type: 'managersChanged'; readonly managers: readonly ActorRef<ToBlockManager>[] }
  /** From a block generator: through all steps, then answered; a step that fails answers `BlockNotStored`, also for all blocks of this life behind it. */
  | { readonly type: 'putBlock'; readonly put: PutBlock; readonly replyTo: ReplyTo<null> }
  /** Answered when all blocks of this life that came before it are settled. */
  | { readonly type: 'drained'; readonly program: ProgramId; readonly stream: StreamId; readonly epoch: number; readonly replyTo: ReplyTo<null> }
  /** Own: a step of a group of blocks has ended, or is to be tried once more. */
  | { readonly type: 'stepEnded'; readonly line: string; readonly step: number; readonly group: number; readonly error: WireError | null }
  | { readonly type: 'stepAgain'; readonly line: string; readonly step: number; readonly group: number; readonly attempt: number }
  /** From the block manager that stores them: know these blocks too, and report them if I can't. Answered when they are pinned. */
  | { readonly type: 'replicateBlocks'; readonly from: ActorRef<ToBlockManager>; readonly life: number; readonly blocks: readonly PutBlock[]; readonly replyTo: ReplyTo<null> }
  /** Own: the ledger has answered. */
  | { readonly type: 'blocksPinned'; readonly origin: string; readonly blocks: readonly PutBlock[]; readonly pinned: readonly boolean[]; readonly replyTo: ReplyTo<null> }
  /** From the same: the tracker has them, or they were refused. */
  | { readonly type: 'forgetReplicas'; readonly from: ActorRef<ToBlockManager>; readonly life: number; readonly blocks: readonly BlockId[] }
  /** Own: another block manager knows these blocks now, in the place of one that is gone; null: none could be asked. */
  | { readonly type: 'replicaMade'; readonly blocks: readonly BlockId[]; readonly replica: ActorRef<ToBlockManager> | null };
