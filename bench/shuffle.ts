/**
 * shuffle: what it costs to move 10 M pairs of 1 M keys to where their keys belong, where nothing can be combined before: groupByKey, and join.
 *
 * Invariant: every batch's result is checked: so many groups with so many values in all, or so many joined pairs.
 */
import { repeat, repeatOn } from './bench.ts';
import type { Bench, BenchOutcome, BenchRequest } from './bench.ts';
import { groupWeight, shufflePartitions } from './programs/shuffle-functions.ts';
import type { ShuffleSize } from './programs/shuffle-functions.ts';
import type { Measured } from './result.ts';
import { median, significant } from './statistics.ts';
import { millrace, spark } from './subjects.ts';
import type { Subject } from './subjects.ts';

const defaultSize: ShuffleSize = { pairs: 10_000_000, keys: 1_000_000 };
const defaultBatches = 6;
const batchMs = 1_000;

type ShuffleForm = 'groupByKey' | 'join';
const forms: readonly ShuffleForm[] = ['groupByKey', 'join'];

export const shuffle: Bench = {
  name: 'shuffle',
  summary: '10 M pairs of 1 M keys, grouped, and half of them joined with a pair for each key: processing time',
  unit: 'ms',
  better: 'lower',
  definition: 'median processing time of a batch with groupByKey, of 6 batches without the first third',
  peers: ['spark'],
  defaults: { seconds: 240, runs: 3 },
  run,
};

interface Run {
  readonly processingMs: readonly number[];
  readonly rssPeakMib: number;
  readonly version: string;
}

async function run(request: BenchRequest): Promise<BenchOutcome> {
  const size = sizeOf(request);
  const batches = request.options.batches ?? defaultBatches;
  const master = request.options.master ?? 'local[2]';
  const peerMaster = request.options.peerMaster ?? 'local[2]';
  const figures: Measured[] = [];
  const versions: Record<string, string> = {};
  for (const form of forms) {
    const ours = await repeat(request.runs, () => measure(millrace, form, master, batches, size, request));
    const theirs = await repeatOn(request, 'spark', () => measure(spark, form, peerMaster, batches, size, request));
    const figure = (name: string, unit: string, pick: (one: Run) => number): Measured => ({ name: `${form}: ${name}`, unit, better: 'lower', runs: ours.map(pick), peers: { spark: theirs.map(pick) } });
    figures.push(figure('processing time', 'ms', ({ processingMs }) => median(processingMs)), figure('peak RSS', 'MiB', ({ rssPeakMib }) => rssPeakMib));
    if (theirs[0] !== undefined) versions['spark'] = theirs[0].version;
  }
  return { figures, settings: { ...size, batches, partitions: shufflePartitions, master, peerMaster }, versions };
}

async function measure(subject: Subject, form: ShuffleForm, master: string, batches: number, size: ShuffleSize, request: BenchRequest): Promise<Run> {
  const measured = await subject.start({ program: form, master, batchMs, batches, ...size, stopAfterBatches: batches });
  try {
    await measured.until(`${batches} batches`, () => measured.ended !== null, request.seconds * 1_000);
  } finally {
    await measured.end(5_000);
  }
  const expected = form === 'groupByKey' ? size.keys * groupWeight + size.pairs : size.pairs / 2;
  // One more may have begun when it was told to end; it has no pairs.
  const results = measured.outputs.slice(0, batches).map(({ keys }) => keys);
  if (results.length < batches || results.some((result) => result !== expected)) throw new Error(`${subject.name}, ${form}: expected ${batches} times ${expected}; got ${results.join(', ')}.`);
  const times = [...measured.batches].sort((a, b) => a.batchTime - b.batchTime).slice(0, batches).map(({ processingDelayMs }) => processingDelayMs);
  request.log(`${subject.name} ${form}: ${times.map((time) => significant(time, 3)).join(' ')} ms`);
  return { processingMs: times.slice(Math.floor(batches / 3)), rssPeakMib: measured.ended?.rssPeakMib ?? Number.NaN, version: measured.main?.version ?? 'unknown' };
}

/** Whole groups, and half of the pairs for the join. */
function sizeOf({ options }: BenchRequest): ShuffleSize {
  const keys = options.keys ?? defaultSize.keys;
  const perKey = Math.max(2, Math.round((options.lines ?? defaultSize.pairs) / keys / 2) * 2);
  return { pairs: keys * perKey, keys };
}
