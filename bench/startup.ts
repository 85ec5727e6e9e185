/**
 * startup: how long from the start of the process until the first batch is complete, and what an idle context weighs.
 *
 * Invariant: times run from just before the process is started; the program is the network word count on a silent source.
 */
import { repeat, repeatOn } from './bench.ts';
import type { Bench, BenchOutcome, BenchRequest } from './bench.ts';
import { startLoadSource } from './load/source.ts';
import type { Measured } from './result.ts';
import { significant } from './statistics.ts';
import { millrace, spark } from './subjects.ts';
import type { Subject } from './subjects.ts';
import { sleep } from './wall-clock.ts';

/** Spark's own smallest stable interval is 100 ms. The first interval gives the value at the top. */
const intervalsMs = [1_000, 100] as const;
const firstBatchLimitMs = 60_000;

export const startup: Bench = {
  name: 'startup',
  summary: 'process start to first completed batch, and the idle process\'s RSS',
  unit: 'ms',
  better: 'lower',
  definition: 'median time from process start to the first completed batch of 1 s (the wait for the grid, 0 to 1 s, is part of it)',
  peers: ['spark'],
  defaults: { seconds: 5, runs: 5 },
  run,
};

interface Run {
  readonly startedMs: number;
  readonly firstBatchMs: number;
  readonly idleRssMib: number;
  readonly threads: number;
  readonly idleCores: number;
  readonly version: string;
}

async function run(request: BenchRequest): Promise<BenchOutcome> {
  const figures: Measured[] = [];
  const versions: Record<string, string> = {};
  for (const batchMs of intervalsMs) {
    const ours = await repeat(request.runs, () => measure(millrace, request, batchMs));
    const theirs = await repeatOn(request, 'spark', () => measure(spark, request, batchMs));
    if (theirs[0] !== undefined) versions['spark'] = theirs[0].version;
    const figure = (name: string, unit: string, pick: (one: Run) => number): Measured => ({
      name: `${name}, batch ${batchMs} ms`,
      unit,
      better: 'lower',
      runs: ours.map(pick),
      peers: { spark: theirs.map(pick) },
    });
    figures.push(
      figure('process start to first completed batch', 'ms', (one) => one.firstBatchMs),
      figure('process start to context started', 'ms', (one) => one.startedMs),
      figure('idle RSS', 'MiB', (one) => one.idleRssMib),
      figure('idle cores used', 'cores', (one) => one.idleCores),
      figure('threads', 'threads', (one) => one.threads),
    );
  }
  return {
    figures: figures.filter((figure) => figure.runs.every((value) => Number.isFinite(value))),
    settings: { idleSeconds: request.seconds, master: request.options.master ?? 'local[2]', peerMaster: request.options.peerMaster ?? 'local[2]' },
    versions,
  };
}

async function measure(subject: Subject, request: BenchRequest, batchMs: number): Promise<Run> {
  const source = await startLoadSource({ pace: [{ linesPerSecond: 0, seconds: Infinity }] });
  const master = (subject.name === 'spark' ? request.options.peerMaster : request.options.master) ?? 'local[2]';
  const measured = await subject.start({ program: 'socket', master, batchMs, port: source.port });
  try {
    await measured.until('the first batch', () => measured.batches.length > 0, firstBatchLimitMs);
    const before = measured.usage();
    await sleep(request.seconds * 1_000);
    const after = measured.usage();
    const run = {
      startedMs: (measured.started?.epochMs ?? Number.NaN) - measured.spawnedMs,
      firstBatchMs: (measured.batches[0]?.epochMs ?? Number.NaN) - measured.spawnedMs,
      idleRssMib: after?.rssMib ?? Number.NaN,
      threads: after?.threads ?? Number.NaN,
      idleCores: before === null || after === null ? Number.NaN : (after.cpuSeconds - before.cpuSeconds) / request.seconds,
      version: measured.main?.version ?? 'unknown',
    };
    request.log(`${subject.name}, batch ${batchMs} ms: first batch after ${run.firstBatchMs} ms, idle RSS ${significant(run.idleRssMib, 3)} MiB`);
    return run;
  } finally {
    await measured.end(5_000);
    await source.stop();
  }
}
