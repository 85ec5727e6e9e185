/**
 * Sources that hold records: blocks in memory or on disk, and ranges of text files.
 *
 * Invariant: every line of a file belongs to exactly one split, the one in which its first byte lies; a line is never made a
 * string before it is known to be within the bound.
 */
import type { BlockRef } from '../../protocol/rdd.ts';
import { decodeRecords } from '../../protocol/codec.ts';
import { MillraceError } from '../../protocol/errors.ts';
import type { Feed } from './fuse.ts';
import type { Piece, TextBytes } from './piece.ts';
import { pieceOf, textPiece } from './piece.ts';
import { recordBytesMaxDefault } from './task-environment.ts';
import type { TaskFiles } from './task-environment.ts';
import type { TaskRun } from './task-run.ts';

/** Neighbours of one codec make one piece, each block read when its turn comes. */
export function sourcePieces(run: TaskRun, blocks: readonly BlockRef[]): readonly Piece[] {
  const pieces: Piece[] = [];
  let start = 0;
  for (let index = 1; index <= blocks.length; index += 1) {
    if (index < blocks.length && blocks[index]!.codec === blocks[start]!.codec) continue;
    const alike = blocks.slice(start, index);
    pieces.push(alike[0]!.codec === 'text' ? textPiece(textOf(run, (each) => eachBlock(run, alike, each))) : pieceOf('array', (feed) => feedRecords(run, alike, feed)));
    start = index;
  }
  return pieces;
}

export interface FileSplit {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

export function textFilePieces(run: TaskRun, splits: readonly FileSplit[]): readonly Piece[] {
  const each: TextBytes['each'] = (bytes) => {
    const { files } = run.env;
    for (const split of splits) {
      const more = forEachLineRange(files, split, run.env.recordBytesMax ?? recordBytesMaxDefault, (lines) => !bytes(lines));
      if (!more) return;
    }
  };
  return [textPiece(textOf(run, each))];
}

function eachBlock(run: TaskRun, blocks: readonly BlockRef[], each: (bytes: Uint8Array) => boolean): void {
  for (const block of blocks) {
    if (block.place !== null && each(run.env.read(block.place))) return;
  }
}

/** The remaining chunks of bytes that are wanted no more are decoded in vain, at most one block's. */
function textOf(run: TaskRun, each: TextBytes['each']): TextBytes {
  return {
    each,
    decoded: (bytes, feed) => {
      let ended = false;
      run.env.textChunks(bytes, (text) => {
        if (!ended) ended = feed(text);
      });
      return ended;
    },
  };
}

function feedRecords(run: TaskRun, blocks: readonly BlockRef[], feed: (feed: Feed) => boolean): void {
  for (const block of blocks) {
    if (block.place !== null && feed(run.frozen(decodeRecords(run.env.read(block.place))))) return;
  }
}

/** How much of a file is read at once. */
export const readBytes = 1024 * 1024;
/** How much at once beyond the split's end, where its last line is looked for. */
const readBeyondBytes = 64 * 1024;
const newline = 10;
const carriageReturn = 13;

/**
 * Calls `each` with whole lines of the split, some at a time, until it returns false; their memory is used again behind that. The split's first line begins behind
 * the first \n at or after start - 1; its last one is the one in which byte end - 1 lies, read to its end beyond `end`.
 *
 *      start          end
 *   ...x\n|aaa\nbbb\ncc|cc\ndd      the split's lines: aaa, bbb, cccc
 */
export function forEachLineRange(files: TaskFiles, split: FileSplit, recordBytesMax: number, each: (bytes: Uint8Array) => boolean, readBytesMax = readBytes): boolean {
  // A read is no longer than a record may be: so a line over the bound always spans two reads, and is seen before it is whole.
  const chunkBytes = Math.min(readBytesMax, recordBytesMax);
  let at = split.start === 0 ? 0 : lineStart(files, split.file, split.start - 1, split.end, chunkBytes);
  // What has been read of a line that is longer than a read, in parts.
  let open: Uint8Array[] = [];
  let openBytes = 0;
  // One for all reads: memory that is new for each costs more than the reading. Parts of a long line must outlive it.
  const buffer = new Uint8Array(Math.min(chunkBytes, Math.max(0, split.end - at) + readBeyondBytes));
  while (at < split.end || openBytes > 0) {
    const chunk = files.readRange(split.file, at, Math.min(at + chunkBytes, Math.max(at, split.end) + readBeyondBytes), buffer);
    if (chunk.length === 0) break;
    const { cut, last } = cutOf(chunk, split.end - at);
    const inChunk = cut >= 0 ? chunk.indexOf(newline) : chunk.length;
    // A \r before the end is a part of it, or may become one with the next read.
    const lastByte = inChunk > 0 ? chunk[inChunk - 1] : open.at(-1)?.at(-1);
    if (openBytes + inChunk - (lastByte === carriageReturn ? 1 : 0) > recordBytesMax) throw lineTooLarge(split.file, at - openBytes, recordBytesMax);
    if (cut < 0) {
      open.push(chunk.slice());
      openBytes += chunk.length;
      at += chunk.length;
      continue;
    }
    if (!each(joined(open, chunk.subarray(0, cut + 1)))) return false;
    if (last) return true;
    open = [];
    openBytes = 0;
    // The line behind is read again, with the next ones: that is less than putting it together.
    at += cut + 1;
  }
  return openBytes === 0 || each(joined(open, new Uint8Array(0)));
}

/** The index of the last \n of the chunk that ends a line of the split (-1: none), and whether that line is the split's last. `left`: bytes to the split's end. */
function cutOf(chunk: Uint8Array, left: number): { readonly cut: number; readonly last: boolean } {
  const inside = Math.min(chunk.length, Math.max(0, left));
  const cut = inside === 0 ? -1 : chunk.lastIndexOf(newline, inside - 1);
  if (left > chunk.length) return { cut, last: false };
  if (inside > 0 && cut === inside - 1) return { cut, last: true };
  // The split's last line goes on beyond its end.
  const beyond = chunk.indexOf(newline, inside);
  return beyond >= 0 ? { cut: beyond, last: true } : { cut, last: false };
}

function lineTooLarge(file: string, offset: number, recordBytesMax: number): MillraceError {
  return new MillraceError('RecordTooLarge', `${file} has a line of more than ${recordBytesMax} bytes at byte ${offset}. Raise recordBytesMax, or split the line at its source.`, {
    details: { file, offset, recordBytesMax },
  });
}

/** Where the first line begins that begins behind a \n at `from` or later; `end` where there is none before it. */
function lineStart(files: TaskFiles, file: string, from: number, end: number, chunkBytes: number): number {
  for (let at = from; at < end; ) {
    const chunk = files.readRange(file, at, Math.min(at + chunkBytes, end));
    if (chunk.length === 0) return end;
    const found = chunk.indexOf(newline);
    if (found >= 0) return at + found + 1;
    at += chunk.length;
  }
  return end;
}

function joined(parts: readonly Uint8Array[], last: Uint8Array): Uint8Array {
  if (parts.length === 0) return last;
  let bytes = last.length;
  for (const part of parts) bytes += part.length;
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const part of [...parts, last]) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
