/**
 * Keys by value: hash, equality and the canonical order.
 *
 * Invariants: keys that are equal have the same hash and compare as 0, and the order is total. Numbers are equal as in
 * SameValueZero (0 and -0 are one key, NaN is a key); 1, 1n, '1' and true are four keys. The hash is the same in every
 * process and in every release with the same `keyHashVersion`: checkpoints and partition numbers rest on it, so a change
 * here is a new version. Its vectors are literals in the tests.
 *
 *   key --keyHash--> uint32 --top 12 bits--> bucket 0..4095 --ranges--> partition
 */
import { keyDepthMax, keyKind, keyKindOf, tooDeep, typedArrayRankOf, type NumericArray } from './key-kind.ts';

export const keyHashVersion = 1;
/** Keys are spread over this many buckets, whatever the number of partitions: state moves between partitions by buckets. */
export const keyBuckets = 4096;

/** A uint32. Throws `InvalidKey`. */
export function keyHash(key: unknown): number {
  // The two commonest kinds first, without a call.
  if (typeof key === 'string') return hashString(key, seeds.string);
  if (typeof key === 'number') return hashNumber(key);
  return hashOther(key, 0);
}

/** 0..4095. */
export function keyBucketOf(key: unknown): number {
  return keyHash(key) >>> 20;
}

/** 0..partitions - 1: each partition is a range of buckets. */
export function partitionOf(key: unknown, partitions: number): number {
  return Math.floor(((keyHash(key) >>> 20) * partitions) / keyBuckets);
}

/** Throws `InvalidKey` where a comparison needs a look into a value that can't be a key. */
export function keyEquals(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a !== a && b !== b;
  return compareKeys(a, b) === 0;
}

/**
 * The canonical order: null < undefined < booleans < numbers and bigints < strings (by UTF-16 units) < dates < typed arrays
 * (by type, then content) < arrays (element by element, a prefix first). A number comes before the bigint of the same
 * value; NaN is the last number, an invalid Date the last date.
 */
export function compareKeys(a: unknown, b: unknown): number {
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0;
  if (typeof a === 'number' && typeof b === 'number') return compareNumbers(a, b);
  return compareOther(a, b, 0);
}

// The hash. Murmur3 (32 bit) over words: a seed for each kind, then the value's words, then the finishing mix.

const seeds = {
  null: 0x2f0b4a1d, undefined: 0x51ed270b, true: 0x3c6ef372, false: 0x1f83d9ab, integer: 0x243f6a88, float: 0x13198a2e,
  bigint: 0x082efa98, string: 0x452821e6, date: 0x38d01377, typedArray: 0x34e90c6c, array: 0x7f4a7c15,
} as const;

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);
const bigWords = new BigUint64Array(float.buffer);

function mix(hash: number, word: number): number {
  let mixed = Math.imul(word, 0xcc9e2d51);
  mixed = (mixed << 15) | (mixed >>> 17);
  mixed = hash ^ Math.imul(mixed, 0x1b873593);
  mixed = (mixed << 13) | (mixed >>> 19);
  return (Math.imul(mixed, 5) + 0xe6546b64) | 0;
}

