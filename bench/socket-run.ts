/**
 * One measurement of a word count over a socket: a generator, a fresh process that reads from it, a window, a judgement.
 *
 * Invariant: the subject is the same from the first line to the last, and both processes are gone when it resolves.
 */
import { usageOf } from './machine.ts';
import type { ProcessUsage } from './machine.ts';
import { linesDue } from './load/feeder.ts';
import type { PaceStep } from './load/feeder.ts';
import { startLoadSource } from './load/source.ts';
import type { LoadSource } from './load/source.ts';
import { wordsPerLine } from './load/zipf-lines.ts';
import type { MeasuredProcess } from './measured-process.ts';
import type { Subject } from './subjects.ts';
import type { SubjectSettings } from './subject-settings.ts';
import type { BatchEvent, LogEvent, OutputEvent } from './subject-events.ts';
import { judge } from './stability.ts';
import type { Judgement, Phases } from './stability.ts';
import { epochMs, waitUntil } from './wall-clock.ts';

export interface SocketRunOptions {
  readonly subject: Subject;
  /** Default: the word count of each batch. */
  readonly program?: 'windowInverse' | 'windowPlain';
  /** The length of their windows. */
  readonly windowMs?: number;
  /** What else the subject is told. */
  readonly settings?: Partial<SubjectSettings>;
  readonly master: string;
  readonly batchMs: number;
  readonly linesPerSecond: number;
  readonly phases: Phases;
  readonly stamped?: boolean;
  /** The source sends what is due by the end of the window and no line more; all of it is waited for and counted. */
  readonly exact?: boolean;
  /** The window waits, by at most so long, until what has piled up at the start is done. Default: it does not wait. */
  readonly settleSecondsMax?: number;
  /** Ends the run as unstable when the generator is so many seconds of lines behind in the window. */
  readonly giveUpLagSeconds?: number;
}

export interface SocketRun {
  readonly judgement: Judgement;
  /** Of the window. */
  readonly batches: readonly BatchEvent[];
  readonly outputs: readonly OutputEvent[];
  /** After each of these batches; where it has a log. */
  readonly logs: readonly LogEvent[];
  readonly coresUsed: number | null;
  readonly generatorCoresUsed: number | null;
  readonly rssPeakMib: number | null;
  readonly version: string;
  /** Of an exact run: lines written and lines counted, from the first line on. */
  readonly exact: { readonly sentLines: number; readonly countedLines: number } | null;
}

const connectLimitMs = 60_000;
const exactLimitMs = 20_000;

/** A subject that reads from the source; where it can't be started, the source is not left behind. */
export function startFed(source: LoadSource, subject: Subject, settings: SubjectSettings): Promise<MeasuredProcess> {
  return subject.start({ ...settings, port: source.port }).catch(async (error: unknown) => {
    await source.stop();
    throw error;
  });
}

export async function runSocket(options: SocketRunOptions): Promise<SocketRun> {
  const { subject, phases, batchMs } = options;
  const pace = paceFor(options.linesPerSecond, phases);
  const source = await startLoadSource({
    pace,
    stamped: options.stamped === true,
    ...(options.exact === true ? { lines: Math.floor(linesDue(pace, phases.warmSeconds + phases.windowSeconds)), hold: true } : {}),
  });
  const windowed = options.windowMs === undefined ? {} : { windowMs: options.windowMs };
  const measured = await startFed(source, subject, { program: options.program ?? 'socket', ...windowed, ...options.settings, master: options.master, batchMs });
  try {
    await measured.until('connecting to the load generator', () => source.openedMs !== null, connectLimitMs);
    return await observe(options, measured, source);
  } finally {
    await measured.end(5_000);
    await source.stop();
  }
}

