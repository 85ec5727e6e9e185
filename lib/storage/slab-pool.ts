/**
 * Shared memory for blocks, buckets and results: a fixed set of slabs in a few SharedArrayBuffers, each sent to each thread
 * once. What travels afterwards is handles, which are numbers.
 *
 *   buffer 0 (<= 256 MiB)                          buffer 1
 *   | slab 0     | slab 1     | slab 2     | ... | | slab 256 ...
 *   | h0 |h1|h2..|            |<- one large handle ->|
 *      `- handle: slab, offset, bytes, generation (the slab's, times 65,536, plus the handle's entry in the slab)
 *
 * Invariants: the bytes of a live handle change no more once it was handed on; `view` of a handle that was released, or whose
 * slab has been used again, throws `StaleHandle`. All bookkeeping is in lib/storage/slab-book.ts, shared by all threads.
 * Where the pool was made with `poison`, a handle's bytes are 0xdb from its release on.
 */
import type { SharedHandle } from '../../protocol/rdd.ts';
import { MillraceError } from '../../protocol/errors.ts';
import { SlabBook } from './slab-book.ts';
import type { SlabUse } from './slab-book.ts';

/** Goes to each thread once. */
export interface SlabPoolShare {
  readonly book: SharedArrayBuffer;
  readonly memory: readonly SharedArrayBuffer[];
}

/** A whole slab for one writer, such as a receiver that reads into it. Its handles may begin at any byte. */
export interface OpenSlab {
  readonly view: Uint8Array;
  /** Makes a handle of bytes that are written and change no more. Throws `BlockMemoryExhausted` past 64 Ki live handles (fewer in small slabs). */
  commit(offset: number, bytes: number): SharedHandle;
  /** No further commits: the slab is free once its handles are released. */
  close(): void;
}

/** An open slab, -1 for none; the next free byte and entry in it. */
interface Cutting {
  slab: number;
  nextByte: number;
  nextEntry: number;
}

export interface SlabPoolOptions {
  /** Default 1 MiB; rounded up to a multiple of 64. */
  readonly slabBytes?: number;
  /** Rounded down to whole slabs, one at least. */
  readonly poolBytes: number;
  /** The host that makes the pool. Default 0. */
  readonly host?: number;
  /** Fills the bytes of each handle with 0xdb at its release. Default false. */
  readonly poison?: boolean;
}

/** Handles begin at multiples of this: a cache line, and enough for every typed array. */
const alignmentBytes = 64;
const bufferBytesMax = 256 * 1024 * 1024;
const entriesMaxMax = 65_536;

export class SlabPool {
  readonly share: SlabPoolShare;
  readonly #host: number;
  readonly #book: SlabBook;
  readonly #slabBytes: number;
  /** The slabs that small handles are cut from: what lasts longer lies apart, so that it holds no slab of the others. */
  readonly #brief: Cutting = { slab: -1, nextByte: 0, nextEntry: 0 };
  readonly #kept: Cutting = { slab: -1, nextByte: 0, nextEntry: 0 };

  /** Reserves the memory; the system gives it page by page, when it is first written. */
  static create(options: SlabPoolOptions): SlabPool {
    const slabBytes = roundUp(options.slabBytes ?? 1024 * 1024);
    if (!(slabBytes > 0 && slabBytes <= bufferBytesMax)) {
      throw invalidOption(`Expected slabBytes of 1 to ${bufferBytesMax}, got ${options.slabBytes}. Give a size such as ${1024 * 1024}.`);
    }
    if (!(options.poolBytes > 0 && options.poolBytes / slabBytes <= 0x7fff_ffff)) {
      throw invalidOption(`Expected poolBytes above 0, got ${options.poolBytes}. Give the size of the pool in bytes.`);
    }
    const slabs = Math.max(1, Math.floor(options.poolBytes / slabBytes));
    const slabsPerBuffer = Math.min(slabs, Math.max(1, Math.floor(bufferBytesMax / slabBytes)));
    const memory: SharedArrayBuffer[] = [];
    for (let first = 0; first < slabs; first += slabsPerBuffer) {
      memory.push(new SharedArrayBuffer(Math.min(slabsPerBuffer, slabs - first) * slabBytes));
    }
    const entriesMax = Math.min(entriesMaxMax, Math.max(32, Math.ceil(slabBytes / alignmentBytes / 32) * 32));
    const book = SlabBook.create({ slabBytes, slabs, slabsPerBuffer, entriesMax, poison: options.poison === true });
    return new SlabPool({ book: book.memory, memory }, options.host ?? 0);
  }

