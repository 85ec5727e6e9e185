/**
 * Batch times that passed while no process ran, and that no batch was made for (`missedBatches: 'latest'`), as gaps between those that were.
 *
 *   batches:    1000  2000  3000                                8000  9000
 *   gap:                    |after: 3000           upTo: 7000|
 *
 * Invariant: it says the same in every later run, as long as anybody looks back so far: what was left out stays left out.
 */
import { asBatchTime, floorToGrid } from '../../protocol/time.ts';
import type { BatchTime } from '../../protocol/time.ts';

/** Times t with after < t <= upTo have no batch. */
export interface MissedGap {
  readonly after: BatchTime;
  readonly upTo: BatchTime;
}

/** `lastTime`: the next batch is the one behind it. */
export function missedGaps({ batches, generated }: { readonly batches: ReadonlyMap<BatchTime, unknown>; readonly generated: BatchTime | null }, { intervalMs, zeroTime, lastTime }: { readonly intervalMs: number; readonly zeroTime: number; readonly lastTime: number }): MissedGap[] {
  const times = [...new Set([...batches.keys(), generated ?? asBatchTime(zeroTime)])].sort((a, b) => a - b);
  const next = [...times.slice(1), asBatchTime(lastTime + intervalMs)];
  return times.flatMap((after, index) => (next[index]! - after > intervalMs ? [{ after, upTo: asBatchTime(next[index]! - intervalMs) }] : []));
}

export function gapAt(gaps: readonly MissedGap[], time: number): MissedGap | null {
  return gaps.find(({ after, upTo }) => time > after && time <= upTo) ?? null;
}

/** The last time of a grid before `time` that had a batch, or would have. */
export function timeBefore(gaps: readonly MissedGap[], time: BatchTime, slideMs: number, zeroTime: BatchTime): BatchTime {
  let before = asBatchTime(time - slideMs);
  for (let gap = gapAt(gaps, before); gap !== null; gap = gapAt(gaps, before)) before = floorToGrid(gap.after, slideMs, zeroTime);
  return before;
}
