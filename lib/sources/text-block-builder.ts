/**
 * The open block of a text receiver: bytes as they came, in shared memory, cut only at a line's end.
 *
 * Invariant: `start <= lineEnd <= end`; everything before `lineEnd` is whole lines, none longer than `recordBytesMax`
 * (without its end, which is \n or \r\n);
 * the memory at `end` and after it is the source's to read into, and moves only in `space()`. No string is ever made here.
 *
 * A full slab is given back also where there is no other, and `giveBack` gives back any: else as many receivers as there are slabs could each
 * hold one open and wait for another, for ever. Its partial line waits on the heap meanwhile.
 *
 *   a slab:  | blocks cut before | open block: whole lines \n | partial line | free, read into | 1 kept |
 *            0                 start                       lineEnd          end                       size
 */
import type { SharedHandle } from '../../protocol/rdd.ts';
import { LineEndCounter } from './line-end-counter.ts';

/** A whole slab of shared memory, as `SlabPool.openSlab` gives it. */
export interface OpenMemory {
  readonly view: Uint8Array;
  commit(offset: number, bytes: number): SharedHandle;
  close(): void;
}

export interface CutBlock {
  readonly handle: SharedHandle;
  readonly records: number;
}

export interface TextBlockBuilderOptions {
  /** Null: the pool is exhausted for now. `last`: for what the source ends with, which can't wait. */
  readonly open: (last: boolean) => OpenMemory | null;
  readonly recordBytesMax: number;
  readonly onRecordTooLarge: (bytes: number) => void;
}

const nothing = new Uint8Array(0);
const newline = 10;
const carriageReturn = 13;
/** A slab with less room than this is closed rather than read into in crumbs. */
const roomBytesMin = 4_096;
/** What one read may bring at most: libuv reads no more at a time. */
const readBytesMax = 65_536;

export class TextBlockBuilder {
  readonly #options: TextBlockBuilderOptions;
  #memory: OpenMemory | null = null;
  /** Of that memory. */
  #counter: LineEndCounter | null = null;
  /** A partial line that lies in no slab: only while there is none. */
  #carried: Uint8Array = nothing;
  #ending = false;
  #start = 0;
  #lineEnd = 0;
  #end = 0;
  #records = 0;
  /** In a line that is over the bound: bytes are dropped up to its end. */
  #skipping = false;
  #skippedBytes = 0;
  /** The last byte that was dropped is a \r: perhaps a part of the line's end. */
  #skippedReturn = false;
  #cut: CutBlock[] = [];

  constructor(options: TextBlockBuilderOptions) {
    this.#options = options;
  }

  /** Bytes of whole lines that wait to be cut. */
  get openBytes(): number {
    return this.#lineEnd - this.#start;
  }

