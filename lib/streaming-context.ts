/**
 * The StreamingContext: builds a program's graph on the app's thread, starts it on a cluster, and is its face to the app.
 *
 * Invariant: a context is `INITIALIZED`, `ACTIVE`, `STOPPED`, in this order and never back. A failure reaches
 * `awaitTermination` (each time), `on('failed')`, and where nobody listens to either, the logger; never an unhandled
 * rejection.
 */
import { places, programPlaces } from '../actors/places.ts';
import { appOutputs } from '../actors/app-outputs.ts';
import type { JobRunner } from '../actors/runtime-rdds.ts';
import type { SlicedRdds } from '../protocol/batch.ts';
import type { JobResult, ToAppOutputs } from '../protocol/job.ts';
import type { ListenerEvent, ListenerEventName, ListenerEvents, ToListenerBus } from '../protocol/listener.ts';
import type { ToProgramManager } from '../protocol/program.ts';
import type { Durability } from '../protocol/host.ts';
import { asBatchTime } from '../protocol/time.ts';
import type { BatchTime } from '../protocol/time.ts';
import { fromWireError, MillraceError, previewOf } from '../protocol/errors.ts';
import type { TimerHandle } from './base/clock.ts';
import type { RDD } from './rdd/rdd.ts';
import { buildProgram } from './program/build-program.ts';
import { ContributionLedger } from './program/contribution-ledger.ts';
import type { ExportsOf } from './program/exports.ts';
import { loadProgram } from './program/load-program.ts';
import { ProgramBuilder } from './program/program-builder.ts';
import { wire } from './program/wiring.ts';
import { fileSizes } from './storage/node-files.ts';
import type { ListenerErrors } from './listeners.ts';
import { Listeners } from './listeners.ts';
import { OutputBodies } from './output-bodies.ts';
import { outputPorts } from './output-ports.ts';
import { AppRdds } from './app-rdds.ts';
import { checkArgs, sparkOptionsOf, stopOptions, streamingOptions } from './options.ts';
import type { CheckedStreamingOptions, OptionsFor, RecoveryOptions, StopOptions, StreamingOptions } from './options.ts';
import { checkSignalsCome, processShutdown } from './shutdown.ts';
import { programUrl } from './program-url.ts';
import { CheckpointDirectory } from './checkpoint-directory.ts';
import { SparkContext } from './spark-context.ts';
import type { ClusterMember, DriverRestarted } from './cluster-internals.ts';
import { driverPorts } from './driver-ports.ts';
import { isDriverRestarted } from './driver-restart.ts';
import { DriverQuestions } from './driver-questions.ts';
import { streamingSpec } from './streaming-spec.ts';
import { advanceFailure } from './under-way.ts';

/** Where a context is in its life: never back. */
export type StreamingContextState = 'INITIALIZED' | 'ACTIVE' | 'STOPPED';

/** A program: the function that builds the graph, as a module's default export or (inline) as it is. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any arguments: their type is inferred from the program.
export type StreamingProgram = (ssc: StreamingContext, args: any) => unknown;

/** Stream time under a manual clock. */
export interface StreamClock {
  /** Runs the next `batches` batches; resolves with the last one's time when all are complete and their outputs settled. */
  advance(batches?: number): Promise<BatchTime>;
}

const startTimeoutMs = 120_000;
const askTimeoutMs = 30_000;
/** Beyond the graceful part: each step of taking a program down has a bound of its own. */
const stopGraceMs = 75_000;

/** The contexts that are active in this process, oldest first: see `allowMultipleContexts`. */
const active = new Set<StreamingContext>();

