/**
 * The real runtime under the runner: one SparkContext of a master, and on it one context after another.
 *
 * Invariant: contexts run under a manual clock and go on after a failed batch, as Spark does; default parallelism is 2, as
 * where the cases were recorded. A SparkContext that a case has stopped is replaced; nothing else is started twice.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPrng } from '../../lib/base/prng.ts';
import type { Prng } from '../../lib/base/prng.ts';
import type { Logger } from '../../lib/actor/logger.ts';
import { SparkContext } from '../../lib/spark-context.ts';
import { StreamingContext } from '../../lib/streaming-context.ts';
import type { StreamingOptions } from '../../lib/options.ts';
import type { ErrorKit, Running } from './error-actions.ts';
import { built, checkpointsIn, sideEffectsIn } from './error-programs.ts';
import type { Built, ErrorArgs } from './error-programs.ts';
import { Kills, killsPerCaseMax } from './kills.ts';
import type { Victims } from './kills.ts';
import type { CaseApp, CaseArgs, CaseExports } from './program.ts';
import type { CaseContext, CaseFailure } from './run-case.ts';
import type { Cluster } from './runner.ts';

// The build puts the programs beside this file.
const caseProgram = new URL('./program.js', import.meta.url);
const errorProgram = new URL('./error-programs.js', import.meta.url);

const defaultParallelism = 2;
const advanceTimeoutMs = 20_000;
// Failures are what many cases are about: they are compared, not logged.
const silent: Logger = { log: () => {} };

/** Opens the cluster; its threads start with the first case. `killSeed`: worker threads die now and then, between batches and in the middle of them. `restartSeed`: each case is stopped (or its driver's thread killed) after some batch, and goes on from its checkpoint. */
export async function openCluster(master: string, killSeed: string | null = null, restartSeed: string | null = null): Promise<Cluster> {
  // Inline there is no thread to kill.
  const prng = killSeed === null || master === 'inline' ? null : createPrng(`kills ${killSeed}`);
  const threads = new Threads(master);
  const errors = new RealErrorKit(threads);
  return {
    cases: {
      create: (args, app) => openCase(threads, args, app, prng, null),
      recover: (args, app, nowMs) => openCase(threads, args, app, prng, nowMs),
      restarts: restartSeed === null ? null : createPrng(`restarts ${restartSeed}`),
      canCrash: master !== 'inline',
    },
    errors,
    async reset() {
      await threads.stopContexts();
      await errors.removeFiles();
    },
    async close() {
      await threads.stopContexts();
      await errors.removeFiles();
      await threads.close();
    },
  };
}

/** Fewer threads than end a cluster, 20 within 10 s: what is tested is recomputation, not that bound. */
const killsPerClusterMax = 16;
let killed = 0;

/** In all clusters of this process. */
export function threadsKilled(): number {
  return killed;
}

/** The SparkContext of a master, and what runs on it. */
class Threads implements Victims {
  readonly #master: string;
  #spark: SparkContext | null = null;
  /** Threads of it that were killed. */
  #killed = 0;
  readonly #contexts = new Set<StreamingContext>();

  constructor(master: string) {
    this.#master = master;
  }

  async create(program: URL, options: Omit<StreamingOptions<object>, 'batchInterval'> & { readonly batchMs: number; readonly on?: SparkContext | undefined }): Promise<StreamingContext> {
    const { batchMs, on, ...rest } = options;
    const ssc = await StreamingContext.create<(ssc: StreamingContext, args?: object) => unknown>(program, {
      ...rest, batchInterval: batchMs, sparkContext: on ?? this.#running(), clock: 'manual', onBatchFailure: 'continue', advanceTimeoutMs,
    });
    this.#contexts.add(ssc);
    return ssc;
  }

  /** From the checkpoint that an earlier context has left. */
  async recover(program: URL, directory: string, options: Omit<StreamingOptions<object>, 'batchInterval'> & { readonly batchMs: number; readonly createOnError?: boolean }): Promise<StreamingContext> {
    const { batchMs, ...rest } = options;
    const ssc = await StreamingContext.getOrCreate<(ssc: StreamingContext, args?: object) => unknown>(directory, program, {
      ...rest, batchInterval: batchMs, sparkContext: this.#running(), clock: 'manual', onBatchFailure: 'continue', advanceTimeoutMs,
    });
    this.#contexts.add(ssc);
    return ssc;
  }

