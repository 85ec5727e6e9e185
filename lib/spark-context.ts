/**
 * A cluster of threads on this machine: what one or several streaming contexts run on, in Spark's words the SparkContext.
 *
 * Owns: the driver's thread (and by it all others), the pool of shared memory, the app's end of the actor system.
 * Invariant: after `stop` no thread, port or timer of it is left; if the driver's thread dies, every context on it is told,
 * once, and the rest of the threads die with it.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nanoid } from 'nanoid';
import { startAppHost } from '../actors/host.ts';
import type { CreateSystem, DiskPorts, Host, HostPorts } from '../actors/host.ts';
import { appListeners } from '../actors/app-listeners.ts';
import { appLog } from '../actors/app-log.ts';
import { inlineLauncher } from '../actors/inline-launcher.ts';
import { isInsideHost } from '../actors/inside-host.ts';
import type { HostLauncher, LaunchedHost } from '../actors/launcher.ts';
import { places, programPlaces } from '../actors/places.ts';
import { loadFromTable } from '../actors/program-loader.ts';
import { threadLauncher } from '../actors/thread-launcher.ts';
import type { ThreadLauncher } from '../actors/thread-launcher.ts';
import type { ListenerEvent } from '../protocol/listener.ts';
import type { BlockStats } from '../protocol/block.ts';
import type { ToBlockManagerMaster } from '../protocol/block.ts';
import type { StorageStats, ToTaskScheduler } from '../protocol/job.ts';
import type { ClusterOptions, HostInfo, HostInit, ToHostManager } from '../protocol/host.ts';
import type { LogStats, ToWriteAheadLog } from '../protocol/recovery.ts';
import { appHost, driverHost } from '../protocol/ref.ts';
import { asHostId, asProgramId } from '../protocol/ids.ts';
import type { ProgramId } from '../protocol/ids.ts';
import { fromWireError, MillraceError, sentenceOf, toWireError } from '../protocol/errors.ts';
import type { WireError } from '../protocol/errors.ts';
import type { Logger } from './actor/logger.ts';
import { TaskControl } from './base/task-control.ts';
import { SystemClock } from './base/clock.ts';
import type { Clock } from './base/clock.ts';
import { KeepAlive } from './keep-alive.ts';
import { clusterOptions } from './options.ts';
import type { SparkContextOptions } from './options.ts';
import { LocalFunctions } from './program/local-functions.ts';
import type { ProgramBuilder } from './program/program-builder.ts';
import { removeDirectory } from './storage/node-files.ts';
import { SlabPool } from './storage/slab-pool.ts';

/** What a context on the cluster hears of it. */
export interface ClusterMember {
  onEvent(event: ListenerEvent): void;
  /** The cluster is being stopped by the app. */
  onClusterStopped(): void;
  /** The cluster is gone. */
  onClusterFailed(error: MillraceError): void;
}

/** What takes the place of clock, disk and threads: the simulator's. With `master: 'inline'` only. */
export interface ClusterRuntime {
  readonly clock: Clock;
  /** The app's thread's. */
  readonly disk: DiskPorts;
  readonly createSystem: CreateSystem;
  readonly launcher: (ports: Omit<HostPorts, 'launcher' | 'die'>) => HostLauncher;
}

