/**
 * The working parts of a SparkContext, apart from what users see: the cluster's present life, the contexts on it, and what happens when its
 * driver's thread dies.
 *
 * Owns: the lives, one after another. Invariant: a context hears of each death of the driver once: it is lost and comes back, or has failed. Two
 * lives never overlap: the next one begins when no thread of the last one is left. What is asked of a driver that is lost rejects with DriverRestarted.
 */
import { places } from '../actors/places.ts';
import { loadFromTable } from '../actors/program-loader.ts';
import type { Host } from '../actors/host.ts';
import type { ListenerEvent } from '../protocol/listener.ts';
import type { ClusterOptions, ToHostManager } from '../protocol/host.ts';
import { driverHost } from '../protocol/ref.ts';
import type { ActorRef, ReplyTo } from '../protocol/ref.ts';
import { asProgramId } from '../protocol/ids.ts';
import type { ProgramId } from '../protocol/ids.ts';
import { clauseOf, fromWireError, MillraceError, sentenceOf, toWireError } from '../protocol/errors.ts';
import type { WireError } from '../protocol/errors.ts';
import type { Logger } from './actor/logger.ts';
import { SystemClock } from './base/clock.ts';
import type { Clock } from './base/clock.ts';
import { ClusterLife } from './cluster-life.ts';
import type { ClusterRuntime, ThreadDeath } from './cluster-life.ts';
import { decideRestart } from './driver-restart.ts';
import type { RestartLimits, Standing } from './driver-restart.ts';
import { KeepAlive } from './keep-alive.ts';
import { LocalFunctions } from './program/local-functions.ts';
import type { ProgramBuilder } from './program/program-builder.ts';

/** What a context on the cluster hears of it. */
export interface ClusterMember {
  onEvent(event: ListenerEvent): void;
  /** The cluster is being stopped by the app. */
  onClusterStopped(): void;
  /** The cluster is gone. */
  onClusterFailed(error: MillraceError): void;
  standing(): Omit<Standing, 'program'>;
  /** The driver's thread is gone, and another will take its place: `onDriverBack`, or `onClusterFailed`. */
  onDriverLost(): void;
  /** On the new cluster. Resolves when the program runs again, or has failed; where this driver dies, too, as soon as it has noticed. */
  onDriverBack(restarted: DriverRestarted): Promise<void>;
}

export interface DriverRestarted {
  /** What ended the driver's thread. */
  readonly error: Error;
  /** How often the driver has been started again, in all. */
  readonly restarts: number;
}

const treeTimeoutMs = 5_000;

interface Deferred {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: MillraceError) => void;
}

export class ClusterInternals {
  readonly options: ClusterOptions;
  readonly logger: Logger;
  readonly local: LocalFunctions | null;
  /** Inline: programs that the app has built, for the other hosts. */
  readonly built = new Map<ProgramId, ProgramBuilder>();
  failure: MillraceError | null = null;
  readonly #clock: Clock;
  readonly #runtime: ClusterRuntime | null;
  readonly #limits: RestartLimits;
  readonly #members = new Map<ProgramId, ClusterMember>();
  /** Inline, where no thread holds the process. Null also in the simulator. */
  readonly #alive: KeepAlive<ProgramId> | null;
  #life: ClusterLife;
  #ready = deferred();
  #isReady = false;
  #isLost = false;
  #restarting: Promise<void> | null = null;
  #ended: Promise<void> | null = null;
  #restarts = 0;
  #deaths: readonly number[] = [];
  #referenced = true;
  #programs = 0;
  #closing = false;

  constructor(options: ClusterOptions, limits: RestartLimits, logger: Logger, runtime: ClusterRuntime | null) {
    this.options = options;
    this.logger = logger;
    this.#limits = limits;
    this.#runtime = runtime;
    this.#clock = runtime?.clock ?? new SystemClock();
    this.#alive = options.inline && runtime === null ? new KeepAlive<ProgramId>() : null;
    this.local = options.inline ? new LocalFunctions() : null;
    this.#life = this.#begin();
  }

  get inline(): boolean {
    return this.options.inline;
  }

