/**
 * Memory for sources under test, of a bounded number of slabs: what was committed can be read back in the order of the commits.
 *
 * Invariant: a slab is counted from `open` or `allocate` until it is given back by `free`; past `slabsMax` there is none.
 */
import type { OpenMemory } from '../../lib/sources/text-block-builder.ts';
import type { SourceBlock } from '../../lib/sources/source.ts';
import type { SharedHandle } from '../../protocol/rdd.ts';
import { decodeRecords } from '../../protocol/codec.ts';

export class BlockMemory {
  readonly #slabBytes: number;
  readonly #slabs: Uint8Array[] = [];
  /** How many slabs there may be at all: raise it to give memory back. */
  slabsMax: number;
  opened = 0;
  closed = 0;

  constructor({ slabBytes = 8_192, slabsMax = Infinity }: { slabBytes?: number; slabsMax?: number } = {}) {
    this.#slabBytes = slabBytes;
    this.slabsMax = slabsMax;
  }

  readonly open = (): OpenMemory | null => {
    const made = this.#make(this.#slabBytes);
    if (made === null) return null;
    this.opened += 1;
    let open = true;
    return {
      view: made.view,
      commit: (offset, bytes) => {
        if (!open || bytes <= 0 || offset + bytes > this.#slabBytes) throw new Error(`A commit of ${bytes} bytes at ${offset} of a slab that is ${open ? 'open' : 'closed'}.`);
        return { ...made.handle, offset, bytes };
      },
      close: () => {
        if (!open) throw new Error('A slab is closed once.');
        open = false;
        this.closed += 1;
      },
    };
  };

  readonly allocate = (bytes: number): { readonly handle: SharedHandle; readonly view: Uint8Array } | null => this.#make(bytes);

  bytes({ slab, offset, bytes }: SharedHandle): Uint8Array {
    return (this.#slabs[slab] as Uint8Array).subarray(offset, offset + bytes);
  }

  /** The lines of text blocks, one block after another; the bytes of each must end with a line's end. */
  lines(blocks: readonly { readonly handle: SharedHandle; readonly records: number }[]): string[] {
    return blocks.flatMap(({ handle, records }) => {
      const lines = new TextDecoder().decode(this.bytes(handle)).split('\n');
      if (lines.pop() !== '') throw new Error('A block ends in the middle of a line.');
      if (lines.length !== records) throw new Error(`A block says ${records} records and has ${lines.length}.`);
      return lines;
    });
  }

  records(blocks: readonly SourceBlock[]): unknown[][] {
    return blocks.map(({ place }) => decodeRecords(this.bytes(place as SharedHandle)));
  }

  #make(bytes: number): { handle: SharedHandle; view: Uint8Array } | null {
    if (this.#slabs.length >= this.slabsMax) return null;
    const view = new Uint8Array(bytes);
    this.#slabs.push(view);
    return { handle: { slab: this.#slabs.length - 1, offset: 0, bytes, generation: 0 }, view };
  }
}
