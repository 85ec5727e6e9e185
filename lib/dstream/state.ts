/**
 * Keyed state over batches: updateStateByKey and mapWithState.
 *
 * Invariant: the state of a time is made of the state one slide before it and of the parent's batch, whether or not anybody asks for
 * the times between; a stream of state has an RDD at every time from its first on.
 *
 *   parent:   b1      b2     (none)    b4
 *              |       |        |       |
 *   state:    s1 ---> s2 ---> s3 ---> s4         s1 also of the initial state, where one is given
 */
import { previewOf } from '../../protocol/errors.ts';
import type { FunctionRef, PartitionerSpec, StateUpdate } from '../../protocol/rdd.ts';
import { asBatchTime } from '../../protocol/time.ts';
import type { BatchTime } from '../../protocol/time.ts';
import { callError } from '../base/caller-place.ts';
import { hashPartitioner } from '../rdd/partitioner.ts';
import type { OnError } from '../rdd/record-options.ts';
import { policyOf, refusePolicy } from '../rdd/record-options.ts';
import { RDD } from '../rdd/rdd.ts';
import { emittedOf, hasEmitted, laidOut, stateRdd } from '../rdd/state-rdd.ts';
import type { State } from '../rdd/state/keyed-state.ts';
import { checkCount, checkDuration, checkFunction, checkOptions } from './arguments.ts';
import type { DStream } from './dstream.ts';
import type { BatchEnvironment } from './environment.ts';
import { andThen, inOrder } from './generated.ts';
import { given, onWorkers } from './narrow.ts';
import type { OperatorSpec } from './operator-spec.ts';
import { sliceUnavailable } from './reach-back.ts';

type Pairs<K, V> = DStream<readonly [K, V]>;
type PairRdd = RDD<readonly [unknown, unknown]>;

/** What updateStateByKey takes beside its function. */
export interface UpdateStateOptions<K, S> {
  /** Default: default parallelism. */
  readonly partitions?: number | undefined;
  /** State before the first batch. Made while the program is built: ssc.sc.parallelize(pairs). */
  readonly initial?: RDD<readonly [K, S]> | RDD<[K, S]> | undefined;
  /**
   * How the function is called. `plain` (default): fn(values, state). `time`: fn(time, key, values, state). `iterator`: once for
   * each partition, fn(iterable of [key, values, state]) gives pairs [key, state], and what it leaves out has no state any more.
   */
  readonly variant?: 'plain' | 'time' | 'iterator' | undefined;
  /** Of the state's type, from 1 on; default 1. A program that goes on from a checkpoint finds there what its state was written as. */
  readonly stateVersion?: number | undefined;
  /** A state that was written as another version, as one of this; null or undefined: the key has none any more. Where it is absent such a start fails (StateNotMigrated). */
  readonly migrate?: MigrateFunction<S> | undefined;
  /** Spark's: accepted, and without effect, since the layout of state is always known. */
  readonly rememberPartitioner?: boolean | undefined;
  /**
   * What becomes of a key for which the function throws: under `skip` and `deadLetter` its state stays as it was, and what is left out is
   * [key, its values in the batch]. Not for the variant `iterator`, whose function sees all keys. Default `fail`.
   */
  readonly onError?: OnError | undefined;
}

/** The values that a key has in the batch (none: an empty array) and its state, to its new state. Null or undefined: none any more. */
export type UpdateFunction<V, S> = (values: readonly V[], state: S | undefined) => S | null | undefined;
/** As `UpdateFunction`, with the batch time and the key. */
export type TimedUpdateFunction<K, V, S> = (time: number, key: K, values: readonly V[], state: S | undefined) => S | null | undefined;
/** All keys of a partition that have state or values, to the pairs [key, state] that there are from now on. Called once for each partition. */
export type IteratorUpdateFunction<K, V, S> = (keys: Iterable<readonly [K, readonly V[], S | undefined]>) => Iterable<readonly [K, S]>;

/**
 * A state as an earlier (or later) program wrote it, with its `stateVersion`, to a state of this one. The function may name the type of
 * what it gets: nothing here knows it. (The type of a method lets it.)
 */
export type MigrateFunction<S> = { migrate(value: unknown, fromVersion: number): S | null | undefined }['migrate'];

