/**
 * Windows: the RDDs of several batches as one, and what Spark makes of that (reduceByWindow, reduceByKeyAndWindow,
 * groupByKeyAndWindow without an inverse function).
 *
 *   parent (slide p)    |  1  |  2  |  3  |  4  |  5  |  6  |
 *   window(4p, 2p)            |-- 2p: 1 2 --|                     windows at the beginning are partial
 *                       |-------- 4p: 1 2 3 4 ------|
 *                                   |-------- 6p: 3 4 5 6 ------|
 *
 * Invariant: the window at time t holds the parent's RDDs for t - length + p ... t, oldest first, those after the zero time. Its
 * partitions are theirs, one batch after another; where all batches are laid out by one partitioner, partition by partition, so
 * that reducing the window by key needs no shuffle. A window keeps no records: its parent's RDDs are persisted instead.
 */
import type { RDD } from '../rdd/rdd.ts';
import { unionRdds } from '../rdd/make.ts';
import { StorageLevel } from '../rdd/storage-level.ts';
import { callError } from '../base/caller-place.ts';
import { previewOf } from '../../protocol/errors.ts';
import { isMultipleOf } from '../../protocol/time.ts';
import { checkDuration } from './arguments.ts';
import type { DStream } from './dstream.ts';
import { andThen } from './generated.ts';
import { combineByKeySpec, groupByKeySpec, reduceByKeySpec } from './keyed.ts';
import { reduceSpec } from './narrow.ts';
import type { OperatorSpec } from './operator-spec.ts';

type Pairs<K, V> = DStream<readonly [K, V]>;

/** The length of a window and the time between two, in ms. */
export interface WindowDurations {
  readonly windowMs: number;
  readonly slideMs: number;
}

/**
 * Checks both against the parent's slide; no slide: the parent's. A length of 0 is a window without records, as in Spark.
 * Throws WindowNotMultiple, InvalidArgument.
 */
export function windowDurations(method: string, parent: { readonly kind: string; readonly slideMs: number }, windowMs: number, slideMs: number = parent.slideMs): WindowDurations {
  if (!Number.isSafeInteger(windowMs) || windowMs < 0) {
    throw callError('InvalidArgument', method, `${method} expects the window's length to be a whole number of milliseconds, 0 or more, and got ${previewOf(windowMs)}.`);
  }
  checkDuration(method, 'the slide', slideMs);
  for (const [name, durationMs] of [['length', windowMs], ['slide', slideMs]] as const) {
    if (isMultipleOf(durationMs, parent.slideMs)) continue;
    throw callError('WindowNotMultiple', method, `${method} was given a window whose ${name} (${durationMs} ms) is no multiple of the slide duration of its parent ${parent.kind} (${parent.slideMs} ms). Give a whole multiple of ${parent.slideMs} ms.`, {
      [name === 'length' ? 'windowMs' : 'slideMs']: durationMs,
      parentSlideMs: parent.slideMs,
    });
  }
  return { windowMs, slideMs };
}

/** The batches of a window as one RDD; the parent is persisted. */
export function windowed<T>(parent: DStream<T>, { windowMs, slideMs }: WindowDurations): DStream<T> {
  parent.persistByItself(StorageLevel.MEMORY_ONLY_SER);
  return parent.derive(windowSpec(parent, { windowMs, slideMs }));
}

function windowSpec<T>(parent: DStream<T>, { windowMs, slideMs }: WindowDurations): OperatorSpec<T> {
  return {
    kind: 'window',
    parents: [parent as DStream<unknown>],
    parameters: { windowMs, slideMs },
    slideMs,
    persists: 'parents',
    parentRememberMs: (ownMs) => ownMs + windowMs,
    compute: (time, env, self) =>
      andThen(parent.rddsBetween(time - windowMs + parent.slideMs, time, env), (rdds) => self.making(() => unionRdds<T>(self.host.rdds, rdds as RDD<T>[]))),
  };
}

/** What becomes of the operator that ends a window, before the stream is made of it. */
type Ending = <T>(spec: OperatorSpec<T>) => OperatorSpec<T>;
const asItIs: Ending = (spec) => spec;

/** Each batch is reduced once; a window reduces one record of each of its batches. */
export function reducedByWindow<T>(parent: DStream<T>, fn: (a: T, b: T) => T, durations: WindowDurations, ending: Ending = asItIs): DStream<T> {
  const window = windowed(parent.derive(reduceSpec(parent, fn)), durations);
  return window.derive(ending(reduceSpec(window, fn)));
}

/** Each batch is reduced and laid out once; a window puts together what lies in the same partition of its batches. */
export function reducedByKeyAndWindow<K, V>(parent: Pairs<K, V>, fn: (a: V, b: V) => V, durations: WindowDurations, partitions: number | undefined, ending: Ending = asItIs): DStream<[K, V]> {
  const window = windowed(parent.derive(reduceByKeySpec(parent, fn, partitions)), durations);
  return window.derive(ending(reduceByKeySpec(window, fn, partitions)));
}

const listOf = <V>(values: readonly V[]): V[] => [...values];
/** The list is the combiner's own, so it may grow in place. */
const listConcat = <V>(list: V[], values: readonly V[]): V[] => {
  for (const value of values) list.push(value);
  return list;
};

/** As `reducedByKeyAndWindow`: grouped in each batch, then batch after batch. */
export function groupedByKeyAndWindow<K, V>(parent: Pairs<K, V>, durations: WindowDurations, partitions: number | undefined): DStream<[K, V[]]> {
  const window = windowed(parent.derive(groupByKeySpec(parent, partitions)), durations);
  return window.derive(combineByKeySpec<K, V[], V[]>(window, listOf<V>, listConcat<V>, listConcat<V>, partitions, false));
}
