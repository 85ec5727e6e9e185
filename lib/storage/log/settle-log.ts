/**
 * What a writer that ended without closing its log may have left: frames that can be read, and need not be on the disk.
 *
 * They are in the memory of the system, and go with the next power cut; after a sync that failed, a further one says nothing about them. Whoever
 * reads the log acts on them, so they are first written again, into a segment that is synced, and takes the place of where they came from:
 *
 *   …001.log   │ 1 │ 2 │ 3 ║ 4 │ 5 │ 6 ⌇        ║ the last group: that 1 to 3 were synced is known, as 4 says so
 *   …004.log   │ 4 │ 5 │ 6 │                     whole, and synced
 *
 * Invariant: afterwards all that can be read of the log is durable. Doing it twice changes nothing, nor does an end at any point of it.
 */
import type { Clock } from '../../base/clock.ts';
import type { Disk } from '../disk.ts';
import { segmentFlags } from './frame.ts';
import { readSegment } from './segment-reader.ts';
import { nextAttempt, openSegments, unfinishedSuffix } from './segment.ts';
import { makeWholeSegment } from './whole-segment.ts';

export interface Settled {
  /** Of frames that were written again. */
  readonly settledBytes: number;
  /** Of the write behind them that did not come to its end, and counts no more. */
  readonly tornBytes: number;
}

const nothing: Settled = { settledBytes: 0, tornBytes: 0 };

/** A log that is damaged stays as it is. */
export async function settleLog(disk: Disk, directory: string, clock: Clock): Promise<Settled> {
  for (const name of await disk.list(directory)) {
    if (name.endsWith(unfinishedSuffix)) await disk.remove(`${directory}/${name}`);
  }
  const segments = await openSegments(disk, directory);
  const last = segments.findLast(({ header }) => header !== null);
  // One without syncs promises nothing; a whole one is durable.
  if (last?.header?.flags !== segmentFlags.synced) return nothing;
  const end = await readSegment({ disk, segment: last, limit: Infinity, onFrame: () => {} });
  if (end.kind === 'damaged' || end.lastGroup === null) return nothing;
  const { lastGroup } = end;
  await makeWholeSegment({ disk, directory, first: lastGroup.sequence, attempt: nextAttempt(segments, lastGroup.sequence), clock }, async (whole) => {
    await readSegment({ disk, segment: last, limit: end.nextSequence, from: lastGroup, onFrame: whole.frame });
  });
  return { settledBytes: end.offset - lastGroup.offset, tornBytes: last.bytes - end.offset };
}