/** What mapWithState is told. Spark's `StateSpec`. */
export interface StateSpec<K, V, S, E> {
  /**
   * Called for each record, in order: reads and changes the key's state, and returns a record to emit, or undefined for none. With a
   * timeout also once, without a value, for a key that was idle longer.
   */
  readonly fn: (time: number, key: K, value: V | undefined, state: State<S>) => E | undefined;
  /** Default: default parallelism. */
  readonly partitions?: number | undefined;
  /** A key that had no record for longer is timed out, in the next batch that sweeps (`checkpoint(interval)`; every 10th slide by default). In ms. */
  readonly timeoutMs?: number | undefined;
  /** State before the first batch; it counts as touched then. */
  readonly initial?: RDD<readonly [K, S]> | RDD<[K, S]> | undefined;
  /** As in UpdateStateOptions. */
  readonly stateVersion?: number | undefined;
  /** As in UpdateStateOptions. When a key was last touched stays. */
  readonly migrate?: MigrateFunction<S> | undefined;
  /**
   * What becomes of a record on which `fn` throws: under `skip` and `deadLetter` it is left out as [key, value], nothing is emitted, and the
   * key's state stays as it was. A key that is timing out goes all the same, and is left out as [key, undefined, state]. Default `fail`.
   */
  readonly onError?: OnError | undefined;
}

/** Batches between two sweeps, and between two checkpoints of the state, where no interval is given. Spark's. */
const trackSlides = 10;

export function updateStateSpec<K, V, S>(parent: Pairs<K, V>, fn: Function, options: UpdateStateOptions<K, S>): OperatorSpec<[K, S]> {
  const { partitions, initial, variant = 'plain', rememberPartitioner, stateVersion, migrate, onError = 'fail' } = options;
  const method = 'updateStateByKey';
  checkFunction(method, fn);
  checkOptions(method, ['partitions', 'initial', 'variant', 'stateVersion', 'migrate', 'rememberPartitioner', 'onError'], options);
  checkCount(method, 'partitions', partitions);
  if (!['plain', 'time', 'iterator'].includes(variant)) throw callError('InvalidArgument', method, `${method} expects variant to be 'plain', 'time' or 'iterator', and got ${previewOf(variant)}.`);
  if (variant === 'iterator') refusePolicy('updateStateByKey of the variant iterator', [options]);
  const policy = policyOf(method, { onError });
  const start = checkInitial(method, initial);
  const written = checkWritten(method, stateVersion, migrate);
  const partitioner = partitionerOf(parent, partitions);
  const layout = (self: DStream<[K, S]>): Layout => ({ partitioner, update: { kind: 'update', fn: functionOf(self, fn, method), form: variant, ...policy }, written });
  return {
    kind: method,
    ...policy,
    parents: [parent as DStream<unknown>],
    parameters: given({ partitions, variant, rememberPartitioner, initial: initial !== undefined }),
    functions: [fn, ...(migrate === undefined ? [] : [migrate])].map((each) => onWorkers(method, each)),
    stateVersion: written.stateVersion,
    migrates: written.migrate !== undefined,
    mustCheckpoint: true,
    keepsNewest: true,
    compute: (time, env, self) =>
      andThen(previousOf(self, time, env), (previous) =>
        andThen(parent.getOrCompute(time, env), (batch) => {
          // As long as nothing has ever come there is no state either.
          if (previous === null && batch === null) return null;
          return self.making(() => {
            const input = batch === null ? null : (batch as unknown as PairRdd).groupByKey(partitioner);
            return makeState(self, { time, ...layout(self), input, initial: start, previous }) as RDD<[K, S]>;
          });
        }),
      ),
    state: layout,
  };
}

/** The state itself: pairs [key, state]. What the function emits is the stream of `emittedSpec`. */
export function trackStateSpec<K, V, S, E>(parent: Pairs<K, V>, spec: StateSpec<K, V, S, E>): OperatorSpec<[K, S]> {
  const method = 'mapWithState';
  if (typeof spec !== 'object' || spec === null) throw callError('InvalidArgument', method, `${method} expects { fn, timeoutMs?, initial?, partitions?, onError? }, and got ${previewOf(spec)}.`);
  const { fn, partitions, timeoutMs, initial, stateVersion, migrate, onError = 'fail' } = spec;
  checkFunction(method, fn);
  checkOptions(method, ['fn', 'partitions', 'timeoutMs', 'initial', 'stateVersion', 'migrate', 'onError'], spec);
  checkCount(method, 'partitions', partitions);
  if (timeoutMs !== undefined) checkDuration(method, 'timeoutMs', timeoutMs);
  const policy = policyOf(method, { onError });
  const start = checkInitial(method, initial);
  const written = checkWritten(method, stateVersion, migrate);
  const partitioner = partitionerOf(parent, partitions);
  const layout = (self: DStream<[K, S]>, time: BatchTime): Layout => {
    const sweeps = (time - (self.graph.zeroTime ?? 0)) % (self.checkpointMs ?? self.slideMs) === 0;
    return { partitioner, update: { kind: 'track', fn: functionOf(self, fn, method), timeoutMs: timeoutMs ?? null, sweeps, ...policy }, written };
  };
  return {
    kind: method,
    ...policy,
    parents: [parent as DStream<unknown>],
    parameters: given({ partitions, timeoutMs, initial: initial !== undefined }),
    functions: [fn, ...(migrate === undefined ? [] : [migrate])].map((each) => onWorkers(method, each)),
    stateVersion: written.stateVersion,
    migrates: written.migrate !== undefined,
    mustCheckpoint: true,
    keepsNewest: true,
    checkpointSlides: trackSlides,
    compute: (time, env, self) =>
      andThen(previousOf(self, time, env), (previous) =>
        andThen(parent.getOrCompute(time, env), (batch) =>
          self.making(() => {
            const input = batch === null ? null : laidOut(batch as unknown as PairRdd, partitioner);
            return makeState(self, { time, ...layout(self, time), input, initial: start, previous }) as RDD<[K, S]>;
          }),
        ),
      ),
    state: layout,
  };
}

