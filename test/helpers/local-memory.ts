/**
 * Block memory for tests: each write is an array of its own, named by a handle; what is given back, or lost on purpose, can't
 * be read again.
 *
 * Invariant: each handle is given back at most once; `live` is what nobody has given back yet.
 */
import type { BlockRef, SharedHandle } from '../../protocol/rdd.ts';
import { MillraceError } from '../../protocol/errors.ts';
import { decodeRecords, encodeRecords } from '../../protocol/codec.ts';
import { asBlockId } from '../../protocol/ids.ts';
import type { Place } from '../../lib/rdd/known-outputs.ts';

export class LocalMemory {
  readonly #bytes = new Map<number, Uint8Array>();
  readonly #lost = new Set<number>();
  #next = 0;

  write(bytes: number): { view: Uint8Array; handle: SharedHandle } {
    const slab = (this.#next += 1);
    const view = new Uint8Array(bytes);
    this.#bytes.set(slab, view);
    return { view, handle: { slab, offset: 0, bytes, generation: 0 } };
  }

  read(place: Place): Uint8Array {
    if ('file' in place) throw new Error('These tests have no files.');
    const bytes = this.#bytes.get(place.slab);
    if (bytes === undefined || this.#lost.has(place.slab)) throw new MillraceError('StaleHandle', `Slab ${place.slab} has been given back.`);
    return bytes;
  }

  release(place: Place): void {
    if ('file' in place) throw new Error('These tests have no files.');
    if (!this.#bytes.delete(place.slab)) throw new Error(`Slab ${place.slab} was given back twice.`);
    this.#lost.delete(place.slab);
  }

  /** The bytes can't be read any more, though the handle is still to be given back. */
  lose(place: Place): void {
    if ('slab' in place) this.#lost.add(place.slab);
  }

  storeRecords(records: readonly unknown[]): BlockRef {
    let handle: SharedHandle | null = null;
    encodeRecords(records, (bytes) => {
      const written = this.write(bytes);
      handle = written.handle;
      return written.view;
    });
    return { id: asBlockId(`test-${this.#next}`), codec: 'records', place: handle, records: records.length };
  }

  /** Reads and gives back. */
  loadRecords(block: BlockRef): unknown[] {
    if (block.place === null) return [];
    const records = decodeRecords(this.read(block.place));
    this.release(block.place);
    return records;
  }

  get live(): number {
    return this.#bytes.size;
  }
}
