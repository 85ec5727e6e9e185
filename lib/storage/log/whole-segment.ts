/**
 * A segment that appears with all its content, or not at all: made of frames of another one, under a name of its own.
 *
 * Invariant: what is renamed to a segment's name has been synced, with its flag `whole`; its directory is synced before this resolves.
 */
import type { Clock } from '../../base/clock.ts';
import type { Disk, DiskFile } from '../disk.ts';
import { encodeFrame, encodeSegmentHeader, decodeSegmentHeader, frameFlags, gapType, segmentFlags } from './frame.ts';
import { segmentFile, unfinishedSuffix } from './segment.ts';
import { encodeGap } from './segment-reader.ts';

export interface WholeSegment {
  frame(frame: { readonly sequence: number; readonly type: number; readonly body: Uint8Array }): Promise<void>;
  /** What comes next has the number `to`. */
  gap(from: number, to: number): Promise<void>;
}

export interface WholeMaking {
  readonly disk: Disk;
  readonly directory: string;
  readonly first: number;
  readonly attempt: number;
  readonly clock: Clock;
}

/** `fill` writes its frames. */
export async function makeWholeSegment({ disk, directory, first, attempt, clock }: WholeMaking, fill: (segment: WholeSegment) => Promise<void>): Promise<string> {
  const file = segmentFile(directory, first, attempt);
  const unfinished = `${file}${unfinishedSuffix}`;
  await disk.remove(unfinished);
  const output = await disk.create(unfinished);
  try {
    await write(output, encodeSegmentHeader({ first, flags: segmentFlags.synced | segmentFlags.whole, salt: Math.floor(clock.wall()) % 0x1_0000_0000 }), fill);
    await output.sync();
  } finally {
    await output.close();
  }
  await disk.rename(unfinished, file);
  await disk.syncDirectory(directory);
  return file;
}

async function write(output: DiskFile, header: Uint8Array, fill: (segment: WholeSegment) => Promise<void>): Promise<void> {
  const { seed } = decodeSegmentHeader(header)!;
  // Each for itself: all of it is synced when it gets its name.
  const flags = frameFlags.behindSync;
  await output.append([header]);
  await fill({
    frame: ({ sequence, type, body }) => output.append(encodeFrame(seed, { type, flags, sequence }, [body])),
    gap: (from, to) => output.append(encodeFrame(seed, { type: gapType, flags, sequence: from }, [encodeGap(to)])),
  });
}