/** What the functions of `states`, a stream of trackStateSpec, have emitted. */
export function emittedSpec<E>(states: DStream<unknown>): OperatorSpec<E> {
  return {
    kind: 'mapWithState.emitted',
    parents: [states],
    ownState: states,
    // Of a version that was restored, nobody knows any more what it has emitted; no batch needs it either.
    compute: (time, env) =>
      andThen(states.getOrCompute(time, env), (rdd) => {
        if (rdd === null || hasEmitted(rdd)) return rdd === null ? null : (emittedOf(rdd) as RDD<E>);
        if (env.slicing !== undefined) throw sliceUnavailable(states, time, 'lost at restart');
        return null;
      }),
  };
}

/** The state, as a stream of its own. */
export function snapshotsSpec<K, S>(states: DStream<[K, S]>): OperatorSpec<[K, S]> {
  return { kind: 'stateSnapshots', parents: [states as DStream<unknown>], compute: (time, env) => states.getOrCompute(time, env) };
}

/** How the values are written. */
interface Written {
  readonly stateVersion: number;
  readonly migrate: Function | undefined;
}

/** How a version of state is laid out, and how it is changed. */
export interface Layout {
  readonly partitioner: PartitionerSpec;
  readonly update: StateUpdate;
  /** Left out: a type that the program doesn't change. */
  readonly written?: Written;
}

interface Step extends Layout {
  readonly time: BatchTime;
  readonly input: RDD<unknown> | null;
  readonly initial: PairRdd | null;
  readonly previous: RDD<unknown> | null;
  /** It was made before a restart: what it emitted then is not known any more. */
  readonly restored?: boolean;
}

export function makeState<T>(self: DStream<T>, { time, partitioner, update, input, initial, previous, written, restored = false }: Step): RDD<unknown> {
  const { state } = stateRdd(
    self.host.rdds,
    {
      name: self.kind,
      table: self.index,
      time,
      spec: partitioner,
      update,
      input,
      initial: previous === null && initial !== null ? laidOut(initial, partitioner) : null,
      previous,
      versionsKept: self.rddsAsked - 1,
      ...(written === undefined ? {} : { stateVersion: written.stateVersion }),
      ...(written?.migrate === undefined ? {} : { migrate: functionOf(self, written.migrate, self.kind) }),
    },
    update.kind === 'track' && !restored,
  );
  return state;
}

/** The version before: one slide, or what was missed, too. Null at the stream's beginning. */
export function previousOf<T>(self: DStream<T>, time: BatchTime, env: BatchEnvironment): ReturnType<DStream<T>['getOrCompute']> {
  const before = self.graph.timeBefore(time, self.slideMs);
  if (env.slicing === undefined || env.slicing.along === self) return self.getOrCompute(before, env);
  // A slice may ask for what was forgotten long ago: each version is made of one that is there, and not by calls within calls.
  const along = { ...env, slicing: { along: self } };
  return andThen(inOrder(self.unknownUpTo(before), (at) => self.getOrCompute(at, along)), () => self.getOrCompute(before, along));
}

export function functionOf<T>(self: DStream<T>, fn: Function, role: string): FunctionRef {
  return self.host.rdds.functionRef(fn as (...args: never[]) => unknown, role);
}

export function partitionerOf<T>(parent: DStream<T>, partitions: number | undefined): PartitionerSpec {
  return hashPartitioner(partitions ?? parent.host.rdds.defaultParallelism);
}

function checkWritten(method: string, stateVersion: number | undefined, migrate: unknown): Written {
  checkCount(method, 'stateVersion', stateVersion);
  if (migrate !== undefined) checkFunction(method, migrate);
  return { stateVersion: stateVersion ?? 1, migrate: migrate as Function | undefined };
}

function checkInitial(method: string, initial: unknown): PairRdd | null {
  if (initial === undefined || initial === null) return null;
  if (initial instanceof RDD) return initial as PairRdd;
  throw callError('InvalidArgument', method, `${method} expects initial to be an RDD of pairs, and got ${previewOf(initial)}. Make one while the program is built: ssc.sc.parallelize(pairs).`);
}
