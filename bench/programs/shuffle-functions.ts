/**
 * Pairs and functions of the shuffle benchmark.
 *
 * Invariant: pair i of n has the key (i * stride) mod keys, where the stride has no divisor in common with the number of keys: so each
 * key comes equally often, neighbours lie far apart, and what comes out can be told beforehand.
 */
export interface ShuffleSize {
  readonly pairs: number;
  readonly keys: number;
}

export const shufflePartitions = 2;
/** Pairs are made so many at a time, so that a task never holds all of its own before the shuffle. */
export const pairsPerChunk = 10_000;
const stride = 7_919;
/** Each group adds this and its size: one number tells how many groups there were and how many values. */
export const groupWeight = 1_000_000_000;

export function chunksOf(pairs: number): number[] {
  return Array.from({ length: Math.ceil(pairs / pairsPerChunk) }, (_, chunk) => chunk);
}

export function pairsOfChunk(chunk: number, { pairs, keys }: ShuffleSize): [number, number][] {
  const from = chunk * pairsPerChunk;
  return Array.from({ length: Math.min(pairsPerChunk, pairs - from) }, (_, index) => [((from + index) * stride) % keys, from + index]);
}

export function weightOf([, values]: readonly [number, readonly number[]]): number {
  return groupWeight + values.length;
}

export function add(a: number, b: number): number {
  return a + b;
}
