/**
 * Windows by key with an inverse function: each result is made of the one before, of what leaves the window and what enters it.
 *
 *   previous window   |=================|
 *   this window            |=================|
 *                     |old |  unchanged  |new|        result = fn(inverse(previous, old), new)
 *
 * Invariant: the RDDs of the batches and the result are laid out by one partitioner, so nothing is shuffled but each batch once. The
 * result is keyed state on the workers (see state.ts): only keys that enter or leave are touched, whatever the window holds.
 *
 * Where windows don't overlap (slide >= length) there is nothing to carry over but keys; beyond that (slide > length) the batches
 * between two windows are in neither. Spark adds and never subtracts those, against its documentation; here such a window is
 * reduced by itself, as the documentation says. It demands a checkpoint directory all the same, as in Spark: whether a program can
 * start does not depend on its durations.
 */
import type { RDD } from '../rdd/rdd.ts';
import { cogroup } from '../rdd/pair-join.ts';
import { neverMade } from '../rdd/state-rdd.ts';
import { StorageLevel } from '../rdd/storage-level.ts';
import type { BatchTime } from '../../protocol/time.ts';
import type { DStream } from './dstream.ts';
import type { BatchEnvironment } from './environment.ts';
import { andThen } from './generated.ts';
import { reduceByKeySpec } from './keyed.ts';
import { filterSpec, given, onWorkers } from './narrow.ts';
import type { Generated, OperatorSpec } from './operator-spec.ts';
import { functionOf, makeState, partitionerOf, previousOf } from './state.ts';
import type { Layout } from './state.ts';
import type { WindowDurations } from './windowed.ts';
import { reducedByKeyAndWindow } from './windowed.ts';

type Pairs<K, V> = DStream<readonly [K, V]>;
type PairRdd<K, V> = RDD<readonly [K, V]>;
type Reduce<V> = (a: V, b: V) => V;

export interface Incremental<K, V> {
  readonly fn: Reduce<V>;
  readonly inverse: Reduce<V>;
  /** Pairs for which it is false are dropped from each result. */
  readonly filter?: ((pair: readonly [K, V]) => boolean) | undefined;
}

/** The incremental form; the plain one, filtered, where no batch is in two windows and some are in none. */
export function incrementallyReduced<K, V>(parent: Pairs<K, V>, functions: Incremental<K, V>, durations: WindowDurations, partitions: number | undefined): DStream<[K, V]> {
  const { fn, filter } = functions;
  if (durations.slideMs > durations.windowMs) {
    const plain = persisted(reducedByKeyAndWindow(parent, fn, durations, partitions, checkpointed));
    return filter === undefined ? plain : plain.derive(filterSpec(plain, filter));
  }
  const reduced = parent.derive(reduceByKeySpec(parent, fn, partitions));
  return persisted(reduced.derive(reducedWindowSpec(reduced, functions, durations, partitions)));
}

/** Of the plain form in place of the incremental one. */
export function checkpointed<T>(spec: OperatorSpec<T>): OperatorSpec<T> {
  return { ...spec, mustCheckpoint: true };
}

/** As all that is checkpointed. */
export function persisted<T>(stream: DStream<T>): DStream<T> {
  stream.persistByItself(StorageLevel.MEMORY_ONLY_SER);
  return stream;
}

/** `reduced`: one value for each key and batch. */
function reducedWindowSpec<K, V>(reduced: DStream<[K, V]>, { fn, inverse, filter }: Incremental<K, V>, { windowMs, slideMs }: WindowDurations, partitions: number | undefined): OperatorSpec<[K, V]> {
  const kind = 'reduceByKeyAndWindow';
  const partitioner = partitionerOf(reduced, partitions);
  const step = reduced.slideMs;
  const layout = (self: DStream<[K, V]>, leaving: number): Layout => ({
    partitioner,
    update: {
      kind: 'window',
      fn: functionOf(self, fn, kind),
      inverse: functionOf(self, inverse, kind),
      filter: filter === undefined ? null : functionOf(self, filter, kind),
      leaving,
    },
  });
  return {
    kind,
    parents: [reduced as DStream<unknown>],
    parameters: given({ windowMs, slideMs, partitions }),
    functions: [fn, inverse, ...(filter === undefined ? [] : [filter])].map((each) => onWorkers(kind, each)),
    slideMs,
    persists: 'both',
    mustCheckpoint: true,
    keepsNewest: true,
    parentRememberMs: (ownMs) => ownMs + windowMs,
    compute: (time, env, self) =>
      andThen(windowBefore(self, time, env), (previous) =>
        // The first window of all is made whole: where the operator is new to a program that goes on, there are batches before it.
        andThen(previous === null ? [] : reduced.rddsBetween(time - slideMs - windowMs + step, time - windowMs, env), (leaving) =>
          andThen(reduced.rddsBetween(time - (previous === null ? windowMs : slideMs) + step, time, env), (entering) =>
            self.making(() => {
              const [first, ...others] = [...leaving, ...entering] as RDD<readonly [K, unknown]>[];
              const input = first === undefined ? null : cogroup<K>(first, others, partitioner, kind);
              return makeState(self, { time, ...layout(self, leaving.length), input, initial: null, previous }) as RDD<[K, V]>;
            }),
          ),
        ),
      ),
    state: (self) => layout(self, 0),
  };
}

/**
 * The window that this one is made of. Null: it is made whole. So it is behind batches that were missed, where what has left meanwhile is in no
 * RDD that leaves now, and behind a window that could not be made: what entered and left with that is in no other.
 */
function windowBefore<K, V>(self: DStream<[K, V]>, time: BatchTime, env: BatchEnvironment): Generated<[K, V]> {
  if (self.graph.isMissed(time - self.slideMs)) return null;
  return andThen(previousOf(self, time, env), (previous) => (previous !== null && neverMade(self.host.rdds, previous.id) ? null : previous));
}
