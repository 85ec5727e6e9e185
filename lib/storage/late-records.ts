/**
 * Records that were stored when shared memory was full: they wait on their thread's heap, and get their place before any job can ask for
 * them.
 *
 * Invariant: `place` settles only when nothing waits any more, or with what keeps it from its place; each block gets one, in the order of
 * storing. As a task, it has so many rounds made for it and no more; where nothing can make room, it is told so at once.
 *
 *   stored --no room--> waiting --place: ask for room, try again--> placed
 *                          `---- drop: nobody will ask for it ----> gone
 */
import type { SharedHandle } from '../../protocol/rdd.ts';
import { MillraceError } from '../../protocol/errors.ts';

export interface LateRecordsPorts<Block> {
  /** Null: there is no room. */
  readonly write: (bytes: Uint8Array) => SharedHandle | null;
  /** Resolves when it is worth while to try again (true), or when nothing more can make room. */
  readonly makeRoom: (bytes: number) => Promise<boolean>;
  readonly placed: (block: Block, handle: SharedHandle) => void;
  /** Rounds for one block. */
  readonly waitsMax: number;
  readonly poolBytes: number;
}

export class LateRecords<Block extends object> {
  readonly #ports: LateRecordsPorts<Block>;
  readonly #waiting = new Map<Block, Uint8Array>();
  #placing: Promise<void> | null = null;

  constructor(ports: LateRecordsPorts<Block>) {
    this.#ports = ports;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  add(block: Block, bytes: Uint8Array): void {
    this.#waiting.set(block, bytes);
  }

  has(block: Block): boolean {
    return this.#waiting.has(block);
  }

  /** Nobody will ask for it. */
  drop(block: Block): void {
    this.#waiting.delete(block);
  }

  /** Rejects with BlockMemoryExhausted where no room can be made; what waits goes on waiting then, for the next call. */
  place(): Promise<void> {
    this.#placing ??= this.#placeAll().finally(() => (this.#placing = null));
    return this.#placing;
  }

  async #placeAll(): Promise<void> {
    for (let [first] = this.#waiting; first !== undefined; [first] = this.#waiting) await this.#placeOne(...first);
  }

  async #placeOne(block: Block, bytes: Uint8Array): Promise<void> {
    const { write, makeRoom, placed, waitsMax, poolBytes } = this.#ports;
    // Dropped while it waited, it needs no place.
    for (let waits = 0; this.#waiting.has(block); waits += 1) {
      const handle = write(bytes);
      if (handle !== null) {
        this.#waiting.delete(block);
        return placed(block, handle);
      }
      if (waits >= waitsMax) throw noRoomFor(bytes.length, poolBytes);
      // Once more in any case: what others have given back need not have come by whoever was asked.
      if (!(await makeRoom(bytes.length))) waits = waitsMax;
    }
  }
}

export function noRoomFor(bytes: number, blockMemoryBytesMax: number): MillraceError {
  const text = `Expected ${bytes} free bytes of shared memory; the pool of blockMemoryBytesMax (${blockMemoryBytesMax}) is full, and nothing more in it can make room. Raise it, or keep less at a time.`;
  return new MillraceError('BlockMemoryExhausted', text, { details: { bytes, blockMemoryBytesMax } });
}
