/**
 * What kind of key a value is, and the text that stands for a composite key.
 *
 * Invariant: two values have the same kind and the same text exactly where they are equal as keys. A value that has no
 * equality by value (plain object, Map, Set, function, symbol, class instance) is refused with `InvalidKey`.
 */
import { types } from 'node:util';
import { MillraceError, previewOf } from '../../protocol/errors.ts';

/** Kinds in the canonical order of keys. Numbers and bigints share a rank: they are ordered among each other. */
export const keyKind = {
  null: 0,
  undefined: 1,
  boolean: 2,
  number: 3,
  bigint: 4,
  string: 5,
  date: 6,
  typedArray: 7,
  array: 8,
} as const;

export type KeyKind = (typeof keyKind)[keyof typeof keyKind];

export type NumericArray =
  | Int8Array | Uint8Array | Uint8ClampedArray | Int16Array | Uint16Array | Int32Array | Uint32Array
  | Float32Array | Float64Array | BigInt64Array | BigUint64Array;

/** Arrays may be nested this deep in a key; a cyclic one passes any depth, and is refused by this. */
export const keyDepthMax = 200;

/** Throws `InvalidKey` where the value can't be a key. Does not look into arrays. */
export function keyKindOf(key: unknown): KeyKind {
  switch (typeof key) {
    case 'string': return keyKind.string;
    case 'number': return keyKind.number;
    case 'boolean': return keyKind.boolean;
    case 'bigint': return keyKind.bigint;
    case 'undefined': return keyKind.undefined;
    case 'object':
      if (key === null) return keyKind.null;
      if (Array.isArray(key)) return keyKind.array;
      if (types.isDate(key)) return keyKind.date;
      if (types.isTypedArray(key)) return keyKind.typedArray;
  }
  throw invalidKey(key);
}

/** Ranks of the typed arrays among each other, by name: part of the order and of the hash, so never renumbered. */
const typedArrayRanks: Readonly<Record<string, number>> = {
  Int8Array: 0, Uint8Array: 1, Uint8ClampedArray: 2, Int16Array: 3, Uint16Array: 4, Int32Array: 5, Uint32Array: 6,
  Float32Array: 7, Float64Array: 8, BigInt64Array: 9, BigUint64Array: 10,
};

const typedArrayName = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)!
  .get! as (this: NumericArray) => string;

/** A Buffer counts as the Uint8Array that it is. */
export function typedArrayRankOf(array: NumericArray): number {
  return typedArrayRanks[typedArrayName.call(array)]!;
}

/**
 * A text for a composite key (array, Date, typed array), different for keys that differ. Strings in it have their length
 * in front, so that no content can look like structure.
 */
export function keyTextOf(key: unknown, depth = 0): string {
  if (depth > keyDepthMax) throw tooDeep();
  switch (keyKindOf(key)) {
    case keyKind.null: return 'z';
    case keyKind.undefined: return 'u';
    case keyKind.boolean: return key === true ? 't' : 'f';
    // String(-0) is '0'; String of a number is the shortest text that reads back as the same number.
    case keyKind.number: return `n${key as number};`;
    case keyKind.bigint: return `i${(key as bigint).toString(36)};`;
    case keyKind.string: return `s${(key as string).length}:${key as string}`;
    case keyKind.date: return `d${(key as Date).getTime()};`;
    case keyKind.typedArray: return `b${typedArrayRankOf(key as NumericArray)}:${(key as NumericArray).join()};`;
    case keyKind.array: {
      const items = key as readonly unknown[];
      let text = `a${items.length}:`;
      for (let index = 0; index < items.length; index++) text += keyTextOf(items[index], depth + 1);
      return text;
    }
  }
}

export function invalidKey(key: unknown): MillraceError {
  return new MillraceError(
    'InvalidKey',
    `Expected a key that is compared by value (null, boolean, number, bigint, string, Date, typed array or an array of these), `
      + `got ${describe(key)}. Use its identifying fields as the key, for example [user.id, user.region].`,
  );
}

export function tooDeep(): MillraceError {
  const text = `Expected a key of arrays nested at most ${keyDepthMax} deep, got a deeper or cyclic one. Use a flat array.`;
  return new MillraceError('InvalidKey', text);
}

function describe(key: unknown): string {
  if (typeof key === 'symbol') return `the symbol ${String(key)}`;
  if (typeof key === 'function') return `the function ${key.name === '' ? '(anonymous)' : key.name}`;
  const name = (key as { constructor?: { name?: unknown } }).constructor?.name;
  return `${name === 'Object' ? 'the plain object' : `an instance of ${String(name)}:`} ${previewOf(key)}`;
}
