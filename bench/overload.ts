/**
 * overload: for a while twice as many lines come as can be taken, then half of that rate.
 *
 * Invariant: nothing that was sent may be missing: the generator keeps what it could not send, and every line must be counted in the end. What
 * grows meanwhile is the sender's backlog, and not our memory.
 *
 *   lines due a second      ┌───────────┐ 2 r
 *                    0.6 r ─┘           │
 *                           │           └──────────────── 0.5 r, and what is left of 2 r as fast as it is taken
 *                  0       w/2        3/2 w             9/2 w        w = window length
 */
import { repeat } from './bench.ts';
import type { Bench, BenchOutcome, BenchRequest } from './bench.ts';
import { linesDue } from './load/feeder.ts';
import type { PaceStep } from './load/feeder.ts';
import type { GeneratorTick } from './load/generator-events.ts';
import { startLoadSource } from './load/source.ts';
import { wordsPerLine } from './load/zipf-lines.ts';
import { startFed } from './socket-run.ts';
import { stableBounds } from './stability.ts';
import { significant } from './statistics.ts';
import type { BatchEvent } from './subject-events.ts';
import { millrace } from './subjects.ts';
import { closuresOf, masterOf, measureSustained, socketBatchMs } from './sustained-rate.ts';
import { waitUntil } from './wall-clock.ts';

const connectLimitMs = 60_000;
/** Behind the end of the steps: until the last line is written, and until it is counted. */
const drainLimitMs = 120_000;
/** Less than so much of the sustained rate is no backlog: what became due since the sender's last turn. */
const lagSecondsMax = 0.05;

export const overload: Bench = {
  name: 'overload',
  summary: 'twice the sustained rate for a while, then half of it: what is lost, memory, and when it is on time again (--rate R: the sustained rate)',
  unit: 'lines',
  better: 'lower',
  definition: 'lines that were sent and are in no batch, after a time of twice the rate that is sustained',
  peers: [],
  defaults: { seconds: 10, runs: 3 },
  run,
};

async function run(request: BenchRequest): Promise<BenchOutcome> {
  const { closures, ...settings } = closuresOf(request);
  const sustained = request.options.rate ?? (await measureSustained({ subject: millrace, settings }, { ...request, runs: 1 })).value;
  if (sustained === 0) throw new Error('Expected a rate that is sustained; none was found. Give one: --rate R.');
  const runs = await repeat(request.runs, () => measure(sustained, settings, request));
  const lower = (name: string, unit: string, pick: (one: OverloadRun) => number) => ({ name, unit, better: 'lower' as const, runs: runs.map(pick) });
  return {
    figures: [
      lower('lines sent and not counted', 'lines', (one) => one.sentLines - one.countedLines),
      lower('lines that the sender kept back, when the load fell', 'lines', (one) => one.keptBack),
      lower('load falls to a batch that is on time, with nothing kept back', 's', (one) => one.recoveredSeconds),
      lower('longest scheduling delay', 'ms', (one) => one.delayMaxMs),
      lower('peak RSS', 'MiB', (one) => one.rssPeakMib),
    ],
    settings: { closures, linesPerSecond: sustained, batchMs: socketBatchMs, master: masterOf(millrace, request) },
  };
}

interface OverloadRun {
  readonly sentLines: number;
  readonly countedLines: number;
  readonly keptBack: number;
  readonly recoveredSeconds: number;
  readonly delayMaxMs: number;
  readonly rssPeakMib: number;
}

async function measure(sustained: number, settings: { readonly recognizeClosures: boolean }, request: BenchRequest): Promise<OverloadRun> {
  const window = request.seconds;
  const pace = overloadPace(sustained, window);
  const source = await startLoadSource({ pace, lines: Math.floor(linesDue(pace, window * 4.5)), hold: true });
  const measured = await startFed(source, millrace, { program: 'socket', master: masterOf(millrace, request), batchMs: socketBatchMs, ...settings });
  try {
    await measured.until('connecting to the load generator', () => source.openedMs !== null, connectLimitMs);
    const written = () => source.ticks.find(({ event }) => event === 'written');
    await measured.until('the last line was written', () => written() !== undefined, window * 4_500 + drainLimitMs);
    const sentLines = written()?.lines ?? Number.NaN;
    const countedLines = (): number => measured.outputs.reduce((sum, { words }) => sum + words, 0) / wordsPerLine;
    // One that is missing is a result.
    await waitUntil(() => measured.failure !== null || countedLines() >= sentLines, drainLimitMs);
    if (measured.failure !== null) throw measured.failure;
    const fallsMs = (source.openedMs ?? 0) + window * 1_500;
    const one: OverloadRun = {
      sentLines,
      countedLines: countedLines(),
      keptBack: source.ticks.findLast(({ epochMs }) => epochMs <= fallsMs)?.lag ?? Number.NaN,
      recoveredSeconds: recoveredAfter({ fallsMs, ticks: source.ticks, batches: measured.batches, batchMs: socketBatchMs, lagLinesMax: Math.max(stableBounds.lagLinesMin, sustained * lagSecondsMax) }) / 1_000,
      delayMaxMs: Math.max(...measured.batches.map(({ schedulingDelayMs }) => schedulingDelayMs)),
      rssPeakMib: Math.round(measured.usage()?.rssPeakMib ?? Number.NaN),
    };
    request.log(`millrace, closures ${settings.recognizeClosures ? 'recognized' : 'called'}, twice ${sustained} lines/s: ${one.countedLines} lines counted of ${sentLines}, ${one.keptBack} kept back, on time after ${significant(one.recoveredSeconds, 3)} s, ${one.rssPeakMib} MiB`);
    return one;
  } finally {
    await measured.end(5_000);
    await source.stop();
  }
}

export function overloadPace(sustained: number, windowSeconds: number): PaceStep[] {
  return [
    { linesPerSecond: sustained * 0.6, seconds: windowSeconds / 2 },
    { linesPerSecond: sustained * 2, seconds: windowSeconds },
    { linesPerSecond: sustained / 2, seconds: Infinity },
  ];
}

export interface Recovery {
  readonly fallsMs: number;
  readonly ticks: readonly GeneratorTick[];
  readonly batches: readonly BatchEvent[];
  readonly batchMs: number;
  readonly lagLinesMax: number;
}

/** How many ms after the load has fallen the first batch was due with which it was over: neither it nor one behind it began an interval late, and no line was late at the sender. NaN: never. */
export function recoveredAfter({ fallsMs, ticks, batches, batchMs, lagLinesMax }: Recovery): number {
  const keptBackMs = ticks.findLast(({ epochMs, lag }) => epochMs >= fallsMs && lag > lagLinesMax)?.epochMs ?? fallsMs;
  const lateMs = Math.max(-Infinity, ...batches.filter(({ schedulingDelayMs }) => schedulingDelayMs >= batchMs).map(({ batchTime }) => batchTime));
  const onTime = batches.map(({ batchTime }) => batchTime).filter((time) => time >= keptBackMs && time > lateMs);
  return onTime.length === 0 ? Number.NaN : Math.min(...onTime) - fallsMs;
}
