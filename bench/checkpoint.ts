/**
 * checkpoint: for how long checkpoints hold up a stream with 1 M keys of state, and what is written for a batch.
 *
 * Invariant: the same stream is measured with a checkpoint in each batch and with none in the window; only `checkpointIntervalMs`
 * differs, the log of events and of the state's steps is on in both. What is written is what the logs themselves have counted.
 */
import { repeat } from './bench.ts';
import type { Bench, BenchOutcome, BenchRequest } from './bench.ts';
import type { Measured } from './result.ts';
import { median, percentile, significant } from './statistics.ts';
import type { LogEvent } from './subject-events.ts';
import { millrace } from './subjects.ts';
import { epochMs, sleep, waitUntil } from './wall-clock.ts';

const defaultKeys = 1_000_000;
/** Keys that a batch changes. The pause is measured with the second. */
const defaultUpdates = [1_000, 10_000, 100_000] as const;
const defaultBatchMs = 500;
/** Longer than any run: one checkpoint at the beginning, and none after it. */
const neverMs = 86_400_000;
const askEveryMs = 5;
const firstBatchLimitMs = 120_000;
const settleLimitMs = 60_000;
const warmSeconds = 3;

export const checkpoint: Bench = {
  name: 'checkpoint',
  summary: 'a stream with 1 M keys of state, a checkpoint in each batch: the pause it causes, and bytes written a batch',
  unit: 'ms',
  better: 'lower',
  definition: 'the longest time for which making a checkpoint kept the driver\'s thread from all else, of all checkpoints in the window: 1 M keys, 10,000 of them changed in each batch',
  peers: [],
  defaults: { seconds: 15, runs: 3 },
  run,
};

interface Run {
  readonly processingMs: readonly number[];
  readonly totalMs: readonly number[];
  readonly answerMs: readonly number[];
  readonly checkpoints: number;
  readonly heldMs: number;
  readonly heldMsMax: number;
  readonly checkpointBytes: number;
  /** For each batch, what was written between its end and that of the one before. */
  readonly batchBytes: readonly number[];
  readonly version: string;
}

async function run(request: BenchRequest): Promise<BenchOutcome> {
  const keys = even(request.options.keys ?? defaultKeys);
  const updates = request.options.updates === undefined ? defaultUpdates.map((count) => Math.min(keys, count)) : [even(request.options.updates)];
  const middle = updates[updates.length >> 1] ?? defaultUpdates[1];
  const each = new Map<number, readonly Run[]>();
  for (const count of updates) each.set(count, await repeat(request.runs, () => measure(request, keys, count, 0)));
  const none = await repeat(request.runs, () => measure(request, keys, middle, neverMs));
  const withEach = each.get(middle) ?? [];
  const figure = (name: string, unit: string, runs: readonly Run[], pick: (one: Run) => number): Measured => ({ name, unit, better: 'lower', runs: runs.map(pick) });
  const pair = (name: string, pick: (one: Run) => number): Measured[] => [figure(`${name}, with a checkpoint in each batch`, 'ms', withEach, pick), figure(`${name}, without`, 'ms', none, pick)];
  return {
    figures: [
      figure('driver\'s thread held by one checkpoint, longest', 'ms', withEach, (one) => one.heldMsMax),
      figure('driver\'s thread held by one checkpoint, mean', 'ms', withEach, (one) => one.heldMs / one.checkpoints),
      ...pair('driver\'s answer, p99', (one) => percentile(one.answerMs, 0.99)),
      ...pair('driver\'s answer, longest', (one) => Math.max(...one.answerMs)),
      ...pair('processing time, median', (one) => median(one.processingMs)),
      ...pair('processing time, p99', (one) => percentile(one.processingMs, 0.99)),
      ...pair('submission to the batch\'s end, median', (one) => median(one.totalMs)),
      ...[...each].flatMap(([count, runs]) => [
        figure(`written a batch, ${count} keys changed, median`, 'KB', runs, (one) => median(one.batchBytes) / 1_000),
        figure(`written a batch, ${count} keys changed, mean with the state's snapshots`, 'KB', runs, (one) => mean(one.batchBytes) / 1_000),
        figure(`bytes a changed key, ${count} of them`, 'bytes', runs, (one) => median(one.batchBytes) / count),
      ]),
      figure('one checkpoint file', 'KB', withEach, (one) => one.checkpointBytes / one.checkpoints / 1_000),
    ],
    settings: { keys, updates, batchMs: batchMsOf(request), askEveryMs, partitions: 2, master: request.options.master ?? 'local[2]' },
    details: { each: Object.fromEntries(each), none },
    versions: { millraceProcess: withEach[0]?.version ?? 'unknown' },
  };
}

