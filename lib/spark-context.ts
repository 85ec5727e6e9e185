/**
 * A cluster of threads on this machine: what one or several streaming contexts run on, in Spark's words the SparkContext.
 *
 * Owns: the driver's thread (and by it all others), the pool of shared memory, the app's end of the actor system; see cluster-internals.ts.
 * Invariant: after `stop` no thread, port or timer of it is left; if the driver's thread dies, the rest of the threads die with it, and every
 * context on it is told, once: it goes on in a new life of the cluster, or has failed.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nanoid } from 'nanoid';
import { isInsideHost } from '../actors/inside-host.ts';
import { places, programPlaces } from '../actors/places.ts';
import type { BlockStats } from '../protocol/block.ts';
import type { ToBlockManagerMaster } from '../protocol/block.ts';
import type { StorageStats, ToTaskScheduler } from '../protocol/job.ts';
import type { HostInfo, ToHostManager } from '../protocol/host.ts';
import type { LogStats, ToWriteAheadLog } from '../protocol/recovery.ts';
import { driverHost } from '../protocol/ref.ts';
import { asHostId } from '../protocol/ids.ts';
import type { ProgramId } from '../protocol/ids.ts';
import { MillraceError, previewOf } from '../protocol/errors.ts';
import type { Logger } from './actor/logger.ts';
import { ClusterInternals } from './cluster-internals.ts';
import { threadDeaths } from './cluster-life.ts';
import type { ClusterRuntime, ThreadDeath } from './cluster-life.ts';
import { clusterOptions, restartLimits } from './options.ts';
import type { SparkContextOptions } from './options.ts';

export type { ThreadDeath } from './cluster-life.ts';

const askTimeoutMs = 30_000;

/** Warnings and errors to stderr. */
export const stderrLogger: Logger = {
  log(level, text) {
    if (level === 'warn' || level === 'error') process.stderr.write(`millrace ${level}: ${text}\n`);
  },
};

/** A cluster of threads on this machine: what streaming contexts run on. A context makes one of its own, unless it is given one. */
export class SparkContext {
  readonly master: string;
  #appName: string;
  /** Unique to this cluster: `local-…`, as Spark's. */
  readonly applicationId: string;
  readonly defaultParallelism: number;
  /** For contexts on it. */
  readonly internals: ClusterInternals;
  #stopped: Promise<void> | null = null;

  /** `runtime`: the simulator's, for tests. Starts the threads at once; they are ready some 100 ms later. Throws InvalidOption, UnknownMaster, ContextInsideProgram. */
  constructor(options: SparkContextOptions = {}, runtime: ClusterRuntime | null = null) {
    if (isInsideHost()) {
      throw new MillraceError('ContextInsideProgram', 'A context was made on a thread of the runtime, which only builds programs. Put the program into a module of its own, without the code that creates the context.');
    }
    this.applicationId = `local-${(options.ids ?? nanoid)()}`;
    const checked = clusterOptions(options, join(tmpdir(), `millrace-${this.applicationId}`));
    this.master = options.master ?? 'local[*]';
    this.#appName = options.appName ?? 'millrace';
    this.defaultParallelism = checked.defaultParallelism;
    this.internals = new ClusterInternals(checked, restartLimits(options), options.logger ?? stderrLogger, runtime);
    if (options.faults !== undefined) this.internals.logger.log('warn', `Faults are injected into ${this.appName} by its option faults: ${options.faults}`);
  }

  get appName(): string {
    return this.#appName;
  }

  /** A name that was not known when the threads were started: a checkpoint's. */
  rename(appName: string): void {
    this.#appName = appName;
  }

  get isStopped(): boolean {
    return this.#stopped !== null || this.internals.failure !== null;
  }

  /** The threads that run now (inline: the logical ones), without the app's own. */
  async hosts(): Promise<readonly HostInfo[]> {
    await this.internals.ready;
    const others = await this.internals.ask<ToHostManager, readonly HostInfo[]>(places.hostManager, (replyTo) => ({ type: 'whichHosts', replyTo }), askTimeoutMs);
    return [{ host: driverHost, role: 'driver', index: 0, up: true }, ...others];
  }

  /** Use of shared memory. */
  async blockStats(): Promise<BlockStats> {
    await this.internals.ready;
    return this.internals.ask<ToBlockManagerMaster, BlockStats>(places.blockManagerMaster, (replyTo) => ({ type: 'blockStats', replyTo }), askTimeoutMs);
  }

  /** What is kept for later jobs, and what had to make room in shared memory. */
  async storageStats(): Promise<StorageStats> {
    await this.internals.ready;
    return this.internals.ask<ToTaskScheduler, StorageStats>(places.taskScheduler, (replyTo) => ({ type: 'storageStats', replyTo }), askTimeoutMs);
  }

  /** What each context on it that has a checkpoint directory has written there: syncs, bytes, checkpoints. */
  async logStats(): Promise<readonly LogStats[]> {
    await this.internals.ready;
    const { internals } = this;
    const ask = (program: ProgramId): Promise<LogStats | null> =>
      internals
        .ask<ToWriteAheadLog, LogStats>(programPlaces(program).writeAheadLog, (replyTo) => ({ type: 'logStats', replyTo }), askTimeoutMs)
        .catch((thrown: unknown) => {
          // It writes nothing down, or has not started, or has ended.
          if (thrown instanceof MillraceError && thrown.code === 'ActorGone') return null;
          throw thrown;
        });
    return (await Promise.all(internals.programs.map(ask))).filter((stats) => stats !== null);
  }

  /** Fault injection: ends a thread. Resolves when the order is given; `threadLost` and `threadStarted` tell the rest. Throws InvalidArgument. */
  async killHost(host: number, how: ThreadDeath = 'terminate'): Promise<void> {
    if (!threadDeaths.includes(how)) throw new MillraceError('InvalidArgument', `Expected the way in which a thread ends to be one of ${threadDeaths.join(', ')}; got ${previewOf(how)}. Give one of these, or leave it out.`);
    await this.internals.ready;
    if (host === driverHost) this.internals.killDriver(how);
    else this.internals.host.system.tell(places.hostManager, { type: 'killHost', host: asHostId(host), how });
  }

  /** Ends all threads. Contexts that are active on it are stopped by that, at once. */
  stop(): Promise<void> {
    this.#stopped ??= this.internals.close();
    return this.#stopped;
  }

  /** Lets the process end although the threads run; `ref` takes it back. */
  unref(): void {
    this.internals.setRef(false);
  }

  ref(): void {
    this.internals.setRef(true);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
