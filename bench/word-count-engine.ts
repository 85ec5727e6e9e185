/**
 * word-count-engine: the word count over records that lie in memory: no socket, no receiver.
 *
 * Invariant: every batch is the same cached RDD of the same lines in two partitions; both sides and the bare loop count the same
 * text with the same functions, and end with all counts and their top 10 at the driver.
 */
import { repeat } from './bench.ts';
import type { Bench, BenchOutcome, BenchRequest } from './bench.ts';
import { runBareLoop } from './peers/limit/word-count-loop.ts';
import { wordsPerLine } from './load/zipf-lines.ts';
import { median, significant } from './statistics.ts';
import { millrace, spark } from './subjects.ts';
import type { Subject } from './subjects.ts';

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
  const side = (subject: Subject, master: string) => repeat(request.runs, () => measure(subject, master, lines, batches, request));
  const master = request.options.master ?? 'local[2]';
  const ours = await side(millrace, master);
  const theirs = request.peers.has('spark') ? await side(spark, request.options.peerMaster ?? 'local[2]') : [];
  const bare = request.peers.has('limit')
    ? await repeat(request.runs, async () => {
        const times = await runBareLoop({ lines, batches, threads: 2 });
        const processingMs = median(times.slice(dropped(batches)));
        request.log(`limit: ${significant(processingMs, 3)} ms a batch`);
        return { linesPerSecond: (lines * 1_000) / processingMs, rssPeakMib: Number.NaN, version: '' };
      })
    : [];
  const rates = (list: readonly Run[]): number[] => list.map((one) => one.linesPerSecond);
  const peaks = (list: readonly Run[]): number[] => list.map((one) => one.rssPeakMib);
  return {
    figures: [
      {
        name: 'lines per second of processing time',
        unit: 'lines/s',
        better: 'higher',
        runs: rates(ours),
        peers: { spark: rates(theirs), limit: rates(bare) },
      },
      { name: 'peak RSS', unit: 'MiB', better: 'lower', runs: peaks(ours), peers: { spark: peaks(theirs) } },
    ],
    settings: { lines, batches, batchesDropped: dropped(batches), partitions: 2, master, peerMaster: request.options.peerMaster ?? 'local[2]' },
    versions: theirs[0] === undefined ? {} : { spark: theirs[0].version },
  };
}

interface Run {
  readonly linesPerSecond: number;
  readonly rssPeakMib: number;
  readonly version: string;
}

async function measure(subject: Subject, master: string, lines: number, batches: number, request: BenchRequest): Promise<Run> {
  const measured = await subject.start({ program: 'memory', master, batchMs, lines, batches, stopAfterBatches: batches });
  try {
    // The end of the time is the end of the run: what is complete by then is measured, once there is anything to measure.
    const inTime = await measured.reached(() => measured.ended !== null, request.seconds * 1_000);
    if (!inTime) await measured.reached(() => measured.ended !== null || measured.batches.length > dropped(batches), warmUpMsMax);
  } finally {
    await measured.end(5_000);
  }
  const counted = measured.outputs.slice(0, batches).every((output) => output.words === lines * wordsPerLine);
  if (!counted) throw new Error(`${subject.name} did not count ${lines * wordsPerLine} words in each batch: ${measured.outputs.map((output) => output.words).join(', ')}`);
  const times = [...measured.batches].sort((a, b) => a.batchTime - b.batchTime).slice(0, batches).map((batch) => batch.processingDelayMs);
  const processingMs = median(afterWarmUp(subject.name, times, batches, request.seconds + warmUpMsMax / 1_000));
  request.log(`${subject.name}: ${significant(processingMs, 3)} ms a batch, ${times.length} of ${batches} batches (${times.map((time) => significant(time, 3)).join(' ')})`);
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
