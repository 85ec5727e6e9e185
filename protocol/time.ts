/**
 * Time as the protocol speaks it: branded numbers of milliseconds, and their arithmetic.
 *
 * Invariant: a `BatchTime` is a multiple of its stream's batch interval; a `DurationMs` is a positive whole number of
 * milliseconds. Both are plain numbers at run time, so they survive structured clone, JSON and a checkpoint as they are.
 */
declare const batchTime: unique symbol;
declare const durationMs: unique symbol;

/** The end of a batch's interval, in milliseconds since the epoch (or since a manual clock's zero). */
export type BatchTime = number & { readonly [batchTime]: true };

/** A length of time in milliseconds. */
export type DurationMs = number & { readonly [durationMs]: true };

/** A whole number of milliseconds as a duration. */
export function Milliseconds(milliseconds: number): DurationMs {
  return milliseconds as DurationMs;
}

/** Seconds as a duration; fractions are allowed down to a millisecond. */
export function Seconds(seconds: number): DurationMs {
  return Math.round(seconds * 1_000) as DurationMs;
}

/** Minutes as a duration. */
export function Minutes(minutes: number): DurationMs {
  return Math.round(minutes * 60_000) as DurationMs;
}

/** A number of milliseconds read as a batch time. The caller vouches that it lies on the grid. */
export function asBatchTime(milliseconds: number): BatchTime {
  return milliseconds as BatchTime;
}

/** The last grid point at or before `time`, counted from `zero`. */
export function floorToGrid(time: number, interval: number, zero = 0): BatchTime {
  return (zero + Math.floor((time - zero) / interval) * interval) as BatchTime;
}

/** The first grid point after `time`, counted from `zero`. */
export function nextOnGrid(time: number, interval: number, zero = 0): BatchTime {
  return (floorToGrid(time, interval, zero) + interval) as BatchTime;
}

/** True where `duration` is a whole multiple of `unit`. Zero is a multiple of everything. */
export function isMultipleOf(duration: number, unit: number): boolean {
  return duration % unit === 0;
}