/** From the connection on, a failure of the process is a result: this rate was not sustained. */
async function observe(options: SocketRunOptions, measured: MeasuredProcess, source: LoadSource): Promise<SocketRun> {
  const { batchMs } = options;
  const openedMs = source.openedMs ?? epochMs();
  const warmMs = openedMs + options.phases.warmSeconds * 1_000;
  const usageNow = () => ({ subject: measured.usage(), source: usageOf(source.pid), atMs: epochMs() });
  const until = (holds: () => boolean, limitMs: number) => waitUntil(() => measured.failure !== null || holds(), limitMs);

  await until(() => epochMs() >= warmMs, warmMs - epochMs());
  await until(() => (measured.batches.at(-1)?.schedulingDelayMs ?? Infinity) < batchMs, (options.settleSecondsMax ?? 0) * 1_000);
  const fromMs = options.settleSecondsMax === undefined ? warmMs : epochMs();
  const phases: Phases = { ...options.phases, warmSeconds: (fromMs - openedMs) / 1_000 };
  const toMs = fromMs + phases.windowSeconds * 1_000;
  const before = usageNow();
  const behind = (): boolean => (source.ticks.at(-1)?.lag ?? 0) > (options.giveUpLagSeconds ?? Infinity) * options.linesPerSecond;
  await until(() => epochMs() >= toMs || behind(), toMs - epochMs());
  const after = usageNow();
  // A batch that is late, but by less than the bound on its delay, still counts as completed.
  const graceMs = behind() ? 0 : Math.max(1_000, 4 * batchMs);
  await until(() => (measured.batches.at(-1)?.batchTime ?? 0) >= toMs - batchMs, graceMs);
  // What its log has written by then is told a little later.
  if (measured.logs.length > 0) await until(() => (measured.logs.at(-1)?.batchTime ?? 0) >= (measured.batches.at(-1)?.batchTime ?? 0), graceMs);
  const judgement = judge({ openedMs, phases, batchIntervalMs: batchMs, batches: measured.batches, ticks: source.ticks });
  const exact = options.exact === true ? await countAll(measured, source, until) : null;

  const inWindow = ({ batchTime }: { readonly batchTime: number }): boolean => batchTime >= fromMs && batchTime < toMs;
  const rssPeakMib = measured.usage()?.rssPeakMib ?? null;
  return {
    judgement: measured.failure === null ? judgement : { ...judgement, stable: false, reasons: [measured.failure.message, ...judgement.reasons] },
    batches: measured.batches.filter(inWindow),
    outputs: measured.outputs.filter(inWindow),
    logs: measured.logs.filter(inWindow),
    coresUsed: coresBetween(before.subject, after.subject, after.atMs - before.atMs),
    generatorCoresUsed: coresBetween(before.source, after.source, after.atMs - before.atMs),
    rssPeakMib: rssPeakMib === null ? null : Math.round(rssPeakMib),
    version: measured.main?.version ?? 'unknown',
    exact,
  };
}

async function countAll(measured: MeasuredProcess, source: LoadSource, until: (holds: () => boolean, limitMs: number) => Promise<boolean>) {
  const written = () => source.ticks.find(({ event }) => event === 'written');
  await until(() => written() !== undefined, exactLimitMs);
  const sentLines = written()?.lines ?? source.ticks.at(-1)?.lines ?? 0;
  const countedLines = (): number => measured.outputs.reduce((sum, { words }) => sum + words, 0) / wordsPerLine;
  await until(() => countedLines() >= sentLines, exactLimitMs);
  return { sentLines, countedLines: countedLines() };
}

/** 0.6 of the rate while code is compiled and buffers grow, then the rate itself. */
export function paceFor(linesPerSecond: number, phases: Phases): PaceStep[] {
  return [
    { linesPerSecond: linesPerSecond * 0.6, seconds: phases.rampSeconds },
    { linesPerSecond, seconds: Infinity },
  ];
}

/** Latencies of the stamped lines of these outputs, each with the number of lines that had it. */
export function latenciesOf(outputs: readonly OutputEvent[]): { value: number; count: number }[] {
  return outputs.flatMap((output) => output.stamps.map(([stampUs, lines]) => ({ value: (output.doneUs - stampUs) / 1_000, count: lines })));
}

function coresBetween(before: ProcessUsage | null, after: ProcessUsage | null, tookMs: number): number | null {
  if (before === null || after === null || tookMs <= 0) return null;
  return Number((((after.cpuSeconds - before.cpuSeconds) * 1_000) / tookMs).toFixed(2));
}
