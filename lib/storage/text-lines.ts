/**
 * Blocks of text (utf8 lines) to strings, in chunks: the fused loop splits a chunk at its line ends.
 *
 * Invariant: the chunks are the block's text, in order and without a gap, and no line lies in two of them. Each chunk ends
 * with a line end, the block's last one perhaps without. A line longer than a chunk is a chunk of its own.
 *
 *   bytes   | ..line\n ..line\n ..li | ne\n ..line\n
 *   chunks  |---- <= 64 KiB ----|------- ...
 *
 * A short string that is cut from a chunk keeps the whole chunk alive in V8, which is why chunks are small: a record that
 * a program keeps holds 64 KiB at most.
 */
import { isAscii } from 'node:buffer';
import { textBufferOf } from '../../protocol/text-buffer.ts';

export const textChunkBytes = 64 * 1024;

const lineEnd = 0x0a;

/** Works on views over shared memory. Bytes that are no utf8 become U+FFFD, as a whole decoding would have them. */
export function forEachTextChunk(bytes: Uint8Array, each: (text: string) => void, chunkBytes = textChunkBytes): void {
  const buffer = textBufferOf(bytes);
  let start = 0;
  while (start < buffer.length) {
    const end = chunkEnd(buffer, start, chunkBytes);
    // One look over the bytes pays for itself: reading them as Latin-1 is twice as fast as decoding utf8.
    each(isAscii(buffer.subarray(start, end)) ? buffer.latin1Slice(start, end) : buffer.utf8Slice(start, end));
    start = end;
  }
}

function chunkEnd(buffer: Uint8Array, start: number, chunkBytes: number): number {
  const end = start + chunkBytes;
  if (end >= buffer.length) return buffer.length;
  const lastInside = buffer.lastIndexOf(lineEnd, end - 1);
  if (lastInside >= start) return lastInside + 1;
  const firstBeyond = buffer.indexOf(lineEnd, end);
  return firstBeyond < 0 ? buffer.length : firstBeyond + 1;
}
