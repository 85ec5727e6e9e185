/**
 * Where in a list of records the value lies that can't be encoded: run only after encoding has failed, so that the quick
 * path keeps no account of where it is.
 *
 * Invariant: it refuses what `toPlain` refuses, since it asks `toPlain` about each part.
 */
import type { CodecRegistry } from './codec-registry.ts';
import { NotPlain, toPlain } from './plain-form.ts';

export interface Unserializable {
  /** `[3].user.callback`; keys of Maps as `.get("a")`, items of Sets as `.item(0)`. */
  readonly path: string;
  /** Goes behind the path in a sentence: `is a function`. */
  readonly reason: string;
  readonly cause: unknown;
}

/** Null where all of them can be encoded. */
export function findUnserializable(records: readonly unknown[], registry: CodecRegistry): Unserializable | null {
  for (let index = 0; index < records.length; index++) {
    const failure = failureOf(records[index], registry);
    if (failure !== null) return locate(records[index], `[${index}]`, failure, registry, []);
  }
  return null;
}

function failureOf(value: unknown, registry: CodecRegistry): NotPlain | null {
  try {
    toPlain(value, { registry, escaped: false, weight: 0 });
    return null;
  } catch (error) {
    if (error instanceof NotPlain) return error;
    throw error;
  }
}

/** Goes down into the first part that fails by itself; where no part does, the value itself is at fault. */
function locate(value: unknown, path: string, failure: NotPlain, registry: CodecRegistry, above: readonly unknown[]): Unserializable {
  for (const [part, step] of partsOf(value)) {
    if (above.includes(part) || part === value) return { path: path + step, reason: 'refers back to a value that it is part of', cause: undefined };
    const inner = failureOf(part, registry);
    if (inner !== null) return locate(part, path + step, inner, registry, [...above, value]);
  }
  return { path, reason: failure.reason, cause: failure.cause };
}

function* partsOf(value: unknown): Generator<[unknown, string]> {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) yield [value[index], `[${index}]`];
  } else if (value instanceof Map) {
    let index = 0;
    for (const [key, item] of value) {
      yield [key, `.key(${index})`];
      yield [item, typeof key === 'string' ? `.get(${JSON.stringify(key)})` : `.value(${index})`];
      index += 1;
    }
  } else if (value instanceof Set) {
    let index = 0;
    for (const item of value) yield [item, `.item(${index++})`];
  } else if (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null) {
    for (const [key, item] of Object.entries(value)) yield [item, /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`];
  }
}
