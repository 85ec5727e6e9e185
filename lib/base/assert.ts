/**
 * Checks of invariants. A failed one is a bug of Millrace, never an operating error: it throws, and the supervisor of the
 * actor that it happened in decides.
 */
import { previewOf } from '../../protocol/errors.ts';

/** Throws unless `condition` holds. `values` go into the message, shortened: `assert(n >= 0, 'a count can't be negative', n)`. */
export function assert(condition: unknown, text: string, ...values: unknown[]): asserts condition {
  if (condition) return;
  const shown = values.length === 0 ? '' : ` (got ${values.map((value) => previewOf(value)).join(', ')})`;
  throw new Error(`Broken invariant: ${text}${shown}.`);
}

/** The end of a switch over a union: the compiler refuses it where a case is missing, and it throws if one comes anyway. */
export function unreachable(value: never): never {
  throw new Error(`Broken invariant: no case for ${previewOf(value)}.`);
}
