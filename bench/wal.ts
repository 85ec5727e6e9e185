/**
 * wal: what the write-ahead log costs a stream, and how long a source waits for its acknowledgements.
 *
 * Invariant: Millrace syncs before it acknowledges, by its default settings; Spark's log is written and never synced. How often it
 * syncs is what the log itself has counted.
 */
import { repeat } from './bench.ts';
import type { Bench, BenchOutcome, BenchRequest } from './bench.ts';
import type { Measured } from './result.ts';
import { runSocket } from './socket-run.ts';
import type { SocketRun } from './socket-run.ts';
import { median, percentile, significant } from './statistics.ts';
import { phasesFor } from './stability.ts';
import type { LogEvent } from './subject-events.ts';
import { millrace, spark } from './subjects.ts';
import { closuresOf, detailsOf, figuresAtBest, masterOf, measureSustained, rateFigure, runsAtBest, socketBatchMs, stepLinesPerSecond } from './sustained-rate.ts';
import { epochMs, sleep } from './wall-clock.ts';

/** Where syncs are counted apart from the search: far from what the machine can take. */
const syncLinesPerSecond = 100_000;
/** 10,000 lines of 60 bytes a second. */
const load = { storesPerSecond: 100, recordsPerStore: 100 } as const;
const latencyBatchMs = 1_000;
const startLimitMs = 60_000;
/** At most: of a short window no longer than that. */
const latencyWarmSeconds = 3;

export const wal: Bench = {
  name: 'wal',
  summary: 'network word count with the write-ahead log on, and off: the highest sustained rate; syncs; from store to acknowledgement',
  unit: 'lines/s',
  better: 'higher',
  definition: 'the highest rate that word-count-socket sustains with the log on, synced before anything is acknowledged; Spark with its log on, which it does not sync',
  peers: ['spark'],
  defaults: { seconds: 30, runs: 3 },
  run,
};

async function run(request: BenchRequest): Promise<BenchOutcome> {
  const { closures, recognizeClosures } = closuresOf(request);
  const settings = { writeAheadLog: true, recognizeClosures } as const;
  const on = await measureSustained({ subject: millrace, label: 'millrace with the log', settings }, request);
  const theirs = request.peers.has('spark') ? await measureSustained({ subject: spark, label: 'spark with its log', startRate: 100_000, settings }, request) : null;
  const peers = theirs === null ? {} : { spark: theirs };
  const off = await measureSustained({ subject: millrace, label: 'millrace without the log', startRate: Math.max(stepLinesPerSecond, on.value), settings: { ...settings, writeAheadLog: false } }, request);
  const fewBlocks = await repeat(request.runs, () => countSyncs(request));
  const latencies = [
    { name: 'store to acknowledgement', runs: await repeat(request.runs, () => measureLatency(request, undefined)) },
    { name: 'store to acknowledgement, walSyncIntervalMs 0', runs: await repeat(request.runs, () => measureLatency(request, 0)) },
  ];
  const lower = (name: string, unit: string, runs: readonly number[]): Measured => ({ name, unit, better: 'lower', runs });
  const atBest = runsAtBest(on, request).map(({ logs }) => writtenPerBatch(logs));
  return {
    figures: [
      rateFigure(', with the log', on, peers, request),
      rateFigure(', without the log', off, {}, request),
      { name: 'rate with the log, as a part of that without', unit: 'of 1', better: 'higher', runs: [on.value / off.value] },
      ...figuresAtBest(on, peers, request),
      lower('syncs of the log a batch, at that rate', 'syncs', atBest.map(({ syncs }) => syncs)),
      lower('written to the log a second, at that rate', 'MB', atBest.map(({ bytes }) => bytes / 1e6 / (socketBatchMs / 1_000))),
      lower(`syncs of the log a batch, where a block lasts a batch, at ${syncLinesPerSecond} lines/s`, 'syncs', fewBlocks),
      ...latencies.flatMap(({ name, runs }) => [
        lower(`${name}, median`, 'ms', runs.map((ms) => median(ms))),
        lower(`${name}, p99`, 'ms', runs.map((ms) => percentile(ms, 0.99))),
      ]),
    ],
    settings: { closures, batchMs: socketBatchMs, step: stepLinesPerSecond, master: masterOf(millrace, request), peerMaster: masterOf(spark, request), ...load },
    details: { withLog: detailsOf(on), withoutLog: detailsOf(off), ...(theirs === null ? {} : { spark: detailsOf(theirs) }) },
    ...(theirs === null ? {} : { versions: { spark: theirs.measured[0]?.run.version ?? 'unknown' } }),
  };
}

async function countSyncs(request: BenchRequest): Promise<number> {
  const one: SocketRun = await runSocket({
    subject: millrace,
    master: masterOf(millrace, request),
    batchMs: socketBatchMs,
    linesPerSecond: Math.min(syncLinesPerSecond, request.options.rate ?? Infinity),
    phases: phasesFor(request.seconds / 2),
    settings: { writeAheadLog: true, blockMs: socketBatchMs },
  });
  const { syncs, groups, batches } = writtenPerBatch(one.logs);
  request.log(`millrace, a block a batch: ${significant(syncs, 3)} syncs a batch, of ${batches} batches, and ${significant(groups, 3)} without those of new segments`);
  return syncs;
}

/** Between the first and the last of these batches. */
export function writtenPerBatch(logs: readonly LogEvent[]): { readonly syncs: number; readonly groups: number; readonly bytes: number; readonly batches: number } {
  const first = logs[0];
  const last = logs.at(-1);
  if (first === undefined || last === undefined || logs.length < 2) return { syncs: Number.NaN, groups: Number.NaN, bytes: Number.NaN, batches: 0 };
  const batches = logs.length - 1;
  return { syncs: (last.log.syncs - first.log.syncs) / batches, groups: (last.log.groups - first.log.groups) / batches, bytes: (last.log.bytes - first.log.bytes) / batches, batches };
}

async function measureLatency(request: BenchRequest, walSyncIntervalMs: number | undefined): Promise<readonly number[]> {
  const measured = await millrace.start({
    program: 'acknowledged',
    master: masterOf(millrace, request),
    batchMs: latencyBatchMs,
    writeAheadLog: true,
    ...(walSyncIntervalMs === undefined ? {} : { walSyncIntervalMs }),
    ...load,
  });
  try {
    await measured.until('the first acknowledgements', () => measured.latencies.some(({ ms }) => ms.length > 0), startLimitMs);
    await sleep(Math.min(latencyWarmSeconds, request.seconds) * 1_000);
    const fromMs = epochMs();
    await sleep(request.seconds * 1_000);
    if (measured.failure !== null) throw measured.failure;
    const ms = measured.latencies.filter((event) => event.epochMs >= fromMs).flatMap((event) => event.ms);
    const expected = request.seconds * load.storesPerSecond;
    if (ms.length === 0) throw new Error(`Expected about ${expected} acknowledgements in ${request.seconds} s; got none.`);
    request.log(`millrace, store to acknowledgement, walSyncIntervalMs ${walSyncIntervalMs ?? 'as it is'}: median ${significant(median(ms), 3)} ms, p99 ${significant(percentile(ms, 0.99), 3)} ms of ${ms.length}${ms.length < expected / 2 ? `, and about ${expected} were to come: the machine was busy with something else` : ''}`);
    return ms;
  } finally {
    await measured.end(5_000);
  }
}
