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
import type { HostId, ProgramId, StreamId } from './ids.ts';
import type { BlockRef, SharedHandle } from './rdd.ts';

/** `program/<id>`, `received/<program>`, `result/<program>/<label>`. */
export type Scope = string;

export const programScope = (program: ProgramId | null): Scope => `program/${program ?? 'none'}`;
/** Results on their way to whoever asked for the job, who gives them back one by one. */
export const resultScope = (program: ProgramId | null, label: string): Scope => `result/${program ?? 'none'}/${label}`;
export const receivedScope = (program: ProgramId): Scope => `received/${program}`;

/** True for every scope that ends with the program. */
export const isScopeOf = (program: ProgramId, scope: Scope): boolean => scope === programScope(program) || scope === receivedScope(program) || scope.startsWith(`result/${program}/`);

/** To the master. */
export type ToBlockManagerMaster =
  /** Sent with the news that made the handles known, never later. Coming twice is a bug of the sender: asserted. */
  | { readonly type: 'hold'; readonly scope: Scope; readonly handles: readonly SharedHandle[] }
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
  /** An io thread's block manager can write blocks to files. Again with each thread. */
  | { readonly type: 'blockManagerUp'; readonly host: HostId; readonly manager: ActorRef<ToBlockManager> }
  /** From the task scheduler: a copy of a block (or of what is forgotten together) in a file, one after another, by whichever io thread is next; its memory stays held. */
  | { readonly type: 'spillBlock'; readonly places: readonly SharedHandle[]; readonly file: string; readonly replyTo: ReplyTo<Spilled> }
  /** Own: the io thread has answered, or is gone. */
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

/** To the block manager of an io thread: from its block generators, and from the master. */
export type ToBlockManager =
  /** From the master: a copy of these places in this file, one after another. */
  | { readonly type: 'spillBlock'; readonly places: readonly SharedHandle[]; readonly file: string; readonly replyTo: ReplyTo<Spilled> }
  /** Own: it is written, or can't be. */
  | { readonly type: 'spillEnded'; readonly replyTo: ReplyTo<Spilled>; readonly spilled: boolean }
  /** Stored (and, where asked, replicated and logged) before the tracker is told. */
  | { readonly type: 'putBlock'; readonly program: ProgramId; readonly stream: StreamId; readonly block: BlockRef; readonly records: number }
  /** All blocks of a receiver have come before this, and gone on to the tracker. */
  | { readonly type: 'drained'; readonly replyTo: ReplyTo<null> };
