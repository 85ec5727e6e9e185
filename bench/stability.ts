/**
 * Whether a rate was sustained: the one definition that Millrace and its peers are judged by. Pure.
 *
 * Invariant: stable means all five conditions below hold over the window; every one that does not is named.
 *
 *   connection opens    rate reached        window (measured)
 *   │ ramp: 0.6 r       │ settle: r         │                 ┌ tail ┐
 *   ├───────────────────┼───────────────────┼─────────────────┴──────┤
 *   0                   7/6 w               3/2 w                    5/2 w        w = window length, tail = w / 3
 *
 * With w = 30 s these are the times at which Spark Streaming was measured: 0.6 r for 35 s, window from 45 s to 75 s.
 */
import { median, percentile, slope } from './statistics.ts';
import type { BatchEvent } from './subject-events.ts';
import type { GeneratorTick } from './load/generator-events.ts';

export interface Phases {
  readonly rampSeconds: number;
  readonly warmSeconds: number;
  readonly windowSeconds: number;
  readonly tailSeconds: number;
}

export function phasesFor(windowSeconds: number): Phases {
  return {
    rampSeconds: (windowSeconds * 7) / 6,
    warmSeconds: (windowSeconds * 3) / 2,
    windowSeconds,
    tailSeconds: windowSeconds / 3,
  };
}

/** The bounds of "stable", from the definition by which Spark was measured. */
export const stableBounds = {
  completedFractionMin: 0.93,
  delaySlopeMax: 15,
  tailDelayIntervalsMax: 2,
  /** Below 50 ms intervals, two of them are less than one hiccup of the machine. */
  tailDelayMsMin: 100,
  lagSecondsMax: 0.5,
  lagLinesMin: 100,
  countedFractionMin: 0.97,
  /** Lines of so long lie in blocks that cross the window's edges. More than 3 % of it only where the window is shorter than 13 s. */
  edgeSeconds: 0.4,
} as const;

export interface Observation {
  readonly openedMs: number;
  readonly phases: Phases;
  readonly batchIntervalMs: number;
  readonly batches: readonly BatchEvent[];
  readonly ticks: readonly GeneratorTick[];
}

export interface Judgement {
  readonly stable: boolean;
  /** One sentence for each condition that does not hold. */
  readonly reasons: readonly string[];
  readonly batches: number;
  readonly completedFraction: number;
  readonly processingMedianMs: number;
  readonly processingP99Ms: number;
  readonly delayMedianMs: number;
  readonly delayTailMedianMs: number;
  readonly delaySlopeMsPerSecond: number;
  readonly lagLines: number;
  readonly linesPerSecondOffered: number;
  readonly linesPerSecondCounted: number;
}

export function judge(observation: Observation): Judgement {
  const { openedMs, phases, batchIntervalMs } = observation;
  const fromMs = openedMs + phases.warmSeconds * 1_000;
  const toMs = fromMs + phases.windowSeconds * 1_000;
  const inWindow = (timeMs: number): boolean => timeMs >= fromMs && timeMs < toMs;

  const batches = observation.batches.filter((batch) => inWindow(batch.batchTime));
  const delays = batches.map((batch) => batch.schedulingDelayMs);
  const processing = batches.map((batch) => batch.processingDelayMs);
  const tail = batches.filter((batch) => batch.batchTime >= toMs - phases.tailSeconds * 1_000);
  const completedFraction = batches.length / ((phases.windowSeconds * 1_000) / batchIntervalMs);
  const delaySlope = slope(batches.map((batch) => [batch.batchTime / 1_000, batch.schedulingDelayMs] as const));
  const delayTail = median(tail.map((batch) => batch.schedulingDelayMs));
  const counted = batches.length === 0 ? 0 : sum(batches.map((batch) => batch.records)) / ((batches.length * batchIntervalMs) / 1_000);
  const { offered, lag } = offeredIn(observation.ticks.filter((tick) => inWindow(tick.epochMs)));

  const reasons: string[] = [];
  const require = (holds: boolean, reason: string): void => void (holds || reasons.push(reason));
  const bounds = stableBounds;
  require(completedFraction >= bounds.completedFractionMin, `only ${percent(completedFraction)} of the window's batches completed`);
  require(delaySlope <= bounds.delaySlopeMax, `the scheduling delay grows by ${delaySlope.toFixed(1)} ms a second`);
  const delayMax = Math.max(bounds.tailDelayIntervalsMax * batchIntervalMs, bounds.tailDelayMsMin);
  require(delayTail <= delayMax, `the scheduling delay at the end is ${delayTail.toFixed(0)} ms, more than ${delayMax} ms`);
  const lagMax = Math.max(bounds.lagSecondsMax * offered, bounds.lagLinesMin);
  require(lag <= lagMax, `the generator is ${Math.round(lag)} lines behind, more than ${Math.round(lagMax)}`);
  require(offered > 0, 'the generator offered no line in the window');
  const countedFractionMin = Math.min(bounds.countedFractionMin, 1 - bounds.edgeSeconds / phases.windowSeconds);
  require(counted >= countedFractionMin * offered, `${Math.round(counted)} lines/s were counted of ${Math.round(offered)} offered`);

  return {
    stable: reasons.length === 0,
    reasons,
    batches: batches.length,
    completedFraction,
    processingMedianMs: median(processing),
    processingP99Ms: percentile(processing, 0.99),
    delayMedianMs: median(delays),
    delayTailMedianMs: delayTail,
    delaySlopeMsPerSecond: delaySlope,
    lagLines: lag,
    linesPerSecondOffered: offered,
    linesPerSecondCounted: counted,
  };
}

/** What was due per second between the first and the last tick of the window, and what was due and not written at the end. */
function offeredIn(ticks: readonly GeneratorTick[]): { offered: number; lag: number } {
  const first = ticks[0];
  const last = ticks.at(-1);
  if (first === undefined || last === undefined || last.epochMs <= first.epochMs) return { offered: 0, lag: 0 };
  const seconds = (last.epochMs - first.epochMs) / 1_000;
  return { offered: (last.lines + last.lag - (first.lines + first.lag)) / seconds, lag: last.lag };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function percent(fraction: number): string {
  return `${Math.round(fraction * 100)} %`;
}
