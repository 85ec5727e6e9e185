/**
 * Names of operators that outlive a process.
 *
 * Invariant: a derived uid depends on the upstream path alone (kinds, inputs' names, parameters, explicit uids), never on a
 * counter, a thread or the order in which operators were made. So it stays the same when unrelated operators come or go.
 */
import { createHash } from 'node:crypto';

const hashCharacters = 16;

/** A short hash of a text; the same in every process. */
export function hashText(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, hashCharacters);
}

/** The hash of a function's text. Two threads that loaded the same module have the same. */
export function hashFunction(fn: Function): string {
  return hashText(Function.prototype.toString.call(fn));
}

/** JSON with sorted keys, so that two objects with the same content have the same text. */
export function stableText(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'bigint') return `${inner}n`;
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  }) ?? 'undefined';
}

/** The uid of an operator without an explicit one. `parents`: the uids of its parents, in order. */
export function derivedUid(kind: string, parameters: Readonly<Record<string, unknown>>, parents: readonly string[]): string {
  return `${kind}-${hashText(stableText([kind, parameters, parents]))}`;
}