/** A program on a cluster, as the app sees it: build or load it, start it, read what it exports, stop it. Spark's `StreamingContext`. */
export class StreamingContext<Exports = unknown> extends ProgramBuilder {
  /** The threads that it runs on. */
  readonly sparkContext: SparkContext;
  readonly #options: CheckedStreamingOptions;
  readonly #ownsCluster: boolean;
  readonly #listeners: Listeners;
  #contributions = new ContributionLedger();
  readonly #appRdds: AppRdds;
  readonly #questions: DriverQuestions;
  #url: string | null = null;
  #checkpoints: CheckpointDirectory | null = null;
  #exports: Exports | null = null;
  #state: StreamingContextState = 'INITIALIZED';
  #failure: Error | null = null;
  #failureSeen = false;
  #terminated: Promise<void>;
  #terminate: () => void = () => {};
  #stopping: Promise<void> | null = null;
  #released: Promise<void> = Promise.resolve();
  /** It has failed as a whole, and is being taken down: `#terminated` comes by itself. */
  #isEnding = false;
  #starting: Promise<void> | null = null;
  /** The last time that the program was brought onto a driver. */
  #launching: Promise<void> | null = null;
  #wasStarted = false;
  /** A driver was given the directory: what was read of it before is old. */
  #wasWritten = false;
  readonly #bodies: OutputBodies;

