/**
 * The actors of one host: starting them, bringing them messages, letting them take turns, noticing their ends.
 *
 *   tell, link ──> mailbox of a cell ──> run queue [ cell | cell | cell ] ──> drain: up to `messagesPerTurn` each, `turnBudgetMs`
 *                                                                              together, then the links' posts, then back to I/O
 *
 * Invariant: cells take turns one after another, never nested. A cell is in the run queue at most once. Every message is handled,
 * or a dead letter, or was under way when a thread died. What systems say to each other is in remote.ts.
 */
import { clauseOf, fromWireError, MillraceError, toWireError } from '../../protocol/errors.ts';
import type { WireError } from '../../protocol/errors.ts';
import { EnvelopeKind } from '../../protocol/envelope.ts';
import type { ActorPath, HostId } from '../../protocol/ids.ts';
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { Prng } from '../base/prng.ts';
import { createPrng } from '../base/prng.ts';
import { RingQueue } from '../base/ring-queue.ts';
import { Asks } from './asks.ts';
import type { AnyBehavior, BehaviorRegistry, ExitReason, Outcome } from './behavior.ts';
import { Cell } from './cell.ts';
import type { CellStart } from './cell.ts';
import { DeadLetters } from './dead-letters.ts';
import type { DeadLetter } from './dead-letters.ts';
import { Link } from './link.ts';
import type { Port } from './link.ts';
import type { Logger } from './logger.ts';
import { silentLogger } from './logger.ts';
import type { ActorRef, ReplyTo } from './ref.ts';
import { refKey } from './ref.ts';
import { Remote, unknownBehavior } from './remote.ts';
import type { Scheduler } from './scheduler.ts';
import { threadScheduler } from './scheduler.ts';
import { supervisor } from './supervisor.ts';
import type { ChildStart } from './supervisor-turn.ts';

export interface ActorSystemOptions {
  readonly host: HostId;
  readonly clock: Clock;
  readonly registry: BehaviorRegistry;
  /** Jitter of back-off. Default: seeded by the host number. */
  readonly prng?: Prng;
  readonly scheduler?: Scheduler;
  readonly logger?: Logger;
  readonly onDeadLetter?: (letter: DeadLetter) => void;
  /** How many messages an actor may handle before the next one's turn. Default 64. */
  readonly messagesPerTurn?: number;
  /** How long actors run before the thread looks at its ports, sockets and timers again. Default 4 ms. */
  readonly turnBudgetMs?: number;
  /** The simulator's: see there. */
  readonly hooks?: SystemHooks;
  /** Fault injection's: see lib/faults/faulty-system.ts. Default: ordinary ones. */
  readonly asks?: Asks;
}

/** How the simulator takes the place of the run queue, the world and luck. */
export interface SystemHooks {
  /** A cell has something to do: `system.step(cell)` will be called for it. */
  runnable(cell: Cell): void;
  perform(cell: Cell, label: string, run: () => unknown, done: (outcome: Outcome<unknown>) => void): void;
  /** What a message becomes on its way; throws where it can't be sent. */
  codec(message: unknown): unknown;
  readonly faults: Faults | null;
}

/** Each answers whether the actor crashes here. `index` = `count` is behind the last effect. */
export interface Faults {
  beforeTurn(cell: Cell): boolean;
  beforeEffect(cell: Cell, index: number, count: number): boolean;
}

export interface SpawnOptions {
  /** A fixed address, 1 to 2^31 - 1. */
  readonly cell?: number;
  /** `init` has returned; of a supervisor: all its children have started. */
  readonly onStarted?: () => void;
  readonly onExit?: (reason: ExitReason) => void;
}

export interface ActorMetrics {
  readonly ref: ActorRef<never>;
  readonly behavior: string;
  readonly depth: number;
  /** How long the oldest message has waited; 0 where there is none. */
  readonly oldestMs: number;
  readonly handled: number;
  readonly restarts: number;
  readonly stashed: number;
}

/** Numbers below are fixed addresses, given by specs. */
const firstCell = 0x8000_0000;
/** A child that another host has started gets a number from the range of that host, so the parent knows it at once. */
const cellsPerHost = 0x1_0000_0000;
const exitReasonsKept = 1_000;

