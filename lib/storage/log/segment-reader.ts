/**
 * The frames of one segment, and what it is that ends them.
 *
 *   complete   the file ends behind a frame
 *   torn       a write that did not come to its end: the file ends within the frame, or a sector of it was never written and reads as zeros,
 *              and no frame behind it says that this one had been synced
 *   damaged    anything else: bits that changed, a frame of another place, bytes that are gone in front of what was synced later
 *
 *   one group, written at once, sectors on the disk in any order            the next group says: all before me was synced
 *   ┌─────────┬─ 0 0 0 0 ─┬─────────┐                                       ┌─────────┬─ 0 0 0 0 ─┬─────────╥─────────┐
 *   │ frame 7 │  frame 8  │ frame 9 │  torn behind 7: never acknowledged    │ frame 7 │  frame 8  │ frame 9 ║ frame 10│  damaged
 *   └─────────┴───────────┴─────────┘                                       └─────────┴───────────┴─────────╨─────────┘
 *
 * A frame that was acknowledged is never taken for torn because bits of it changed: its first and last byte are no zeros, so that a
 * sector that was never written is told apart (lib/storage/log/frame.ts). What can't be told apart is a last group of which the disk itself has
 * made zeros, or that somebody cut off.
 *
 * Invariant: memory is bounded by one chunk and one frame.
 */
import { ByteWindow } from './byte-window.ts';
import { decodeFrameHeader, frameFlags, frameHeaderBytes, frameMarker, frameOverheadBytes, gapType, isBodyOf, segmentFlags, segmentHeaderBytes } from './frame.ts';
import type { FrameHeader } from './frame.ts';
import type { Disk } from '../disk.ts';
import type { Segment } from './segment.ts';

export interface LogFrame {
  readonly sequence: number;
  readonly type: number;
  /** Its own bytes: may be kept. */
  readonly body: Uint8Array;
  readonly file: string;
  /** Of the body in the file. */
  readonly offset: number;
}

export type SegmentEndKind = 'complete' | 'torn' | 'damaged';

export interface SegmentEnd {
  readonly kind: SegmentEndKind;
  /** Of the frame that would have come next. */
  readonly nextSequence: number;
  /** Where the last good frame ends. */
  readonly offset: number;
  /** The frames from here on are in the last group that was written: nothing in the segment says that they were synced. Null: none says. */
  readonly lastGroup: { readonly sequence: number; readonly offset: number } | null;
  /** The next good frame behind what is no frame; null where there is none. */
  readonly found: FoundFrame | null;
}

export interface FoundFrame {
  readonly offset: number;
  readonly sequence: number;
}

export interface SegmentReading {
  readonly disk: Disk;
  readonly segment: Segment;
  /** From here on another segment counts. */
  readonly limit: number;
  readonly onFrame: (frame: LogFrame) => void | Promise<void>;
  /** Where to begin, and with which number, if not at the front. */
  readonly from?: FoundFrame;
  readonly chunkBytes?: number;
}

const sectorBytes = 512;
/** How far a frame's number can lie behind the one expected, to be taken for one of this log. */
const sequenceAheadMax = 2 ** 40;

/** Reads to the first frame that is none, or to the limit. The segment's header is whole. */
export async function readSegment({ disk, segment, limit, onFrame, from, chunkBytes }: SegmentReading): Promise<SegmentEnd> {
  const { seed, first, flags } = segment.header!;
  const window = new ByteWindow(disk, segment.file, segment.bytes, chunkBytes);
  let offset = from?.offset ?? segmentHeaderBytes;
  let expected = from?.sequence ?? first;
  let lastGroup: SegmentEnd['lastGroup'] = null;
  while (expected < limit && offset < window.size) {
    const header = decodeFrameHeader(seed, window.peek(offset, frameHeaderBytes) ?? (await window.read(offset, frameHeaderBytes)));
    const frame = header === null || header.sequence !== expected ? null : (bodyAtHand(window, offset, header) ?? (await bodyAt(window, offset, header)));
    if (header === null || frame === null) {
      const found = await findFrame(window, seed, offset + 1, expected);
      const isTorn = (header === null || header.sequence === expected) && (await isUnwritten(window, offset, header)) && !(await wasSynced(window, seed, found)) && (flags & segmentFlags.whole) === 0;
      return { kind: isTorn ? 'torn' : 'damaged', nextSequence: expected, offset, lastGroup, found };
    }
    if ((header.flags & frameFlags.behindSync) !== 0) lastGroup = { sequence: expected, offset };
    if (header.type === gapType) {
      expected = gapEnd(frame);
    } else {
      const taken = onFrame({ sequence: expected, type: header.type, body: frame, file: segment.file, offset: offset + frameHeaderBytes });
      if (taken !== undefined) await taken;
      expected += 1;
    }
    offset += frame.length + frameOverheadBytes;
  }
  return { kind: 'complete', nextSequence: expected, offset, lastGroup, found: null };
}

