/**
 * Records that were stored when shared memory was full: they wait on this thread's heap, and get their place before any job can ask for
 * them.
 *
 * Invariant: `place` answers only when nothing waits any more, or throws what keeps it; each block gets its place once, in the order of
 * storing. A block that waits is known by its BlockRef, the same object wherever its node is; its node is told by `placed`.
 *
 *   storeRecords --no room--> waiting --place: makeRoom (ask), try again--> in memory, held --> its node names the new place
 */
import type { BlockRef, SharedHandle } from '../protocol/rdd.ts';
import { retryForRoom } from './room-asked.ts';
import type { HostServices } from './services.ts';

export class LateRecords {
  readonly #services: HostServices;
  readonly #placed: (block: BlockRef, handle: SharedHandle) => void;
  readonly #waiting = new Map<BlockRef, Uint8Array>();
  #placing: Promise<void> | null = null;

  constructor(services: HostServices, placed: (block: BlockRef, handle: SharedHandle) => void) {
    this.#services = services;
    this.#placed = placed;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  add(block: BlockRef, bytes: Uint8Array): void {
    this.#waiting.set(block, bytes);
  }

  has(block: BlockRef): boolean {
    return this.#waiting.has(block);
  }

  /** Nobody will ask for it. */
  drop(block: BlockRef): void {
    this.#waiting.delete(block);
  }

  /** Rejects with BlockMemoryExhausted where no room can be made; what waits goes on waiting then. */
  place(): Promise<void> {
    this.#placing ??= this.#placeAll().finally(() => (this.#placing = null));
    return this.#placing;
  }

  async #placeAll(): Promise<void> {
    for (let next = this.#first(); next !== null; next = this.#first()) {
      const [block, bytes] = next;
      const handle = await retryForRoom(this.#services, bytes.length, () => {
        // Dropped while it waited.
        if (!this.#waiting.has(block)) return null;
        const allocated = this.#services.pool.allocate(bytes.length, 'kept');
        allocated?.view.set(bytes);
        return allocated?.handle;
      });
      if (handle === null || !this.#waiting.delete(block)) continue;
      this.#placed(block, handle);
    }
  }

  #first(): [BlockRef, Uint8Array] | null {
    for (const waiting of this.#waiting) return waiting;
    return null;
  }
}