async function measure(request: BenchRequest, keys: number, updates: number, checkpointIntervalMs: number): Promise<Run> {
  const batchMs = batchMsOf(request);
  const measured = await millrace.start({ program: 'updateStateByKey', master: request.options.master ?? 'local[2]', batchMs, keys, updates, checkpointIntervalMs, askEveryMs });
  try {
    await measured.until('the first batch, which loads the state', () => measured.logs.length > 0, firstBatchLimitMs);
    await waitUntil(() => measured.failure !== null || (measured.batches.at(-1)?.schedulingDelayMs ?? Infinity) < batchMs, settleLimitMs);
    await sleep(Math.min(warmSeconds, request.seconds) * 1_000);
    const fromMs = epochMs();
    await sleep(request.seconds * 1_000);
    if (measured.failure !== null) throw measured.failure;
    const inWindow = ({ epochMs: atMs }: { readonly epochMs: number }): boolean => atMs >= fromMs;
    const batches = measured.batches.filter(inWindow);
    const wrong = measured.outputs.find((output) => output.keys !== keys);
    if (wrong !== undefined) throw new Error(`The batch at ${wrong.batchTime} ms counted ${wrong.keys} keys; expected ${keys}.`);
    const logs = measured.logs.filter(inWindow);
    const result: Run = {
      processingMs: batches.map((batch) => batch.processingDelayMs),
      totalMs: batches.map((batch) => batch.schedulingDelayMs + batch.processingDelayMs),
      answerMs: measured.latencies.filter((event) => event.of === 'answer' && inWindow(event)).flatMap((event) => event.ms),
      ...checkpointsIn(logs),
      batchBytes: bytesOfBatches(logs),
      version: measured.main?.version ?? 'unknown',
    };
    request.log(`${updates} of ${keys} keys a batch, checkpoints ${checkpointIntervalMs === 0 ? 'in each' : 'in none'}: ${result.checkpoints} checkpoints, the longest held ${significant(result.heldMsMax, 3)} ms; ${significant(median(result.batchBytes) / 1_000, 3)} KB a batch; processing median ${significant(median(result.processingMs), 3)} ms`);
    return result;
  } finally {
    await measured.end(10_000);
  }
}

function checkpointsIn(logs: readonly LogEvent[]): Pick<Run, 'checkpoints' | 'heldMs' | 'heldMsMax' | 'checkpointBytes'> {
  const [first, last] = [logs[0]?.checkpoints, logs.at(-1)?.checkpoints];
  if (first === undefined || last === undefined) return { checkpoints: 0, heldMs: 0, heldMsMax: 0, checkpointBytes: 0 };
  // The longest is of all since the start, also of the one that found the state loaded.
  return { checkpoints: last.written - first.written, heldMs: last.heldMs - first.heldMs, heldMsMax: last.heldMsMax, checkpointBytes: last.bytes - first.bytes };
}

/** The log of events and the state's: what a batch must write before it counts as complete. */
export function bytesOfBatches(logs: readonly LogEvent[]): number[] {
  return logs.slice(1).map((event, index) => event.log.bytes + event.state.bytes - (logs[index]!.log.bytes + logs[index]!.state.bytes));
}

function batchMsOf(request: BenchRequest): number {
  return request.options.interval ?? defaultBatchMs;
}

function even(count: number): number {
  return count + (count % 2);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
