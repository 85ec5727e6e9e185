/**
 * What a change did: the figures of two results, one beside the other.
 *
 * Invariant: `times` says how many times better the later value is, whichever way its unit counts. A change counts as one only where the runs of the two
 * sides don't overlap; against a peer that both have measured in the same run as ours the machine's speed drops out, so that is told apart.
 */
import { ratioOf } from './result.ts';
import type { Figure, PeerName } from './result.ts';
import { significant } from './statistics.ts';

export type Verdict = 'better' | 'worse' | 'as before' | 'one run each';

export interface Change {
  readonly bench: string;
  readonly name: string;
  readonly unit: string;
  readonly better: Figure['better'];
  readonly before: number;
  readonly after: number;
  readonly times: number;
  readonly verdict: Verdict;
  /** How many times better the ratio to that peer is. */
  readonly peers: Readonly<Partial<Record<PeerName, number>>>;
}

export interface Comparison {
  readonly bench: 'compare';
  readonly figures: readonly Change[];
  /** By `bench: name`: measured on one side alone. */
  readonly gone: readonly string[];
  readonly added: readonly string[];
}

/** A result as `--json` prints it, or what a bench printed before it: the last line counts. Throws what is wrong with the text. */
export function figuresOfText(text: string, file: string): readonly Figure[] {
  const line = text.trimEnd().split('\n').at(-1) ?? '';
  let figures: unknown;
  try {
    figures = (JSON.parse(line) as { readonly figures?: unknown }).figures;
  } catch (cause) {
    throw new Error(`Expected the last line of ${file} to be a result, as --json prints it; got ${JSON.stringify(line.slice(0, 60))}. Make one with: bench -- NAME --json > ${file}`, { cause });
  }
  if (!Array.isArray(figures) || !figures.every(isFigure)) throw new Error(`Expected ${file} to hold the figures of a benchmark; it does not. Make it with: bench -- NAME --json > ${file}`);
  return figures;
}

function isFigure(value: unknown): value is Figure {
  const figure = value as Partial<Figure> | null;
  return typeof figure?.bench === 'string' && typeof figure.name === 'string' && typeof figure.value === 'number' && Array.isArray(figure.runs);
}

export function compare(before: readonly Figure[], after: readonly Figure[]): Comparison {
  const keyOf = ({ bench, name }: Figure): string => `${bench}: ${name}`;
  const known = new Map(before.map((figure) => [keyOf(figure), figure]));
  const figures = after.flatMap((figure) => {
    const old = known.get(keyOf(figure));
    return old === undefined ? [] : [changeOf(old, figure)];
  });
  const there = new Set(after.map(keyOf));
  return { bench: 'compare', figures, gone: [...known.keys()].filter((key) => !there.has(key)), added: [...there].filter((key) => !known.has(key)) };
}

function changeOf(before: Figure, after: Figure): Change {
  const peers: Partial<Record<PeerName, number>> = {};
  for (const peer of ['spark', 'limit'] as const) {
    const [old, now] = [before.peers[peer]?.ratio, after.peers[peer]?.ratio];
    if (old !== undefined && now !== undefined) peers[peer] = ratioOf('higher', now, old);
  }
  const { bench, name, unit, better } = after;
  return { bench, name, unit, better, before: before.value, after: after.value, times: ratioOf(better, after.value, before.value), verdict: verdictOf(before, after), peers };
}

function verdictOf({ runs: before, value: old }: Figure, { runs: after, value, better }: Figure): Verdict {
  if (before.length < 2 || after.length < 2) return 'one run each';
  const apart = Math.min(...after) > Math.max(...before) || Math.max(...after) < Math.min(...before);
  if (!apart) return 'as before';
  return value > old === (better === 'higher') ? 'better' : 'worse';
}

/** As a person reads it: a line for each figure, those that changed most first. */
export function tableOfComparison({ figures, gone, added }: Comparison): string {
  const size = ({ times }: Change): number => (times > 0 ? Math.abs(Math.log(times)) : 0);
  const rows = [...figures].sort((a, b) => size(b) - size(a)).map((change) => [
    `${change.bench}: ${change.name}`,
    `${readable(change.before)} -> ${readable(change.after)} ${change.unit}`,
    `${change.times} times better`,
    change.verdict,
    Object.entries(change.peers).map(([peer, times]) => `against ${peer} ${times}`).join(', '),
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(0, ...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd());
  const alone = [...gone.map((name) => `only before: ${name}`), ...added.map((name) => `only after: ${name}`)];
  return [...lines, ...alone].join('\n') || 'Nothing to compare.';
}

function readable(value: number): string {
  return significant(value).toLocaleString('en-US', { maximumFractionDigits: 3 });
}
