/**
 * What is known of a function without calling it: that of one of our own operators, or of a user's closure that was recognised.
 *
 * Invariant: a meaning says all that the function does, on strings (`split`, `words`, `pure`), on any value (`pairWith`, `identity`), on numbers
 * (`add`): for what it does not speak of the function itself is called.
 */
import type { FunctionRef } from '../../../protocol/rdd.ts';
import { decodeRecord } from '../../../protocol/codec.ts';
import type { Cut, LineSource } from './cut.ts';
import { cutAt, cutAtSpaces } from './cut.ts';

export type Meaning =
  /** line -> line.split(separator) */
  | { readonly kind: 'split'; readonly separator: string }
  /** line -> line.match(/\S+/g) ?? [] */
  | { readonly kind: 'words' }
  /** x -> [x, value] */
  | { readonly kind: 'pairWith'; readonly value: number }
  /** (a, b) -> a + b */
  | { readonly kind: 'add' }
  /** x -> x */
  | { readonly kind: 'identity' }
  /** Given a string, the result depends on it alone, nothing else is touched, and nothing is thrown. */
  | { readonly kind: 'pure'; readonly gives: 'string' | 'other' };

type BuiltinRef = Extract<FunctionRef, { kind: 'builtin' }>;

/** Of our own functions, by reference; null where there is nothing to be gained by knowing. */
export function meaningOfBuiltin(ref: BuiltinRef): Meaning | null {
  switch (ref.name) {
    case 'words': return { kind: 'words' };
    case 'split': return { kind: 'split', separator: decodeRecord(ref.value!) as string };
    case 'add': return { kind: 'add' };
    case 'identity': return { kind: 'identity' };
    default: return null;
  }
}

/** How to cut bytes so that it is what the function does to their text; null: it can't be done on bytes. */
export function cutOf(meaning: Meaning | null | undefined, source: LineSource): Cut | null {
  switch (meaning?.kind) {
    case 'split': return cutAt(meaning.separator, source);
    case 'words': return cutAtSpaces(source);
    default: return null;
  }
}
