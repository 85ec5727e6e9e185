/**
 * recovery: how long a stream is away when its process is killed with SIGKILL under load and started again at once.
 *
 * Invariant: times run from the signal. Our side's state is checked against the text after every batch of both lives: it is that of the
 * text's first so many lines, none missing and none counted twice, and a batch that ran again has the same.
 *
 *   first life:   start -> state is there -> load for `seconds` -> SIGKILL, in the middle of whatever it does
 *   second life:                                                    `-> process -> started -> first batch -> with records -> caught up
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repeat, repeatOn } from './bench.ts';
import type { Bench, BenchOutcome, BenchRequest } from './bench.ts';
import { startLoadSource } from './load/source.ts';
import { textSums } from './load/text-sums.ts';
import type { TextSums } from './load/text-sums.ts';
import { vocabularyWords, wordsPerLine } from './load/zipf-lines.ts';
import type { MeasuredProcess } from './measured-process.ts';
import type { Measured } from './result.ts';
import type { StateEvent } from './subject-events.ts';
import { millrace, spark } from './subjects.ts';
import type { Subject } from './subjects.ts';
import { sleep } from './wall-clock.ts';

const defaultKeys = 1_000_000;
const defaultLinesPerSecond = 20_000;
const batchMs = 1_000;
const startLimitMs = 120_000;
const recoverLimitMs = 180_000;

export const recovery: Bench = {
  name: 'recovery',
  summary: 'kill -9 under load to the first completed batch of the next process, with 1 M keys of state',
  unit: 'ms',
  better: 'lower',
  definition: 'from SIGKILL to the first batch that the process that is started at once completes; 1 M keys of state, log and checkpoints on, 20,000 lines/s; Spark has 10,000 keys',
  peers: ['spark'],
  defaults: { seconds: 15, runs: 3 },
  run,
};

interface Run {
  /** All since the signal. */
  readonly mainMs: number;
  readonly startedMs: number;
  readonly firstBatchMs: number;
  readonly firstRecordsMs: number;
  readonly caughtUpMs: number;
  readonly rssPeakMib: number;
  readonly version: string;
  readonly state: StateEvent | null;
}

async function run(request: BenchRequest): Promise<BenchOutcome> {
  // The words are some of them, and they lie in two partitions.
  const keys = 2 * Math.ceil(Math.max(vocabularyWords, request.options.keys ?? defaultKeys) / 2);
  const linesPerSecond = request.options.rate ?? defaultLinesPerSecond;
  const sums = textSums();
  const large = await repeat(request.runs, () => measure(millrace, keys, linesPerSecond, request, sums));
  const small = await repeat(request.runs, () => measure(millrace, 0, linesPerSecond, request, sums));
  const theirs = await repeatOn(request, 'spark', () => measure(spark, 0, linesPerSecond, request, null));
  const figures = (label: string, runs: readonly Run[]): Measured[] => {
    const figure = (name: string, pick: (one: Run) => number, unit = 'ms'): Measured => ({ name: `${label}: ${name}`, unit, better: 'lower', runs: runs.map(pick), peers: { spark: theirs.map(pick) } });
    return [
      figure('kill -9 to the first completed batch', (one) => one.firstBatchMs),
      figure('to the process\'s first line of code', (one) => one.mainMs),
      figure('to the started context', (one) => one.startedMs),
      figure('to the first completed batch with records', (one) => one.firstRecordsMs),
      figure('to a batch that is on time', (one) => one.caughtUpMs),
      figure('peak RSS of the next process', (one) => one.rssPeakMib, 'MiB'),
    ];
  };
  return {
    figures: [...figures(`${keys} keys`, large), ...figures('the words alone', small)],
    settings: { keys, linesPerSecond, batchMs, secondsUnderLoad: request.seconds, master: masterOf(millrace, request), peerMaster: masterOf(spark, request) },
    details: { large, small, spark: theirs },
    ...(theirs[0] === undefined ? {} : { versions: { spark: theirs[0].version } }),
  };
}

