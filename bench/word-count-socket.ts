/**
 * word-count-socket: the network word count, and the highest rate of lines that it sustains.
 *
 * Invariant: every run is a fresh process; both sides are searched in the same way and judged by stability.ts.
 */
import type { Bench, BenchOutcome, BenchRequest } from './bench.ts';
import type { Measured } from './result.ts';
import { searchHighestRate } from './rate-search.ts';
import type { SearchResult } from './rate-search.ts';
import { runSocket } from './socket-run.ts';
import type { SocketRun } from './socket-run.ts';
import { median, significant } from './statistics.ts';
import { phasesFor } from './stability.ts';
import { millrace, spark } from './subjects.ts';
import type { Subject } from './subjects.ts';

const stepLinesPerSecond = 25_000;
const batchMs = 1_000;
/** A short run, while searching: enough to see a delay grow. */
const probeFraction = 1 / 3;
const probeSecondsMin = 5;
const giveUpLagSeconds = 2;

/** Spark's receiver takes a task slot, so it counts words on n - 1; with 4 it was fastest on 2 cores. */
const masters = { millrace: 'local[2]', spark: 'local[4]' } as const;
/** Where the search starts: near what was measured, so that it is short. */
const startRates = { millrace: 300_000, spark: 150_000 } as const;

export const wordCountSocket: Bench = {
  name: 'word-count-socket',
  summary: 'network word count, 1 s batches: the highest sustained rate (--rate R: one rate, and whether it holds)',
  unit: 'lines/s',
  better: 'higher',
  definition: 'the highest rate, in steps of 25,000 lines/s, that was stable in most of the runs (see bench/README.md); with --rate, the lines counted per second',
  peers: ['spark'],
  defaults: { seconds: 30, runs: 3 },
  run,
};

interface Side {
  readonly value: number;
  /** The rates of the full runs that held; 0 for one that did not. */
  readonly runs: readonly number[];
  readonly measured: readonly { readonly rate: number; readonly window: number; readonly run: SocketRun }[];
  readonly tried: SearchResult['tried'];
}

async function run(request: BenchRequest): Promise<BenchOutcome> {
  const ours = await measureSide(millrace, request, request.options.master ?? masters.millrace);
  const theirs = request.peers.has('spark') ? await measureSide(spark, request, request.options.peerMaster ?? masters.spark) : null;
  const bestOf = (side: Side): SocketRun[] =>
    side.measured.filter(({ rate, window, run: one }) => rate === atBest(side) && window === request.seconds && one.judgement.batches > 0).map(({ run: one }) => one);
  const figure = (name: string, unit: string, better: 'higher' | 'lower', pick: (one: SocketRun) => number): Measured => ({
    name,
    unit,
    better,
    runs: bestOf(ours).map(pick),
    ...(theirs === null ? {} : { peers: { spark: bestOf(theirs).map(pick) } }),
  });
  const figures: Measured[] = [
    {
      name: request.options.rate === undefined ? 'highest sustained rate' : `counted at ${request.options.rate} lines/s`,
      unit: 'lines/s',
      better: 'higher',
      runs: ours.runs,
      value: ours.value,
      ...(theirs === null ? {} : { peers: { spark: theirs.runs }, peerValues: { spark: theirs.value } }),
    },
    ...(request.options.rate === undefined ? [] : [figure('lines sent and not counted', 'lines', 'lower', (one) => (one.exact === null ? Number.NaN : one.exact.sentLines - one.exact.countedLines))]),
    figure('processing time at that rate, median', 'ms', 'lower', (one) => one.judgement.processingMedianMs),
    figure('processing time at that rate, p99', 'ms', 'lower', (one) => one.judgement.processingP99Ms),
    figure('cores used by the process', 'cores', 'lower', (one) => one.coresUsed ?? Number.NaN),
    figure('cores used by the generator', 'cores', 'lower', (one) => one.generatorCoresUsed ?? Number.NaN),
    figure('peak RSS', 'MiB', 'lower', (one) => one.rssPeakMib ?? Number.NaN),
  ];
  return {
    figures,
    settings: { batchMs, step: stepLinesPerSecond, master: request.options.master ?? masters.millrace, peerMaster: request.options.peerMaster ?? masters.spark },
    details: { millrace: detailsOf(ours), ...(theirs === null ? {} : { spark: detailsOf(theirs) }) },
    ...(theirs === null ? {} : { versions: { spark: theirs.measured[0]?.run.version ?? 'unknown' } }),
  };
}

async function measureSide(subject: Subject, request: BenchRequest, master: string): Promise<Side> {
  const measured: { rate: number; window: number; run: SocketRun }[] = [];
  const once = async (rate: number, seconds: number, giveUp: boolean): Promise<boolean> => {
    const one = await runSocket({
      subject,
      master,
      batchMs,
      linesPerSecond: rate,
      phases: phasesFor(seconds),
      ...(giveUp ? { giveUpLagSeconds } : {}),
      exact: request.options.rate !== undefined,
    });
    measured.push({ rate, window: seconds, run: one });
    const { stable, reasons, processingMedianMs } = one.judgement;
    const lost = one.exact === null ? '' : `, ${one.exact.countedLines} lines counted of ${one.exact.sentLines}`;
    const verdict = stable ? 'stable' : `not stable: ${reasons.join('; ')}`;
    request.log(`${subject.name} ${rate} lines/s, window ${seconds} s: ${verdict} (processing ${significant(processingMedianMs, 3)} ms, ${one.coresUsed ?? '?'} cores${lost})`);
    return stable;
  };
  const full = (rate: number): Promise<boolean> => once(rate, request.seconds, false);

  if (request.options.rate !== undefined) {
    for (let count = 0; count < request.runs; count += 1) await full(request.options.rate);
    const runs = measured.map(({ run: one }) => one.judgement.linesPerSecondCounted);
    return { value: median(runs), runs, measured, tried: [] };
  }
  const probeSeconds = Math.min(request.seconds, Math.max(probeSecondsMin, Math.round(request.seconds * probeFraction)));
  const search = await searchHighestRate({
    startRate: request.options.startRate ?? startRates[subject.name],
    step: stepLinesPerSecond,
    rateMax: request.options.rateMax ?? Infinity,
    runs: request.runs,
    probe: (rate) => once(rate, probeSeconds, true),
    confirm: full,
  });
  const confirmed = search.tried.filter(({ kind, rate }) => kind === 'confirm' && rate === search.rate);
  const runs = confirmed.map(({ rate, stable }) => (stable ? rate : 0));
  return { value: search.rate, runs: runs.length === 0 ? [0] : runs, measured, tried: search.tried };
}

/** The rate whose runs give the other figures: the one found, or the one asked for. */
function atBest(side: Side): number {
  return side.tried.length === 0 ? (side.measured[0]?.rate ?? 0) : side.value;
}

function detailsOf(side: Side): Record<string, unknown> {
  return {
    tried: side.measured.map(({ rate, window, run: one }) => ({
      rate,
      windowSeconds: window,
      ...one.judgement,
      coresUsed: one.coresUsed,
      generatorCoresUsed: one.generatorCoresUsed,
      rssPeakMib: one.rssPeakMib,
    })),
  };
}
