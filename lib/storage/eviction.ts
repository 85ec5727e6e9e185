/**
 * Which blocks leave shared memory, when, and how much of it is for whom. Pure: looks at sizes, last uses and pins, changes nothing.
 *
 * Invariant: what a running task reads is never chosen, nor (where blocks go ahead of need) what a task reads that is about to run, nor a
 * partition of an RDD that is being stored just now: it would go round in circles, each partition pushing out the one before it. Nor what
 * would free nothing: a slab in which something else lives, or (ahead of need) one whose owner still cuts from it.
 *
 *   slabs of the pool:   0 ............................ 5/8 ... 11/16 .... 3/4 .................... all
 *                        |  blocks, kept partitions     ^        |          |  tasks: buckets, results |
 *                                                       `--------' eviction: begins beyond 11/16 used, down to 5/8
 *                                                  receivers and kept partitions take no more beyond 3/4 used
 */
import type { SlabUse } from './slab-book.ts';

/** What receivers and kept partitions leave free, as a part of the pool: for shuffles, results and what the app stores. */
export const taskShareOfMemory = 1 / 4;
/** Eviction begins where less is free than this, ahead of need, and goes on until that much is free. */
const evictionBelowShare = 5 / 16;
const evictionUpToShare = 3 / 8;

export interface PoolUse {
  readonly slabs: number;
  readonly free: number;
}

/** What may leave shared memory: to the disk, or (where it can be computed again) altogether. */
export interface Evictable {
  readonly slab: number;
  readonly bytes: number;
  /** How many handles of the slab it is. Left out: one. */
  readonly handleCount?: number;
  /** Grows with each use of any block. */
  readonly lastUse: number;
  /** How many running tasks read it. */
  readonly pins: number;
  /** How many tasks read it that are made and not yet handed out. Left out: none. */
  readonly expected?: number;
  /** The persisted RDD that it is a partition of; null: a block of a source, or an output. */
  readonly rdd: number | null;
  /** False: it could not be written to the disk, and can't be computed again. */
  readonly mayGo: boolean;
  /** `moving`, `leaving`: its memory comes back by itself. */
  readonly phase: 'resident' | 'moving' | 'leaving';
}

/** What is wanted, and what must not go for it. */
export interface Wanted {
  readonly slabs: number;
  readonly slabBytes: number;
  /** RDDs of which no partition may go. */
  readonly storing: ReadonlySet<number>;
  /** Somebody waits: open slabs may be emptied, too. */
  readonly isUrgent: boolean;
  readonly useOf: (slab: number) => SlabUse;
}

/** True where a block that is to be kept leaves the tasks their share of the pool. */
export function hasRoomToKeep({ slabs, free }: PoolUse, bytes: number, slabBytes: number): boolean {
  return free - Math.ceil(bytes / slabBytes) >= Math.floor(slabs * taskShareOfMemory);
}

/** How many slabs should become free, ahead of need; 0 where enough are. */
export function slabsToFree({ slabs, free }: PoolUse): number {
  return free >= slabs * evictionBelowShare ? 0 : Math.ceil(slabs * evictionUpToShare) - free;
}

/**
 * The blocks to be evicted so that as many slabs become free as are wanted, or as many as can. Memory comes back by whole slabs, so
 * blocks go by slabs, too: those first whose last use is longest ago, and none from a slab in which something has to stay.
 */
export function chooseEvictions<Block extends Evictable>(blocks: Iterable<Block>, { slabs, slabBytes, storing, isUrgent, useOf }: Wanted): Block[] {
  const bySlab = new Map<number, { readonly slab: number; readonly blocks: Block[]; lastUse: number; slabs: number; handles: number; stays: boolean }>();
  for (const block of blocks) {
    let found = bySlab.get(block.slab);
    if (found === undefined) bySlab.set(block.slab, (found = { slab: block.slab, blocks: [], lastUse: 0, slabs: 1, handles: 0, stays: false }));
    found.slabs = Math.max(found.slabs, Math.ceil(block.bytes / slabBytes));
    found.handles += block.handleCount ?? 1;
    if (block.phase !== 'resident') continue;
    found.blocks.push(block);
    found.lastUse = Math.max(found.lastUse, block.lastUse);
    found.stays ||= block.pins > 0 || (!isUrgent && (block.expected ?? 0) > 0) || !block.mayGo || (block.rdd !== null && storing.has(block.rdd));
  }
  const candidates = [...bySlab.values()].filter(({ blocks: resident, stays }) => !stays && resident.length > 0);
  candidates.sort((a, b) => a.lastUse - b.lastUse);
  const chosen: Block[] = [];
  let freed = 0;
  for (const { slab, blocks: resident, slabs: own, handles } of candidates) {
    if (freed >= slabs) break;
    const use = useOf(slab);
    if (use.handles > handles || (use.isOpen && !isUrgent)) continue;
    chosen.push(...resident);
    freed += own;
  }
  return chosen;
}