  async stopContexts(): Promise<void> {
    const contexts = [...this.#contexts];
    this.#contexts.clear();
    for (const ssc of contexts) await ssc.stop({ stopSparkContext: false });
  }

  async close(): Promise<void> {
    await this.#spark?.stop();
    this.#spark = null;
  }

  async workers(): Promise<readonly number[]> {
    return (await this.#running().hosts()).filter(({ role }) => role === 'worker').map(({ host }) => host);
  }

  async kill(host: number): Promise<void> {
    this.#killed += 1;
    killed += 1;
    await this.#running().killHost(host, 'terminate');
  }

  /** Another cluster, where the next case could kill more threads than this one survives. */
  async replaceWhereMortal(): Promise<void> {
    if (this.#killed + killsPerCaseMax > killsPerClusterMax) await this.close();
  }

  #running(): SparkContext {
    if (this.#spark === null || this.#spark.isStopped) {
      this.#spark = new SparkContext({ master: this.#master, appName: 'conformance', defaultParallelism, driverRestartsMax: 0, logger: silent });
      this.#killed = 0;
    }
    return this.#spark;
  }
}

/** `nowMs`: where the manual clock stands when a context goes on; the batches up to it were missed. Null: a new one. */
async function openCase(threads: Threads, args: CaseArgs, app: CaseApp, prng: Prng | null, nowMs: number | null): Promise<CaseContext> {
  await threads.replaceWhereMortal();
  let printed = '';
  let failure: CaseFailure | null = null;
  const options = { batchMs: args.case.batchMs, args, app: { ...app }, print: (text: string) => void (printed += text) };
  const ssc = nowMs === null ? await threads.create(caseProgram, options) : await threads.recover(caseProgram, args.checkpointDirectory as string, options);
  ssc.on('failed', ({ error, time }) => {
    failure ??= { error, atMs: time };
  });
  const kills = prng === null ? null : new Kills(prng.fork(args.case.name), threads);
  return {
    exports: ssc.exports as CaseExports,
    async start() {
      const { completed, generated } = ssc.recoveredFrom ?? { completed: null, generated: null };
      const ranAgain = generated === completed ? null : new Promise<void>((resolve) => ssc.on('batchCompleted', ({ batchTime }) => batchTime === generated && resolve()));
      await ssc.start();
      await ranAgain;
      const missed = nowMs === null ? 0 : (nowMs - (generated ?? 0)) / args.case.batchMs;
      if (missed > 0) await ssc.clock.advance(missed);
    },
    crash: async () => {
      await ssc.sparkContext.killHost(1, 'terminate');
      await ssc.awaitTermination(10_000).catch(() => {});
      await ssc.stop();
    },
    async advance() {
      if (kills === null) await ssc.clock.advance(1);
      else await kills.around(() => ssc.clock.advance(1));
      // A failure is news of its own, which may come after the batch's end: it is waited for where one is expected.
      if (args.case.expectError === true) await ssc.awaitTermination(5).catch(() => {});
    },
    failure: () => failure,
    printed: () => printed,
    stop: () => ssc.stop({ stopSparkContext: false }),
  };
}

/** Contexts of the programs of error-programs.ts. */
class RealErrorKit implements ErrorKit {
  readonly #threads: Threads;
  readonly #folders: string[] = [];
  readonly #running = new Map<StreamingContext, Running>();
  #opened = 0;

  constructor(threads: Threads) {
    this.#threads = threads;
  }

  async open(program: string, { on, key = this.#newKey(), folder, ...rest }: NonNullable<Parameters<ErrorKit['open']>[1]> = {}): Promise<Running> {
    const spark = on === undefined ? undefined : [...this.#running].find(([, running]) => running === on)?.[0].sparkContext;
    const args: ErrorArgs = { program, key, file: sideEffectsIn(folder ?? (await this.folder())) };
    return this.#keep(args, (options) => this.#threads.create(errorProgram, { ...options, ...rest, on: spark }));
  }

  async folder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-conformance-'));
    this.#folders.push(folder);
    return folder;
  }

  getOrCreate(program: string, folder: string, { createOnError = false } = {}): Promise<Running> {
    const args: ErrorArgs = { program, key: this.#newKey(), file: sideEffectsIn(folder) };
    return this.#keep(args, (options) => this.#threads.recover(errorProgram, checkpointsIn(folder), { ...options, createOnError }));
  }

  #newKey(): string {
    return `program-${(this.#opened += 1)}`;
  }

  async #keep(args: ErrorArgs, make: (options: { readonly batchMs: number; readonly args: ErrorArgs; readonly app: Readonly<Record<string, unknown>> }) => Promise<StreamingContext>): Promise<Running> {
    const lines: string[] = [];
    const ssc = await make({ batchMs: 1_000, args, app: { log: (line: string) => void lines.push(line) } });
    const running = runningOf(ssc, args, lines);
    this.#running.set(ssc, running);
    return running;
  }

  active(): unknown {
    return StreamingContext.getActive();
  }

  async getActiveOrCreate(make: () => Promise<Running>): Promise<Running> {
    const contextOf = (wanted: Running): StreamingContext => [...this.#running].find(([, running]) => running === wanted)?.[0] as StreamingContext;
    const ssc = await StreamingContext.getActiveOrCreate(async () => contextOf(await make()));
    return this.#running.get(ssc) as Running;
  }

  async removeFiles(): Promise<void> {
    this.#running.clear();
    for (const folder of this.#folders.splice(0)) await rm(folder, { recursive: true, force: true });
  }
}

function runningOf(ssc: StreamingContext, args: ErrorArgs, lines: readonly string[]): Running {
  return {
    start: () => ssc.start(),
    stop: (options) => ssc.stop(options),
    state: () => ssc.getState(),
    async advance(batches) {
      await ssc.clock.advance(batches);
    },
    awaitTermination: (timeoutMs) => ssc.awaitTermination(timeoutMs),
    sparkContextStopped: () => ssc.sparkContext.isStopped,
    lines,
    async sideEffects() {
      const text = await readFile(args.file, 'utf8').catch(() => '');
      return text.split('\n').length - 1;
    },
    batchIntervalMs: ssc.graph.batchIntervalMs,
    isRecovered: ssc.recoveredFrom !== null,
    completedMs: ssc.recoveredFrom?.completed ?? null,
    get built(): Built {
      const left = built.get(args.key);
      if (left === undefined) throw new Error(`The program ${args.program} was not built on this thread.`);
      return left;
    },
  };
}
