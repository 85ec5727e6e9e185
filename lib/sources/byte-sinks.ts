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
import type { RecordBlockBuilderOptions } from './record-block-builder.ts';
import type { ByteSink } from './socket-bytes-source.ts';
import type { SourceBlock } from './source.ts';

type AllocateBlock = (bytes: number) => { readonly handle: SharedHandle; readonly view: Uint8Array } | null;

const frameHeaderBytes = 4;

export class DecoderSink implements ByteSink {
  readonly #decoder: StreamDecoder<unknown>;
  readonly #builder: RecordBlockBuilder;

  constructor(decoder: StreamDecoder<unknown>, options: RecordBlockBuilderOptions) {
    this.#decoder = decoder;
    this.#builder = new RecordBlockBuilder(options);
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
  /** Joined only when the next frame is whole, so that a large one is copied once. */
  #chunks: Uint8Array[] = [];
  #chunkBytes = 0;
  /** Bytes without which there is nothing to do. */
  #needBytes = frameHeaderBytes;
  #blocks: SourceBlock[] = [];

  constructor(allocate: AllocateBlock, frameBytesMax: number, countRecords: (block: Uint8Array) => number) {
    this.#allocate = allocate;
    this.#frameBytesMax = frameBytesMax;
    this.#countRecords = countRecords;
  }

  push(chunk: Uint8Array): boolean {
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    return this.#take();
  }

  finish(): void {
    // A frame without its end is no block: the sender sends it again to the next connection, or never had it accepted.
    this.#keep(new Uint8Array(0), frameHeaderBytes);
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
    if (this.#chunkBytes < this.#needBytes) return true;
    let rest = this.#chunks.length === 1 ? (this.#chunks[0] as Uint8Array) : Buffer.concat(this.#chunks);
    for (;;) {
      if (rest.length < frameHeaderBytes) return this.#keep(rest, frameHeaderBytes);
      const bytes = new DataView(rest.buffer, rest.byteOffset, rest.length).getUint32(0);
      if (bytes > this.#frameBytesMax) {
        throw new MillraceError('RecordTooLarge', `Expected a frame of at most ${this.#frameBytesMax} bytes; got one that says ${bytes}. Send smaller blocks, or check that the sender speaks this form.`);
      }
      if (rest.length < frameHeaderBytes + bytes) return this.#keep(rest, frameHeaderBytes + bytes);
      if (bytes > 0) {
        const body = rest.subarray(frameHeaderBytes, frameHeaderBytes + bytes);
        const records = this.#countRecords(body);
        const allocated = this.#allocate(bytes);
        if (allocated === null) {
          this.#keep(rest, frameHeaderBytes + bytes);
          return false;
        }
        allocated.view.set(body);
        this.#blocks.push({ codec: 'records', place: allocated.handle, records });
      }
      rest = rest.subarray(frameHeaderBytes + bytes);
    }
  }

  #keep(rest: Uint8Array, needBytes: number): true {
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#chunkBytes = rest.length;
    this.#needBytes = needBytes;
    return true;
  }
}
