/**
 * The files of a log: their names, which are there, and which of them counts from which sequence number on.
 *
 *   00000000000000000001.log
 *   00000000000000000840.log        from 840 on this one counts, whatever the one above holds of 840 and behind it
 *   00000000000000000840.1.log      from 840 on this one counts: the same again, as the one above failed
 *
 * A segment is never appended to after a failure, nor by another process than the one that made it. What was not yet known to be
 * synced is written again into a new segment, under the same sequence numbers; the new one's first number is the end of those before it.
 *
 * Invariant: a segment with a whole header ends all before it at its first sequence number, and what they hold below that has been synced
 * (unless they were written without syncs).
 */
import { MillraceError } from '../../../protocol/errors.ts';
import type { Disk } from '../disk.ts';
import { decodeSegmentHeader, formatVersion, segmentHeaderBytes } from './frame.ts';
import type { SegmentHeader } from './frame.ts';

/** The first sequence number of every log. */
export const firstSequenceOfAll = 1;

export interface SegmentName {
  readonly file: string;
  readonly first: number;
  /** Counts the segments of the same first sequence number, from 0. */
  readonly attempt: number;
}

export interface Segment extends SegmentName {
  readonly bytes: number;
  /** Null: neither of its two headers is whole. */
  readonly header: SegmentHeader | null;
}

/** While it is being made whole: left there by a process that was ended meanwhile, it is nothing. */
export const unfinishedSuffix = '.writing';
/** What was damaged, and set aside. Never looked at again by us. */
export const quarantinedSuffix = '.quarantined';

export function segmentFile(directory: string, first: number, attempt: number): string {
  return `${directory}/${String(first).padStart(20, '0')}${attempt === 0 ? '' : `.${attempt}`}.log`;
}

export async function listSegments(disk: Disk, directory: string): Promise<SegmentName[]> {
  return segmentsAmong(directory, await disk.list(directory));
}

/** Of the names in a directory: by first sequence number, then attempt, which is not the order of the names. */
export function segmentsAmong(directory: string, names: readonly string[]): SegmentName[] {
  const found: SegmentName[] = [];
  for (const name of names) {
    const [, first, attempt = '0'] = /^(\d{20})(?:\.(\d+))?\.log$/.exec(name) ?? [];
    if (first !== undefined) found.push({ file: `${directory}/${name}`, first: Number(first), attempt: Number(attempt) });
  }
  return found.sort((one, other) => one.first - other.first || one.attempt - other.attempt);
}

/** The same, and what their headers say. Throws FormatUnknown for one of a version that this release can't read. */
export async function openSegments(disk: Disk, directory: string): Promise<Segment[]> {
  const segments: Segment[] = [];
  for (const name of await listSegments(disk, directory)) {
    const bytes = await disk.size(name.file);
    const header = decodeSegmentHeader(await disk.read(name.file, 0, segmentHeaderBytes));
    if (header !== null && header.version !== formatVersion) {
      throw new MillraceError('FormatUnknown', `Expected ${name.file} to be of format version ${formatVersion}; it is of version ${header.version}. Use the release that wrote it, or a newer one.`, {
        details: { file: name.file, version: header.version },
      });
    }
    segments.push({ ...name, bytes, header });
  }
  return segments;
}

/** The first attempt of that sequence number that is not taken. */
export function nextAttempt(segments: readonly SegmentName[], first: number): number {
  return segments.reduce((attempt, segment) => (segment.first === first ? Math.max(attempt, segment.attempt + 1) : attempt), 0);
}

/** Which of them hold nothing of `sequence` and behind it: all before the last that begins at it or below. */
export function segmentsBelow<S extends SegmentName>(segments: readonly S[], sequence: number): readonly S[] {
  const last = segments.findLastIndex(({ first }) => first <= sequence);
  return segments.slice(0, Math.max(0, last));
}