/** A gap's body. */
export function encodeGap(nextSequence: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeBigUInt64LE(BigInt(nextSequence));
  return body;
}

function gapEnd(body: Uint8Array): number {
  return Number(Buffer.from(body.buffer, body.byteOffset, body.length).readBigUInt64LE());
}

/** Null: it is not the header's body, or not all of it is in the window's chunk. */
function bodyAtHand(window: ByteWindow, offset: number, header: FrameHeader): Uint8Array | null {
  const rest = window.peek(offset + frameHeaderBytes, header.bodyBytes + frameOverheadBytes - frameHeaderBytes);
  return rest !== null && isBodyOf(header, rest) ? rest.subarray(0, header.bodyBytes) : null;
}

/** Null: it is not the header's body, or not all of it is there. */
async function bodyAt(window: ByteWindow, offset: number, header: FrameHeader): Promise<Uint8Array | null> {
  // Looked at before memory is taken for it.
  if (offset + frameOverheadBytes + header.bodyBytes > window.size) return null;
  const rest = await window.read(offset + frameHeaderBytes, header.bodyBytes + frameOverheadBytes - frameHeaderBytes);
  if (rest.length < header.bodyBytes + frameOverheadBytes - frameHeaderBytes || !isBodyOf(header, rest)) return null;
  return rest.subarray(0, header.bodyBytes);
}

/**
 * Whether the frame at `offset` is none because it was not written to its end. `header`: null where it has none. Looks at the parts of it that
 * lie in one sector each: of a whole frame none consists of zeros, but where its body holds a sector of them.
 */
async function isUnwritten(window: ByteWindow, offset: number, header: FrameHeader | null): Promise<boolean> {
  const end = offset + (header === null ? frameHeaderBytes : header.bodyBytes + frameOverheadBytes);
  if (end > window.size) return true;
  let start = header === null ? offset : sectorEnd(offset + frameHeaderBytes - 1);
  while (start < end) {
    const pieceEnd = Math.min(end, sectorEnd(start));
    if (isZeros(await window.read(start, pieceEnd - start))) return true;
    start = pieceEnd;
  }
  return false;
}

function sectorEnd(offset: number): number {
  return (Math.floor(offset / sectorBytes) + 1) * sectorBytes;
}

function isZeros(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** The first good frame at `from` or behind it whose number is not below `expected`. */
async function findFrame(window: ByteWindow, seed: number, from: number, expected: number): Promise<FoundFrame | null> {
  let offset = from;
  while (offset < window.size) {
    const some = await window.readSome(offset);
    if (some.length === 0) return null;
    const marker = some.indexOf(frameMarker);
    if (marker < 0) {
      offset += some.length;
      continue;
    }
    offset += marker;
    const header = decodeFrameHeader(seed, await window.read(offset, frameHeaderBytes));
    if (header !== null && header.sequence >= expected && header.sequence < expected + sequenceAheadMax && (await bodyAt(window, offset, header)) !== null) {
      return { offset, sequence: header.sequence };
    }
    offset += 1;
  }
  return null;
}

/** Whether one of the frames from `found` on says that what is before it had been synced. */
async function wasSynced(window: ByteWindow, seed: number, found: FoundFrame | null): Promise<boolean> {
  let next = found;
  while (next !== null) {
    const header = decodeFrameHeader(seed, await window.read(next.offset, frameHeaderBytes));
    if (header === null) return false;
    if ((header.flags & frameFlags.behindSync) !== 0) return true;
    next = await findFrame(window, seed, next.offset + header.bodyBytes + frameOverheadBytes, header.sequence + 1);
  }
  return false;
}
