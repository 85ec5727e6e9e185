/**
 * A file read from front to back, a chunk at a time.
 *
 * Invariant: at most one chunk is held, of `chunkBytes` or of the one piece that was asked for, where that is longer. What was given
 * away is never written over.
 */
import type { Disk } from '../disk.ts';

const chunkBytesDefault = 1024 * 1024;

export class ByteWindow {
  /** The file's length when it was opened. */
  readonly size: number;
  readonly file: string;
  readonly #disk: Disk;
  readonly #chunkBytes: number;
  #start = 0;
  #chunk: Uint8Array = new Uint8Array(0);

  constructor(disk: Disk, file: string, size: number, chunkBytes = chunkBytesDefault) {
    this.#disk = disk;
    this.file = file;
    this.size = size;
    this.#chunkBytes = chunkBytes;
  }

  /** The same as `read` where all of it is at hand; else null. A promise for each of many small frames would cost more than the rest. */
  peek(offset: number, bytes: number): Uint8Array | null {
    const start = offset - this.#start;
    return start >= 0 && start + bytes <= this.#chunk.length ? this.#chunk.subarray(start, start + bytes) : null;
  }

  /** `bytes` from `offset` on, fewer where the file ends before. */
  async read(offset: number, bytes: number): Promise<Uint8Array> {
    const end = Math.min(offset + bytes, this.size);
    if (offset >= end) return new Uint8Array(0);
    if (offset < this.#start || end > this.#start + this.#chunk.length) {
      this.#chunk = await this.#disk.read(this.file, offset, Math.min(this.size, Math.max(end, offset + this.#chunkBytes)));
      this.#start = offset;
    }
    return this.#chunk.subarray(offset - this.#start, end - this.#start);
  }

  /** What is at hand from `offset` on: at least one byte, unless the file ends there. */
  async readSome(offset: number): Promise<Uint8Array> {
    await this.read(offset, 1);
    return this.#chunk.subarray(Math.max(0, offset - this.#start));
  }
}
