/**
 * The real clocks of the benchmarks: the only file of bench/ that asks the machine for the time or for a timer.
 *
 * Invariant: `epochUs` has microseconds and stays within `driftMsMax` of the system's clock, so stamps of two processes
 * on one machine can be compared.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as after } from 'node:timers/promises';

/** The system's clock counts whole milliseconds, so less than this can't be told from its rounding. */
const driftMsMax = 1.5;

let originMs = performance.timeOrigin;

export function epochMs(): number {
  return Date.now();
}

/** Microseconds since the epoch. */
export function epochUs(): number {
  let nowMs = originMs + performance.now();
  const systemMs = Date.now();
  // The system's clock was set, or runs at another pace than the monotonic one.
  if (Math.abs(nowMs - (systemMs + 0.5)) > driftMsMax) {
    originMs += systemMs + 0.5 - nowMs;
    nowMs = systemMs + 0.5;
  }
  return Math.round(nowMs * 1_000);
}

export function monotonicMs(): number {
  return performance.now();
}

export async function sleep(milliseconds: number): Promise<void> {
  await after(milliseconds);
}

/** Resolves true once `holds`, false after `limitMs`. Looks every `everyMs`. */
export async function waitUntil(holds: () => boolean, limitMs: number, everyMs = 20): Promise<boolean> {
  const end = monotonicMs() + limitMs;
  while (!holds()) {
    if (monotonicMs() >= end) return false;
    await sleep(everyMs);
  }
  return true;
}
