/**
 * The two things that bytes from a socket can become: records by a user's decoder, or ready blocks in frames.
 *
 * Invariant: what was pushed and not yet cut is held here, in order.
 *
 *   a frame of rawSocketStream:  | length u32 big-endian | that many bytes: one block of encoded records |
 */
import { MillraceError } from '../../protocol/errors.ts';
import type { SharedHandle } from '../../protocol/rdd.ts';
import type { StreamDecoder } from '../dstream/input.ts';
import { RecordBlockBuilder } from './record-block-builder.ts';
import type { ByteSink } from './socket-bytes-source.ts';
import type { SourceBlock } from './source.ts';

type AllocateBlock = (bytes: number) => { readonly handle: SharedHandle; readonly view: Uint8Array } | null;

export class DecoderSink implements ByteSink {
  readonly #decoder: StreamDecoder<unknown>;
  readonly #builder: RecordBlockBuilder;

  constructor(decoder: StreamDecoder<unknown>, allocate: AllocateBlock, recordsMax: number) {
    this.#decoder = decoder;
    this.#builder = new RecordBlockBuilder({ allocate, recordsMax });
  }

  push(chunk: Uint8Array): boolean {
    let more = true;
    for (const record of this.#decoder.decode(chunk)) more = this.#builder.add(record) && more;
    return more && !this.#builder.exhausted;
  }

  finish(): void {
    for (const record of this.#decoder.end?.() ?? []) this.#builder.add(record);
  }

  ready(): boolean {
    return !this.#builder.exhausted;
  }

  cut(): readonly SourceBlock[] {
    return this.#builder.cut();
  }
}

export class FrameSink implements ByteSink {
  readonly #allocate: AllocateBlock;
  readonly #frameBytesMax: number;
  readonly #countRecords: (block: Uint8Array) => number;
  #rest: Uint8Array = new Uint8Array(0);
  #blocks: SourceBlock[] = [];

  constructor(allocate: AllocateBlock, frameBytesMax: number, countRecords: (block: Uint8Array) => number) {
    this.#allocate = allocate;
    this.#frameBytesMax = frameBytesMax;
    this.#countRecords = countRecords;
  }

  push(chunk: Uint8Array): boolean {
    if (this.#rest.length === 0) {
      this.#rest = chunk;
    } else {
      const joined = new Uint8Array(this.#rest.length + chunk.length);
      joined.set(this.#rest);
      joined.set(chunk, this.#rest.length);
      this.#rest = joined;
    }
    return this.#take();
  }

  finish(): void {
    // A frame without its end is no block: the sender sends it again to the next connection, or never had it accepted.
    this.#rest = new Uint8Array(0);
  }

  ready(): boolean {
    return this.#take();
  }

  cut(): readonly SourceBlock[] {
    const blocks = this.#blocks;
    this.#blocks = [];
    return blocks;
  }

  #take(): boolean {
    for (;;) {
      const { length } = this.#rest;
      if (length < 4) return true;
      const bytes = new DataView(this.#rest.buffer, this.#rest.byteOffset, length).getUint32(0);
      if (bytes > this.#frameBytesMax) {
        throw new MillraceError('RecordTooLarge', `Expected a frame of at most ${this.#frameBytesMax} bytes; got one that says ${bytes}. Send smaller blocks, or check that the sender speaks this form.`);
      }
      if (length < 4 + bytes) return true;
      if (bytes > 0) {
        const body = this.#rest.subarray(4, 4 + bytes);
        const records = this.#countRecords(body);
        const allocated = this.#allocate(bytes);
        if (allocated === null) return false;
        allocated.view.set(body);
        this.#blocks.push({ codec: 'records', place: allocated.handle, records });
      }
      this.#rest = this.#rest.subarray(4 + bytes);
    }
  }
}
