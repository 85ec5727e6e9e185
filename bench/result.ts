/**
 * The form of a benchmark's result: what `--json` prints as the last line. Other tools read it, so it is fixed.
 *
 * Invariant: `ratio` says how many times better than the peer Millrace is, whichever way the unit counts: above 1 is better.
 */
import { median, significant } from './statistics.ts';

export type Better = 'higher' | 'lower';
export type PeerName = 'spark' | 'limit';

export interface PeerFigure {
  readonly value: number;
  readonly ratio: number;
  readonly runs: readonly number[];
}

/** One measured value. `runs` are the single measurements, in order; `value` is their median unless `definition` says otherwise. */
export interface Figure {
  readonly bench: string;
  readonly name: string;
  readonly unit: string;
  readonly better: Better;
  readonly value: number;
  readonly runs: readonly number[];
  readonly peers: Readonly<Partial<Record<PeerName, PeerFigure>>>;
}

export interface BenchResult extends Omit<Figure, 'name'> {
  readonly definition: string;
  /** Where one number does not tell it all; the first is the one at the top. */
  readonly figures: readonly Figure[];
  readonly details: Readonly<Record<string, unknown>>;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly machine: Readonly<Record<string, unknown>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly startedAt: string;
  readonly tookSeconds: number;
}

/** What was measured of one name, on our side and on those of the peers. */
export interface Measured {
  readonly name: string;
  readonly unit: string;
  readonly better: Better;
  readonly runs: readonly number[];
  /** Where the value is not the median of the runs. */
  readonly value?: number;
  readonly peers?: Readonly<Partial<Record<PeerName, readonly number[]>>>;
  readonly peerValues?: Readonly<Partial<Record<PeerName, number>>>;
}

export function figureOf(bench: string, measured: Measured): Figure {
  const value = significant(measured.value ?? median(measured.runs));
  const peers: Partial<Record<PeerName, PeerFigure>> = {};
  for (const peer of ['spark', 'limit'] as const) {
    const runs = measured.peers?.[peer];
    if (runs === undefined || runs.length === 0) continue;
    const peerValue = significant(measured.peerValues?.[peer] ?? median(runs));
    peers[peer] = { value: peerValue, ratio: ratioOf(measured.better, value, peerValue), runs: runs.map((run) => significant(run)) };
  }
  return { bench, name: measured.name, unit: measured.unit, better: measured.better, value, runs: measured.runs.map((run) => significant(run)), peers };
}

/** How many times better `value` is than `peerValue`; 0 where one of them says nothing. */
export function ratioOf(better: Better, value: number, peerValue: number): number {
  const ratio = better === 'higher' ? value / peerValue : peerValue / value;
  return Number.isFinite(ratio) ? significant(ratio, 3) : 0;
}

/** The result as a person reads it: a line for each figure, the best column widths for all. */
export function tableOf(result: BenchResult): string {
  const figures = result.figures.length > 0 ? result.figures : [{ ...result, name: result.bench }];
  const rows = figures.map((figure) => [
    figure.name,
    `${readable(figure.value)} ${figure.unit}`,
    figure.runs.length > 1 ? `${figure.runs.length} runs: ${figure.runs.map(readable).join(', ')}` : '',
    Object.entries(figure.peers).map(([peer, { value, ratio }]) => `${peer}: ${readable(value)} (${ratio} times better)`).join('; '),
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd());
  return [`${result.bench}: ${result.definition}`, ...lines].join('\n');
}

function readable(value: number): string {
  return Number.isFinite(value) ? value.toLocaleString('en-US', { maximumFractionDigits: 3 }) : 'none';
}
