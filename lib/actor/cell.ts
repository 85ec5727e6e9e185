/**
 * One life of one actor: its behaviour's state, its mailbox, signals, stash, timers and open asks, and the carrying out of its effects.
 * A restart makes a new cell at the same address; whatever still comes back to the old one finds it ended.
 *
 *            signals ──┐ (first)
 *                      ├──> handler ──> state', effects ──> carried out in order ──> next
 *   mailbox, timers ───┘                   (none, where it threw)
 *
 * Invariant: one turn at a time, never nested; effects only after the handler has returned; after `end` nothing runs any more.
 */
import type { WireError } from '../../protocol/errors.ts';
import { previewOf, toWireError } from '../../protocol/errors.ts';
import type { MillraceError } from '../../protocol/errors.ts';
import type { TimerHandle } from '../base/clock.ts';
import { RingQueue } from '../base/ring-queue.ts';
import type { AnyBehavior, ExitReason, Outcome } from './behavior.ts';
import type { LogLevel } from './logger.ts';
import { Mailbox, nothing } from './mailbox.ts';
import type { ActorRef, ReplyTo } from './ref.ts';
import type { ChildStart, SupervisorSignal } from './supervisor-turn.ts';
import type { ActorSystem } from './system.ts';
import { EffectKind, TurnRecorder, effectSlots } from './turn.ts';

/** What lies in the signals lane: the behaviour's signals, and what the cell handles itself. */
export type CellSignal =
  | SupervisorSignal
  | { readonly type: 'start' }
  | { readonly type: 'exit'; readonly reason: ExitReason }
  | { readonly type: 'fail'; readonly error: WireError };

export interface CellStart {
  readonly ref: ActorRef<never>;
  readonly behavior: AnyBehavior;
  readonly args: unknown;
  readonly parent: ActorRef<never> | null;
  readonly incarnation: number;
  /** For actors without a parent, on their own thread. */
  readonly onStarted?: (() => void) | undefined;
  readonly onExit?: ((reason: ExitReason) => void) | undefined;
}

/** A mailbox entry that becomes a message only when its turn comes: an outcome to adapt, a timer that may be dead by then. */
export abstract class Pending {
  abstract readonly label: string;
  abstract open(cell: Cell): unknown;
}

class TimerFired extends Pending {
  readonly key: string;
  readonly message: unknown;
  handle: TimerHandle | null = null;

  constructor(key: string, message: unknown) {
    super();
    this.key = key;
    this.message = message;
  }

  get label(): string {
    return `timer ${this.key}`;
  }

  open(cell: Cell): unknown {
    // A timer that was cancelled or started anew after it fired is dead, also in the mailbox.
    return cell.takeTimer(this) ? this.message : nothing;
  }
}

class OutcomeCame extends Pending {
  readonly outcome: Outcome<never>;
  readonly adapt: (outcome: Outcome<never>) => unknown;

  constructor(outcome: Outcome<unknown>, adapt: (outcome: Outcome<never>) => unknown) {
    super();
    this.outcome = outcome as Outcome<never>;
    this.adapt = adapt;
  }

  get label(): string {
    return `outcome ${this.outcome.ok ? 'ok' : `failed ${(this.outcome as { error: WireError }).error.code ?? ''}`}`;
  }

  open(): unknown {
    const message = this.adapt(this.outcome);
    return message === null ? nothing : message;
  }
}

export class Cell {
  readonly system: ActorSystem;
  readonly ref: ActorRef<never>;
  readonly behavior: AnyBehavior;
  readonly parent: ActorRef<never> | null;
  readonly incarnation: number;
  readonly mailbox: Mailbox;
  readonly signals = new RingQueue<CellSignal>({ capacity: 4 });
  readonly children = new Map<string, ChildStart>();
  /** Who watches this actor; cell 0 of a host stands for its system. */
  readonly watchers = new Map<string, ActorRef<never>>();
  readonly watching = new Map<string, ActorRef<never>>();
  /** In the run queue, or being run. */
  scheduled = false;
  phase: 'new' | 'starting' | 'running' | 'ended' = 'new';
  handled = 0;
  readonly #turn: TurnRecorder;
  readonly #start: CellStart;
  readonly #timers = new Map<string, TimerFired>();
  readonly #asks = new Set<number>();
  #state: unknown = undefined;
  #hasState = false;
  #stash: unknown[] = [];
  #busy = false;
  /** Ended from within its own turn: carried out behind it. */
  #endAfter: ExitReason | null = null;
  #failing = false;

  constructor(system: ActorSystem, start: CellStart) {
    this.system = system;
    this.ref = start.ref;
    this.behavior = start.behavior;
    this.parent = start.parent;
    this.incarnation = start.incarnation;
    this.mailbox = new Mailbox(start.behavior.mailbox);
    this.#start = start;
    this.#turn = new TurnRecorder(this, start.incarnation);
    this.signals.push({ type: 'start' });
  }

  get stashDepth(): number {
    return this.#stash.length;
  }

  get runnable(): boolean {
    return this.phase !== 'ended' && (this.signals.length > 0 || this.mailbox.depth > 0);
  }

