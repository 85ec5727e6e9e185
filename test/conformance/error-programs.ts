/**
 * The programs of the named actions (errors.json): small graphs that are used wrongly, or watched.
 *
 * Invariant: graphs depend on the arguments alone. Side effects of functions that run on other threads are lines appended to
 * a file; what must be had on the app's thread after the build (a stream to add to, the context) is left in `built`, which
 * only that thread reads.
 */
import { appendFileSync } from 'node:fs';
import type { RddLike } from './rdd-functions.ts';
import type { StateLike } from './state-functions.ts';
import type { StreamLike } from './stream-like.ts';
import type { CollectedRdd, InputLike, ProgramContext } from './program.ts';
import type { Value } from './values.ts';

export interface ErrorArgs {
  readonly program: string;
  /** Names this build among others: the key in `built`. */
  readonly key: string;
  /** Where functions on other threads append lines. */
  readonly file: string;
}

export interface ErrorApp {
  readonly log: (line: string) => void;
}

/** What a program leaves for the app's thread. */
export interface Built {
  readonly ssc: ProgramContext;
  readonly stream: InputLike;
  /** For joins with streams of another context: nothing can be made of `stream` after the build. */
  readonly pairs: StreamLike | null;
}

export const built = new Map<string, Built>();

/** Every program has the input `numbers`: [1, 2], then [3], then batches without records. */
export default function errorProgram(ssc: ProgramContext, args: ErrorArgs): void {
  const build = Object.hasOwn(programs, args.program) ? programs[args.program] : undefined;
  if (build === undefined) throw new Error(`Expected the name of a program, got '${args.program}'.`);
  if (args.program === 'nothing') return;
  const stream = ssc.batchesStream([[1, 2], [3]], 1);
  built.set(args.key, { ssc, stream, pairs: args.program === 'loggedAndPaired' ? pairs(stream) : null });
  build(ssc, stream, args);
}

type BuildProgram = (ssc: ProgramContext, numbers: InputLike, args: ErrorArgs) => void;
type Body = (rdd: CollectedRdd, time: number, context: { readonly app: ErrorApp }) => Promise<void>;

/** Logs `time:r|r|r` for each batch. */
function logBatches(stream: StreamLike): void {
  const body: Body = async (rdd, time, { app }) => app.log(`${time}:${(await rdd.collect()).join('|')}`);
  foreachRDD(stream, body);
}

/** Logs a word and the time, and throws in the batch at `failAtMs`, after the log. */
function logName(stream: StreamLike, name: string, failAtMs: number | null = null): void {
  const body: Body = async (_rdd, time, { app }) => {
    app.log(name === '' ? String(time) : `${name} ${time}`);
    if (time === failAtMs) throw new RangeError('boom');
  };
  foreachRDD(stream, body);
}

function foreachRDD(stream: StreamLike, body: Body): void {
  (stream as unknown as { foreachRDD(fn: Body): void }).foreachRDD(body);
}

function method(stream: StreamLike, name: string, ...given: unknown[]): StreamLike {
  const called = (stream as unknown as Record<string, ((...all: unknown[]) => StreamLike) | undefined>)[name];
  if (called === undefined) throw new Error(`Expected a method of a stream, got '${name}'.`);
  return called.apply(stream, given);
}

const pairs = (stream: StreamLike): StreamLike => stream.map((x) => [String(x), x]);
const add = (a: Value, b: Value): Value => (a as number) + (b as number);
const subtract = (a: Value, b: Value): Value => (a as number) - (b as number);
const inc = (x: Value): Value => (x as number) + 1;
const same = (rdd: RddLike): RddLike => rdd;
const boom = (): never => {
  throw new RangeError('boom');
};
const sumState = (values: readonly Value[], state: Value | undefined): Value => values.reduce(add, state ?? 0);

/** Maps with a side effect: a line for each call. */
function counted(stream: StreamLike, file: string): StreamLike {
  return stream.map((x) => {
    appendFileSync(file, 'map\n');
    return x;
  });
}

/** The file of side effects in a run's folder, and its checkpoints beside it. */
export const sideEffectsIn = (folder: string): string => `${folder}/side-effects`;
export const checkpointsIn = (folder: string): string => `${sideEffectsIn(folder)}-checkpoints`;

function withCheckpoints(ssc: ProgramContext, { file }: ErrorArgs): void {
  ssc.checkpoint(`${file}-checkpoints`);
}

