/**
 * state-update: what a batch costs that changes 10,000 of 1,000,000 keys, by updateStateByKey (which visits all of them) and by
 * mapWithState (which visits those that changed).
 *
 * Invariant: the initial state is loaded in the first batch, which is in no figure. Every batch's count is checked: all keys, or
 * the changed ones.
 */
import { repeat, repeatOn } from './bench.ts';
import type { Bench, BenchOutcome, BenchRequest } from './bench.ts';
import { runBareTables } from './peers/limit/state-loop.ts';
import type { StateSize } from './programs/state-functions.ts';
import type { Measured } from './result.ts';
import { median, percentile, significant } from './statistics.ts';
import { millrace, spark } from './subjects.ts';
import type { Subject } from './subjects.ts';
import { epochMs, sleep, waitUntil } from './wall-clock.ts';

const defaultSize: StateSize = { keys: 1_000_000, updates: 10_000 };
const defaultBatchMs = 2_000;
/** Of the window's length: 16 s for 30 s. */
const warmFraction = 16 / 30;
const firstBatchLimitMs = 120_000;
const settleSecondsMax = 60;
const bareBatches = 20;
const bareBatchesDropped = 5;

type StateForm = 'updateStateByKey' | 'mapWithState';
const forms: readonly StateForm[] = ['updateStateByKey', 'mapWithState'];

export const stateUpdate: Bench = {
  name: 'state-update',
  summary: '1 M keys of state, 10,000 of them updated a batch, by updateStateByKey and by mapWithState: processing time',
  unit: 'ms',
  better: 'lower',
  definition: 'median processing time of a batch with updateStateByKey, which visits every key',
  peers: ['spark', 'limit'],
  defaults: { seconds: 30, runs: 3 },
  run,
};

interface Run {
  readonly processingMs: readonly number[];
  readonly rssPeakMib: number;
  readonly completedFraction: number;
  readonly version: string;
}

async function run(request: BenchRequest): Promise<BenchOutcome> {
  const size = sizeOf(request);
  const batchMs = request.options.interval ?? defaultBatchMs;
  const master = request.options.master ?? 'local[2]';
  const peerMaster = request.options.peerMaster ?? 'local[2]';
  const figures: Measured[] = [];
  const details: Record<string, unknown>[] = [];
  const versions: Record<string, string> = {};
  for (const form of forms) {
    const ours = await repeat(request.runs, () => measure(millrace, form, master, batchMs, size, request));
    const theirs = await repeatOn(request, 'spark', () => measure(spark, form, peerMaster, defaultBatchMs, size, request));
    const bare = await repeatOn(request, 'limit', () => measureBare(form, size, request));
    figures.push(...figuresOf(form, ours, theirs, bare));
    for (const [name, runs] of [['millrace', ours], ['spark', theirs], ['limit', bare]] as const) for (const one of runs) details.push({ name, form, ...one });
    if (theirs[0] !== undefined) versions['spark'] = theirs[0].version;
  }
  return { figures, settings: { ...size, batchMs, peerBatchMs: defaultBatchMs, partitions: 2, master, peerMaster }, details: { runs: details }, versions };
}

async function measure(subject: Subject, form: StateForm, master: string, batchMs: number, size: StateSize, request: BenchRequest): Promise<Run> {
  const measured = await subject.start({ program: form, master, batchMs, ...size });
  try {
    await measured.until('the first batch, which loads the state', () => measured.batches.length > 0, firstBatchLimitMs);
    // Loading a million keys may take longer than an interval: what has piled up is done first.
    await waitUntil(() => measured.failure !== null || (measured.batches.at(-1)?.schedulingDelayMs ?? Infinity) < batchMs, settleSecondsMax * 1_000);
    const fromMs = epochMs() + request.seconds * warmFraction * 1_000;
    const toMs = fromMs + request.seconds * 1_000;
    await sleep(toMs - epochMs());
    if (measured.failure !== null) throw measured.failure;
    const processingMs = measured.batches.filter((batch) => batch.epochMs >= fromMs && batch.epochMs < toMs).map((batch) => batch.processingDelayMs);
    const expected = form === 'updateStateByKey' ? size.keys : size.updates;
    const wrong = measured.outputs.find(({ keys }) => keys !== expected);
    if (wrong !== undefined) throw new Error(`${subject.name}, ${form}: the batch at ${wrong.batchTime} ms counted ${wrong.keys}; expected ${expected}.`);
    const completedFraction = processingMs.length / ((request.seconds * 1_000) / batchMs);
    log(request, subject.name, form, processingMs, `, ${Math.round(completedFraction * 100)} % of the batches completed`);
    return { processingMs, rssPeakMib: Math.round(measured.usage()?.rssPeakMib ?? Number.NaN), completedFraction, version: measured.main?.version ?? 'unknown' };
  } finally {
    await measured.end(5_000);
  }
}

async function measureBare(form: StateForm, size: StateSize, request: BenchRequest): Promise<Run> {
  const times = await runBareTables({ form, ...size, batches: bareBatches });
  const processingMs = times.slice(bareBatchesDropped);
  log(request, 'limit', form, processingMs, '');
  return { processingMs, rssPeakMib: Number.NaN, completedFraction: 1, version: '' };
}

function figuresOf(form: StateForm, ours: readonly Run[], theirs: readonly Run[], bare: readonly Run[]): Measured[] {
  const figure = (name: string, unit: string, pick: (one: Run) => number, limit: readonly Run[]): Measured => ({
    name: `${form}: ${name}`,
    unit,
    better: 'lower',
    runs: ours.map(pick),
    peers: { spark: theirs.map(pick), limit: limit.map(pick) },
  });
  return [
    figure('processing time, median', 'ms', (one) => median(one.processingMs), bare),
    figure('processing time, p99', 'ms', (one) => percentile(one.processingMs, 0.99), bare),
    figure('peak RSS', 'MiB', (one) => one.rssPeakMib, []),
  ];
}

/** Both are dealt out to two partitions. */
function sizeOf(request: BenchRequest): StateSize {
  const even = (count: number): number => count + (count % 2);
  const keys = even(request.options.keys ?? defaultSize.keys);
  return { keys, updates: Math.min(keys, even(request.options.updates ?? defaultSize.updates)) };
}

function log(request: BenchRequest, name: string, form: StateForm, processingMs: readonly number[], more: string): void {
  const [middle, high] = [median(processingMs), percentile(processingMs, 0.99)];
  request.log(`${name} ${form}: processing median ${significant(middle, 3)} ms, p99 ${significant(high, 3)} ms of ${processingMs.length} batches${more}`);
}
