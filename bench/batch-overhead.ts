/**
 * batch-overhead: what a batch costs that has little or nothing to do, and how long a line waits for its result.
 *
 * Invariant: latency runs from the stamp in the line, taken just before it was written to the socket, to the top 10 of its batch
 * lying at the driver, over every line of the window. Both stamps are of one machine's clock.
 */
import { repeat } from './bench.ts';
import type { Bench, BenchOutcome, BenchRequest } from './bench.ts';
import type { Measured } from './result.ts';
import { latenciesOf, runSocket } from './socket-run.ts';
import type { SocketRun } from './socket-run.ts';
import { median, percentile, significant, weightedPercentile } from './statistics.ts';
import { millrace, spark } from './subjects.ts';
import type { Subject } from './subjects.ts';

const linesPerSecond = 1_000;
const defaultIntervalsMs = [1_000, 200, 100, 50, 10, 5] as const;
/** Below this, Spark Streaming falls behind without end: there is nothing to compare with. */
const sparkIntervalMsMin = 50;

export const batchOverhead: Bench = {
  name: 'batch-overhead',
  summary: 'empty batches and 1,000 lines/s, batch intervals from 1 s to 5 ms: processing time and end-to-end latency',
  unit: 'ms',
  better: 'lower',
  definition: 'median processing time of an empty batch at the longest interval (a machine that has slept since the last batch)',
  peers: ['spark'],
  defaults: { seconds: 20, runs: 1 },
  run,
};

/** Of one interval, with lines or without, over all runs. */
interface Point {
  readonly batchMs: number;
  readonly loaded: boolean;
  readonly runs: readonly SocketRun[];
}

async function run(request: BenchRequest): Promise<BenchOutcome> {
  const intervals = request.options.intervals ?? defaultIntervalsMs;
  const figures: Measured[] = [];
  const points: Record<string, unknown>[] = [];
  const versions: Record<string, string> = {};
  for (const batchMs of intervals) {
    for (const loaded of [false, true]) {
      const ours = await measure(millrace, request, batchMs, loaded);
      const theirs = request.peers.has('spark') && batchMs >= sparkIntervalMsMin ? await measure(spark, request, batchMs, loaded) : null;
      figures.push(...figuresOf(ours, theirs));
      for (const [name, point] of [['millrace', ours], ['spark', theirs]] as const) {
        for (const one of point?.runs ?? []) points.push({ name, batchMs, loaded, ...one.judgement, coresUsed: one.coresUsed, rssPeakMib: one.rssPeakMib });
      }
      if (theirs !== null) versions['spark'] = theirs.runs[0]?.version ?? 'unknown';
    }
  }
  return {
    figures,
    settings: { linesPerSecond, intervals, master: masterOf(request), peerMaster: request.options.peerMaster ?? 'local[2]' },
    details: { points },
    versions,
  };
}

async function measure(subject: Subject, request: BenchRequest, batchMs: number, loaded: boolean): Promise<Point> {
  const master = subject.name === 'spark' ? (request.options.peerMaster ?? 'local[2]') : masterOf(request);
  // Java compiles for a long time at this load; the same warm-up is given to both.
  const warmSeconds = (request.seconds * 3) / 4;
  const runs = await repeat(request.runs, () =>
    runSocket({
      subject,
      master,
      batchMs,
      linesPerSecond: loaded ? linesPerSecond : 0,
      phases: { rampSeconds: 0, warmSeconds, windowSeconds: request.seconds, tailSeconds: request.seconds / 3 },
      stamped: true,
    }),
  );
  const processing = runs.flatMap((one) => one.batches.map((batch) => batch.processingDelayMs));
  const completed = median(runs.map((one) => one.judgement.completedFraction));
  request.log(
    `${subject.name} ${labelOf(batchMs, loaded)}: processing median ${significant(median(processing), 3)} ms, p99 ${significant(percentile(processing, 0.99), 3)} ms, ` +
      `${Math.round(completed * 100)} % of the batches completed`,
  );
  return { batchMs, loaded, runs };
}

function figuresOf(ours: Point, theirs: Point | null): Measured[] {
  const label = labelOf(ours.batchMs, ours.loaded);
  const figure = (name: string, pick: (run: SocketRun) => number): Measured => ({
    name: `${label}: ${name}`,
    unit: 'ms',
    better: 'lower',
    runs: ours.runs.map(pick),
    ...(theirs === null ? {} : { peers: { spark: theirs.runs.map(pick) } }),
  });
  const figures = [
    figure('processing time, median', (one) => one.judgement.processingMedianMs),
    figure('processing time, p99', (one) => one.judgement.processingP99Ms),
  ];
  if (!ours.loaded) return figures;
  return [
    ...figures,
    figure('latency, median', (one) => weightedPercentile(latenciesOf(one.outputs), 0.5)),
    figure('latency, p99', (one) => weightedPercentile(latenciesOf(one.outputs), 0.99)),
  ];
}

function labelOf(batchMs: number, loaded: boolean): string {
  return `${batchMs} ms, ${loaded ? `${linesPerSecond.toLocaleString('en-US')} lines/s` : 'empty'}`;
}

function masterOf(request: BenchRequest): string {
  return request.options.master ?? 'local[2]';
}
