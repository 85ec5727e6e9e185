/**
 * The named actions of errors.json, performed on our API: each gives what was seen, or throws what our API throws.
 *
 * Invariant: an action does what its English text says, with Spark's zero time 0 and batches of 1000 ms, and leaves nothing
 * running: the kit stops every context that it opened.
 */
import { checkpointActions } from './checkpoint-actions.ts';
import type { Built } from './error-programs.ts';
import type { StreamLike } from './stream-like.ts';

/** A context as the actions use it. */
export interface Running {
  start(): Promise<void>;
  stop(options?: { readonly stopSparkContext?: boolean; readonly graceful?: boolean }): Promise<void>;
  state(): string;
  /** Runs so many batches, each to its end before the next. */
  advance(batches: number): Promise<void>;
  /** Throws what has failed; false where the context still runs after the time, true where it has stopped. */
  awaitTermination(timeoutMs: number): Promise<boolean>;
  sparkContextStopped(): boolean;
  /** What the program's outputs have logged. */
  readonly lines: readonly string[];
  /** How many lines the program's functions have appended to their file. */
  sideEffects(): Promise<number>;
  /** What the build left for the app's thread. */
  readonly built: Built;
  readonly batchIntervalMs: number;
  /** It goes on from an earlier run. */
  readonly isRecovered: boolean;
  /** The last batch that the earlier run has completed; null: none. */
  readonly completedMs: number | null;
}

export interface ErrorKit {
  /** Makes a context of a program of error-programs.ts. `on`: on the SparkContext of another one. `folder`: where its files go, default a new one. */
  open(program: string, options?: { readonly on?: Running; readonly key?: string; readonly folder?: string; readonly checkpointIntervalMs?: number }): Promise<Running>;
  /** A folder that ends with the case. */
  folder(): Promise<string>;
  /** Makes a context of what a run has left in the folder, or of nothing. */
  getOrCreate(program: string, folder: string, options?: { readonly createOnError?: boolean }): Promise<Running>;
  /** The context that is active in this process, if any. */
  active(): unknown;
  /** The active context, or one made by the call of `make`. */
  getActiveOrCreate(make: () => Promise<Running>): Promise<Running>;
}

export type ErrorAction = (kit: ErrorKit) => Promise<unknown>;

