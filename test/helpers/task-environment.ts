/**
 * A task's surroundings in memory, for tests: handles are numbers of a Map, files are a Map of names.
 *
 * Invariant: nothing is read but what was written before; a handle that was dropped reads as `StaleHandle`.
 */
import type { BlockRef, FunctionRef, SharedHandle } from '../../protocol/rdd.ts';
import { encodePairs, encodeRecords, decodePairs, decodeRecords } from '../../protocol/codec.ts';
import { MillraceError } from '../../protocol/errors.ts';
import { asBlockId } from '../../protocol/ids.ts';
import type { LoopCache } from '../../lib/rdd/fuse.ts';
import type { WordDictionary } from '../../lib/rdd/text/word-dictionary.ts';
import { resolveBuiltin } from '../../lib/rdd/derived-functions.ts';
import type { BytesPlace, TaskEnvironment } from '../../lib/rdd/task-environment.ts';
import { forEachTextChunk } from '../../lib/storage/text-lines.ts';

type AnyFunction = (...args: never[]) => unknown;

export interface TestEnvironmentOptions {
  readonly loops?: LoopCache;
  /** Bytes of one text chunk: small ones test the seams. */
  readonly chunkBytes?: number;
  readonly recordBytesMax?: number;
  /** Bytes that may be written in all. */
  readonly memoryBytesMax?: number;
  readonly onAlive?: (records: number) => void;
  readonly recognizeClosures?: boolean;
  readonly freeze?: (record: unknown) => void;
  readonly words?: WordDictionary;
}

export class TestEnvironment implements TaskEnvironment {
  readonly files: TaskEnvironment['files'];
  readonly fileBytes = new Map<string, Uint8Array>();
  /** All places that were read, in order. */
  readonly reads: BytesPlace[] = [];
  readonly loops?: LoopCache;
  readonly recordBytesMax?: number;
  readonly recognizeClosures?: boolean;
  readonly freeze?: (record: unknown) => void;
  readonly words?: WordDictionary;
  readonly #options: TestEnvironmentOptions;
  readonly #bytes = new Map<number, Uint8Array>();
  readonly #functions: AnyFunction[] = [];
  #handles = 0;
  #written = 0;
  #nowMs = 0;

  constructor(options: TestEnvironmentOptions = {}) {
    this.#options = options;
    if (options.loops !== undefined) this.loops = options.loops;
    if (options.recognizeClosures !== undefined) this.recognizeClosures = options.recognizeClosures;
    if (options.words !== undefined) this.words = options.words;
    if (options.freeze !== undefined) this.freeze = options.freeze;
    if (options.recordBytesMax !== undefined) this.recordBytesMax = options.recordBytesMax;
    this.files = {
      readRange: (file, start, end) => this.#file(file).subarray(start, end),
      size: (file) => this.#file(file).length,
      writeAtomically: (path, bytes) => void this.fileBytes.set(path, bytes.slice()),
    };
  }

  /** A reference to a function of the test. */
  fn(fn: AnyFunction): FunctionRef {
    return { kind: 'local', index: this.#functions.push(fn) - 1 };
  }

  resolve(ref: FunctionRef): AnyFunction {
    if (ref.kind === 'builtin') return resolveBuiltin(ref, (inner) => this.resolve(inner));
    return this.#functions[ref.kind === 'local' ? ref.index : -1]!;
  }

  read(place: BytesPlace): Uint8Array {
    this.reads.push(place);
    const bytes = 'slab' in place ? this.#bytes.get(place.slab) : this.#file(place.file).subarray(place.offset, place.offset + place.bytes);
    if (bytes === undefined) throw new MillraceError('StaleHandle', 'The test has dropped this handle.');
    return bytes;
  }

  write(bytes: number): { readonly view: Uint8Array; done(): SharedHandle } {
    this.#written += bytes;
    if (this.#written > (this.#options.memoryBytesMax ?? Infinity)) throw new MillraceError('BlockMemoryExhausted', 'The test gives no more memory.');
    const view = new Uint8Array(new SharedArrayBuffer(bytes));
    return { view, done: () => this.#handle(view) };
  }

  textChunks(bytes: Uint8Array, each: (text: string) => void): void {
    forEachTextChunk(bytes, each, this.#options.chunkBytes);
  }

  alive(records: number): void {
    this.#options.onAlive?.(records);
  }

  now(): number {
    this.#nowMs += 5;
    return this.#nowMs;
  }

  recordsBlock(records: readonly unknown[]): BlockRef {
    return this.#block('records', encodeRecords(records), records.length);
  }

  textBlock(text: string | Uint8Array): BlockRef {
    return this.#block('text', typeof text === 'string' ? new TextEncoder().encode(text) : text, -1);
  }

  bucket(pairs: readonly (readonly [unknown, unknown])[]): SharedHandle | null {
    return pairs.length === 0 ? null : this.#handle(encodePairs(pairs.map(([key]) => key), pairs.map(([, value]) => value)));
  }

  /** What a bucket of pairs holds. */
  pairsOf(place: BytesPlace | null): unknown[] {
    if (place === null) return [];
    const { keys, values } = decodePairs(this.read(place));
    return keys.map((key, index) => [key, values[index]]);
  }

  recordsOf(block: BytesPlace | BlockRef | null): unknown[] {
    const place = block !== null && 'codec' in block ? block.place : block;
    return place === null ? [] : decodeRecords(this.read(place));
  }

  drop(place: BytesPlace | null): void {
    if (place !== null && 'slab' in place) this.#bytes.delete(place.slab);
  }

  #block(codec: BlockRef['codec'], bytes: Uint8Array, records: number): BlockRef {
    const place = bytes.length === 0 ? null : this.#handle(bytes);
    return { id: asBlockId(`block-${this.#handles}`), codec, place, records };
  }

  #handle(bytes: Uint8Array): SharedHandle {
    this.#handles += 1;
    this.#bytes.set(this.#handles, bytes);
    return { slab: this.#handles, offset: 0, bytes: bytes.length, generation: 1 };
  }

  #file(file: string): Uint8Array {
    const bytes = this.fileBytes.get(file);
    if (bytes === undefined) throw new MillraceError('FileFailed', `The test has no file ${file}.`);
    return bytes;
  }
}