  /**
   * A context whose graph is built by calls on it, before `start`. For `master: 'inline'`, where every function can be
   * used as it is; with threads of its own, give `create` a program module.
   * `ahead`: threads of its own that have been started already. Throws InvalidOption, UnknownMaster, ContextInsideProgram.
   */
  constructor(options: StreamingOptions, ahead: SparkContext | null = null) {
    const checked = streamingOptions(options);
    if (checked.stopGracefullyOnShutdown) checkSignalsCome();
    const sparkContext = options.sparkContext ?? ahead ?? new SparkContext(sparkOptionsOf(options));
    const member: ClusterMember = {
      onEvent: (event) => this.#onEvent(event),
      onClusterStopped: () => this.#end(),
      onClusterFailed: (error) => this.#onClusterFailed(error),
      standing: () => ({ checkpointDirectory: this.graph.checkpointDirectory, isModule: this.#url !== null, hasFailed: this.#failure !== null }),
      onDriverLost: () => this.#onDriverLost(),
      onDriverBack: (restarted) => this.#onDriverBack(restarted),
    };
    const { internals } = sparkContext;
    if (sparkContext.isStopped) throw new MillraceError('ContextStopped', 'The SparkContext has been stopped. Make a new one, or leave sparkContext out.');
    const program = internals.join(member);
    super({ program, batchIntervalMs: checked.batchIntervalMs, defaultParallelism: options.defaultParallelism ?? sparkContext.defaultParallelism, local: internals.local, fileSizes, checkpointDirectory: checked.checkpointDirectory, appName: checked.appName });
    this.sparkContext = sparkContext;
    this.#options = checked;
    this.#ownsCluster = options.sparkContext === undefined;
    this.#listeners = new Listeners(internals.logger);
    this.#bodies = new OutputBodies({ clock: internals.host.services.clock, timeoutMs: checked.outputTimeoutMs, logger: internals.logger });
    this.#terminated = new Promise((resolve) => (this.#terminate = resolve));
    this.#questions = new DriverQuestions(driverPorts(internals, program, { batchIntervalMs: checked.batchIntervalMs, advanceTimeoutMs: checked.advanceTimeoutMs }));
    this.#appRdds = new AppRdds(this, (request) => this.#runAppJob(request));
    if (internals.inline) internals.built.set(program, this);
    else this.#appRdds.attach(internals.host.services);
  }

  /**
   * Loads a program and builds it here; `start` then builds it on every thread and runs it.
   * `program`: the URL or absolute path of a module whose default export is the program, or (inline only) the function itself.
   * Throws InvalidArgument, ProgramMissing, ProgramHasNoDefault, ProgramNeedsBuild, ProgramThrew, ProgramAsync, ProgramNotAModule, InvalidOption, UnknownMaster.
   */
  static async create<P extends StreamingProgram = StreamingProgram>(program: URL | string | P, options: OptionsFor<P>): Promise<StreamingContext<ExportsOf<P>>> {
    return StreamingContext.#create<P>(program, options, null);
  }

  static async #create<P extends StreamingProgram>(program: URL | string | P, options: OptionsFor<P>, ahead: SparkContext | null): Promise<StreamingContext<ExportsOf<P>>> {
    const ssc = new StreamingContext<ExportsOf<P>>(options as StreamingOptions, ahead);
    try {
      await ssc.#build(program, options.args);
      return ssc;
    } catch (thrown) {
      await ssc.#abandon();
      throw thrown;
    }
  }

  /**
   * Goes on from what a directory holds of an earlier run, or begins there: in each case a context that is not started yet. The program's
   * function builds the graph as ever; operators get back what is theirs by uid. Batches that were not finished run again first, with the same
   * times and the same records. `program` null: the module of the run before. Options are this run's, but for the batch
   * interval; `args` and `appName` are the earlier run's where they are left out.
   * Throws CheckpointMissing, CheckpointMismatch, StateNotMigrated, CheckpointCorrupted, WalCorrupted, FormatUnknown, FileFailed, LogLocked, QueueNotRecoverable, and what `create` throws.
   */
  static async getOrCreate<P extends StreamingProgram = StreamingProgram>(
    directory: string,
    program: URL | string | P | null,
    options: Partial<OptionsFor<P>> & RecoveryOptions = {},
  ): Promise<StreamingContext<ExportsOf<P>>> {
    // Threads start while the directory is read; inline there is nothing to start.
    const ahead = options?.sparkContext !== undefined || options?.master === 'inline' ? null : new SparkContext(sparkOptionsOf(options as StreamingOptions));
    const { checkpoints, found, kept } = await CheckpointDirectory.goOn(directory, program as URL | string | StreamingProgram | null, options as Partial<StreamingOptions> & RecoveryOptions).catch(async (thrown: unknown) => {
      await ahead?.stop();
      throw thrown;
    });
    try {
      if (kept.appName !== undefined) ahead?.rename(kept.appName);
      const ssc = await StreamingContext.#create<P>(found as URL | string | P, kept as unknown as OptionsFor<P>, ahead);
      ssc.#hold(checkpoints);
      try {
        checkpoints.check(ssc);
        checkpoints.restoreAccumulators(ssc, ssc.#contributions);
      } catch (thrown) {
        await ssc.#abandon();
        throw thrown;
      }
      return ssc;
    } catch (thrown) {
      await ahead?.stop();
      await checkpoints.release();
      throw thrown;
    }
  }

  /** The active context of this process (of several, the oldest), or null. */
  static getActive(): StreamingContext | null {
    const [oldest = null] = active;
    return oldest;
  }

  /** The active context; where there is none, a new one by `create`, not yet started. */
  static async getActiveOrCreate(create: () => StreamingContext | Promise<StreamingContext>): Promise<StreamingContext> {
    return StreamingContext.getActive() ?? (await create());
  }

  /** What the program returned: published streams, queues, broadcast variables, accumulators. */
  get exports(): Exports {
    if (this.#exports === null) throw new MillraceError('NotInitialized', 'The context has no exports: its graph was built by calls, not by a program. Give create() a program that returns them.');
    return this.#exports;
  }

  /** `INITIALIZED`, `ACTIVE` or `STOPPED`; never back. */
  getState(): StreamingContextState {
    return this.#state;
  }

  /** Stream time under `clock: 'manual'`. */
  readonly clock: StreamClock = {
    advance: (batches = 1) => this.#advance(batches),
  };

  /** Is told of an event from now on. Returns a function that ends that. A listener that throws is logged. */
  on<Name extends ListenerEventName>(name: Name, listener: (info: ListenerErrors<ListenerEvents[Name]>) => void): () => void {
    if (name === 'failed') this.#failureSeen = true;
    return this.#listeners.on(name, listener);
  }

  /**
   * Starts the program on all threads. Does nothing, with a warning, where it runs already.
   * Throws ContextActive, after which it can be started once the other one has stopped; ContextStopped, NoOutputOperation, CheckpointDirectoryMissing,
   * CheckpointIntervalInvalid, CheckpointNotPersisted, ProgramDiverged, ProgramNotAModule, ContextFailed, after which the context is stopped.
   */
  async start(): Promise<void> {
    if (this.#state === 'ACTIVE') {
      this.sparkContext.internals.logger.log('warn', 'start() was called on a context that is active already.');
      return;
    }
    if (this.#state === 'STOPPED') throw new MillraceError('ContextStopped', 'The context has been stopped and can\'t be started again. Make a new one.');
    const [other] = active;
    if (!this.#options.allowMultipleContexts && other !== undefined) {
      throw new MillraceError('ContextActive', `Another context is active in this process (${other.appName}). Stop it first, or set allowMultipleContexts.`);
    }
    this.#starting = this.#start();
    if (this.#options.stopGracefullyOnShutdown) processShutdown.join(this, this.#starting);
    try {
      await this.#starting;
    } catch (thrown) {
      await this.#abandon();
      // A driver that dies meanwhile is what ended it, whatever was asked of it at that moment.
      throw this.#failure ?? this.sparkContext.internals.failure ?? thrown;
    }
  }

  /**
   * Stops the context; resolves when nothing of it runs any more. A context that was never started just becomes stopped.
   * Throws StopTimeout where a graceful stop took longer than `timeoutMs`: the context is stopped all the same, and the error's message and details
   * say what was left. A second call waits for what the first has begun, whatever its options. Throws InvalidOption.
   */
  async stop(options: StopOptions = {}): Promise<void> {
    const checked = stopOptions(options, this.#options);
    const { stopSparkContext } = checked;
    this.#stopping ??= this.#stop(checked);
    // Also where the stop took too long: the threads go all the same.
    return this.#stopping.finally(() => (stopSparkContext ? this.sparkContext.stop() : undefined)).finally(() => this.#released);
  }

  /**
   * Resolves when the context has stopped: with true; with false, where `timeoutMs` passes before. Rejects with the first
   * failure of a batch or of the runtime, each time it is called. Where the context has ended, its checkpoint directory is free then.
   */
  async awaitTermination(timeoutMs?: number): Promise<boolean> {
    this.#failureSeen = true;
    const { clock } = this.sparkContext.internals.host.services;
    const timers: TimerHandle[] = [];
    const timeout = timeoutMs === undefined ? [] : [new Promise<false>((resolve) => timers.push(clock.setTimer(timeoutMs, () => resolve(false))))];
    const ended = Promise.race([this.#terminated, this.#failed]).then(() => true);
    const result = this.#failure !== null || (await Promise.race([ended, ...timeout]));
    if (result && this.#isEnding) await Promise.race([this.#terminated, ...timeout]);
    for (const timer of timers) clock.clear(timer);
    if (result) await this.#released;
    if (this.#failure !== null) throw this.#failure;
    return result;
  }

  /** Lets the process end although the context is active. */
  unref(): void {
    this.sparkContext.unref();
  }

  /** Takes `unref` back. */
  ref(): void {
    this.sparkContext.ref();
  }

  /** `stop()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  // Building and starting.

  async #build(program: URL | string | StreamingProgram, args: unknown): Promise<void> {
    const { inline } = this.sparkContext.internals;
    if (typeof program === 'function' && !inline) {
      throw new MillraceError('ProgramNotAModule', `Expected the URL of a program module, since master ${this.sparkContext.master} has threads of its own; got a function. Put it into a module and give new URL('./program.js', import.meta.url), or use master inline.`);
    }
    if (typeof program !== 'function') this.#url = programUrl(program);
    if (!inline) checkArgs(args);
    const build = typeof program === 'function' ? program : await loadProgram(this.#url as string);
    this.#exports = buildProgram(build, this, this, args) as Exports;
  }

  async #start(): Promise<void> {
    const { internals } = this.sparkContext;
    if (internals.failure !== null) throw internals.failure;
    if (this.sparkContext.isStopped) throw new MillraceError('ContextStopped', 'The SparkContext has been stopped. Make a new one.');
    if (!internals.inline && this.#url === null) {
      throw new MillraceError('ProgramNotAModule', `The graph was built by calls on the context, and master ${this.sparkContext.master} has threads of its own, which can't see it. Use StreamingContext.create with a program module, or master inline.`);
    }
    this.seal();
    this.graph.validate();
    this.#state = 'ACTIVE';
    active.add(this);
    internals.activate(this.program);
    this.#launching = this.#launch(null);
    try {
      await this.#launching;
    } catch (thrown) {
      if (!isDriverRestarted(thrown)) throw thrown;
      // It is started on the next driver: see `#onDriverBack`.
      await internals.restarting;
      if (this.#failure !== null) throw this.#failure;
      this.#checkNotStopping();
    }
  }

  /** Brings the program onto the driver: the first one, or the one that follows a driver that has died. */
  async #launch(restarted: DriverRestarted | null): Promise<void> {
    const { internals } = this.sparkContext;
    await internals.ready;
    if (!this.#wasStarted) this.#checkNotStopping();
    const { life } = internals;
    const durability = await this.#openCheckpoints();
    internals.checkLife(life);
    const { system, services } = internals.host;
    const { path, cell } = programPlaces(this.program).outputs;
    const ports = outputPorts({ builder: this, options: this.#options, services, logger: internals.logger, bodies: this.#bodies, rdds: this.#appRdds, contributions: this.#contributions });
    system.spawn(path, appOutputs(ports), { program: this.program }, { cell });
    if (restarted !== null) this.#listeners.emit('driverRestarted', { ...restarted, recoveredFrom: this.recoveredFrom });
    const spec = streamingSpec(this, this.#url, this.#options, durability);
    this.#wasWritten = true;
    const { zeroTime } = await internals.ask<ToProgramManager, { readonly zeroTime: number }>(places.programManager, (replyTo) => ({ type: 'startProgram', spec, replyTo }), startTimeoutMs);
    if (!internals.inline && this.graph.phase === 'sealed') this.graph.start(asBatchTime(zeroTime));
    const given = this.#checkpoints?.given;
    const { completed = null, generated = null } = this.recoveredFrom ?? {};
    this.#questions.open({ pushes: (queue) => given?.pushes(queue) ?? 0, sets: (broadcast) => given?.sets(broadcast) ?? 0, completed, announced: generated ?? asBatchTime(zeroTime) });
    if (this.#wasStarted) return;
    this.#wasStarted = true;
    wire(this, {
      pushQueue: (queue, partitions) => this.#questions.push(queue, partitions, internals.options.actionTimeoutMs),
      setBroadcast: (broadcast, value) => this.#questions.set(broadcast, value),
      slice: (operator, from, to) => this.#slice(operator, from, to),
    });
    this.#listeners.emit('streamingStarted', { time: internals.host.services.clock.wall() });
  }

  /** Null: nothing is written down. Throws CheckpointExists, LogLocked. */
  async #openCheckpoints(): Promise<Durability | null> {
    const { checkpointDirectory } = this.graph;
    if (checkpointDirectory === null) return null;
    const { services } = this.sparkContext.internals.host;
    if (this.#checkpoints === null) return this.#hold(await CheckpointDirectory.openNew(services, checkpointDirectory)).durability(this.#options);
    if (!this.#wasWritten) return this.#checkpoints.durability(this.#options);
    const checkpoints = this.#hold(await this.#checkpoints.readAgain(services));
    checkpoints.check(this);
    this.#contributions = checkpoints.startAccumulatorsOver(this);
    return checkpoints.durability(this.#options);
  }

  /** The directory as it is known from now on. What was found there is told. */
  #hold(checkpoints: CheckpointDirectory): CheckpointDirectory {
    this.#checkpoints = checkpoints;
    for (const warning of checkpoints.warnings) this.sparkContext.internals.logger.log('warn', warning);
    return checkpoints;
  }

  /** The run that this one goes on from; null: it begins. Batches behind `completed`, up to `generated`, run again by themselves, before others. */
  get recoveredFrom(): { readonly completed: BatchTime | null; readonly generated: BatchTime | null } | null {
    return this.#checkpoints?.from ?? null;
  }

  #checkNotStopping(): void {
    if (this.#stopping !== null) throw new MillraceError('ContextStopped', 'The context was stopped while it was starting.');
  }

  // Stopping.

  async #stop({ graceful, timeoutMs }: Pick<Required<StopOptions>, 'graceful' | 'timeoutMs'>): Promise<void> {
    this.#questions.refusePushes();
    // A start under way ends first, one way or the other: what it says of a failure is its caller's.
    if (this.#starting !== null && this.#state === 'ACTIVE') {
      this.#cutStartShort();
      await this.#starting.catch(() => {});
    }
    const { internals } = this.sparkContext;
    // A program that is being brought onto another driver is stopped there, in good order.
    if (internals.restarting !== null) await internals.restarting;
    if (this.#state !== 'ACTIVE' || internals.failure !== null) return this.#end();
    const thrown = await internals
      .ask<ToProgramManager, null>(places.programManager, (replyTo) => ({ type: 'stopProgram', program: this.program, graceful, timeoutMs, replyTo }), timeoutMs + stopGraceMs)
      .catch((reason: unknown) => reason);
    if (isDriverRestarted(thrown)) return this.#stop({ graceful, timeoutMs });
    await this.#flush();
    this.#end();
    if (thrown === null) return;
    if (thrown instanceof MillraceError && thrown.code === 'StopTimeout') throw thrown;
    // The cluster has ended meanwhile, and the program with it: its failure is told by others.
    if (thrown instanceof MillraceError && (thrown.code === 'ActorGone' || thrown.code === 'HostGone')) return;
    throw new MillraceError('StopTimeout', `Expected the context to stop within ${timeoutMs + stopGraceMs} ms: ${thrown instanceof Error ? thrown.message : String(thrown)}`, { cause: thrown });
  }

  /** A program that is being built on the threads is given up; one that runs already is stopped in good order, later. */
  #cutStartShort(): void {
    if (this.graph.phase === 'started') return;
    const { host, ready } = this.sparkContext.internals;
    void ready
      .then(() => host.system.ask<ToProgramManager, null>(places.programManager, (replyTo) => ({ type: 'stopProgram', program: this.program, graceful: false, timeoutMs: stopGraceMs, replyTo }), stopGraceMs))
      .catch(() => {});
  }

  /** Everything that was sent to the outputs before has been printed and delivered. */
  async #flush(): Promise<void> {
    const { system } = this.sparkContext.internals.host;
    await system.ask<ToAppOutputs, null>(programPlaces(this.program).outputs, (replyTo) => ({ type: 'flush', replyTo }), askTimeoutMs).catch(() => {});
  }

  #end(): void {
    if (this.#state === 'STOPPED') return;
    this.#state = 'STOPPED';
    active.delete(this);
    processShutdown.leave(this);
    this.graph.stop();
    wire(this, null);
    this.#bodies.close();
    this.rdds.body.close();
    for (const { operation } of this.graph.outputs) {
      if (operation.kind === 'publish') operation.published.close(this.#failure ?? undefined);
    }
    for (const stream of this.deadLetterStreams) stream.close(this.#failure);
    const { internals } = this.sparkContext;
    // Not while it is still read here, nor while a thread of a driver that died may still write.
    this.#released = (this.#launching ?? Promise.resolve())
      .catch(() => {})
      .then(() => internals.quiet)
      .then(() => this.#checkpoints?.release());
    this.#questions.close(this.#failure ?? new MillraceError('ContextStopped', 'The context has been stopped.'));
    internals.host.system.kill(programPlaces(this.program).outputs, { type: 'shutdown' });
    internals.leave(this.program);
    this.#terminate();
  }

  /** Threads of its own would hold the process, though nothing runs on them. */
  async #abandon(): Promise<void> {
    this.#end();
    await this.#released;
    if (this.#ownsCluster) await this.sparkContext.stop();
  }

  // What comes from the driver.

  #onEvent(event: ListenerEvent): void {
    if (event.type === 'failed') this.#fail(fromWireError(event.info.error), event.info.time === null);
    if (event.type === 'programEnded') this.#end();
    if (event.type === 'batchCompleted') {
      this.#contributions.forgetOldest();
      this.#appRdds.batchCompleted();
    }
    this.#listeners.emitWire(event);
  }

  #onClusterFailed(error: MillraceError): void {
    this.#fail(error);
    this.#listeners.emit('failed', { error, time: null });
    this.#end();
  }

  /** What of the old driver is on this thread goes with it; what the app holds stays. */
  #onDriverLost(): void {
    this.#questions.lost();
    this.sparkContext.internals.host.system.kill(programPlaces(this.program).outputs, { type: 'shutdown' });
    this.#bodies.dropWaiting();
    this.#appRdds.lost();
  }

  async #onDriverBack(restarted: DriverRestarted): Promise<void> {
    if (this.#state === 'STOPPED') return;
    this.#appRdds.attach(this.sparkContext.internals.host.services);
    if (this.#launching === null) return;
    // Of the driver before: it has noticed, or will.
    await this.#launching.catch(() => {});
    if (this.getState() === 'STOPPED') return;
    this.#launching = this.#launch(restarted);
    try {
      await this.#launching;
    } catch (thrown) {
      if (isDriverRestarted(thrown) || this.getState() === 'STOPPED') return;
      const said = thrown instanceof Error ? thrown.message : String(thrown);
      this.#onClusterFailed(new MillraceError('ContextFailed', `The driver's thread is gone (${restarted.error.message}), and the program could not go on from ${String(this.graph.checkpointDirectory)}: ${said}`, { cause: thrown }));
    }
  }

  #announceFailure: () => void = () => {};
  readonly #failed = new Promise<void>((resolve) => (this.#announceFailure = resolve));

  #fail(error: Error, isEnding = false): void {
    this.#isEnding ||= isEnding;
    const first = this.#failure === null;
    this.#failure ??= error;
    this.#announceFailure();
    if (first && !this.#failureSeen) this.sparkContext.internals.logger.log('error', `${this.appName} has failed: ${error.message}`);
  }

  // Questions to the driver.

  #runAppJob(request: Parameters<JobRunner>[0]): Promise<JobResult> {
    const nodes = this.rdds.lineage([request.target], { madeHere: true });
    return this.#questions.job<JobResult>((replyTo) => ({ type: 'appJob', request: { ...request, nodes, batchTime: this.rdds.body.time }, replyTo }), this.sparkContext.internals.options.actionTimeoutMs);
  }

  async #slice(operator: number, from: BatchTime, to: BatchTime): Promise<RDD<unknown>[]> {
    const sliced = await this.#questions.read<SlicedRdds>((replyTo) => ({ type: 'slice', operator, from, to, replyTo }), askTimeoutMs);
    return this.#appRdds.takeSlice(sliced, this.graph.operators[operator]?.keptMs ?? 0);
  }

  async #advance(batches: number): Promise<BatchTime> {
    if (this.#state !== 'ACTIVE') throw new MillraceError(this.#state === 'STOPPED' ? 'ContextStopped' : 'NotInitialized', `Expected an active context for advance; it is ${this.#state}. Call it between start() and stop().`);
    if (this.#options.clock !== 'manual') throw new MillraceError('InvalidOption', 'Expected clock to be manual for advance; it is system. Create the context with clock: \'manual\'.');
    if (!Number.isSafeInteger(batches) || batches < 1) throw new MillraceError('InvalidArgument', `advance expects a whole number of batches, 1 or more; got ${previewOf(batches)}.`);
    const { advanceTimeoutMs } = this.#options;
    const { internals } = this.sparkContext;
    const time = await this.#questions.advance(batches).catch(async (thrown: unknown) => {
      throw await advanceFailure({ system: internals.host.system, program: this.program, graph: this.graph, batches, advanceTimeoutMs, thrown });
    });
    await Promise.all([this.#flush(), internals.ask<ToListenerBus, null>(places.listenerBus, (replyTo) => ({ type: 'flush', replyTo }), askTimeoutMs)]);
    return time;
  }
}
