/**
 * Keys, updates and functions of the state benchmark: the same for Millrace's programs and for the bare tables.
 *
 * Invariant: keys are `k0` .. `k<keys - 1>`; partition p of the input makes those whose number is p modulo the partitions, so no key
 * comes twice in a batch. The same batch time gives the same updates.
 */
import { createPrng } from '../../lib/base/prng.ts';
import type { State } from 'millrace';

export interface StateSize {
  /** Resident from the first batch on. */
  readonly keys: number;
  /** Pairs (key, 1) in a batch, of distinct random keys. */
  readonly updates: number;
}

export const statePartitions = 2;

export function initialPairs(partition: number, { keys }: StateSize): [string, number][] {
  return Array.from({ length: Math.floor(keys / statePartitions) }, (_, index) => [keyOf(index, partition), index]);
}

export function updatePairs(time: number, partition: number, { keys, updates }: StateSize): [string, number][] {
  const random = createPrng(time * 31 + partition);
  const drawn = new Set<number>();
  const there = Math.floor(keys / statePartitions);
  const wanted = Math.min(Math.floor(updates / statePartitions), there);
  while (drawn.size < wanted) drawn.add(random.int(there));
  return Array.from(drawn, (index) => [keyOf(index, partition), 1]);
}

/** The function of updateStateByKey. */
export function addToState(values: readonly number[], state: number | undefined): number {
  let sum = state ?? 0;
  for (let index = 0; index < values.length; index += 1) sum += values[index]!;
  return sum;
}

/** The function of mapWithState. */
export function trackSum(_time: number, key: string, value: number | undefined, state: State<number>): [string, number] {
  const sum = (state.exists() ? state.get() : 0) + (value ?? 0);
  state.update(sum);
  return [key, sum];
}

function keyOf(index: number, partition: number): string {
  return `k${index * statePartitions + partition}`;
}
