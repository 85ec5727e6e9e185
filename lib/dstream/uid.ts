/**
 * Names of operators that outlive a process.
 *
 * Invariant: a derived uid depends on the upstream path alone (kinds, inputs' names, parameters, explicit uids), never on a
 * counter, a thread or the order in which operators were made. So it stays the same when unrelated operators come or go. Of states, inputs and outputs,
 * which have something in the log under it, the second one of the same path has a number behind it, in the order in which they were made.
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

/** `parents`: the uids of its parents, in order. */
function derivedUid(kind: string, parameters: Readonly<Record<string, unknown>>, parents: readonly string[]): string {
  return `${kind}-${hashText(stableText([kind, parameters, parents]))}`;
}

/** An operator, as far as its name depends on it. */
interface Unnamed {
  readonly kind: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly parents: readonly { readonly pathUid: string }[];
  readonly spec: { readonly keepsNewest?: boolean | undefined };
  /** Its place among the operators. */
  readonly index: number;
}

export interface DerivedUids {
  /** As it is part of the uids of those behind it: without a number. */
  readonly path: string;
  readonly own: string;
}

/** A state or an input: the log has something under its uid. */
export function isLogged({ spec, parents }: Pick<Unnamed, 'spec'> & { readonly parents: readonly unknown[] }): boolean {
  return spec.keepsNewest === true || parents.length === 0;
}

/** The uids of an operator without an explicit one. `operators`: in the order in which they were made. */
export function derivedUids(operator: Unnamed, operators: readonly { readonly pathUid: string }[]): DerivedUids {
  const { kind, parameters, parents, index } = operator;
  const path = derivedUid(kind, parameters, parents.map((parent) => parent.pathUid));
  return { path, own: isLogged(operator) ? numberedUid(path, operators.slice(0, index).filter(({ pathUid }) => pathUid === path).length) : path };
}

/** `map-1f/foreach`, and `map-1f/foreach#2` where there is one of that name `before` it: what is written under a uid is its own. */
export function numberedUid(uid: string, before: number): string {
  return before === 0 ? uid : `${uid}#${before + 1}`;
}