export const errorActions: Readonly<Record<string, ErrorAction>> = {
  'no-output-operation': (kit) => startOf(kit, 'noOutput'),
  'no-stream-at-all': (kit) => startOf(kit, 'nothing'),
  'state-after-failed-start': async (kit) => (await failedStart(kit)).state(),
  'start-after-failed-start': async (kit) => {
    const running = await failedStart(kit);
    running.built.stream.print();
    await running.start();
  },
  'window-not-multiple': (kit) => startOf(kit, 'window1500'),
  'slide-not-multiple': (kit) => startOf(kit, 'slide1500'),
  'inverse-window-not-multiple': (kit) => startOf(kit, 'inverseWindow1500'),
  'inverse-slide-not-multiple': (kit) => startOf(kit, 'inverseSlide1500'),
  'window-zero': (kit) => batchesOf(kit, 'zeroWindow', 1),
  'slide-zero': (kit) => batchesOf(kit, 'zeroSlide', 1),
  'updateStateByKey-no-checkpoint-dir': (kit) => startOf(kit, 'updateState'),
  'mapWithState-no-checkpoint-dir': (kit) => startOf(kit, 'mapWithState'),
  'inverse-window-no-checkpoint-dir': (kit) => startOf(kit, 'inverseWindow'),
  'countByWindow-no-checkpoint-dir': (kit) => startOf(kit, 'countByWindow'),
  'countByValueAndWindow-no-checkpoint-dir': (kit) => startOf(kit, 'countByValueAndWindow'),
  'plain-window-no-checkpoint-dir': (kit) => startOf(kit, 'plainWindow'),
  'state-stream-without-output-no-checkpoint-dir': (kit) => startOf(kit, 'updateStateUnused'),
  'start-twice': async (kit) => {
    const running = await started(kit);
    await running.start();
    return running.state();
  },
  'input-after-start': (kit) => afterStart(kit, ({ ssc }) => ssc.batchesStream([[1]], 1)),
  'map-after-start': (kit) => afterStart(kit, ({ stream }) => stream.map((x) => x)),
  'window-after-start': (kit) => afterStart(kit, ({ stream }) => methodOf(stream, 'window', 2_000)),
  'output-after-start': (kit) => afterStart(kit, ({ stream }) => stream.foreachRDD(async () => {})),
  'queue-stream-after-start': (kit) => afterStart(kit, ({ ssc }) => ssc.queueStream(ssc.queue(), true)),
  'map-after-stop': async (kit) => {
    const running = await stopped(kit);
    running.built.stream.map((x) => x);
  },
  'restart-after-stop': async (kit) => (await stopped(kit)).start(),
  'start-after-stop-before-start': async (kit) => {
    const running = await kit.open('logged');
    await running.stop({ stopSparkContext: false });
    await running.start();
  },
  'stop-twice': async (kit) => {
    const running = await stopped(kit);
    await running.stop({ stopSparkContext: false });
    return running.state();
  },
  states: async (kit) => {
    const running = await kit.open('logged');
    const states = [running.state()];
    await running.start();
    states.push(running.state());
    await running.stop({ stopSparkContext: false });
    return [...states, running.state()];
  },
  'stop-stops-spark-context-by-default': async (kit) => {
    const running = await started(kit);
    await running.stop();
    return running.sparkContextStopped();
  },
  'stop-false-keeps-spark-context': async (kit) => {
    const first = await stopped(kit);
    const kept = first.sparkContextStopped();
    const second = await kit.open('logged', { on: first });
    await second.start();
    await second.advance(1);
    return [kept, second.lines];
  },
  'second-active-context': async (kit) => {
    const second = await kit.open('logged', { on: await started(kit) });
    await second.start();
  },
  'second-context-not-started': async (kit) => (await kit.open('logged', { on: await started(kit) })).state(),
  'second-context-after-first-stopped': async (kit) => {
    const second = await kit.open('logged', { on: await stopped(kit) });
    await second.start();
    return second.state();
  },
  'checkpoint-interval-not-multiple': (kit) => startOf(kit, 'stateCheckpoint1500'),
  'checkpoint-interval-too-small': (kit) => startOf(kit, 'stateCheckpoint500'),
  'inverse-filter-then-old-value-leaves': (kit) => failureOf(kit, 'inverseWindowFiltered', 6),
  'queueStream-with-checkpoint-starts': (kit) => batchesOf(kit, 'queuedWithCheckpoints', 1),
  'checkpoint-interval-on-mapped-no-dir': (kit) => startOf(kit, 'checkpointInterval'),
  'checkpoint-interval-after-start': (kit) => afterStart(kit, ({ stream }) => methodOf(stream, 'checkpoint', 2_000)),
  'persist-after-start': (kit) => afterStart(kit, ({ stream }) => stream.cache()),
  'remember-twice': (kit) => startOf(kit, 'rememberTwice'),
  'slice-before-start': async (kit) => {
    const { built } = await kit.open('logged');
    await (built.stream as unknown as { slice(from: number, to: number): Promise<unknown> }).slice(1_000, 2_000);
  },
  'union-different-slides': (kit) => startOf(kit, 'unionOfOtherSlide'),
  'join-different-slides': (kit) => startOf(kit, 'joinOfOtherSlide'),
  'union-different-contexts': (kit) => ofTwoContexts(kit, 'unionOfOtherContext'),
  'join-different-contexts': (kit) => ofTwoContexts(kit, 'joinOfOtherContext'),
  'union-of-no-streams': (kit) => startOf(kit, 'unionOfNothing'),
  'transform-of-no-streams': (kit) => startOf(kit, 'transformOfNothing'),
  'transform-returns-null': (kit) => failureOf(kit, 'transformReturnsNull'),
  'map-function-throws': (kit) => failureOf(kit, 'mapThrows'),
  'foreachRDD-function-throws': (kit) => failureOf(kit, 'foreachThrows'),
  'transform-function-throws': (kit) => failureOf(kit, 'transformThrows'),
  'later-batches-after-a-failed-job': async (kit) => {
    const running = await started(kit, 'firstBatchThrows');
    await running.advance(3);
    return [running.lines, running.state()];
  },
  'awaitTermination-error-is-rethrown-each-time': async (kit) => {
    const running = await started(kit, 'firstBatchThrows');
    await running.advance(1);
    const first = await running.awaitTermination(1_000).then(() => null, (thrown: unknown) => thrown);
    if (first === null) throw new Error('The first call of awaitTermination threw nothing.');
    await running.awaitTermination(1_000);
  },
  'awaitTerminationOrTimeout-running': async (kit) => {
    const running = await started(kit);
    const whileRunning = await running.awaitTermination(20);
    await running.stop({ stopSparkContext: false });
    return [whileRunning, await running.awaitTermination(20)];
  },
  'two-outputs-first-fails': (kit) => batchesOf(kit, 'firstOutputThrows', 2),
  'outputs-run-in-order-of-registration': async (kit) => batchesOf(kit, 'threeOutputs', 2),
  'no-job-without-output-consuming-stream': async (kit) => {
    const running = await started(kit, 'twoInputs');
    await running.advance(2);
    const computed = await running.sideEffects();
    return computed === 0 ? running.lines : `the other stream was computed ${computed} times`;
  },
  'transform-function-runs-once-per-batch-for-two-outputs': (kit) => sideEffectsOf(kit, 'transformTwoOutputs', 2),
  'lazy-no-action-no-map-calls': (kit) => sideEffectsOf(kit, 'noAction', 2),
  'uncached-map-recomputed-per-action': (kit) => sideEffectsOf(kit, 'twoActions', 1),
  'cached-map-computed-once': (kit) => sideEffectsOf(kit, 'twoActionsCached', 1),
  'windowed-parent-persisted-by-default': (kit) => sideEffectsOf(kit, 'windowed', 3),
  'not-serializable-function-with-checkpoint': (kit) => startOf(kit, 'notSerializableWithCheckpoints'),
  'not-serializable-function-without-checkpoint': (kit) => batchesOf(kit, 'notSerializable', 1),
  getActive: async (kit) => {
    const running = await kit.open('logged');
    const seen = [kit.active() !== null];
    await running.start();
    seen.push(kit.active() !== null);
    await running.stop({ stopSparkContext: false });
    return [...seen, kit.active() !== null];
  },
  getActiveOrCreate: async (kit) => {
    let calls = 0;
    const make = (): Promise<Running> => {
      calls += 1;
      return kit.open('logged');
    };
    const running = await started(kit);
    const same = (await kit.getActiveOrCreate(make)) === running;
    const callsWhileActive = calls;
    await running.stop();
    const other = await kit.getActiveOrCreate(make);
    return [same, callsWhileActive, other !== running, calls];
  },
  'state-get-when-none': (kit) => failureOf(kit, 'stateGetWhenNone'),
  'state-update-after-remove': (kit) => failureOf(kit, 'stateUpdateAfterRemove'),
  'state-remove-twice': (kit) => failureOf(kit, 'stateRemoveTwice'),
  'state-remove-when-none': (kit) => batchesOf(kit, 'stateRemoveWhenNone', 5),
  'state-update-when-timing-out': (kit) => failureOf(kit, 'stateUpdateWhenTimingOut', 5),
  'state-remove-when-timing-out': (kit) => failureOf(kit, 'stateRemoveWhenTimingOut', 5),
  'graceful-stop': async (kit) => {
    const running = await started(kit);
    await running.advance(1);
    await running.stop({ stopSparkContext: false, graceful: true });
    return running.state();
  },
  ...checkpointActions,
};