  get programs(): readonly ProgramId[] {
    return [...this.#members.keys()];
  }

  /** The app's own, of the present life. */
  get host(): Host {
    return this.#life.host;
  }

  /** Resolves when the driver's tree stands, of the present life or of the one that follows it; rejects where it never will. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Resolves when no thread of a life that has ended runs any more. */
  get quiet(): Promise<void> {
    return this.#ended ?? this.#restarting ?? Promise.resolve();
  }

  /** Of what belongs to one life: who has it asks whether it is still that one. */
  get life(): object {
    return this.#life;
  }

  /** Resolves when the driver's death is over, one way or the other. Null: it lives. */
  get restarting(): Promise<void> | null {
    return this.#restarting;
  }

  /** As the system's, but for a driver that dies before it answers, and that another follows: rejects with DriverRestarted then. */
  async ask<Message, R>(to: ActorRef<Message>, make: (replyTo: ReplyTo<R>) => Message, timeoutMs: number): Promise<R> {
    const life = this.#life;
    try {
      return await life.host.system.ask<Message, R>(to, make, timeoutMs);
    } catch (thrown) {
      if (thrown instanceof MillraceError && thrown.code === 'ActorGone' && !this.inline) await this.#whileTreeEnds(life);
      else if (!(thrown instanceof MillraceError) || thrown.code !== 'HostGone') throw thrown;
      if (this.failure !== null || (this.#restarting === null && life === this.#life)) throw thrown;
      throw driverRestarted(thrown);
    }
  }

  /** An actor that has ended may be the first of all of them: then the thread ends soon. The host manager ends before all others, and answers where it lives. */
  async #whileTreeEnds({ host: { system }, exited }: ClusterLife): Promise<void> {
    const ends = await system.ask<ToHostManager, unknown>(places.hostManager, (replyTo) => ({ type: 'whichHosts', replyTo }), treeTimeoutMs).then(() => false, () => true);
    if (ends) await exited;
  }

  /** Throws DriverRestarted where `life` is over, or its driver is gone. */
  checkLife(life: object): void {
    if (life !== this.#life || this.#isLost) throw driverRestarted();
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
    this.#life.kill(how);
  }

  setRef(ref: boolean): void {
    this.#referenced = ref;
    this.#alive?.setRef(ref);
    this.#life.setRef(ref);
  }

  close(): Promise<void> {
    this.#ended ??= this.#close();
    return this.#ended;
  }

  async #close(): Promise<void> {
    this.#closing = true;
    this.#ready.reject(new MillraceError('ContextStopped', 'The SparkContext was stopped while it was starting.'));
    for (const member of [...this.#members.values()]) member.onClusterStopped();
    const life = this.#life;
    await life.end(stopped());
    await this.#restarting;
    // A restart that was under way may have begun another one before it looked.
    if (this.#life !== life) await this.#life.end(stopped());
  }

  #begin(): ClusterLife {
    const { options, logger } = this;
    const life: ClusterLife = new ClusterLife({
      options,
      logger,
      clock: this.#clock,
      runtime: this.#runtime,
      load: this.local === null ? null : loadFromTable(this.built, this.local),
      number: this.#restarts,
      emit: (program, event) => this.#emit(life, program, event),
    });
    life.setRef(this.#referenced);
    this.#watch(life);
    return life;
  }

  #watch(life: ClusterLife): void {
    void life.exited.then(async (error) => {
      // A restart under way looks by itself whether its driver dies.
      await this.#restarting;
      if (this.#closing || this.failure !== null || life !== this.#life) return;
      this.#restarting = this.#onDriverDied(error)
        .catch((thrown: unknown) => this.#giveUp(contextFailed(toWireError(thrown), 'Make a new context.'), error, []))
        .finally(() => (this.#restarting = null));
    });
  }

  #emit(life: ClusterLife, program: ProgramId | null, event: ListenerEvent): void {
    if (life === this.#life && event.type === 'threadStarted' && event.info.role === 'driver') {
      this.#isReady = true;
      this.#ready.resolve();
    }
    for (const [id, member] of this.#members) {
      if (program === null || program === id) member.onEvent(event);
    }
  }

  /** From a death of the driver to a cluster that stands, or to the end of all. */
  async #onDriverDied(first: WireError | null): Promise<void> {
    let coming: Promise<unknown> = Promise.resolve();
    for (let error = first; ; ) {
      if (!this.#anyGoesOn(error)) return;
      this.#loseDriver(error ?? toWireError(treeEnded()));
      // Nobody reads or writes a directory for the life that is over.
      await coming;
      await this.#life.end(driverRestarted());
      if (this.#closing) return;
      this.#restarts += 1;
      const life = (this.#life = this.#begin());
      this.#isLost = false;
      const restarted = { error: error === null ? treeEnded() : fromWireError(error), restarts: this.#restarts };
      coming = Promise.all([...this.#members.values()].map((member) => member.onDriverBack(restarted)));
      const death = await Promise.race([life.exited.then((next) => ({ next })), coming.then(() => null)]);
      if (this.#closing || death === null) return;
      error = death.next;
    }
  }

  /** Ends the contexts that can't go on, and with the last of them the cluster. */
  #anyGoesOn(error: WireError | null): boolean {
    const nowMs = this.#clock.now();
    const members = [...this.#members].map(([program, member]) => ({ program, ...member.standing() }));
    const { goOn, end, deaths } = decideRestart({ members, deaths: [...this.#deaths, nowMs], nowMs, limits: this.#limits, inline: this.inline });
    this.#deaths = deaths;
    const failures = [...end].map(([program, why]) => [program, contextFailed(error, why)] as const);
    if (goOn.length === 0) this.#giveUp(failures[0]?.[1] ?? contextFailed(error, 'Make a new context.'), error, failures);
    else for (const [program, failure] of failures) this.#members.get(program)?.onClusterFailed(failure);
    return goOn.length > 0;
  }

  /** `failures`: of contexts that are told more than the others. */
  #giveUp(failure: MillraceError, error: WireError | null, failures: readonly (readonly [ProgramId, MillraceError])[]): void {
    if (this.failure !== null) return;
    this.failure = failure;
    this.#ready.reject(failure);
    this.#life.driverDown(error ?? toWireError(failure));
    const own = new Map(failures);
    for (const [program, member] of [...this.#members]) member.onClusterFailed(own.get(program) ?? failure);
    void this.close();
  }

  #loseDriver(error: WireError): void {
    if (this.#isReady) this.#ready = deferred();
    this.#isReady = false;
    this.#isLost = true;
    this.logger.log('warn', `The driver's thread has died: ${clauseOf(error.message)}. Contexts with a checkpoint directory go on from it, on a new cluster.`);
    for (const member of [...this.#members.values()]) {
      member.onEvent({ type: 'threadLost', info: { host: driverHost, role: 'driver', error } });
      member.onDriverLost();
    }
    this.#life.driverDown(error);
  }
}

function contextFailed(error: WireError | null, what: string): MillraceError {
  const why = error === null ? 'its tree has ended.' : firstReason(error);
  return new MillraceError('ContextFailed', `The driver's thread is gone, and the cluster with it: ${why} ${what}`, error === null ? {} : { cause: fromWireError(error) });
}

function driverRestarted(cause?: unknown): MillraceError {
  return new MillraceError('DriverRestarted', 'The driver\'s thread died before it had answered; the program goes on from its checkpoint directory. Ask again.', cause === undefined ? {} : { cause });
}

function treeEnded(): MillraceError {
  return new MillraceError('HostGone', 'The driver\'s tree has ended.');
}

function stopped(): MillraceError {
  return new MillraceError('ContextStopped', 'The SparkContext has been stopped.');
}

/** Supervisors that give up say so one above the other: what the lowest of them says is the reason. */
function firstReason(error: WireError): string {
  let { message, cause } = error;
  for (; cause !== null && cause.code === 'RestartIntensityReached'; cause = cause.cause) message = cause.message;
  return sentenceOf(message);
}

function deferred(): Deferred {
  let resolve: () => void = () => {};
  let reject: (error: MillraceError) => void = () => {};
  const promise = new Promise<void>((onResolved, onRejected) => {
    resolve = onResolved;
    reject = onRejected;
  });
  // Nobody need be waiting when it fails: the failure itself is told to every context.
  promise.catch(() => {});
  return { promise, resolve, reject };
}