/** Closes over what no codec could write. */
function withHandle(numbers: StreamLike): void {
  const handle = { close: (): void => {}, self: new WeakRef({}) };
  foreachRDD(numbers, async (_rdd, _time, { app }) => {
    handle.close();
    app.log('ran');
  });
}

export const programs: Readonly<Record<string, BuildProgram>> = {
  nothing: () => {},
  noOutput: (_ssc, numbers) => void numbers.map(inc),
  logged: (_ssc, numbers) => logBatches(numbers),
  loggedAndPaired: (_ssc, numbers) => logBatches(numbers),
  mapped: (_ssc, numbers) => logBatches(numbers.map(inc)),
  rememberTwice: (ssc, numbers) => {
    ssc.remember(5_000);
    ssc.remember(6_000);
    logBatches(numbers);
  },
  unionOfNothing: (ssc) => logBatches(ssc.union([])),
  transformOfNothing: (ssc) => logBatches(ssc.transform([], ([rdd]) => rdd as RddLike)),
  unionOfOtherContext: (_ssc, numbers, args) => logBatches(numbers.union(other(args).stream)),
  joinOfOtherContext: (_ssc, numbers, args) => logBatches(pairs(numbers).join(other(args).pairs as StreamLike)),
  unionOfOtherSlide: (_ssc, numbers) => logBatches(numbers.union(method(numbers, 'window', 2_000, 2_000))),
  joinOfOtherSlide: (_ssc, numbers) => logBatches(pairs(numbers).join(method(pairs(numbers), 'window', 2_000, 2_000))),
  transformReturnsNull: (_ssc, numbers) => logBatches(numbers.transform(() => null as unknown as RddLike)),
  mapThrows: (_ssc, numbers) => logBatches(numbers.map(boom)),
  foreachThrows: (_ssc, numbers) => foreachRDD(numbers, async () => boom()),
  transformThrows: (_ssc, numbers) => logBatches(numbers.transform(boom)),
  firstBatchThrows: (_ssc, numbers) => logName(numbers, '', 1_000),
  firstOutputThrows: (_ssc, numbers) => {
    logName(numbers, 'first', 1_000);
    logName(numbers, 'second');
  },
  threeOutputs: (_ssc, numbers) => ['c', 'a', 'b'].forEach((name) => logName(numbers, name)),
  twoInputs: (ssc, numbers, { file }) => {
    counted(ssc.batchesStream([[7], [8]], 1), file);
    logBatches(numbers);
  },
  transformTwoOutputs: (_ssc, numbers, { file }) => {
    const transformed = numbers.transform((rdd) => {
      appendFileSync(file, 'transform\n');
      return rdd;
    });
    logBatches(transformed);
    logBatches(transformed);
  },
  noAction: (_ssc, numbers, { file }) => logName(counted(numbers, file), ''),
  twoActions: (_ssc, numbers, { file }) => {
    const mapped = counted(numbers, file);
    logBatches(mapped);
    logBatches(mapped);
  },
  twoActionsCached: (_ssc, numbers, { file }) => {
    const mapped = counted(numbers, file).cache();
    logBatches(mapped);
    logBatches(mapped);
  },
  windowed: (_ssc, numbers, { file }) => logBatches(method(counted(numbers, file), 'window', 3_000)),
  notSerializable: (_ssc, numbers) => withHandle(numbers),
  notSerializableWithCheckpoints: (ssc, numbers, args) => {
    withCheckpoints(ssc, args);
    withHandle(numbers);
  },
  checkpointed: (ssc, numbers, args) => {
    withCheckpoints(ssc, args);
    logBatches(numbers);
  },
  inverseWindowFiltered: (ssc, numbers, args) => {
    withCheckpoints(ssc, args);
    logBatches(method(pairs(numbers), 'reduceByKeyAndWindow', add, subtract, 3_000, 1_000, undefined, ([key]: readonly [Value, Value]) => key !== '1'));
  },
  stateCheckpoint1500: (ssc, numbers, args) => {
    withCheckpoints(ssc, args);
    logBatches(method(method(pairs(numbers), 'updateStateByKey', sumState), 'checkpoint', 1_500));
  },
  stateCheckpoint500: (ssc, numbers, args) => {
    withCheckpoints(ssc, args);
    logBatches(method(method(pairs(numbers), 'updateStateByKey', sumState), 'checkpoint', 500));
  },
  queuedWithCheckpoints: (ssc, _numbers, args) => {
    withCheckpoints(ssc, args);
    logBatches(ssc.queueStream(ssc.queue(), true, ssc.sc.parallelize([1], 1)));
  },
  queuedArray: (ssc, _numbers, args) => {
    withCheckpoints(ssc, args);
    logBatches(ssc.queueStream([ssc.sc.parallelize([1], 1)], true));
  },
  queued: (ssc) => logBatches(ssc.queueStream(ssc.queue(), true, ssc.sc.parallelize([1], 1))),
  zeroWindow: (_ssc, numbers) => logBatches(method(numbers, 'window', 0)),
  zeroSlide: (_ssc, numbers) => logBatches(method(numbers, 'window', 1_000, 0)),
  window1500: (_ssc, numbers) => logBatches(method(numbers, 'window', 1_500)),
  slide1500: (_ssc, numbers) => logBatches(method(numbers, 'window', 2_000, 1_500)),
  inverseWindow1500: (_ssc, numbers) => logBatches(method(pairs(numbers), 'reduceByKeyAndWindow', add, subtract, 1_500, 1_000)),
  inverseSlide1500: (_ssc, numbers) => logBatches(method(pairs(numbers), 'reduceByKeyAndWindow', add, subtract, 2_000, 1_500)),
  inverseWindow: (_ssc, numbers) => logBatches(method(pairs(numbers), 'reduceByKeyAndWindow', add, subtract, 2_000, 1_000)),
  plainWindow: (_ssc, numbers) => logBatches(method(pairs(numbers), 'reduceByKeyAndWindow', add, 2_000, 1_000)),
  countByWindow: (_ssc, numbers) => logBatches(method(numbers, 'countByWindow', 2_000, 1_000)),
  countByValueAndWindow: (_ssc, numbers) => logBatches(method(numbers, 'countByValueAndWindow', 2_000, 1_000)),
  updateState: (_ssc, numbers) => logBatches(method(pairs(numbers), 'updateStateByKey', sumState)),
  updateStateUnused: (_ssc, numbers) => {
    method(pairs(numbers), 'updateStateByKey', sumState);
    logBatches(numbers);
  },
  mapWithState: (_ssc, numbers) => logBatches(method(pairs(numbers), 'mapWithState', { fn: () => 1 })),
  stateGetWhenNone: (ssc, _numbers, args) => tracked(ssc, args, (state) => void state.get()),
  stateUpdateAfterRemove: (ssc, _numbers, args) => tracked(ssc, args, (state) => {
    state.update(1);
    state.remove();
    state.update(2);
  }),
  stateRemoveTwice: (ssc, _numbers, args) => tracked(ssc, args, (state) => {
    state.update(1);
    state.remove();
    state.remove();
  }),
  stateRemoveWhenNone: (ssc, _numbers, args) => tracked(ssc, args, (state) => state.remove()),
  stateUpdateWhenTimingOut: (ssc, _numbers, args) => tracked(ssc, args, (state) => state.update(1), 1_000),
  stateRemoveWhenTimingOut: (ssc, _numbers, args) => tracked(ssc, args, (state) => (state.isTimingOut() ? state.remove() : state.update(1)), 1_000),
  checkpointInterval: (_ssc, numbers) => logBatches(method(numbers.map(inc), 'checkpoint', 2_000)),
  transformed: (_ssc, numbers) => logBatches(numbers.transform(same)),
};

/** mapWithState over 1, then 2, under one key, swept in every batch; its function does `act` with the state, and emits the value. */
function tracked(ssc: ProgramContext, args: ErrorArgs, act: (state: StateLike) => void, timeoutMs?: number): void {
  withCheckpoints(ssc, args);
  const keyed = ssc.batchesStream([[1], [2]], 1).map((x) => ['key', x]);
  const fn = (_time: number, _key: Value, value: Value | undefined, state: StateLike): Value | undefined => {
    act(state);
    return value;
  };
  logBatches(method(method(keyed, 'mapWithState', { fn, timeoutMs }), 'checkpoint', 1_000));
}

function other({ key }: ErrorArgs): Built {
  const left = built.get(`${key}/other`);
  if (left === undefined) throw new Error(`Expected the program '${key}/other' to have been built on this thread.`);
  return left;
}
