/**
 * What the log writes, byte by byte: version 1. Numbers are little-endian.
 *
 *   a segment, DIR/(first sequence, 20 digits).log
 *   ┌────────┬────────┬─────────┬─────────┬── ... ──┬─────────┐
 *   │ header │ header │  frame  │  frame  │         │  frame  │      the header twice: one damaged bit in it costs nothing
 *   └────────┴────────┴─────────┴─────────┴── ... ──┴─────────┘
 *
 *   header, 32 bytes
 *   0          8         10      12         16               24       28       32
 *   ├──────────┼─────────┼───────┼──────────┼────────────────┼────────┼────────┤
 *   │ millrlog │ version │ flags │ 0        │ first sequence │ salt   │ crc    │   crc: crc32c of the 28 bytes before it
 *   └──────────┴─────────┴───────┴──────────┴────────────────┴────────┴────────┘
 *     flags: 1 = its writer syncs; 2 = it was complete, and synced, when it got its name
 *
 *   frame, 24 bytes and its body
 *   0        1      2       3   4            8          16       20           20 + bytes    24 + bytes
 *   ├────────┼──────┼───────┼───┼────────────┼──────────┼────────┼────── ... ─┼─────────────┤
 *   │ 0xd7   │ type │ flags │ 0 │ body bytes │ sequence │ crc    │ body       │ body's crc  │
 *   └────────┴──────┴───────┴───┴────────────┴──────────┴────────┴────── ... ─┴─────────────┘
 *     type: 0 is the log's own (see `gapType`); flags: 1 = what stands before this frame was synced when this was written
 *     crc: crc32c of the 16 bytes before it, going on from the segment's header's crc; body's crc: of the body, going on from this crc
 *
 * So a frame is valid only in the segment, and a body only behind the header, for which it was written: stale or misplaced bytes are not taken
 * for it. Its first and last byte, and those of its header, are never 0 (of each crc's last byte two bits are set): a sector of zeros
 * that reaches into a frame is told from bits that changed. Body bytes have a checksum of their own header's, so that a length is never believed
 * that is none.
 *
 * Invariant: numbers of types and flags are never used again for something else; a change of this form is another version.
 */
import { crc32c } from '../crc32c.ts';

export const formatVersion = 1;
export const segmentHeaderBytes = 64;
export const frameHeaderBytes = 20;
/** A frame's bytes beyond its body's. */
export const frameOverheadBytes = 24;
/** The longest body. Looked at before memory is taken for it. */
export const bodyBytesMax = 256 * 1024 * 1024;
/** A frame whose body is the sequence number at which the log goes on: what is between was lost, and set aside when it was asked for. */
export const gapType = 0;

export const segmentFlags = { synced: 1, whole: 2 } as const;
export const frameFlags = { behindSync: 1 } as const;

const magic = Buffer.from('millrlog', 'latin1');
const oneHeaderBytes = segmentHeaderBytes / 2;
export const frameMarker = 0xd7;
/** Two bits of the last byte: no single one that changes can make it 0. */
const neverZero = 0x1100_0000;

export interface SegmentHeader {
  readonly version: number;
  readonly flags: number;
  readonly first: number;
  /** The header's own checksum: from it the frames' go on. */
  readonly seed: number;
}

/** `salt`: tells segments of the same first sequence number apart. */
export function encodeSegmentHeader({ first, flags, salt }: { readonly first: number; readonly flags: number; readonly salt: number }): Buffer {
  const bytes = Buffer.alloc(segmentHeaderBytes);
  bytes.set(magic);
  bytes.writeUInt16LE(formatVersion, 8);
  bytes.writeUInt16LE(flags, 10);
  bytes.writeBigUInt64LE(BigInt(first), 16);
  bytes.writeUInt32LE(salt, 24);
  bytes.writeUInt32LE(crc32c([bytes.subarray(0, 28)]), 28);
  bytes.copy(bytes, oneHeaderBytes, 0, oneHeaderBytes);
  return bytes;
}

/** The first of the two that is whole; null: neither is. Its version is for the caller to look at. */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | null {
  for (const at of [0, oneHeaderBytes]) {
    if (bytes.length < at + oneHeaderBytes) continue;
    const one = Buffer.from(bytes.buffer, bytes.byteOffset + at, oneHeaderBytes);
    const seed = one.readUInt32LE(28);
    if (!one.subarray(0, magic.length).equals(magic) || crc32c([one.subarray(0, 28)]) !== seed) continue;
    const first = Number(one.readBigUInt64LE(16));
    if (Number.isSafeInteger(first)) return { version: one.readUInt16LE(8), flags: one.readUInt16LE(10), first, seed };
  }
  return null;
}

export interface FrameHeader {
  readonly type: number;
  readonly flags: number;
  readonly bodyBytes: number;
  readonly sequence: number;
  readonly crc: number;
}

/** The frame as parts: header, body's parts as they are, trailer. */
export function encodeFrame(seed: number, { type, flags, sequence }: { readonly type: number; readonly flags: number; readonly sequence: number }, body: readonly Uint8Array[]): Uint8Array[] {
  const ends = Buffer.allocUnsafe(frameOverheadBytes);
  ends[0] = frameMarker;
  ends[1] = type;
  ends[2] = flags;
  ends[3] = 0;
  ends.writeUInt32LE(bytesOf(body), 4);
  // Below 2^53, in two halves: a BigInt for each frame would cost more than the rest.
  ends.writeUInt32LE(sequence % 0x1_0000_0000, 8);
  ends.writeUInt32LE(Math.floor(sequence / 0x1_0000_0000), 12);
  const crc = headerCrc(seed, ends);
  ends.writeUInt32LE(crc, 16);
  ends.writeUInt32LE(bodyCrc(crc, body), frameHeaderBytes);
  return [ends.subarray(0, frameHeaderBytes), ...body, ends.subarray(frameHeaderBytes)];
}

/** Of the frame that begins at `at`; null: there is none, or the bytes end before its header does. */
export function decodeFrameHeader(seed: number, bytes: Uint8Array, at = 0): FrameHeader | null {
  if (bytes[at] !== frameMarker || bytes.length < at + frameHeaderBytes) return null;
  const header = Buffer.from(bytes.buffer, bytes.byteOffset + at, frameHeaderBytes);
  const crc = header.readUInt32LE(16);
  if (headerCrc(seed, header) !== crc) return null;
  const bodyBytes = header.readUInt32LE(4);
  const sequence = header.readUInt32LE(12) * 0x1_0000_0000 + header.readUInt32LE(8);
  if (bodyBytes > bodyBytesMax || !Number.isSafeInteger(sequence)) return null;
  return { type: header[1]!, flags: header[2]!, bodyBytes, sequence, crc };
}

/** `rest`: what follows the header, the body and its checksum. */
export function isBodyOf(header: FrameHeader, rest: Uint8Array): boolean {
  const body = rest.subarray(0, header.bodyBytes);
  return Buffer.from(rest.buffer, rest.byteOffset, rest.length).readUInt32LE(header.bodyBytes) === bodyCrc(header.crc, [body]);
}

export function bytesOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((bytes, part) => bytes + part.length, 0);
}

function headerCrc(seed: number, header: Uint8Array): number {
  return (crc32c([header.subarray(0, 16)], seed) | neverZero) >>> 0;
}

function bodyCrc(crc: number, body: readonly Uint8Array[]): number {
  return (crc32c(body, crc) | neverZero) >>> 0;
}