async function measure(subject: Subject, keys: number, linesPerSecond: number, request: BenchRequest, sums: ((lines: number) => TextSums) | null): Promise<Run> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-recovery-'));
  const source = await startLoadSource({ pace: [{ linesPerSecond, seconds: Infinity }], resumable: subject.name === 'millrace' });
  const lives: MeasuredProcess[] = [];
  const start = async (): Promise<MeasuredProcess> => {
    const settings = { program: 'runningCount', master: masterOf(subject, request), batchMs, port: source.port, keys, writeAheadLog: true, checkpointDirectory: join(directory, 'checkpoint') } as const;
    const life = await subject.start(settings);
    lives.push(life);
    return life;
  };
  try {
    const first = await start();
    await first.until('a first batch with records', () => first.batches.some(({ records }) => records > 0), startLimitMs);
    await sleep(request.seconds * 1_000);
    if (first.failure !== null) throw first.failure;
    const killedMs = await first.kill();
    const second = await start();
    await second.until('a batch with records, on time', () => caughtUp(second, killedMs) !== undefined, recoverLimitMs);
    const since = (epochMs: number | undefined): number => (epochMs ?? Number.NaN) - killedMs;
    const state = second.states.at(-1) ?? null;
    if (sums !== null) checkStates(first.states, second.states, keys, sums);
    const result: Run = {
      mainMs: since(second.main?.epochMs),
      startedMs: since(second.started?.epochMs),
      firstBatchMs: since(second.batches[0]?.epochMs),
      firstRecordsMs: since(second.batches.find(({ records }) => records > 0)?.epochMs),
      caughtUpMs: since(caughtUp(second, killedMs)?.epochMs),
      rssPeakMib: Math.round(second.usage()?.rssPeakMib ?? Number.NaN),
      version: second.main?.version ?? 'unknown',
      state,
    };
    request.log(`${subject.name}, ${state?.keys ?? 0} keys: first batch ${result.firstBatchMs} ms after the kill (process ${result.mainMs}, started ${result.startedMs}), on time after ${result.caughtUpMs} ms${sums === null ? '' : '; the state is right'}`);
    return result;
  } finally {
    for (const life of lives) await life.kill();
    await source.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The first batch that came due after the kill, and did not wait for others. */
function caughtUp({ batches }: MeasuredProcess, killedMs: number): MeasuredProcess['batches'][number] | undefined {
  return batches.find(({ batchTime, records, schedulingDelayMs }) => records > 0 && batchTime > killedMs && schedulingDelayMs < batchMs);
}

/** Throws where a batch's state is not that of the text's first so many lines, or is behind an earlier one. */
export function checkStates(first: readonly StateEvent[], second: readonly StateEvent[], keys: number, sums: (lines: number) => TextSums): void {
  const wordsAt = new Map<number, number>();
  let latest = 0;
  for (const state of [...first, ...second]) {
    const lines = state.words / wordsPerLine;
    const expected = sums(Math.floor(lines));
    const wrong = (what: string): never => {
      throw new Error(`The state of the batch at ${state.batchTime} ms ${what}.`);
    };
    if (!Number.isInteger(lines)) wrong(`holds ${state.words} words, which is no whole number of lines`);
    if (state.weighted !== expected.weighted) wrong(`is not that of the first ${lines} lines: the sum of its words' numbers is ${state.weighted}; expected ${expected.weighted}`);
    const keysExpected = keys === 0 ? expected.distinct : keys;
    if (state.keys !== keysExpected) wrong(`has ${state.keys} keys; expected ${keysExpected}`);
    const before = wordsAt.get(state.batchTime);
    if (before !== undefined && before !== state.words) wrong(`has ${state.words} words after it ran again; it had ${before}`);
    if (before === undefined && state.words < latest) wrong(`has ${state.words} words, and a batch before it had ${latest}`);
    wordsAt.set(state.batchTime, state.words);
    latest = Math.max(latest, state.words);
  }
  const lastBefore = first.at(-1)?.words ?? 0;
  if ((second.at(-1)?.words ?? 0) <= lastBefore) throw new Error(`The state has ${second.at(-1)?.words ?? 0} words after the restart; there were ${lastBefore} before the kill, and more have come.`);
}

function masterOf(subject: Subject, request: BenchRequest): string {
  return (subject.name === 'spark' ? request.options.peerMaster : request.options.master) ?? 'local[2]';
}
