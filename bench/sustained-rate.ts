/**
 * The highest rate of lines that a subject sustains in the network word count: searched, then held in full runs.
 *
 * Invariant: every run is a fresh process; all sides are searched in the same way and judged by stability.ts.
 */
import type { BenchRequest } from './bench.ts';
import { searchHighestRate } from './rate-search.ts';
import type { SearchResult } from './rate-search.ts';
import type { Better, Measured, PeerName } from './result.ts';
import { runSocket } from './socket-run.ts';
import type { SocketRun, SocketRunOptions } from './socket-run.ts';
import { median, significant } from './statistics.ts';
import { phasesFor } from './stability.ts';
import type { Subject } from './subjects.ts';

export const stepLinesPerSecond = 25_000;
export const socketBatchMs = 1_000;
/** A short run, while searching: enough to see a delay grow. */
const probeFraction = 1 / 3;
const probeSecondsMin = 5;
const giveUpLagSeconds = 2;

/** Spark's receiver takes a task slot, so it counts words on n - 1; with 4 it was fastest on 2 cores. The bare loop has its two threads whatever is said. */
const masters = { millrace: 'local[2]', spark: 'local[4]', limit: 'local[2]' } as const;
/** Where the search starts: near what was measured, so that it is short. */
const startRates = { millrace: 300_000, spark: 150_000, limit: 500_000 } as const;

export interface Side {
  readonly subject: Subject;
  /** What progress calls it. */
  readonly label?: string;
  readonly startRate?: number;
  readonly settings?: SocketRunOptions['settings'];
}

export interface SustainedRate {
  readonly value: number;
  /** The rates of the full runs that held; 0 for one that did not. */
  readonly runs: readonly number[];
  readonly measured: readonly { readonly rate: number; readonly window: number; readonly run: SocketRun }[];
  readonly tried: SearchResult['tried'];
}

/** What the peers that were asked for came to. */
export type PeerRates = Readonly<Partial<Record<PeerName, SustainedRate>>>;

/** How our side runs the closures, as --closures says. */
export function closuresOf({ options: { closures = 'recognized' } }: BenchRequest): { readonly closures: 'called' | 'recognized'; readonly recognizeClosures: boolean } {
  return { closures, recognizeClosures: closures === 'recognized' };
}

/** With --rate that rate alone, `request.runs` times. */
export async function measureSustained(side: Side, request: BenchRequest): Promise<SustainedRate> {
  const { subject, label = subject.name, settings } = side;
  const measured: { rate: number; window: number; run: SocketRun }[] = [];
  const once = async (rate: number, seconds: number, giveUp: boolean): Promise<boolean> => {
    const one = await runSocket({
      subject,
      master: masterOf(subject, request),
      batchMs: socketBatchMs,
      linesPerSecond: rate,
      phases: phasesFor(seconds),
      ...(settings === undefined ? {} : { settings }),
      ...(giveUp ? { giveUpLagSeconds } : {}),
      exact: request.options.rate !== undefined,
    });
    measured.push({ rate, window: seconds, run: one });
    const { stable, reasons, processingMedianMs } = one.judgement;
    const lost = one.exact === null ? '' : `, ${one.exact.countedLines} lines counted of ${one.exact.sentLines}`;
    const verdict = stable ? 'stable' : `not stable: ${reasons.join('; ')}`;
    request.log(`${label} ${rate} lines/s, window ${seconds} s: ${verdict} (processing ${significant(processingMedianMs, 3)} ms, ${one.coresUsed ?? '?'} cores${lost})`);
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
    startRate: request.options.startRate ?? side.startRate ?? startRates[subject.name],
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

export function masterOf(subject: Subject, request: BenchRequest): string {
  return (subject.name === 'spark' ? request.options.peerMaster : request.options.master) ?? masters[subject.name];
}

/** The full runs at the rate found, or at the one that was asked for: those that give the other figures. */
export function runsAtBest({ tried, measured, value }: SustainedRate, request: BenchRequest): SocketRun[] {
  const best = tried.length === 0 ? (measured[0]?.rate ?? 0) : value;
  return measured.filter(({ rate, window, run: one }) => rate === best && window === request.seconds && one.judgement.batches > 0).map(({ run: one }) => one);
}

/** Figures of those runs, against the peers'. */
export function figuresAtBest(ours: SustainedRate, peers: PeerRates, request: BenchRequest): Measured[] {
  const figure = (name: string, unit: string, better: Better, pick: (one: SocketRun) => number): Measured => ({
    name,
    unit,
    better,
    runs: runsAtBest(ours, request).map(pick),
    peers: ofEach(peers, (theirs) => runsAtBest(theirs, request).map(pick)),
  });
  return [
    ...(request.options.rate === undefined ? [] : [figure('lines sent and not counted', 'lines', 'lower', (one) => (one.exact === null ? Number.NaN : one.exact.sentLines - one.exact.countedLines))]),
    figure('processing time at that rate, median', 'ms', 'lower', (one) => one.judgement.processingMedianMs),
    figure('processing time at that rate, p99', 'ms', 'lower', (one) => one.judgement.processingP99Ms),
    figure('cores used by the process', 'cores', 'lower', (one) => one.coresUsed ?? Number.NaN),
    figure('cores used by the generator', 'cores', 'lower', (one) => one.generatorCoresUsed ?? Number.NaN),
    figure('peak RSS', 'MiB', 'lower', (one) => one.rssPeakMib ?? Number.NaN),
  ];
}

/** The first figure: the rate itself. */
export function rateFigure(name: string, ours: SustainedRate, peers: PeerRates, request: BenchRequest): Measured {
  return {
    name: request.options.rate === undefined ? `highest sustained rate${name}` : `counted at ${request.options.rate} lines/s${name}`,
    unit: 'lines/s',
    better: 'higher',
    runs: ours.runs,
    value: ours.value,
    peers: ofEach(peers, ({ runs }) => runs),
    peerValues: ofEach(peers, ({ value }) => value),
  };
}

export function detailsOf(side: SustainedRate): Record<string, unknown> {
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

function ofEach<T>(peers: PeerRates, pick: (theirs: SustainedRate) => T): Partial<Record<PeerName, T>> {
  return Object.fromEntries(Object.entries(peers).map(([peer, theirs]) => [peer, pick(theirs)]));
}
