/**
 * What the disk has done to a file while nothing ran: a bit is another one, bytes are missing in the middle, or the file is.
 *
 * Invariant: it can be told from a write that did not come to its end: it is in a checkpoint, or in a segment of a log that is not the last of it.
 */
import type { Prng } from '../../lib/base/prng.ts';
import { decodeFrameHeader, decodeSegmentHeader, frameHeaderBytes, frameOverheadBytes, segmentHeaderBytes } from '../../lib/storage/log/frame.ts';
import { segmentsAmong } from '../../lib/storage/log/segment.ts';
import type { SimulatedDisk } from '../../lib/storage/simulated-disk.ts';

export interface Damage {
  readonly text: string;
  /** As it was before, where nobody has replaced it meanwhile. */
  mend(): void;
}

/** Null: there is nothing yet that could be damaged. */
export function damageOne(disk: SimulatedDisk, prng: Prng): Damage | null {
  const files = disk.filesBelow('').filter((path) => path.startsWith('/checkpoints/') && !path.endsWith('.writing') && disk.files.size(path) > 0);
  const logs = ['/checkpoints/log', '/checkpoints/state'].map((folder) => {
    const names = files.filter((path) => path.startsWith(`${folder}/`)).map((path) => path.slice(folder.length + 1));
    return segmentsAmong(folder, names).slice(0, -1).map(({ file }) => file);
  });
  const candidates = [files.filter((path) => path.startsWith('/checkpoints/checkpoint-')), ...logs].filter((some) => some.length > 0);
  if (candidates.length === 0) return null;
  const path = prng.pick(prng.pick(candidates));
  const before = bytesOf(disk, path);
  const offset = prng.int(before.length);
  const kind = logs.flat().includes(path) ? prng.pick(['bit', 'cut', 'removed'] as const) : prng.pick(['bit', 'cut'] as const);
  const text = kind === 'removed' ? remove(disk, path) : kind === 'bit' ? flip(disk, path, offset, prng.int(8)) : cut(disk, path, pieceOf(before, offset, prng));
  const damaged = disk.filesBelow('').includes(path) ? bytesOf(disk, path) : null;
  return {
    text,
    mend() {
      const now = disk.filesBelow('').includes(path) ? bytesOf(disk, path) : null;
      if (damaged === null ? now === null : now?.equals(damaged) === true) disk.replace(path, before);
    },
  };
}

function flip(disk: SimulatedDisk, path: string, offset: number, bit: number): string {
  disk.flipBit(path, offset, bit);
  return `bit ${bit} of byte ${offset} of ${path} changed`;
}

function remove(disk: SimulatedDisk, path: string): string {
  disk.vanish(path);
  return `${path} was removed`;
}

function cut(disk: SimulatedDisk, path: string, [start, end]: readonly [number, number]): string {
  const bytes = bytesOf(disk, path);
  disk.replace(path, Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]));
  return `bytes ${start} to ${end} of ${path} were cut out`;
}

/** Of a log a whole frame, half of the time: what is left looks like a log then. */
function pieceOf(bytes: Buffer, offset: number, prng: Prng): readonly [number, number] {
  const anywhere = [offset, Math.min(bytes.length, offset + 1 + prng.int(100))] as const;
  const frames = framesOf(bytes);
  return frames.length < 2 || prng.int(2) === 0 ? anywhere : prng.pick(frames.slice(0, -1));
}

/** From where to where its frames are. None: it is no segment. */
function framesOf(bytes: Buffer): (readonly [number, number])[] {
  const header = decodeSegmentHeader(bytes);
  const frames: (readonly [number, number])[] = [];
  for (let offset = segmentHeaderBytes; header !== null && offset + frameHeaderBytes <= bytes.length; ) {
    const frame = decodeFrameHeader(header.seed, bytes, offset);
    if (frame === null) break;
    frames.push([offset, offset + frame.bodyBytes + frameOverheadBytes]);
    offset += frame.bodyBytes + frameOverheadBytes;
  }
  return frames;
}

function bytesOf(disk: SimulatedDisk, path: string): Buffer {
  return Buffer.from(disk.files.readRange(path, 0, disk.files.size(path)));
}
