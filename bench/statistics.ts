/**
 * The few figures that every benchmark needs. Pure; no input is changed.
 *
 * Invariant: a percentile is always a value that was measured (nearest rank), never one between two.
 */

/** The middle value; the mean of the two middle ones where their number is even. NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = ascending(values);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The smallest value that at least `fraction` (0..1) of all values do not exceed. NaN of nothing. */
export function percentile(values: readonly number[], fraction: number): number {
  const sorted = ascending(values);
  if (sorted.length === 0) return Number.NaN;
  const rank = Math.ceil(fraction * sorted.length);
  return sorted[Math.min(sorted.length - 1, Math.max(0, rank - 1))]!;
}

/** A value that was seen `count` times: what a batch's stamps come as. */
export interface Weighted {
  readonly value: number;
  readonly count: number;
}

/** `percentile` over values that each stand for several. */
export function weightedPercentile(values: readonly Weighted[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a.value - b.value);
  const total = sorted.reduce((sum, { count }) => sum + count, 0);
  const rank = Math.max(1, Math.ceil(fraction * total));
  let seen = 0;
  for (const { value, count } of sorted) {
    seen += count;
    if (seen >= rank) return value;
  }
  return Number.NaN;
}

/** The slope of the least-squares line through the points; 0 where there is none. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  if (points.length < 2) return 0;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  let covariance = 0;
  let variance = 0;
  for (const [x, y] of points) {
    covariance += (x - meanX) * (y - meanY);
    variance += (x - meanX) ** 2;
  }
  return variance === 0 ? 0 : covariance / variance;
}

/** Rounds to `digits` significant digits: what a person reads of a measured value. */
export function significant(value: number, digits = 4): number {
  return Number.isFinite(value) ? Number(value.toPrecision(digits)) : value;
}

function ascending(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}