  /** What the next turn will be about, in a few words: for the simulator's trace. */
  get next(): string {
    const signal = this.signals.at(0);
    if (signal !== undefined) return `signal ${signal.type}`;
    const first = this.mailbox.first;
    return first instanceof Pending ? first.label : previewOf(first, 100);
  }

  /** One turn: a signal if there is one, else a message. False where there was nothing. */
  runOne(): boolean {
    if (this.phase === 'ended') return false;
    if (this.signals.length > 0) {
      this.#onSignal(this.signals.shift()!);
      return true;
    }
    let message = this.mailbox.take();
    if (message === nothing) return false;
    const turn = this.#turn;
    turn.begin();
    this.#busy = true;
    let next: unknown;
    try {
      if (this.system.faults?.beforeTurn(this) === true) throw crash('before its turn');
      if (message instanceof Pending) {
        message = message.open(this);
        if (message === nothing) {
          this.#busy = turn.open = false;
          return true;
        }
      }
      this.handled += 1;
      next = this.behavior.receive(this.#state, message as never, turn as never);
    } catch (thrown) {
      this.#onThrown(thrown);
      return true;
    }
    this.#state = next;
    this.#finishTurn();
    return true;
  }

  /** Ends the actor with this error, ahead of what is in its mailbox. For failures that are noticed outside of its turn. */
  fail(error: MillraceError): void {
    if (this.#failing || this.phase === 'ended') return;
    this.#failing = true;
    this.signal({ type: 'fail', error: toWireError(error) });
  }

  signal(signal: CellSignal): void {
    if (this.phase === 'ended') return;
    this.signals.push(signal);
    this.system.schedule(this);
  }

  /** The end of this life: at once, or behind the turn that it is in. */
  end(reason: ExitReason): void {
    if (this.phase === 'ended') return;
    if (this.#busy) {
      this.#endAfter ??= reason;
      return;
    }
    this.#busy = true;
    if (this.#hasState && this.behavior.stopped !== undefined) this.#callStopped(reason);
    this.phase = 'ended';
    this.forgetEverything();
    const rest = [...this.#stash, ...this.mailbox.drain()].filter((message) => !(message instanceof Pending));
    this.#stash = [];
    this.system.cellEnded(this, reason, rest);
    this.#start.onExit?.(reason);
  }

  /** Drops timers and asks: at the end of a life, or because the whole host is gone. */
  forgetEverything(): void {
    this.phase = 'ended';
    for (const timer of this.#timers.values()) if (timer.handle !== null) this.system.clock.clear(timer.handle);
    this.#timers.clear();
    for (const ask of this.#asks) this.system.asks.forget(ask);
    this.#asks.clear();
    this.signals.clear();
  }

  /** True where this very timer is still wanted; it is used up by that. */
  takeTimer(timer: TimerFired): boolean {
    if (this.#timers.get(timer.key) !== timer) return false;
    this.#timers.delete(timer.key);
    return true;
  }

  #onSignal(signal: CellSignal): void {
    switch (signal.type) {
      case 'start':
        this.phase = 'starting';
        return this.#handle(() => this.behavior.init(this.#turn as never, this.#start.args as never));
      case 'exit':
        if (this.behavior.trapExit !== true || !this.#hasState) return this.end(signal.reason);
        return this.#handleSignal({ type: 'shutdownRequested', reason: signal.reason });
      case 'fail':
        return this.end({ type: 'error', error: signal.error });
      default:
        return this.#handleSignal(signal);
    }
  }

  #handleSignal(signal: SupervisorSignal): void {
    const behavior = this.behavior;
    if (behavior.signal === undefined) {
      this.system.logger.log('debug', `${this.ref.path} ignores the signal ${signal.type}.`, { path: this.ref.path });
      return;
    }
    this.#handle(() => behavior.signal!(this.#state, signal as never, this.#turn as never));
  }

  #handle(run: () => unknown): void {
    this.#turn.begin();
    this.#busy = true;
    let next: unknown;
    try {
      if (this.system.faults?.beforeTurn(this) === true) throw crash('before its turn');
      next = run();
    } catch (thrown) {
      this.#onThrown(thrown);
      return;
    }
    this.#state = next;
    this.#hasState = true;
    this.#finishTurn();
  }

  #onThrown(thrown: unknown): void {
    this.#turn.open = false;
    this.#turn.clear();
    this.#busy = false;
    this.end({ type: 'error', error: toWireError(thrown) });
  }

  #finishTurn(): void {
    const turn = this.#turn;
    turn.open = false;
    const crashed = this.#carryOut();
    turn.clear();
    if (crashed === null && this.phase === 'starting' && !turn.startDeferred) this.confirmStart();
    this.#busy = false;
    const reason = crashed ?? this.#endAfter ?? turn.stopReason;
    if (reason !== null) this.end(reason);
  }

  confirmStart(): void {
    if (this.phase !== 'starting') return;
    this.phase = 'running';
    this.system.cellStarted(this);
    this.#start.onStarted?.();
  }

  /** Carries out what the turn has recorded, in order. Gives the reason where a fault of the simulator ends the actor on the way. */
  #carryOut(): ExitReason | null {
    const effects = this.#turn.effects;
    const faults = this.system.faults;
    for (let at = 0; at < effects.length; at += effectSlots) {
      if (faults?.beforeEffect(this, at / effectSlots, effects.length / effectSlots) === true) return crashReason(`before effect ${at / effectSlots}`);
      this.#carryOutOne(effects, at);
    }
    if (faults?.beforeEffect(this, effects.length / effectSlots, effects.length / effectSlots) === true) return crashReason('after its effects');
    return null;
  }

  #carryOutOne(effects: readonly unknown[], at: number): void {
    const system = this.system;
    const a = effects[at + 1];
    const b = effects[at + 2];
    const c = effects[at + 3];
    switch (effects[at] as number) {
      case EffectKind.tell: return system.tellFrom(this, a as ActorRef<never>, b);
      case EffectKind.ask: return this.#ask(a as ActorRef<never>, b as number, c, effects[at + 4] as AskRest);
      case EffectKind.reply: return system.reply(this, a as ReplyTo<never>, b as boolean, c);
      case EffectKind.startTimer: return this.#startTimer(a as string, b as number, c);
      case EffectKind.cancelTimer: return this.#cancelTimer(a as string);
      case EffectKind.watch: return system.watch(this, a as ActorRef<never>);
      case EffectKind.unwatch: return system.unwatch(this, a as ActorRef<never>);
      case EffectKind.watchHost: return system.watchHost(this, a as number);
      case EffectKind.stash: return void this.#stash.push(a);
      case EffectKind.unstash: return this.#unstash();
      case EffectKind.perform: return this.#perform(a as string, b as () => unknown, c as (outcome: Outcome<never>) => unknown);
      case EffectKind.log: return system.logger.log(a as LogLevel, b as string, { path: this.ref.path, ...(c as object | undefined) });
      case EffectKind.spawnChild: return system.spawnChild(this, a as ChildStart);
      case EffectKind.exitChild: return system.exit(this.ref, a as ActorRef<never>, b as ExitReason);
      case EffectKind.killChild: return system.kill(a as ActorRef<never>);
      case EffectKind.confirmStart: return this.confirmStart();
    }
  }

  #ask(to: ActorRef<never>, ask: number, message: unknown, rest: AskRest): void {
    this.#asks.add(ask);
    this.system.startAsk(ask, this.ref, to, rest.timeoutMs, (outcome) => {
      this.#asks.delete(ask);
      this.#outcome(outcome, rest.adapt);
    });
    this.system.tellFrom(this, to, message);
  }

