/**
 * What a benchmark is, to the command that runs it.
 *
 * Invariant: a benchmark prints nothing; it logs progress by `log` and returns what it measured.
 */
import type { Better, Measured, PeerName } from './result.ts';

export interface Bench {
  readonly name: string;
  /** One line, for `bench list`. */
  readonly summary: string;
  readonly unit: string;
  readonly better: Better;
  /** What the value at the top of the result is. */
  readonly definition: string;
  readonly peers: readonly PeerName[];
  readonly defaults: { readonly seconds: number; readonly runs: number };
  readonly run: (request: BenchRequest) => Promise<BenchOutcome>;
}

export interface BenchRequest {
  /** Length of a measured window. */
  readonly seconds: number;
  readonly runs: number;
  readonly peers: ReadonlySet<PeerName>;
  readonly options: BenchOptions;
  readonly log: (text: string) => void;
}

/** Options of single benchmarks; undefined where the user gave none. */
export interface BenchOptions {
  readonly master: string | undefined;
  readonly peerMaster: string | undefined;
  /** Measure this rate only, instead of searching. */
  readonly rate: number | undefined;
  readonly startRate: number | undefined;
  readonly rateMax: number | undefined;
  readonly intervals: readonly number[] | undefined;
  readonly lines: number | undefined;
  readonly batches: number | undefined;
  /** Of the word counts: their closures are called, or recognised as the operators that they are. */
  readonly closures: 'called' | 'recognized' | undefined;
  /** word-count-engine: cached strings, or a text file. */
  readonly input: 'strings' | 'text' | undefined;
  /** The batch interval of our side, in ms. */
  readonly interval: number | undefined;
  readonly keys: number | undefined;
  readonly updates: number | undefined;
  /** The length of the program's window, in seconds. */
  readonly window: number | undefined;
}

export interface BenchOutcome {
  /** The first is the value at the top. */
  readonly figures: readonly Measured[];
  readonly settings: Readonly<Record<string, unknown>>;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly versions?: Readonly<Record<string, string>>;
}

/** Runs a measurement several times, one after another. */
export async function repeat<T>(runs: number, measure: (run: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let run = 0; run < runs; run += 1) results.push(await measure(run));
  return results;
}

/** The same of a peer: nothing where it was not asked for. */
export async function repeatOn<T>({ peers, runs }: Pick<BenchRequest, 'peers' | 'runs'>, peer: PeerName, measure: (run: number) => Promise<T>): Promise<T[]> {
  return peers.has(peer) ? repeat(runs, measure) : [];
}
