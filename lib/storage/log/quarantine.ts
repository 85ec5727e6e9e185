/**
 * Setting aside what is damaged in a log, so that it can be read on behind it.
 *
 *   …001.log                        │ 1 │ 2 │ ▒▒▒▒▒ │ 6 │ 7 │
 *   …003.log                        │ gap: goes on at 6 │ 6 │ 7 │      counts from 3 on, whole
 *   …001.log.120.quarantined        │ ▒▒▒▒▒ │                          for whoever wants to look: never removed by us
 *
 * Invariant: a gap is written down as one, so that the log which was mended is no longer damaged, and what was lost stays visible. Each step leaves
 * the log as damaged as it was, or mended.
 */
import type { Clock } from '../../base/clock.ts';
import type { Disk } from '../disk.ts';
import { readSegment } from './segment-reader.ts';
import type { SegmentEnd } from './segment-reader.ts';
import { nextAttempt, openSegments, quarantinedSuffix } from './segment.ts';
import type { Segment } from './segment.ts';
import { makeWholeSegment } from './whole-segment.ts';

export type Damage =
  /** No header, or one of another place. */
  | { readonly kind: 'header'; readonly segment: Segment }
  | { readonly kind: 'missing'; readonly expected: number; readonly next: Segment }
  /** The log ends before a number that was there once. */
  | { readonly kind: 'shorter'; readonly wanted: number; readonly next: number; readonly file: string }
  | { readonly kind: 'frame'; readonly segment: Segment; readonly end: SegmentEnd; readonly limit: number };

export interface Quarantined {
  /** Where it was. */
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
  /** Where it is now; null: there is nothing of it. */
  readonly setAside: string | null;
  /** The sequence numbers [from, to) are lost; `to` null: it is not known how far they went. */
  readonly from: number | null;
  readonly to: number | null;
}

const copyBytes = 1024 * 1024;

export async function setAside(disk: Disk, directory: string, damage: Damage, clock: Clock): Promise<readonly Quarantined[]> {
  switch (damage.kind) {
    case 'header': {
      const { file, bytes } = damage.segment;
      const aside = `${file}${quarantinedSuffix}`;
      await disk.rename(file, aside);
      await disk.syncDirectory(directory);
      return [{ file, offset: 0, bytes, setAside: aside, from: null, to: null }];
    }
    case 'missing': {
      const { expected, next } = damage;
      const attempt = nextAttempt(await openSegments(disk, directory), expected);
      await makeWholeSegment({ disk, directory, first: expected, attempt, clock }, (whole) => whole.gap(expected, next.first));
      return [{ file: next.file, offset: 0, bytes: 0, setAside: null, from: expected, to: next.first }];
    }
    case 'shorter':
      return [{ file: damage.file, offset: 0, bytes: 0, setAside: null, from: damage.next, to: damage.wanted }];
    case 'frame':
      return await mend(disk, directory, damage, clock);
  }
}

/** From the first damage of a segment on, what is good of it goes into a new one, with gaps where it was not. */
async function mend(disk: Disk, directory: string, { segment, end, limit }: Extract<Damage, { kind: 'frame' }>, clock: Clock): Promise<Quarantined[]> {
  const lost: Quarantined[] = [];
  const first = end.nextSequence;
  const attempt = nextAttempt(await openSegments(disk, directory), first);
  await makeWholeSegment({ disk, directory, first, attempt, clock }, async (whole) => {
    let damaged = end;
    for (;;) {
      const { found, offset, nextSequence } = damaged;
      const isLast = found === null || found.sequence >= limit;
      const to = isLast ? limit : found.sequence;
      const until = isLast ? segment.bytes : found.offset;
      // Where it only ends too early, there is nothing to keep.
      const aside = until > offset ? await copy(disk, segment.file, offset, until) : null;
      lost.push({ file: segment.file, offset, bytes: until - offset, setAside: aside, from: nextSequence, to: to === Infinity ? null : to });
      if (to !== Infinity && to > nextSequence) await whole.gap(nextSequence, to);
      if (isLast) return;
      damaged = await readSegment({ disk, segment, limit, from: found, onFrame: whole.frame });
      if (damaged.nextSequence >= limit || (limit === Infinity && damaged.kind !== 'damaged')) return;
    }
  });
  return lost;
}

async function copy(disk: Disk, file: string, start: number, end: number): Promise<string> {
  const aside = `${file}.${start}${quarantinedSuffix}`;
  await disk.remove(aside);
  const output = await disk.create(aside);
  try {
    for (let offset = start; offset < end; offset += copyBytes) await output.append([await disk.read(file, offset, Math.min(end, offset + copyBytes))]);
    await output.sync();
  } finally {
    await output.close();
  }
  return aside;
}
