/**
 * Whether a piece's first operator cuts lines into words, and how the words then run.
 *
 *   text or strings -> flatMap(cuts) -> operators -> sink          words as strings that come again: the loop begins behind the flatMap
 *   text or strings -> flatMap(cuts) -> pure filters and maps -> map(word -> [word, number]) -> combine by +          the byte table
 *
 * Invariant: a plan is taken from what is known of the functions alone. It holds for records that are strings; whoever carries it out gives others
 * to the plain loop.
 */
import type { Op, SinkForm } from '../fuse.ts';
import type { Piece } from '../piece.ts';
import type { Meaning } from './meaning.ts';
import { cutOf } from './meaning.ts';
import type { Cut } from './cut.ts';

export interface WordPlan {
  readonly cut: Cut;
  /** The byte table; null: the loop goes on from the words. */
  readonly counted: { readonly between: readonly Op[]; readonly value: number } | null;
}

/** `sinkMeanings`: of the sink's functions. Null: nothing is known that helps. */
export function wordPlanOf(form: Piece['form'], ops: readonly Op[], sink: SinkForm, sinkMeanings: readonly (Meaning | null)[], sinkOnError: boolean): WordPlan | null {
  const [first] = ops;
  if (first?.kind !== 'flatMap' || form === 'pairs') return null;
  const cut = cutOf(first.meaning, form === 'text' ? 'text' : 'strings');
  return cut === null ? null : { cut, counted: sinkOnError ? null : countedOf(ops, sink, sinkMeanings) };
}

function countedOf(ops: readonly Op[], sink: SinkForm, sinkMeanings: readonly (Meaning | null)[]): WordPlan['counted'] {
  const pairing = ops.at(-1)!.meaning;
  if (sink !== 'combine' || pairing?.kind !== 'pairWith' || ops.at(-1)!.kind !== 'map') return null;
  if (sinkMeanings[0]?.kind !== 'identity' || sinkMeanings[1]?.kind !== 'add') return null;
  const between = ops.slice(1, -1);
  return between.every(isPure) ? { between, value: pairing.value } : null;
}

/** A map must give a string, or a filter behind it could not be known. */
function isPure({ kind, meaning }: Op): boolean {
  return (kind === 'map' || kind === 'filter') && (meaning?.kind === 'identity' || (meaning?.kind === 'pure' && (kind === 'filter' || meaning.gives === 'string')));
}
