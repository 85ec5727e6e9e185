/**
 * Which blocks leave shared memory, when, and how much of it is for whom. Pure: looks at sizes, last uses and pins, changes nothing.
 *
 * Invariant: what a running task reads is never chosen, nor (where blocks go only to make room for storing) a partition of an
 * RDD that is being stored just now: it would go round in circles, each partition pushing out the one before it.
 *
 *   slabs of the pool:   0 ............................ 5/8 ... 11/16 .... 3/4 .................... all
 *                        |  blocks, kept partitions     ^        |          |  tasks: buckets, results |
 *                                                       `--------' eviction: begins beyond 11/16 used, down to 5/8
 *                                                  receivers and kept partitions take no more beyond 3/4 used
 */

/** What receivers and kept partitions leave free, as a part of the pool: for shuffles, results and what the app stores. */
export const taskShareOfMemory = 1 / 4;
/** Eviction begins where less is free than this, ahead of need, and goes on until that much is free. */
const evictionBelowShare = 5 / 16;
const evictionUpToShare = 3 / 8;

export interface PoolUse {
  readonly slabs: number;
  readonly free: number;
}

/** A block that may leave shared memory: to the disk, or (where it can be computed again) altogether. */
export interface Evictable {
  readonly bytes: number;
  /** Grows with each use of any block. */
  readonly lastUse: number;
  /** How many running tasks read it. */
  readonly pins: number;
  /** The persisted RDD that it is a partition of; null: a block of a source. */
  readonly rdd: number | null;
}

/** True where a block that is to be kept leaves the tasks their share of the pool. */
export function hasRoomToKeep({ slabs, free }: PoolUse, bytes: number, slabBytes: number): boolean {
  return free - Math.ceil(bytes / slabBytes) >= Math.floor(slabs * taskShareOfMemory);
}

/** How many slabs should become free, ahead of need; 0 where enough are. */
export function slabsToFree({ slabs, free }: PoolUse): number {
  return free >= slabs * evictionBelowShare ? 0 : Math.ceil(slabs * evictionUpToShare) - free;
}

/** The blocks used least recently that hold `bytes` together, or all that may go. `storing`: RDDs of which none may. */
export function chooseEvictions<Block extends Evictable>(blocks: Iterable<Block>, bytes: number, storing: ReadonlySet<number>): Block[] {
  const candidates = [...blocks].filter(({ pins, rdd }) => pins === 0 && (rdd === null || !storing.has(rdd)));
  candidates.sort((a, b) => a.lastUse - b.lastUse);
  const chosen: Block[] = [];
  let freed = 0;
  for (const block of candidates) {
    if (freed >= bytes) break;
    chosen.push(block);
    freed += block.bytes;
  }
  return chosen;
}