function finish(hash: number, length: number): number {
  let mixed = hash ^ length;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Two UTF-16 units a word: what the units are, not how they are stored or encoded. */
function hashString(text: string, seed: number): number {
  const pairsEnd = text.length & ~1;
  let hash: number = seed;
  for (let index = 0; index < pairsEnd; index += 2) {
    hash = mix(hash, text.charCodeAt(index) | (text.charCodeAt(index + 1) << 16));
  }
  if (pairsEnd !== text.length) hash = mix(hash, text.charCodeAt(pairsEnd));
  return finish(hash, text.length);
}

/** Each number that an int32 can hold has one form, -0 that of 0; all others go by their bits, NaN by one pattern of them. */
function hashNumber(value: number): number {
  if ((value | 0) === value) return finish(mix(seeds.integer, value | 0), 4);
  return finish(mixFloat(seeds.float, value), 8);
}

/** Not for -0, which callers take as the integer 0. */
function mixFloat(hash: number, value: number): number {
  float[0] = value;
  if (value !== value) {
    words[0] = 0;
    words[1] = 0x7ff80000;
  }
  return mix(mix(hash, words[0]!), words[1]!);
}

function hashBigint(value: bigint, seed: number): number {
  const low = BigInt.asIntN(64, value);
  if (low !== value) return hashString(value.toString(16), seed);
  bigWords[0] = BigInt.asUintN(64, low);
  return finish(mix(mix(seed, words[0]!), words[1]!), 8);
}

function hashOther(key: unknown, depth: number): number {
  if (depth > keyDepthMax) throw tooDeep();
  switch (keyKindOf(key)) {
    case keyKind.null: return finish(seeds.null, 0);
    case keyKind.undefined: return finish(seeds.undefined, 0);
    case keyKind.boolean: return finish(key === true ? seeds.true : seeds.false, 0);
    case keyKind.number: return hashNumber(key as number);
    case keyKind.bigint: return hashBigint(key as bigint, seeds.bigint);
    case keyKind.string: return hashString(key as string, seeds.string);
    case keyKind.date: return finish(mixFloat(seeds.date, (key as Date).getTime()), 8);
    case keyKind.typedArray: return hashTypedArray(key as NumericArray);
    case keyKind.array: {
      const items = key as readonly unknown[];
      let hash: number = seeds.array;
      for (let index = 0; index < items.length; index++) hash = mix(hash, hashOther(items[index], depth + 1));
      return finish(hash, items.length);
    }
  }
}

function hashTypedArray(array: NumericArray): number {
  let hash = mix(seeds.typedArray, typedArrayRankOf(array));
  for (let index = 0; index < array.length; index++) {
    const item = array[index]!;
    hash = typeof item === 'bigint' ? mix(hash, hashBigint(item, seeds.bigint)) : (item | 0) === item ? mix(hash, item | 0) : mixFloat(hash, item);
  }
  return finish(hash, array.length);
}

// The order.

function compareNumbers(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a === b) return 0;
  return a !== a ? (b !== b ? 0 : 1) : -1;
}

function compareOther(a: unknown, b: unknown, depth: number): number {
  if (depth > keyDepthMax) throw tooDeep();
  const kindA = keyKindOf(a);
  const kindB = keyKindOf(b);
  if (kindA !== kindB) {
    if (kindA === keyKind.number && kindB === keyKind.bigint) return compareMixed(a as number, b as bigint);
    if (kindA === keyKind.bigint && kindB === keyKind.number) return -compareMixed(b as number, a as bigint);
    return kindA < kindB ? -1 : 1;
  }
  switch (kindA) {
    case keyKind.null: return 0;
    case keyKind.undefined: return 0;
    case keyKind.number: return compareNumbers(a as number, b as number);
    case keyKind.boolean:
    case keyKind.bigint:
    case keyKind.string: return (a as string) < (b as string) ? -1 : (a as string) > (b as string) ? 1 : 0;
    case keyKind.date: return compareNumbers((a as Date).getTime(), (b as Date).getTime());
    case keyKind.typedArray: return compareTypedArrays(a as NumericArray, b as NumericArray);
    case keyKind.array: return compareArrays(a as readonly unknown[], b as readonly unknown[], depth);
  }
}

/** JavaScript compares a number and a bigint exactly, without rounding either. */
function compareMixed(a: number, b: bigint): number {
  return a !== a || a > b ? 1 : -1;
}

function compareTypedArrays(a: NumericArray, b: NumericArray): number {
  const byType = typedArrayRankOf(a) - typedArrayRankOf(b);
  if (byType !== 0) return byType < 0 ? -1 : 1;
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    const itemA = a[index]!;
    const itemB = b[index]!;
    if (itemA < itemB) return -1;
    if (itemA > itemB) return 1;
    if (itemA !== itemB) {
      const byNan = compareNumbers(itemA as number, itemB as number);
      if (byNan !== 0) return byNan;
    }
  }
  return compareNumbers(a.length, b.length);
}

function compareArrays(a: readonly unknown[], b: readonly unknown[], depth: number): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    const byItem = compareOther(a[index], b[index], depth + 1);
    if (byItem !== 0) return byItem;
  }
  return compareNumbers(a.length, b.length);
}
