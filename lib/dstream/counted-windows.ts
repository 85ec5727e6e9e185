/**
 * Incremental windows without a key of the user's: what Spark makes of reduceByKeyAndWindow with an inverse function.
 *
 *   reduceByWindow(fn, inverse)     all records under one key, in one partition
 *   countByWindow                   reduceByWindow of ones
 *   countByValueAndWindow           the record as the key; a count of 0 is dropped
 *
 * Invariant: functions of ours are the same objects for every stream, so that each is in the function table once.
 */
import type { DStream } from './dstream.ts';
import { countSpec } from './combined.ts';
import { mapSpec, sum, underNull, withOne } from './narrow.ts';
import { checkpointed, incrementallyReduced, persisted } from './reduced-windowed.ts';
import { reducedByWindow, windowed } from './windowed.ts';
import type { WindowDurations } from './windowed.ts';

const one = (): number => 1;
const difference = (a: number, b: number): number => a - b;
const valueOf = <T>(pair: readonly [null, T]): T => pair[1];
const isCounted = (pair: readonly [unknown, number]): boolean => pair[1] !== 0;

export function incrementallyReducedByWindow<T>(parent: DStream<T>, fn: (a: T, b: T) => T, inverse: (a: T, b: T) => T, durations: WindowDurations): DStream<T> {
  // Where some batches are in no window there is no result to go on from: see reduced-windowed.ts.
  if (durations.slideMs > durations.windowMs) return persisted(reducedByWindow(parent, fn, durations, checkpointed));
  const pairs = parent.derive<[null, T]>(mapSpec(parent, underNull<T>));
  const reduced = incrementallyReduced<null, T>(pairs, { fn, inverse }, durations, 1);
  return reduced.derive<T>({ ...mapSpec<[null, T], T & {}>(reduced, valueOf as (pair: [null, T]) => T & {}), ownState: reduced as DStream<unknown> });
}

export function countedByWindow<T>(parent: DStream<T>, durations: WindowDurations): DStream<number> {
  if (durations.slideMs > durations.windowMs) {
    const window = windowed(parent, durations);
    return persisted(window.derive(checkpointed(countSpec(window))));
  }
  return incrementallyReducedByWindow(parent.derive(mapSpec(parent, one)), sum, difference, durations);
}

export function countedByValueAndWindow<T>(parent: DStream<T>, durations: WindowDurations, partitions: number | undefined): DStream<[T, number]> {
  const pairs = parent.derive<[T, number]>(mapSpec(parent, withOne<T>));
  return incrementallyReduced<T, number>(pairs, { fn: sum, inverse: difference, filter: isCounted }, durations, partitions);
}
