/**
 * word-count-engine: the word count over records that lie in memory, or in a text file: no socket, no receiver.
 *
 * Invariant: every batch is the same RDD of the same lines in two partitions; both sides and the bare loops count the same text, and end with all counts
 * and their top 10 at the driver. Our side runs twice: with its closures recognised, held against the bare byte table; and with all of them called, as Spark
 * calls its own, held against the bare loop that calls them.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repeat, repeatOn } from './bench.ts';
import type { Bench, BenchOutcome, BenchRequest } from './bench.ts';
import { runBareLoop } from './peers/limit/word-count-loop.ts';
import { makeLines, wordsPerLine } from './load/zipf-lines.ts';
import type { Measured } from './result.ts';
import { median, significant } from './statistics.ts';
import { millrace, spark } from './subjects.ts';
import type { Subject } from './subjects.ts';
import type { SubjectSettings } from './subject-settings.ts';

const defaultLines = 1_000_000;
const defaultBatches = 15;
const batchesDropped = 5;
const batchMs = 1_000;
/** How much longer than its time a run may take for the first batches, which are not counted, and one more. */
const warmUpMsMax = 120_000;

export const wordCountEngine: Bench = {
  name: 'word-count-engine',
  summary: 'word count over 1 M lines in memory, one batch of all of them after another: lines per second of processing time',
  unit: 'lines/s',
  better: 'higher',
  definition: 'lines in a batch / median processing time of 15 batches (of those complete when the time ends) without the first 5',
  peers: ['spark', 'limit'],
  defaults: { seconds: 120, runs: 3 },
  run,
};

async function run(request: BenchRequest): Promise<BenchOutcome> {
  const lines = request.options.lines ?? defaultLines;
  const batches = request.options.batches ?? defaultBatches;
  const { input = 'strings', closures } = request.options;
  const master = request.options.master ?? 'local[2]';
  const work = input === 'text' ? mkdtempSync(join(tmpdir(), 'millrace-bench-')) : null;
  try {
    const text = work === null ? {} : { textFile: textFileIn(work, lines) };
    const side = (subject: Subject, name: string, more: Pick<SubjectSettings, 'master' | 'textFile' | 'recognizeClosures'>) => repeat(request.runs, () => measureMemoryWordCount(subject, name, { ...more, lines, batches }, request));
    const ways: Way[] = [];
    for (const way of ['recognized', 'called'] as const) {
      if (closures !== undefined && closures !== way) continue;
      const ours = await side(millrace, `millrace, closures ${way}`, { master, ...text, recognizeClosures: way === 'recognized' });
      const bare = await repeatOn(request, 'limit', () => measureBare(way === 'recognized' ? 'bytes' : 'closures', lines, batches, request));
      ways.push({ way, ours, bare });
    }
    const theirs = request.peers.has('spark') ? await side(spark, 'spark', { master: request.options.peerMaster ?? 'local[2]' }) : [];
    return {
      figures: [...ways.map((way) => rateOf(way, theirs)), ...ways.map((way) => peakOf(way, theirs))],
      settings: { lines, batches, input, batchesDropped: dropped(batches), partitions: 2, master, peerMaster: request.options.peerMaster ?? 'local[2]' },
      versions: theirs[0] === undefined ? {} : { spark: theirs[0].version },
    };
  } finally {
    if (work !== null) rmSync(work, { recursive: true, force: true });
  }
}

interface Way {
  readonly way: 'recognized' | 'called';
  readonly ours: readonly Run[];
  readonly bare: readonly number[];
}

function rateOf({ way, ours, bare }: Way, theirs: readonly Run[]): Measured {
  const rates = (list: readonly Run[]): number[] => list.map((one) => one.linesPerSecond);
  return { name: `lines per second of processing time, closures ${way}`, unit: 'lines/s', better: 'higher', runs: rates(ours), peers: { spark: rates(theirs), limit: bare } };
}

function peakOf({ way, ours }: Way, theirs: readonly Run[]): Measured {
  const peaks = (list: readonly Run[]): number[] => list.map((one) => one.rssPeakMib);
  return { name: `peak RSS, closures ${way}`, unit: 'MiB', better: 'lower', runs: peaks(ours), peers: { spark: peaks(theirs) } };
}

/** Lines per second of the bare loop of that form. */
async function measureBare(form: 'closures' | 'bytes', lines: number, batches: number, request: BenchRequest): Promise<number> {
  const times = await runBareLoop({ lines, batches, threads: 2, form });
  const processingMs = median(times.slice(dropped(batches)));
  request.log(`limit, ${form}: ${significant(processingMs, 3)} ms a batch`);
  return (lines * 1_000) / processingMs;
}

function textFileIn(directory: string, lines: number): string {
  const file = join(directory, 'lines.txt');
  writeFileSync(file, makeLines(lines));
  return file;
}

interface Run {
  readonly linesPerSecond: number;
  readonly rssPeakMib: number;
  readonly version: string;
}

export async function measureMemoryWordCount(subject: Subject, name: string, given: Pick<SubjectSettings, 'master' | 'textFile' | 'recognizeClosures'> & { readonly lines: number; readonly batches: number }, request: BenchRequest): Promise<Run> {
  const { lines, batches } = given;
  const measured = await subject.start({ ...given, program: 'memory', batchMs, stopAfterBatches: batches });
  try {
    // The end of the time is the end of the run: what is complete by then is measured, once there is anything to measure.
    const inTime = await measured.reached(() => measured.ended !== null, request.seconds * 1_000);
    if (!inTime) await measured.reached(() => measured.ended !== null || measured.batches.length > dropped(batches), warmUpMsMax);
  } finally {
    await measured.end(5_000);
  }
  const counted = measured.outputs.slice(0, batches).every((output) => output.words === lines * wordsPerLine);
  if (!counted) throw new Error(`${name} did not count ${lines * wordsPerLine} words in each batch: ${measured.outputs.map((output) => output.words).join(', ')}`);
  const times = [...measured.batches].sort((a, b) => a.batchTime - b.batchTime).slice(0, batches).map((batch) => batch.processingDelayMs);
  const processingMs = median(afterWarmUp(name, times, batches, request.seconds + warmUpMsMax / 1_000));
  request.log(`${name}: ${significant(processingMs, 3)} ms a batch, ${times.length} of ${batches} batches (${times.map((time) => significant(time, 3)).join(' ')})`);
  return {
    linesPerSecond: (lines * 1_000) / processingMs,
    rssPeakMib: measured.ended?.rssPeakMib ?? Number.NaN,
    version: measured.main?.version ?? 'unknown',
  };
}

/** The times that count, of the batches that were complete in time. Throws where these are the first ones alone. */
export function afterWarmUp(name: string, times: readonly number[], batches: number, seconds: number): readonly number[] {
  const first = dropped(batches);
  if (times.length > first) return times.slice(first);
  throw new Error(`${name}: ${times.length} of ${batches} batches were complete within ${seconds} s, and at least ${first + 1} are needed: the first ${first} are not counted. Run it on a machine that is less busy, or give it fewer --lines.`);
}

/** A third of the batches where there are fewer than usual: a smoke run. */
function dropped(batches: number): number {
  return Math.min(batchesDropped, Math.floor(batches / 3));
}
