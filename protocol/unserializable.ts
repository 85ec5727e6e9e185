/**
 * Where in a list of records the value lies that can't be encoded: run only after encoding has failed, so that the quick
 * path keeps no account of where it is.
 *
 * Invariant: it refuses what `toPlain` refuses, since it asks `toPlain` about each part, and what throws while it is read (a
 * getter, a proxy). It throws nothing itself.
 */
import type { CodecRegistry } from './codec-registry.ts';
import { NotPlain, toPlain } from './plain-form.ts';

export interface Unserializable {
  /** Which of the records it is. */
  readonly index: number;
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
    if (failure !== null) return { index, ...locate(records[index], `[${index}]`, failure, registry, []) };
  }
  return null;
}

function failureOf(value: unknown, registry: CodecRegistry): NotPlain | null {
  try {
    toPlain(value, { registry, escaped: false, weight: 0 });
    return null;
  } catch (error) {
    return error instanceof NotPlain ? error : threw(error);
  }
}

function threw(error: unknown): NotPlain {
  return new NotPlain(`threw when it was read${error instanceof Error ? ` (${error.name}: ${error.message})` : ''}`, error);
}

/** Goes down into the first part that fails by itself; where no part does, the value itself is at fault. */
function locate(value: unknown, path: string, failure: NotPlain, registry: CodecRegistry, above: readonly unknown[]): Omit<Unserializable, 'index'> {
  let step = '';
  try {
    for (const part of partsOf(value)) {
      step = part.step;
      const inside = part.read();
      if (above.includes(inside) || inside === value) return { path: path + step, reason: 'refers back to a value that it is part of', cause: undefined };
      const inner = failureOf(inside, registry);
      if (inner !== null) return locate(inside, path + step, inner, registry, [...above, value]);
    }
  } catch (error) {
    // The part that was being read; or the value itself, where it can't even say which parts it has.
    const { reason, cause } = threw(error);
    return { path: path + step, reason, cause };
  }
  return { path, reason: failure.reason, cause: failure.cause };
}

interface Part {
  readonly step: string;
  /** Throws what the user's getter throws. */
  read(): unknown;
}

function* partsOf(value: unknown): Generator<Part> {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) yield { step: `[${index}]`, read: () => value[index] as unknown };
  } else if (value instanceof Map) {
    let index = 0;
    for (const [key, item] of value) {
      yield { step: `.key(${index})`, read: () => key as unknown };
      yield { step: typeof key === 'string' ? `.get(${JSON.stringify(key)})` : `.value(${index})`, read: () => item as unknown };
      index += 1;
    }
  } else if (value instanceof Set) {
    let index = 0;
    for (const item of value) yield { step: `.item(${index++})`, read: () => item as unknown };
  } else if (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null) {
    for (const key of Object.keys(value)) {
      yield { step: /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`, read: () => (value as Readonly<Record<string, unknown>>)[key] };
    }
  }
}