export class ActorSystem {
  readonly host: HostId;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly logger: Logger;
  readonly asks: Asks;
  readonly deadLetters = new DeadLetters();
  readonly faults: Faults | null;
  readonly remote: Remote;
  readonly #registry: BehaviorRegistry;
  readonly #scheduler: Scheduler;
  readonly #hooks: SystemHooks | null;
  readonly #messagesPerTurn: number;
  readonly #turnBudgetMs: number;
  readonly #cells = new Map<number, Cell>();
  readonly #runQueue = new RingQueue<Cell>();
  /** Why the last ones ended: for those who watch them afterwards. Oldest first. */
  readonly #exitReasons = new Map<number, ExitReason>();
  readonly #drain = (): void => this.#onDrain();
  readonly #closeWindow = (): void => {
    this.#windowStartMs = null;
  };
  #windowStartMs: number | null = null;
  #drainScheduled = false;
  #draining = false;
  #nextCell = firstCell;
  #nextAsk = 1;
  /** The time of the current turn batch: what mailboxes stamp messages with. */
  tickMs: number;

  constructor(options: ActorSystemOptions) {
    this.host = options.host;
    this.clock = options.clock;
    this.prng = options.prng ?? createPrng(`host ${options.host}`);
    this.logger = options.logger ?? silentLogger;
    this.asks = options.asks ?? new Asks(options.clock);
    this.faults = options.hooks?.faults ?? null;
    this.remote = new Remote(this);
    this.#registry = options.registry;
    this.#scheduler = options.scheduler ?? threadScheduler;
    this.#hooks = options.hooks ?? null;
    this.#messagesPerTurn = options.messagesPerTurn ?? 64;
    this.#turnBudgetMs = options.turnBudgetMs ?? 4;
    this.tickMs = this.clock.now();
    if (options.onDeadLetter !== undefined) this.deadLetters.observe(options.onDeadLetter);
  }

  /**
   * Starts an actor without a parent: the root of a tree, or a test's actor. Its address is good at once.
   * Throws `UnknownBehavior`, and `InvalidArgument` where the fixed address is taken.
   */
  spawn<Message = never>(path: ActorPath | string, behavior: string | AnyBehavior, args: unknown, options: SpawnOptions = {}): ActorRef<Message> {
    const found = typeof behavior === 'string' ? this.behaviorOf(behavior) : behavior;
    if (found === undefined) throw unknownBehavior(behavior as string, this.host);
    const number = options.cell ?? this.#nextCell++;
    if (this.#cells.has(number)) throw new MillraceError('InvalidArgument', `cell ${number} of host ${this.host} is taken by ${this.#cells.get(number)!.ref.path}.`);
    const ref = { host: this.host, cell: number, path: path as ActorPath };
    this.startCell({ ref, behavior: found, args, parent: null, incarnation: 0, onStarted: options.onStarted, onExit: options.onExit });
    return ref;
  }

  /** A message from outside of any actor. */
  tell<Message>(to: ActorRef<Message>, message: Message): void {
    this.refreshTick();
    this.tellFrom(null, to, message);
  }

  /** Asks from outside of any actor. Rejects with `AskTimeout`, `ActorGone`, `HostGone`, or the error that was replied. */
  ask<Message, R>(to: ActorRef<Message>, make: (replyTo: ReplyTo<R>) => Message, timeoutMs: number): Promise<R> {
    this.refreshTick();
    const ask = this.newAskId();
    return new Promise<R>((resolve, reject) => {
      const message = make({ host: this.host, cell: 0, ask });
      this.startAsk(ask, this.#self, to, timeoutMs, (outcome) => {
        if (outcome.ok) resolve(outcome.value as R);
        else reject(fromWireError(outcome.error));
      });
      this.tellFrom(null, to, message);
    });
  }

  /** Asks an actor to end in good order, kills it after `timeoutMs`, and resolves with why it ended. Also for actors on other hosts. */
  stop(ref: ActorRef<never>, timeoutMs: number): Promise<ExitReason> {
    const ended = this.ended(ref);
    this.exit(this.#self, ref, { type: 'shutdown' });
    const timer = this.clock.setTimer(timeoutMs, () => this.kill(ref));
    return ended.finally(() => this.clock.clear(timer));
  }

  /** Resolves when the actor's present life ends, at once where it has ended. */
  ended(ref: ActorRef<never>): Promise<ExitReason> {
    return this.remote.watchOutside(ref);
  }

  /** Ends an actor at once, without asking: fault injection, and a supervisor's last means. */
  kill(ref: ActorRef<never>, reason: ExitReason = { type: 'killed' }): void {
    if (ref.host === this.host) this.#cells.get(ref.cell)?.end(reason);
    else this.remote.send(EnvelopeKind.kill, 0, ref.host, ref.cell, reason);
  }

  /** Joins this system to another one; see `Remote.connect`. */
  connect(port: Port, options: { readonly hosts?: readonly HostId[]; readonly isDefault?: boolean }): Link {
    return this.remote.connect(new Link(this, port), options);
  }

  /** That host is dead: whoever watched, asked or supervised something there is told, and all linked systems. */
  hostDown(host: HostId, error: WireError): void {
    this.remote.hostDown(host, error);
  }

  /** The living actor at `path`, or null. */
  find(path: ActorPath | string): ActorRef<never> | null {
    for (const cell of this.#cells.values()) if (cell.ref.path === path) return cell.ref;
    return null;
  }

  metrics(): ActorMetrics[] {
    const nowMs = this.clock.now();
    return [...this.#cells.values()].map((cell) => ({
      ref: cell.ref,
      behavior: cell.behavior.name,
      depth: cell.mailbox.depth,
      oldestMs: cell.mailbox.oldestAtMs === null ? 0 : Math.max(0, nowMs - cell.mailbox.oldestAtMs),
      handled: cell.handled,
      restarts: cell.incarnation,
      stashed: cell.stashDepth,
    }));
  }

  /** True where nothing is to be done until something comes from outside. */
  get idle(): boolean {
    return this.#runQueue.length === 0 && !this.#draining;
  }

  /** Ends everything at once, without `stopped`, as the death of the thread would: for the simulator, and the end of a host. */
  vanish(): void {
    for (const cell of this.#cells.values()) cell.forgetEverything();
    this.#cells.clear();
    this.#runQueue.clear();
    this.remote.close();
  }

  // Below: for cells, links and the simulator.

  get #self(): ActorRef<never> {
    return { host: this.host, cell: 0, path: '' as ActorPath };
  }

  get cells(): IterableIterator<Cell> {
    return this.#cells.values();
  }

  cell(number: number): Cell | undefined {
    return this.#cells.get(number);
  }

  behaviorOf(name: string): AnyBehavior | undefined {
    return this.#registry.get(name) ?? (name === supervisor.name ? supervisor : undefined);
  }

  newAskId(): number {
    return this.#nextAsk++;
  }

  newCellNumber(host: HostId): number {
    const number = this.#nextCell++;
    return host === this.host ? number : (this.host + 1) * cellsPerHost + number;
  }

  deadHost(host: HostId): WireError | null {
    return this.remote.router.deadHost(host);
  }

  startCell(start: CellStart): void {
    const previous = this.#cells.get(start.ref.cell);
    // A fixed address can still be held by a former child of a supervisor that died: it is ending anyway.
    previous?.end({ type: 'killed' });
    const cell = new Cell(this, start);
    this.#cells.set(start.ref.cell, cell);
    this.#exitReasons.delete(start.ref.cell);
    this.schedule(cell);
  }

  cellStarted(cell: Cell): void {
    if (cell.parent !== null) this.remote.send(EnvelopeKind.childStarted, cell.ref.cell, cell.parent.host, cell.parent.cell, { incarnation: cell.incarnation });
  }

  /** Children first (those that trap exits end later, by themselves), then those who wait, then the parent. */
  cellEnded(cell: Cell, reason: ExitReason, rest: readonly unknown[]): void {
    if (this.#cells.get(cell.ref.cell) === cell) this.#cells.delete(cell.ref.cell);
    this.#exitReasons.set(cell.ref.cell, reason);
    if (this.#exitReasons.size > exitReasonsKept) this.#exitReasons.delete(this.#exitReasons.keys().next().value!);
    for (const message of rest) this.deadLetter(cell.ref, message, 'ended');
    for (const child of [...cell.children.values()].reverse()) this.#orphaned(cell, child.ref);
    this.remote.forget(cell);
    for (const watcher of cell.watchers.values()) this.remote.send(EnvelopeKind.terminated, cell.ref.cell, watcher.host, watcher.cell, reason);
    this.asks.targetEnded(cell.ref, reason);
    if (cell.parent === null) {
      if (reason.type === 'error') this.logger.log('error', `${cell.ref.path} ended: ${reason.error.message}`, { path: cell.ref.path, error: reason.error });
      return;
    }
    this.remote.send(EnvelopeKind.childExited, cell.ref.cell, cell.parent.host, cell.parent.cell, { incarnation: cell.incarnation, reason });
  }

  /** As OTP's exit signal from a parent: whoever does not trap exits is gone at once. */
  #orphaned(parent: Cell, ref: ActorRef<never>): void {
    const child = ref.host === this.host ? this.#cells.get(ref.cell) : undefined;
    if (child !== undefined && child.behavior.trapExit !== true) child.end({ type: 'shutdown' });
    else this.exit(parent.ref, ref, { type: 'shutdown' });
  }

  exitReasonOf(number: number): ExitReason {
    return this.#exitReasons.get(number) ?? { type: 'error', error: toWireError(new MillraceError('ActorGone', `No actor lives at cell ${number} of host ${this.host}.`)) };
  }

  tellFrom(from: Cell | null, to: ActorRef<never>, message: unknown): void {
    if (to.host !== this.host) {
      this.remote.send(EnvelopeKind.tell, from === null ? 0 : from.ref.cell, to.host, to.cell, message, to);
      return;
    }
    if (this.#hooks !== null) {
      try {
        message = this.#hooks.codec(message);
      } catch (thrown) {
        this.notSerializable(from, to, message, thrown);
        return;
      }
    }
    const cell = this.#cells.get(to.cell);
    if (cell === undefined) this.deadLetter(to, message, 'noActor');
    else this.put(cell, message);
  }

  put(cell: Cell, message: unknown): void {
    const result = cell.mailbox.put(message, this.tickMs);
    if (result === 'taken') {
      if (!cell.scheduled) this.schedule(cell);
      return;
    }
    this.deadLetter(cell.ref, message, 'overflow');
    if (result === 'fail') {
      const { messagesMax } = cell.mailbox;
      cell.fail(new MillraceError('MailboxOverflow', `The mailbox of ${cell.ref.path} holds ${messagesMax} messages and may hold no more.`, { details: { path: cell.ref.path, messagesMax } }));
    }
  }

  startAsk(ask: number, from: ActorRef<never>, to: ActorRef<never>, timeoutMs: number, settle: (outcome: Outcome<unknown>) => void): void {
    const first = this.asks.add(ask, to, timeoutMs, settle);
    if (to.host === this.host) {
      // `terminated` comes by `cellEnded`; one that is gone already answers at once.
      if (!this.#cells.has(to.cell)) this.asks.targetEnded(to, this.exitReasonOf(to.cell));
    } else if (first) {
      this.remote.send(EnvelopeKind.watch, 0, to.host, to.cell, null, to);
    }
  }

  reply(from: Cell | null, to: ReplyTo<never>, ok: boolean, value: unknown): void {
    const body = ok ? { ask: to.ask, ok, value } : { ask: to.ask, ok, error: value };
    this.remote.send(EnvelopeKind.reply, from === null ? 0 : from.ref.cell, to.host, to.cell, body);
  }

  watch(cell: Cell, ref: ActorRef<never>): void {
    cell.watching.set(refKey(ref), ref);
    this.remote.send(EnvelopeKind.watch, cell.ref.cell, ref.host, ref.cell, null, ref);
  }

  unwatch(cell: Cell, ref: ActorRef<never>): void {
    if (cell.watching.delete(refKey(ref))) this.remote.send(EnvelopeKind.unwatch, cell.ref.cell, ref.host, ref.cell, null);
  }

  watchHost(cell: Cell, host: number): void {
    this.remote.watchHost(cell, host);
  }

  creditOf(ref: ActorRef<never>, from: Cell): number {
    if (ref.host === this.host) return this.#cells.get(ref.cell)?.mailbox.room ?? 0;
    return this.remote.creditOf(ref, from);
  }

  spawnChild(parent: Cell, start: ChildStart): void {
    parent.children.set(refKey(start.ref), start);
    const body = { path: start.ref.path, parentPath: parent.ref.path, behavior: start.behavior, args: start.args, incarnation: start.incarnation };
    this.remote.send(EnvelopeKind.spawn, parent.ref.cell, start.ref.host, start.ref.cell, body, start.ref);
  }

  exit(from: ActorRef<never>, ref: ActorRef<never>, reason: ExitReason): void {
    this.remote.send(EnvelopeKind.exit, from.cell, ref.host, ref.cell, reason);
  }

  perform(cell: Cell, label: string, run: () => unknown, done: (outcome: Outcome<unknown>) => void): void {
    if (this.#hooks !== null) this.#hooks.perform(cell, label, run, done);
    else performNow(run, done);
  }

  codec(message: unknown): unknown {
    return this.#hooks === null ? message : this.#hooks.codec(message);
  }

  /** A message that can't be cloned ends its sender: it is a bug there, and silence would hide it. */
  notSerializable(from: Cell | null, to: ActorRef<never>, message: unknown, cause: unknown): void {
    this.deadLetter(to, message, 'notSerializable');
    const error = new MillraceError('MessageNotSerializable', `A message from ${from?.ref.path ?? `host ${this.host}`} to ${to.path === '' ? `host ${to.host}` : to.path} can't be sent: ${clauseOf(cause)}. Send plain data.`, { cause });
    if (from === null || from.phase === 'ended') this.logger.log('error', error.message, { code: error.code });
    else from.fail(error);
  }

  deadLetter(to: ActorRef<never>, message: unknown, reason: DeadLetter['reason']): void {
    this.deadLetters.add({ to, message, reason, atMs: this.tickMs });
  }

  schedule(cell: Cell): void {
    if (cell.scheduled || cell.phase === 'ended') return;
    cell.scheduled = true;
    if (this.#hooks !== null) {
      this.#hooks.runnable(cell);
      return;
    }
    this.#runQueue.push(cell);
    this.scheduleDrain();
  }

  /** Also where only a link has something to post. */
  scheduleDrain(): void {
    // The simulator flushes links by itself, before each step.
    if (this.#drainScheduled || this.#draining || this.#hooks !== null) return;
    this.#drainScheduled = true;
    this.#scheduler.schedule(this.#drain, this.#overBudget ? 'afterIo' : 'soon');
  }

  /** One turn of one cell, chosen by the simulator. */
  step(cell: Cell): void {
    assert(!this.#draining, 'a turn within a turn', cell.ref.path);
    this.#draining = true;
    this.tickMs = this.clock.now();
    cell.runOne();
    this.#draining = false;
    cell.scheduled = false;
    if (cell.runnable) this.schedule(cell);
    this.remote.router.flush();
  }

  #onDrain(): void {
    this.#drainScheduled = false;
    this.#draining = true;
    this.tickMs = this.clock.now();
    this.#openWindow();
    for (let cell = this.#runQueue.shift(); cell !== undefined; cell = this.#runQueue.shift()) {
      for (let count = 0; count < this.#messagesPerTurn && cell.runOne(); count += 1);
      cell.scheduled = false;
      if (cell.runnable) this.schedule(cell);
      this.tickMs = this.clock.now();
      if (this.#overBudget) break;
    }
    this.#draining = false;
    this.remote.router.flush();
    if (this.#runQueue.length > 0) this.scheduleDrain();
  }

  /**
   * The budget is counted over all drains since the event loop was last seen, not for each: a promise that awaits asks in a loop
   * makes a new microtask, with a short drain, each time, and would starve the ports just as well.
   */
  #openWindow(): void {
    if (this.#windowStartMs !== null) return;
    this.#windowStartMs = this.tickMs;
    this.#scheduler.schedule(this.#closeWindow, 'afterIo');
  }

  get #overBudget(): boolean {
    return this.#windowStartMs !== null && this.tickMs - this.#windowStartMs >= this.#turnBudgetMs;
  }

  /** Calls from outside, posts and timers come at any time: without a turn batch under way the stamp is old. */
  refreshTick(): void {
    if (!this.#drainScheduled && !this.#draining) this.tickMs = this.clock.now();
  }
}

/** Runs at once; a promise's outcome comes when it has settled. */
function performNow(run: () => unknown, done: (outcome: Outcome<unknown>) => void): void {
  let value: unknown;
  try {
    value = run();
  } catch (thrown) {
    done({ ok: false, error: toWireError(thrown) });
    return;
  }
  if (!isThenable(value)) {
    done({ ok: true, value });
    return;
  }
  value.then(
    (settled) => done({ ok: true, value: settled }),
    (thrown: unknown) => done({ ok: false, error: toWireError(thrown) }),
  );
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