async function started(kit: ErrorKit, program = 'logged'): Promise<Running> {
  const running = await kit.open(program);
  await running.start();
  return running;
}

async function stopped(kit: ErrorKit): Promise<Running> {
  const running = await started(kit);
  await running.stop({ stopSparkContext: false });
  return running;
}

/** The state after a start; what building or starting throws is the action's result. */
async function startOf(kit: ErrorKit, program: string): Promise<string> {
  return (await started(kit, program)).state();
}

async function failedStart(kit: ErrorKit): Promise<Running> {
  const running = await kit.open('noOutput');
  const thrown: unknown = await running.start().then(() => null, (error: unknown) => error);
  if (thrown === null) throw new Error('The start without an output operation threw nothing.');
  return running;
}

async function afterStart(kit: ErrorKit, act: (built: Built) => unknown): Promise<void> {
  act((await started(kit)).built);
}

async function batchesOf(kit: ErrorKit, program: string, batches: number): Promise<readonly string[]> {
  const running = await started(kit, program);
  await running.advance(batches);
  return running.lines;
}

async function sideEffectsOf(kit: ErrorKit, program: string, batches: number): Promise<number> {
  const running = await started(kit, program);
  await running.advance(batches);
  return running.sideEffects();
}

/** Runs the batches; what awaitTermination then throws is the action's result. */
async function failureOf(kit: ErrorKit, program: string, batches = 1): Promise<boolean> {
  const running = await started(kit, program);
  await running.advance(batches);
  return running.awaitTermination(1_000);
}

async function ofTwoContexts(kit: ErrorKit, program: string): Promise<void> {
  const first = await kit.open('loggedAndPaired', { key: 'two/other' });
  await kit.open(program, { on: first, key: 'two' });
}

function methodOf(stream: StreamLike, name: string, ...given: unknown[]): unknown {
  const called = (stream as unknown as Record<string, ((...all: unknown[]) => unknown) | undefined>)[name];
  if (called === undefined) throw new Error(`Expected a method of a stream, got '${name}'.`);
  return called.apply(stream, given);
}