  /** Where the next bytes go: null where no memory is to be had now (ask again after a while, and read nothing meanwhile). */
  space(): Uint8Array | null {
    const memory = this.#memory;
    if (memory === null || memory.view.length - this.#end < roomBytesMin) {
      if (!this.#roll()) return null;
    }
    const view = this.#memory?.view;
    // The last byte is kept for the end that `finish` may have to give the last line.
    return view === undefined ? null : view.subarray(this.#end, Math.min(this.#end + readBytesMax, view.length - 1));
  }

  /** `bytes` bytes have come into the memory that `space()` gave. */
  received(bytes: number): void {
    const memory = this.#memory;
    const counter = this.#counter;
    if (memory === null || counter === null) return;
    const { recordBytesMax } = this.#options;
    const view = memory.view;
    let at = this.#end;
    let end = at + bytes;
    if (this.#skipping) {
      const found = view.subarray(at, end).indexOf(newline);
      if (found < 0) {
        this.#skippedBytes += bytes;
        this.#skippedReturn = view[end - 1] === carriageReturn;
        return;
      }
      const endsInReturn = found === 0 ? this.#skippedReturn : view[at + found - 1] === carriageReturn;
      this.#options.onRecordTooLarge(this.#skippedBytes + found - (endsInReturn ? 1 : 0));
      this.#skipping = false;
      // The rest takes the place of the end of the line that was dropped.
      view.copyWithin(at, at + found + 1, end);
      end -= found + 1;
    }
    let lineEnd = this.#lineEnd;
    let records = this.#records;
    while (at < end) {
      // No line that lies within so many bytes is too long: their ends are only counted.
      const windowEnd = Math.min(end, lineEnd + recordBytesMax);
      if (windowEnd > at) {
        const last = lastNewline(view, at, windowEnd);
        if (last >= at) {
          records += counter.count(at, last + 1);
          lineEnd = last + 1;
        }
        at = windowEnd;
        continue;
      }
      // The open line is at least as long as the bound, if only by a \r of its end.
      const found = view.subarray(at, end).indexOf(newline);
      if (found < 0) break;
      at += found;
      const lineBytes = at - lineEnd - (at > lineEnd && view[at - 1] === carriageReturn ? 1 : 0);
      at += 1;
      if (lineBytes > recordBytesMax) {
        this.#options.onRecordTooLarge(lineBytes);
        view.copyWithin(lineEnd, at, end);
        end -= at - lineEnd;
        at = lineEnd;
        continue;
      }
      lineEnd = at;
      records += 1;
    }
    const endsInReturn = end > lineEnd && view[end - 1] === carriageReturn;
    if (end - lineEnd - (endsInReturn ? 1 : 0) > recordBytesMax) {
      this.#skipping = true;
      this.#skippedBytes = end - lineEnd;
      this.#skippedReturn = endsInReturn;
      end = lineEnd;
    }
    this.#lineEnd = lineEnd;
    this.#end = end;
    this.#records = records;
  }

  /** Takes bytes that lie elsewhere (read while no memory was to be had). Returns those that there is still no memory for. */
  copyIn(bytes: Uint8Array): Uint8Array {
    let rest = bytes;
    while (rest.length > 0) {
      const space = this.space();
      if (space === null) return rest;
      const part = rest.subarray(0, space.length);
      space.set(part);
      this.received(part.length);
      rest = rest.subarray(part.length);
    }
    return rest;
  }

  /** The blocks that are ready: at most one more than the slabs that were filled since the last call. */
  cut(): readonly CutBlock[] {
    this.#cutOpen();
    const blocks = this.#cut;
    this.#cut = [];
    return blocks;
  }

  /** The slab goes, and what it has of a line is copied. Nobody may be about to write into what `space()` gave. */
  giveBack(): void {
    const memory = this.#memory;
    if (memory === null) return;
    this.#cutOpen();
    this.#carried = memory.view.slice(this.#lineEnd, this.#end);
    memory.close();
    this.#memory = null;
    this.#start = this.#lineEnd = this.#end = 0;
  }

  /** The source has ended: what follows can't wait for memory, up to `finish`. */
  ends(): void {
    this.#ending = true;
  }

  /** The source has ended: a last line without an end counts as a line. */
  finish(): readonly CutBlock[] {
    this.#ending = true;
    if (this.#carried.length > 0) this.#roll();
    const memory = this.#memory;
    if (memory !== null && this.#end > this.#lineEnd) {
      memory.view[this.#end] = newline;
      this.#end += 1;
      this.#lineEnd = this.#end;
      this.#records += 1;
    }
    if (this.#skipping) this.#options.onRecordTooLarge(this.#skippedBytes);
    this.#skipping = false;
    const blocks = this.cut();
    memory?.close();
    this.#memory = null;
    this.#start = this.#lineEnd = this.#end = 0;
    this.#carried = nothing;
    this.#ending = false;
    return blocks;
  }

  #cutOpen(): void {
    if (this.#memory === null || this.#lineEnd === this.#start) return;
    this.#cut.push({ handle: this.#memory.commit(this.#start, this.#lineEnd - this.#start), records: this.#records });
    this.#start = this.#lineEnd;
    this.#records = 0;
  }

  /** A new slab; the partial line moves over, so that no line lies in two slabs. */
  #roll(): boolean {
    const next = this.#options.open(this.#ending);
    if (next === null) {
      this.giveBack();
      return false;
    }
    const old = this.#memory;
    let partial = this.#carried;
    if (old !== null) {
      this.#cutOpen();
      partial = old.view.subarray(this.#lineEnd, this.#end);
    }
    next.view.set(partial);
    old?.close();
    this.#carried = nothing;
    this.#end = partial.length;
    this.#start = this.#lineEnd = 0;
    this.#memory = next;
    this.#counter = new LineEndCounter(next.view);
    return true;
  }
}

/** Looked for from the end: half a line on average. `from - 1` where there is none. */
function lastNewline(bytes: Uint8Array, from: number, to: number): number {
  let at = to - 1;
  while (at >= from && bytes[at] !== newline) at -= 1;
  return at;
}