  #outcome(outcome: Outcome<unknown>, adapt: (outcome: Outcome<never>) => unknown): void {
    if (this.phase === 'ended') return;
    this.system.refreshTick();
    this.mailbox.putAlways(new OutcomeCame(outcome, adapt), this.system.tickMs);
    this.system.schedule(this);
  }

  #startTimer(key: string, delayMs: number, message: unknown): void {
    this.#cancelTimer(key);
    const timer = new TimerFired(key, message);
    this.#timers.set(key, timer);
    timer.handle = this.system.clock.setTimer(delayMs, () => {
      timer.handle = null;
      this.system.refreshTick();
      this.mailbox.putAlways(timer, this.system.tickMs);
      this.system.schedule(this);
    });
  }

  #cancelTimer(key: string): void {
    const timer = this.#timers.get(key);
    if (timer === undefined) return;
    this.#timers.delete(key);
    if (timer.handle !== null) this.system.clock.clear(timer.handle);
  }

  #unstash(): void {
    this.mailbox.putBack(this.#stash, this.system.tickMs);
    this.#stash = [];
    this.system.schedule(this);
  }

  #perform(label: string, run: () => unknown, adapt: (outcome: Outcome<never>) => unknown): void {
    this.system.perform(this, label, run, (outcome) => this.#outcome(outcome, adapt));
  }

  /** `stopped` may tell, reply, log and perform; what would come back to this actor has nobody to come to, and is left out. */
  #callStopped(reason: ExitReason): void {
    const turn = this.#turn;
    turn.begin();
    try {
      this.behavior.stopped!(this.#state, reason, turn as never);
    } catch (thrown) {
      turn.clear();
      this.system.logger.log('error', `${this.ref.path} threw in stopped: ${toWireError(thrown).message}`, { path: this.ref.path, error: toWireError(thrown) });
    }
    turn.open = false;
    for (let at = 0; at < turn.effects.length; at += effectSlots) {
      if (lastEffects.has(turn.effects[at] as number)) this.#carryOutOne(turn.effects, at);
    }
    turn.clear();
  }
}

interface AskRest {
  readonly timeoutMs: number;
  readonly adapt: (outcome: Outcome<never>) => unknown;
}

const lastEffects: ReadonlySet<number> = new Set([EffectKind.tell, EffectKind.reply, EffectKind.log, EffectKind.perform]);

function crash(where: string): Error {
  const error = new Error(`The simulator crashed the actor ${where}.`);
  error.name = 'SimulatedCrash';
  return error;
}

function crashReason(where: string): ExitReason {
  return { type: 'error', error: toWireError(crash(where)) };
}
