/**
 * Reading a log back, before it is written to again: every frame from a number on, in order.
 *
 * What ends a segment early and was never acknowledged (lib/storage/log/segment-reader.ts) is left out, and counted. Anything else that is missing
 * is an error that names the place; with `quarantine` it is set aside, reported, and the log goes on behind it.
 *
 * Invariant: sequence numbers are handed out one after the other, without a gap but those that `quarantined` names. All that was handed out is
 * durable, unless it was written without syncs.
 */
import { MillraceError } from '../../../protocol/errors.ts';
import { SystemClock } from '../../base/clock.ts';
import type { Clock } from '../../base/clock.ts';
import type { Disk } from '../disk.ts';
import { segmentHeaderBytes } from './frame.ts';
import { setAside } from './quarantine.ts';
import type { Damage, Quarantined } from './quarantine.ts';
import { firstSequenceOfAll, openSegments } from './segment.ts';
import { readSegment } from './segment-reader.ts';
import type { LogFrame } from './segment-reader.ts';
import { settleLog } from './settle-log.ts';

export interface LogReading {
  readonly disk: Disk;
  readonly directory: string;
  /** Frames below it are left out. The first of every log is 1. */
  readonly fromSequence: number;
  /** The next one is read when what it returned has settled. */
  readonly onFrame: (frame: LogFrame) => void | Promise<void>;
  /** Sets aside what is damaged, and goes on behind it. Default false. */
  readonly quarantine?: boolean;
  /** Only looks: for who does not hold the directory's lock. Nothing is written again or set aside. Default false. */
  readonly readOnly?: boolean;
  readonly clock?: Clock;
}

export interface LogContent {
  /** Of the frame that is to be written next. */
  readonly nextSequence: number;
  /** That were handed out. */
  readonly frames: number;
  /** Of writes that did not come to their end. */
  readonly tornBytes: number;
  /** Of the last group, which was written again to be durable. */
  readonly settledBytes: number;
  readonly segments: number;
  readonly quarantined: readonly Quarantined[];
}

/** Damages of one log that are set aside in one reading. */
const damagesMax = 10_000;

/** Rejects with WalCorrupted, FormatUnknown, the system's own error, or what `onFrame` rejected with. */
export async function readLog(reading: LogReading): Promise<LogContent> {
  const { disk, directory, quarantine = false, readOnly = false, clock = new SystemClock(), onFrame } = reading;
  const quarantined: Quarantined[] = [];
  let settledBytes = 0;
  let tornBytes = 0;
  let frames = 0;
  let from = Math.max(firstSequenceOfAll, reading.fromSequence);
  for (;;) {
    const settled = readOnly ? null : await settleLog(disk, directory, clock);
    settledBytes += settled?.settledBytes ?? 0;
    tornBytes += settled?.tornBytes ?? 0;
    const pass = await readOnce(disk, directory, from, (frame) => {
      frames += 1;
      return onFrame(frame);
    });
    from = pass.nextSequence;
    const content = { nextSequence: from, frames, tornBytes: tornBytes + pass.tornBytes, settledBytes, segments: pass.segments, quarantined };
    if (pass.damage === null) return content;
    if (!quarantine || readOnly || quarantined.length >= damagesMax) throw corrupted(directory, pass.damage);
    quarantined.push(...(await setAside(disk, directory, pass.damage, clock)));
    // What nothing on the disk can make good: the caller has seen more of this log than there is.
    if (pass.damage.kind === 'shorter') return { ...content, nextSequence: pass.damage.wanted };
  }
}

interface Pass {
  readonly nextSequence: number;
  readonly tornBytes: number;
  readonly segments: number;
  readonly damage: Damage | null;
}

/** To the end, or to the first damage. */
async function readOnce(disk: Disk, directory: string, from: number, onFrame: LogReading['onFrame']): Promise<Pass> {
  const segments = await openSegments(disk, directory);
  const counting = segments.filter((segment) => segment.header !== null);
  const headless = segments.filter(({ header }) => header === null);
  let tornBytes = headless.reduce((bytes, segment) => bytes + segment.bytes, 0);
  let expected = from;
  const ended = (damage: Damage | null): Pass => ({ nextSequence: expected, tornBytes, segments: segments.length, damage });

  // A header is durable before anything stands behind it.
  const beheaded = [...headless.filter(({ bytes }) => bytes > segmentHeaderBytes), ...counting.filter(({ first, header }) => header!.first !== first)][0];
  if (beheaded !== undefined) return ended({ kind: 'header', segment: beheaded });

  const begin = Math.max(0, counting.findLastIndex(({ first }) => first <= from));
  for (const [index, segment] of counting.entries()) {
    if (index < begin) continue;
    if (segment.first > expected) return ended({ kind: 'missing', expected, next: segment });
    const limit = counting[index + 1]?.first ?? Infinity;
    const end = await readSegment({ disk, segment, limit, onFrame: (frame) => (frame.sequence < from ? undefined : onFrame(frame)) });
    expected = Math.max(expected, end.nextSequence);
    if (end.nextSequence < limit && (limit !== Infinity || end.kind === 'damaged')) return ended({ kind: 'frame', segment, end, limit });
    // Behind the limit lies what was written again.
    tornBytes += limit === Infinity ? segment.bytes - end.offset : 0;
    if (limit === Infinity && end.nextSequence < from) return ended({ kind: 'shorter', wanted: from, next: end.nextSequence, file: segment.file });
  }
  if (counting.length === 0 && from > firstSequenceOfAll) return ended({ kind: 'shorter', wanted: from, next: firstSequenceOfAll, file: directory });
  return ended(null);
}

function corrupted(directory: string, damage: Damage): MillraceError {
  const { file, offset, what } = describe(directory, damage);
  return new MillraceError('WalCorrupted', `${what} Restore the directory from a copy, or read it with quarantine, which sets the damaged part aside and goes on without it.`, { details: { file, offset } });
}

function describe(directory: string, damage: Damage): { readonly file: string; readonly offset: number; readonly what: string } {
  switch (damage.kind) {
    case 'header':
      return { file: damage.segment.file, offset: 0, what: `Expected ${damage.segment.file} to begin with the header of a log's segment of that name; it begins with something else.` };
    case 'missing':
      return { file: damage.next.file, offset: 0, what: `Expected the log in ${directory} to go on with number ${damage.expected}; the next file, ${damage.next.file}, begins at ${damage.next.first}: one before it is missing.` };
    case 'shorter':
      return { file: damage.file, offset: 0, what: `Expected the log in ${directory} to reach to number ${damage.wanted - 1} at least; it ends with ${damage.next - 1} (${damage.file}).` };
    case 'frame': {
      const { segment, end, limit } = damage;
      const behind = end.found !== null ? `the next good frame is number ${end.found.sequence} at offset ${end.found.offset}` : limit === Infinity ? 'no good frame is behind it' : `the next good frame is number ${limit} in the next file`;
      return { file: segment.file, offset: end.offset, what: `Expected frame ${end.nextSequence} of the log at offset ${end.offset} of ${segment.file}; what is there is damaged or missing, and ${behind}.` };
    }
  }
}