  /** The same pool on another thread (or for another host of this thread). A host attaches once. */
  static attach(share: SlabPoolShare, host: number): SlabPool {
    return new SlabPool(share, host);
  }

  private constructor(share: SlabPoolShare, host: number) {
    this.share = share;
    this.#host = host;
    this.#book = new SlabBook(share.book);
    this.#slabBytes = this.#book.shape.slabBytes;
  }

  /**
   * Memory for one writer; write it before the handle goes anywhere. Null where the pool has no room (or never can have). `kept`: it
   * will stay when what was written around it is long given back.
   */
  allocate(bytes: number, lasts: 'briefly' | 'kept' = 'briefly'): { handle: SharedHandle; view: Uint8Array } | null {
    const room = Math.max(alignmentBytes, roundUp(bytes));
    if (room > this.#slabBytes) return this.#allocateRun(bytes, Math.ceil(room / this.#slabBytes));
    const cutting = lasts === 'kept' ? this.#kept : this.#brief;
    if (!this.#fits(cutting, room)) {
      // A large handle does not end an open slab that has more than half of its room left.
      if (cutting.slab >= 0 && cutting.nextByte < this.#slabBytes / 2 && room > this.#slabBytes / 2) return this.#allocateRun(bytes, 1);
      if (!this.#openAnother(cutting)) return null;
    }
    const offset = cutting.nextByte;
    const entry = cutting.nextEntry;
    cutting.nextByte += room;
    cutting.nextEntry += 1;
    this.#book.add(cutting.slab, entry, cutting.nextByte);
    return this.#allocated(cutting.slab, offset, bytes, entry);
  }

  /** Null where no slab is free. */
  openSlab(): OpenSlab | null {
    const book = this.#book;
    const host = this.#host;
    const slab = book.take(host);
    if (slab < 0) return null;
    const view = this.#bytes(slab, 0, this.#slabBytes);
    let nextEntry = 0;
    let usedBytes = 0;
    let closed = false;
    return {
      view,
      commit: (offset, bytes) => {
        if (closed) throw new Error('Expected an open slab, got one that was closed. Open another.');
        if (!(offset >= 0 && bytes >= 0 && offset + bytes <= view.length)) {
          throw new Error(`Expected a range within the slab's ${view.length} bytes, got ${offset} + ${bytes}.`);
        }
        const entry = book.clearEntry(slab, nextEntry);
        if (entry < 0) {
          const text = `Expected at most ${book.shape.entriesMax} live blocks in a slab, got one more. Close the slab and open another.`;
          throw new MillraceError('BlockMemoryExhausted', text);
        }
        nextEntry = entry + 1;
        usedBytes = Math.max(usedBytes, offset + bytes);
        book.add(slab, entry, usedBytes);
        return { slab, offset, bytes, generation: generationOf(book.generation(slab), entry) };
      },
      close: () => {
        if (closed) return;
        closed = true;
        book.seal(slab, host);
      },
    };
  }

  /** Throws `StaleHandle` where the handle was released or its slab is used for something else. */
  view(handle: SharedHandle): Uint8Array {
    this.#check(handle);
    return this.#bytes(handle.slab, handle.offset, handle.bytes);
  }

  /** False where it was released, or went with its thread. */
  isLive(handle: SharedHandle): boolean {
    const isThere = handle.slab >= 0 && handle.slab < this.#book.shape.slabs;
    return isThere && this.#book.isAlive(handle.slab, entryPart(handle)) && this.#book.generation(handle.slab) === generationPart(handle);
  }

  /** On any thread, once for each handle: a second time throws `StaleHandle`. */
  release(handle: SharedHandle): void {
    const entry = this.#check(handle);
    const poison = this.#book.shape.poison ? this.#bytes(handle.slab, handle.offset, handle.bytes) : null;
    if (!this.#book.release(handle.slab, entry, this.#host, poison)) throw stale(handle, 'another thread released it at the same time');
  }

  /**
   * After the thread of `host` has ended, by the driver: of the dead host's slabs only the handles named stay. Others may
   * release such handles at the same time. Handles of other hosts' slabs that the dead host held are the caller's to release.
   */
  reclaim(host: number, live: readonly SharedHandle[]): void {
    const named = new Set<number>();
    for (const handle of live) {
      if (generationPart(handle) === this.#book.generation(handle.slab)) named.add(handle.slab * entriesMaxMax + entryPart(handle));
    }
    this.#book.reclaim(host, this.#host, (slab, entry) => named.has(slab * entriesMaxMax + entry));
  }

  /** Seals this host's open slabs, so that they are free once their handles are released. The pool can be used on. */
  close(): void {
    for (const cutting of [this.#brief, this.#kept]) {
      if (cutting.slab >= 0) this.#book.seal(cutting.slab, this.#host);
      cutting.slab = -1;
    }
  }

  get slabs(): number {
    return this.#book.shape.slabs;
  }

  /** Slabs that are nobody's just now. */
  get freeSlabs(): number {
    return this.#book.free;
  }

  /** How many handles lie in a slab just now, and whether its owner cuts more from it. */
  slabUse(slab: number): SlabUse {
    return this.#book.use(slab);
  }

  /** `usedBytes`: what has been cut from slabs that aren't free. Exact only while no thread changes anything. */
  stats(): { slabs: number; free: number; liveHandles: number; usedBytes: number } {
    return { slabs: this.#book.shape.slabs, ...this.#book.count() };
  }

  #fits({ slab, nextByte, nextEntry }: Cutting, room: number): boolean {
    return slab >= 0 && nextByte + room <= this.#slabBytes && nextEntry < this.#book.shape.entriesMax;
  }

  #openAnother(cutting: Cutting): boolean {
    if (cutting.slab < 0 || !this.#book.rewind(cutting.slab)) {
      const slab = this.#book.take(this.#host);
      if (slab < 0) return false;
      if (cutting.slab >= 0) this.#book.seal(cutting.slab, this.#host);
      cutting.slab = slab;
    }
    cutting.nextByte = 0;
    cutting.nextEntry = 0;
    return true;
  }

  #allocateRun(bytes: number, run: number): { handle: SharedHandle; view: Uint8Array } | null {
    const slab = this.#book.takeRun(this.#host, run, bytes);
    return slab < 0 ? null : this.#allocated(slab, 0, bytes, 0);
  }

  #allocated(slab: number, offset: number, bytes: number, entry: number): { handle: SharedHandle; view: Uint8Array } {
    const generation = generationOf(this.#book.generation(slab), entry);
    return { handle: { slab, offset, bytes, generation }, view: this.#bytes(slab, offset, bytes) };
  }

  /** The handle's entry. */
  #check(handle: SharedHandle): number {
    if (!(handle.slab >= 0 && handle.slab < this.#book.shape.slabs)) throw stale(handle, 'the pool has no such slab');
    const entry = entryPart(handle);
    // The bit first: while it is set the slab can't be freed, so the generation read after it is that of the bit.
    if (!this.#book.isAlive(handle.slab, entry)) throw stale(handle, 'it was released');
    if (this.#book.generation(handle.slab) !== generationPart(handle)) throw stale(handle, 'its slab has been used again');
    return entry;
  }

  #bytes(slab: number, offset: number, bytes: number): Uint8Array {
    const { slabsPerBuffer } = this.#book.shape;
    const buffer = Math.floor(slab / slabsPerBuffer);
    return new Uint8Array(this.share.memory[buffer]!, (slab - buffer * slabsPerBuffer) * this.#slabBytes + offset, bytes);
  }
}

function generationOf(slabGeneration: number, entry: number): number {
  return slabGeneration * entriesMaxMax + entry;
}

function generationPart(handle: SharedHandle): number {
  return Math.floor(handle.generation / entriesMaxMax);
}

function entryPart(handle: SharedHandle): number {
  return handle.generation % entriesMaxMax;
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / alignmentBytes) * alignmentBytes;
}

function invalidOption(text: string): MillraceError {
  return new MillraceError('InvalidOption', text);
}

function stale(handle: SharedHandle, why: string): MillraceError {
  return new MillraceError(
    'StaleHandle',
    `Expected a live handle, got ${JSON.stringify(handle)}: ${why}. A handle is read before it is released, and released once.`,
    { details: { handle } },
  );
}
