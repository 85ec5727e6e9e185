/**
 * The functions of the soak program on keys that come and go.
 *
 * Invariant: a key that has not come for long is given up by both forms of state, and by a window when it holds none of it.
 */
import type { State } from 'millrace';
import type { WordCount } from './word-count-functions.ts';

/** What updateStateByKey keeps of a key: how often it came, and for how many batches it has not. */
export type Seen = readonly [count: number, idleBatches: number];

export function countWhileSeen(given: readonly number[], state: Seen | undefined, idleBatchesMax: number): Seen | undefined {
  const [count, idle] = state ?? [0, 0];
  if (given.length === 0) return idle + 1 < idleBatchesMax ? [count, idle + 1] : undefined;
  return [given.reduce((sum, more) => sum + more, count), 0];
}

/** Emits a key when it times out. */
export function forgetIdle(_time: unknown, key: string, value: number | undefined, state: State<number>): string | undefined {
  if (state.isTimingOut()) return key;
  state.update((state.exists() ? state.get() : 0) + (value ?? 0));
  return undefined;
}

export const isNotZero = ([, count]: WordCount): boolean => count !== 0;

/** Of the two forms of a window, after a full outer join. */
export const isDifferent = ([, [plain, inverse]]: readonly [string, readonly [number | undefined | null, number | undefined | null]]): boolean => plain !== inverse;
