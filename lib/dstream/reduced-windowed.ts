/**
 * Windows by key with an inverse function: each result is made of the one before, of what leaves the window and what enters it.
 *
 *   previous window   |=================|
 *   this window            |=================|
 *                     |old |  unchanged  |new|        result = fn(inverse(previous, old), new)
 *
 * Invariant: the RDDs of the batches, of the previous result and of this one are laid out by one partitioner, so nothing is
 * shuffled but each batch once. Results are persisted, and a result's lineage ends where it is stored (`endsLineage`): else each
 * would lead to all before it. Reading of a key: its previous result; the batches' values that leave; those that come.
 *
 * Where windows don't overlap (slide >= length) there is nothing to carry over but keys; beyond that (slide > length) the batches
 * between two windows are in neither. Spark adds and never subtracts those, against its documentation; here such a window is
 * reduced by itself, as the documentation says.
 */
import { RDD } from '../rdd/rdd.ts';
import type { PartitionerSpec } from '../../protocol/rdd.ts';
import { cogroup } from '../rdd/pair-join.ts';
import { unionRdds } from '../rdd/make.ts';
import { hashPartitioner } from '../rdd/partitioner.ts';
import { defineNode, userFunction } from '../rdd/rdd-base.ts';
import { StorageLevel } from '../rdd/storage-level.ts';
import { MillraceError } from '../../protocol/errors.ts';
import { asBatchTime } from '../../protocol/time.ts';
import type { DStream } from './dstream.ts';
import type { BatchEnvironment } from './environment.ts';
import { andThen } from './generated.ts';
import type { Eventually } from './generated.ts';
import { reduceByKeySpec } from './keyed.ts';
import { filterSpec, given, onWorkers, partitionsOf } from './narrow.ts';
import type { OperatorSpec } from './operator-spec.ts';
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
    const plain = reducedByKeyAndWindow(parent, fn, durations, partitions);
    return filter === undefined ? plain : plain.derive(filterSpec(plain, filter));
  }
  const reduced = parent.derive(reduceByKeySpec(parent, fn, partitions));
  const stream = reduced.derive(reducedWindowSpec(reduced, functions, durations, partitions));
  stream.persistByItself(StorageLevel.MEMORY_ONLY_SER);
  return stream;
}

/** `reduced`: one value for each key and batch. */
function reducedWindowSpec<K, V>(reduced: DStream<[K, V]>, { fn, inverse, filter }: Incremental<K, V>, { windowMs, slideMs }: WindowDurations, partitions: number | undefined): OperatorSpec<[K, V]> {
  const kind = 'reduceByKeyAndWindow';
  const merge = mergeSides(fn, inverse);
  /** What the batches from..to have for each key; null where there are none. */
  const between = (from: number, to: number, spec: PartitionerSpec, env: BatchEnvironment, self: DStream<[K, V]>): Eventually<RDD<[K, V]> | null> =>
    andThen(reduced.rddsBetween(from, to, env), (rdds) => {
      if (rdds.length <= 1) return rdds[0] ?? null;
      return self.making(() => unionRdds<[K, V]>(self.host.rdds, rdds).reduceByKey(fn, spec));
    });
  return {
    kind,
    parents: [reduced as DStream<unknown>],
    parameters: given({ windowMs, slideMs, partitions }),
    functions: [fn, inverse, merge, ...(filter === undefined ? [] : [filter])].map((each) => onWorkers(kind, each)),
    slideMs,
    persists: 'both',
    mustCheckpoint: true,
    parentRememberMs: (ownMs) => ownMs + windowMs,
    compute(time, env, self) {
      const { rdds: context } = self.host;
      const spec = hashPartitioner(partitionsOf({ context }, partitions));
      const step = reduced.slideMs;
      const previousTime = asBatchTime(time - slideMs);
      return andThen(between(time - slideMs - windowMs + step, time - windowMs, spec, env, self), (old) =>
        andThen(between(time - slideMs + step, time, spec, env, self), (fresh) =>
          andThen(self.getOrCompute(previousTime, env), (previous) =>
            self.making(() => {
              const nothing = (): PairRdd<K, V> => emptyLaidOut<K, V>(self, spec);
              const sides = cogroup<K>(previous ?? nothing(), [old ?? nothing(), fresh ?? nothing()], spec, kind);
              return resultOf<K, V>(sides, merge, filter, kind);
            }),
          ),
        ),
      );
    },
  };
}

/** The result's own node is the one that is stored: its lineage ends there. */
function resultOf<K, V>(sides: RDD<[K, unknown[][]]>, merge: Function, filter: Incremental<K, V>['filter'], kind: string): RDD<[K, V]> {
  const { context } = sides;
  const { partitions, partitioner } = sides.node;
  const merged = { kind: 'mapValues', parents: [sides.id], partitions, partitioner, fn: userFunction(context, merge, kind) } as const;
  if (filter === undefined) return sides.derive<[K, V]>(kind, { ...merged, endsLineage: true });
  const unfiltered = sides.derive<[K, V]>(kind, merged);
  return unfiltered.derive<[K, V]>(kind, { kind: 'filter', parents: [unfiltered.id], partitions, partitioner, fn: userFunction(context, filter, kind), endsLineage: true });
}

/** No records, laid out by the partitioner: it stands for a side that has none yet. */
function emptyLaidOut<K, V>(stream: DStream<[K, V]>, spec: PartitionerSpec): PairRdd<K, V> {
  const { rdds } = stream.host;
  return new RDD<readonly [K, V]>(rdds, defineNode(rdds, stream.kind, { kind: 'source', parents: [], partitions: spec.partitions, partitioner: spec, blocks: Array.from({ length: spec.partitions }, () => []) }));
}

/** [previous result, what leaves, what enters], each with at most one value -> the result. Throws InverseWindowInconsistent. */
function mergeSides<V>(fn: Reduce<V>, inverse: Reduce<V>): (sides: readonly [readonly V[], readonly V[], readonly V[]]) => V {
  return ([previous, old, fresh]) => {
    if (previous.length === 0) {
      if (fresh.length > 0) return fresh[0] as V;
      throw new MillraceError('InverseWindowInconsistent', 'Expected a key that leaves the window to have a result of the window before; it has none, and no new value. The filter dropped it while it was in the window: let it keep every key whose value still counts.');
    }
    const kept = old.length === 0 ? (previous[0] as V) : inverse(previous[0] as V, old[0] as V);
    return fresh.length === 0 ? kept : fn(kept, fresh[0] as V);
  };
}
