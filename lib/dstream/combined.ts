/**
 * The operators that hand whole RDDs on: union, the joins, cogroup, and all that Spark builds on `transform`.
 *
 * Invariant: every parent must give an RDD at a time at which these have one; where one does not, the batch fails with
 * NoRddFromParent. Parents are computed one after another in the order in which they were given.
 */
import { callError } from '../base/caller-place.ts';
import { RDD } from '../rdd/rdd.ts';
import { parallelize } from '../rdd/make.ts';
import { MillraceError, previewOf } from '../../protocol/errors.ts';
import type { BatchTime } from '../../protocol/time.ts';
import { checkStreams } from './arguments.ts';
import type { DStream } from './dstream.ts';
import type { BatchEnvironment } from './environment.ts';
import { andThen, inOrder } from './generated.ts';
import type { Eventually } from './generated.ts';
import { given, onWorkers, partitionsOf, sum } from './narrow.ts';
import type { OperatorSpec } from './operator-spec.ts';

type Pairs<K, V> = DStream<readonly [K, V]>;
/** A user's function on the RDDs of several streams. */
export type TransformFunction<U> = (rdds: readonly RDD<unknown>[], time: BatchTime) => Eventually<RDD<U>>;

/**
 * A user's function makes this stream's RDD of the parents'. It is called once a batch, on the driver; workers replay the
 * call to get at the functions it made. `asWritten` is the user's function itself: its text is compared between threads.
 */
export function transformSpec<U>(kind: string, parents: readonly DStream<unknown>[], asWritten: Function, call: TransformFunction<U>): OperatorSpec<U> {
  checkCombinable(kind, parents);
  return {
    kind,
    parents,
    functions: [{ fn: asWritten, role: kind, runsOn: 'driver' }],
    replay: call,
    compute: (time, env, self) =>
      andThen(parentRdds(kind, parents, time, env), (rdds) =>
        andThen(self.making(() => self.host.runTransform(self.index, time, rdds, () => call(rdds, time))), (made) => {
          if (made === null || made === undefined) {
            throw new MillraceError('TransformReturnedNull', `The function given to ${kind} returned ${String(made)} for the batch at ${time} ms. Return an RDD; ssc.sc.emptyRDD() where there are no records.`);
          }
          if (!(made instanceof RDD)) {
            throw new MillraceError('InvalidArgument', `The function given to ${kind} returned ${previewOf(made)} for the batch at ${time} ms, which is no RDD. Return an RDD: ssc.sc.parallelize(records) makes one of an array.`);
          }
          return made;
        }),
      ),
  };
}

/** Our own function makes the RDD: nothing to replay. */
function combine<U>(
  kind: string,
  parents: readonly DStream<unknown>[],
  parameters: Readonly<Record<string, unknown>>,
  make: (rdds: readonly RDD<never>[]) => RDD<U>,
): OperatorSpec<U> {
  checkCombinable(kind, parents);
  return {
    kind,
    parents,
    parameters,
    make: (rdds) => make(rdds as unknown as readonly RDD<never>[]),
    compute: (time, env, self) => andThen(parentRdds(kind, parents, time, env), (rdds) => self.making(() => make(rdds as unknown as readonly RDD<never>[]))),
  };
}

export function unionSpec<T>(parents: readonly DStream<T>[]): OperatorSpec<T> {
  return combine<T>('union', parents as readonly DStream<unknown>[], {}, ([first, ...others]) => (first as RDD<T>).union(...(others as RDD<T>[])));
}

export function repartitionSpec<T>(parent: DStream<T>, partitions: number): OperatorSpec<T> {
  return combine<T>('repartition', [parent as DStream<unknown>], { partitions }, ([rdd]) => (rdd as RDD<T>).repartition(partitions));
}

const nullWithOne = (): [null, number] => [null, 1];

/**
 * One record in every batch, 0 for an empty one: a zero joins the records' ones before they are added up. The result has
 * the default parallelism's partitions, one of which holds the count.
 */
export function countSpec<T>(parent: DStream<T>): OperatorSpec<number> {
  const context = parent.host.rdds;
  const zero = parallelize<[null, number]>(context, [[null, 0]], 1);
  // No `make`: the zero is an RDD of the program's own.
  const { make: _make, ...spec } = combine<number>('count', [parent as DStream<unknown>], {}, ([rdd]) =>
    (rdd as RDD<T>).map(nullWithOne).union(zero).reduceByKey(sum, context.defaultParallelism).values(),
  );
  return { ...spec, functions: [nullWithOne, sum].map((fn) => onWorkers('count', fn)) };
}

export type JoinKind = 'join' | 'leftOuterJoin' | 'rightOuterJoin' | 'fullOuterJoin';

/** [key, [value, other value]]; where a side may be absent, its value is null. */
export function joinSpec<K, V, W, R>(kind: JoinKind, left: Pairs<K, V>, right: Pairs<K, W>, partitions: number | undefined): OperatorSpec<[K, R]> {
  return combine<[K, R]>(kind, [left, right] as readonly DStream<unknown>[], given({ partitions }), (rdds) => {
    const [a, b] = rdds as unknown as [RDD<readonly [K, V]>, RDD<readonly [K, W]>];
    return a[kind](b, partitionsOf(a, partitions)) as unknown as RDD<[K, R]>;
  });
}

export function cogroupSpec<K, V, W>(left: Pairs<K, V>, right: Pairs<K, W>, partitions: number | undefined): OperatorSpec<[K, [V[], W[]]]> {
  return combine<[K, [V[], W[]]]>('cogroup', [left, right] as readonly DStream<unknown>[], given({ partitions }), (rdds) => {
    const [a, b] = rdds as unknown as [RDD<readonly [K, V]>, RDD<readonly [K, W]>];
    return a.cogroup(b, partitionsOf(a, partitions)) as unknown as RDD<[K, [V[], W[]]]>;
  });
}

/** Throws InvalidArgument, NoStreams, ContextMismatch or SlideMismatch where these streams can't go together. */
function checkCombinable(kind: string, parents: readonly DStream<unknown>[]): void {
  checkStreams(kind, parents);
  const [first, ...others] = parents;
  if (first === undefined) throw callError('NoStreams', kind, `${kind} was given no streams. Give at least one.`);
  for (const other of others) {
    if (other.graph !== first.graph) {
      throw callError('ContextMismatch', kind, `${kind} was given streams of different contexts. Make all of them on the same StreamingContext.`);
    }
    if (other.slideMs !== first.slideMs) {
      throw callError('SlideMismatch', kind, `${kind} was given streams with different slide durations: ${first.slideMs} ms (${first.kind}) and ${other.slideMs} ms (${other.kind}). Window them to the same slide first.`, { slidesMs: parents.map((parent) => parent.slideMs) });
    }
  }
}

function parentRdds(kind: string, parents: readonly DStream<unknown>[], time: BatchTime, env: BatchEnvironment): Eventually<RDD<unknown>[]> {
  return inOrder(parents, (parent) =>
    andThen(parent.getOrCompute(time, env), (rdd) => {
      if (rdd !== null) return rdd;
      throw new MillraceError('NoRddFromParent', `${kind} needs an RDD of its parent ${parent.kind}, which gave none at time ${time} ms. Let the input give an RDD without records instead of none.`, {
        details: { parent: parent.operatorUid, time },
      });
    }),
  );
}