/** How the end of a thread is brought about: ended from outside, or by itself in one of the ways in which threads die. */
export type ThreadDeath = 'terminate' | 'throw' | 'exit' | 'rejection' | 'outOfMemory';

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
  readonly appName: string;
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
    this.appName = options.appName ?? 'millrace';
    this.defaultParallelism = checked.defaultParallelism;
    this.internals = new ClusterInternals(checked, options.logger ?? stderrLogger, runtime);
    if (options.faults !== undefined) this.internals.logger.log('warn', `Faults are injected into ${this.appName} by its option faults: ${options.faults}`);
  }

  get isStopped(): boolean {
    return this.#stopped !== null || this.internals.failure !== null;
  }

  /** The threads that run now (inline: the logical ones), without the app's own. */
  async hosts(): Promise<readonly HostInfo[]> {
    await this.internals.ready;
    const others = await this.internals.host.system.ask<ToHostManager, readonly HostInfo[]>(places.hostManager, (replyTo) => ({ type: 'whichHosts', replyTo }), askTimeoutMs);
    return [{ host: driverHost, role: 'driver', index: 0, up: true }, ...others];
  }

  /** Use of shared memory. */
  async blockStats(): Promise<BlockStats> {
    await this.internals.ready;
    return this.internals.host.system.ask<ToBlockManagerMaster, BlockStats>(places.blockManagerMaster, (replyTo) => ({ type: 'blockStats', replyTo }), askTimeoutMs);
  }

  /** What is kept for later jobs, and what had to make room in shared memory. */
  async storageStats(): Promise<StorageStats> {
    await this.internals.ready;
    return this.internals.host.system.ask<ToTaskScheduler, StorageStats>(places.taskScheduler, (replyTo) => ({ type: 'storageStats', replyTo }), askTimeoutMs);
  }

  /** What each context on it that has a checkpoint directory has written there: syncs, bytes, checkpoints. */
  async logStats(): Promise<readonly LogStats[]> {
    await this.internals.ready;
    const { host, programs } = this.internals;
    const ask = (program: ProgramId): Promise<LogStats | null> =>
      host.system
        .ask<ToWriteAheadLog, LogStats>(programPlaces(program).writeAheadLog, (replyTo) => ({ type: 'logStats', replyTo }), askTimeoutMs)
        .catch((thrown: unknown) => {
          // It writes nothing down, or has not started, or has ended.
          if (thrown instanceof MillraceError && thrown.code === 'ActorGone') return null;
          throw thrown;
        });
    return (await Promise.all(programs.map(ask))).filter((stats) => stats !== null);
  }

  /** Fault injection: ends a thread. Resolves when the order is given; `threadLost` and `threadStarted` tell the rest. */
  async killHost(host: number, how: ThreadDeath = 'terminate'): Promise<void> {
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

/** The working parts, apart from what users see. */
export class ClusterInternals {
  readonly options: ClusterOptions;
  readonly logger: Logger;
  readonly host: Host;
  readonly local: LocalFunctions | null;
  /** Inline: programs that the app has built, for the other hosts. */
  readonly built = new Map<ProgramId, ProgramBuilder>();
  /** Resolves when the driver's tree stands; rejects where it never did. */
  readonly ready: Promise<void>;
  failure: MillraceError | null = null;
  #isReady: () => void = () => {};
  #isNotReady: (error: MillraceError) => void = () => {};
  readonly #members = new Map<ProgramId, ClusterMember>();
  readonly #launcher: HostLauncher;
  readonly #threads: ThreadLauncher | null;
  /** Inline, where no thread holds the process. Null also in the simulator. */
  readonly #alive: KeepAlive<ProgramId> | null;
  readonly #driver: LaunchedHost;
  #programs = 0;
  #closing = false;

  constructor(options: ClusterOptions, logger: Logger, runtime: ClusterRuntime | null) {
    this.options = options;
    this.logger = logger;
    const clock = runtime?.clock ?? new SystemClock();
    const pool = SlabPool.create({ slabBytes: options.slabBytes, poolBytes: options.blockMemoryBytesMax, host: appHost }).share;
    this.host = startAppHost({ host: appHost, index: 0, options, pool, control: new TaskControl().shared }, { clock, logger, ...(runtime === null ? {} : { createSystem: runtime.createSystem, disk: runtime.disk }) }, []);
    this.ready = new Promise((resolve, reject) => {
      this.#isReady = resolve;
      this.#isNotReady = reject;
    });
    // Nobody need be waiting when it fails: the failure itself is told to every context.
    this.ready.catch(() => {});
    const { system } = this.host;
    system.spawn('/app/log', appLog(logger), undefined, { cell: places.appLog.cell });
    system.spawn('/app/listeners', appListeners((program, event) => this.#emit(program, event)), undefined, { cell: places.appListeners.cell });
    this.#alive = options.inline && runtime === null ? new KeepAlive<ProgramId>() : null;
    if (options.inline) {
      this.local = new LocalFunctions();
      this.#threads = null;
      const ports = { clock, logger, load: loadFromTable(this.built, this.local) };
      this.#launcher = runtime === null ? inlineLauncher(ports) : runtime.launcher(ports);
    } else {
      this.local = null;
      this.#launcher = this.#threads = threadLauncher();
    }
    const init: HostInit = { host: driverHost, role: 'driver', index: 0, options, pool, control: new TaskControl().shared };
    this.#driver = this.#launcher.launch(init);
    if (this.#driver.port !== null) system.connect(this.#driver.port, { hosts: [driverHost], isDefault: true });
    void this.#driver.exited.then((error) => {
      if (this.#closing) return;
      const cause = error === null ? undefined : fromWireError(error);
      const failure = new MillraceError('ContextFailed', `The driver's thread is gone, and the cluster with it: ${error === null ? 'its tree has ended.' : firstReason(error)} Make a new context.`, cause === undefined ? {} : { cause });
      this.#onFailed(failure, error ?? { name: 'Error', message: failure.message, stack: '', code: null, cause: null, fields: {} });
    });
  }

  get inline(): boolean {
    return this.options.inline;
  }

  get programs(): readonly ProgramId[] {
    return [...this.#members.keys()];
  }

  /** A number for a new program, and the ear for its events. */
  join(member: ClusterMember): ProgramId {
    const program = asProgramId(this.#programs);
    this.#programs += 1;
    this.#members.set(program, member);
    return program;
  }

  /** The program runs from now on, until it leaves. */
  activate(program: ProgramId): void {
    this.#alive?.hold(program);
  }

  leave(program: ProgramId): void {
    this.#alive?.release(program);
    this.#members.delete(program);
    this.built.delete(program);
  }

  killDriver(how: ThreadDeath): void {
    if (how === 'terminate') this.#driver.kill();
    else this.host.system.tell(places.agent(driverHost), { type: 'die', how });
  }

  setRef(ref: boolean): void {
    this.#alive?.setRef(ref);
    this.#threads?.setRef(ref);
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#isNotReady(new MillraceError('ContextStopped', 'The SparkContext was stopped while it was starting.'));
    for (const member of [...this.#members.values()]) member.onClusterStopped();
    await this.#launcher.close();
    await removeDirectory(this.options.scratchDirectory);
    // Whoever still waits for an answer of the driver gets one.
    this.host.system.hostDown(driverHost, toWireError(new MillraceError('ContextStopped', 'The SparkContext has been stopped.')));
    this.host.system.vanish();
  }

  #emit(program: ProgramId | null, event: ListenerEvent): void {
    if (event.type === 'threadStarted' && event.info.role === 'driver') this.#isReady();
    for (const [id, member] of this.#members) {
      if (program === null || program === id) member.onEvent(event);
    }
  }

  #onFailed(failure: MillraceError, error: WireError): void {
    if (this.failure !== null) return;
    this.failure = failure;
    this.#isNotReady(failure);
    this.host.system.hostDown(driverHost, error);
    for (const member of [...this.#members.values()]) member.onClusterFailed(failure);
    void this.close();
  }
}

/** Supervisors that give up say so one above the other: what the lowest of them says is the reason. */
function firstReason(error: WireError): string {
  let { message, cause } = error;
  for (; cause !== null && cause.code === 'RestartIntensityReached'; cause = cause.cause) message = cause.message;
  return sentenceOf(message);
}
