/**
 * The `Turn` of one actor: writes down the effects that a handler asks for. One object serves all turns of an incarnation.
 *
 * Effects lie in one flat array, five slots each, so that a `tell` makes no object of its own:
 *
 *   [ tell, ref, message, -, - | ask, ref, ask, message, - | startTimer, key, delayMs, message, - | ... ]
 *
 * Invariant: the array is empty outside a turn; a handler that throws leaves it to be emptied, not carried out. Methods throw
 * when they are called after the handler has returned: a turn kept in a closure is a bug.
 */
import type { WireError } from '../../protocol/errors.ts';
import { MillraceError } from '../../protocol/errors.ts';
import type { ActorPath, HostId } from '../../protocol/ids.ts';
import { assert } from '../base/assert.ts';
import type { ExitReason, Outcome } from './behavior.ts';
import type { Cell } from './cell.ts';
import type { LogLevel } from './logger.ts';
import type { ActorRef, ReplyTo } from './ref.ts';
import { refKey } from './ref.ts';
import type { ChildStart, SupervisorTurn } from './supervisor-turn.ts';

export const EffectKind = {
  tell: 0, ask: 1, reply: 2, startTimer: 3, cancelTimer: 4, watch: 5, unwatch: 6, watchHost: 7, stash: 8, unstash: 9,
  perform: 10, log: 11, spawnChild: 12, exitChild: 13, killChild: 14, confirmStart: 15,
} as const;

/** The names of effects by their kind: for traces. */
export const effectNames = Object.keys(EffectKind);

export const effectSlots = 5;

export class TurnRecorder implements SupervisorTurn<unknown> {
  readonly self: ActorRef<unknown>;
  readonly incarnation: number;
  readonly effects: unknown[] = [];
  /** Set by the cell around each call of a handler. */
  open = false;
  /** What `stop` was called with. */
  stopReason: ExitReason | null = null;
  startDeferred = false;
  readonly #cell: Cell;
  #nowMs = -1;
  #stashed = 0;
  /** Tells in this turn by receiver, counted up to `#creditScanned`: only where `credit` is used. */
  #told: Map<string, number> | null = null;
  #creditScanned = 0;

  constructor(cell: Cell, incarnation: number) {
    this.#cell = cell;
    this.self = cell.ref as ActorRef<unknown>;
    this.incarnation = incarnation;
  }

  begin(): void {
    this.open = true;
    this.#nowMs = -1;
    this.#stashed = 0;
    this.#told = null;
    this.#creditScanned = 0;
  }

  /** Forgets what was recorded: after carrying it out, or instead of it. */
  clear(): void {
    this.effects.length = 0;
  }

  get now(): number {
    if (this.#nowMs < 0) this.#nowMs = this.#cell.system.clock.now();
    return this.#nowMs;
  }

  get host(): HostId {
    return this.#cell.system.host;
  }

  tell(to: ActorRef<never>, message: unknown): void {
    this.#record(EffectKind.tell, to, message);
  }

  ask<M, R>(to: ActorRef<M>, make: (replyTo: ReplyTo<R>) => M, timeoutMs: number, adapt: (outcome: Outcome<R>) => unknown): void {
    if (!(timeoutMs >= 0)) throw new MillraceError('InvalidArgument', `ask needs a timeout in milliseconds, got ${timeoutMs}. Give a number from 0 up.`);
    const ask = this.#cell.system.newAskId();
    const replyTo = { host: this.self.host, cell: this.self.cell, ask } as ReplyTo<R>;
    this.#record(EffectKind.ask, to, ask, make(replyTo), { timeoutMs, adapt });
  }

  reply(to: ReplyTo<never>, value: unknown): void {
    this.#record(EffectKind.reply, to, true, value);
  }

  replyError(to: ReplyTo<never>, error: WireError): void {
    this.#record(EffectKind.reply, to, false, error);
  }

  startTimer(key: string, delayMs: number, message: unknown): void {
    this.#record(EffectKind.startTimer, key, delayMs, message);
  }

  cancelTimer(key: string): void {
    this.#record(EffectKind.cancelTimer, key);
  }

  watch(ref: ActorRef<never>): void {
    this.#record(EffectKind.watch, ref);
  }

  unwatch(ref: ActorRef<never>): void {
    this.#record(EffectKind.unwatch, ref);
  }

  watchHost(host: number): void {
    this.#record(EffectKind.watchHost, host);
  }

  stash(message: unknown): void {
    const stashMax = this.#cell.mailbox.stashMax;
    if (this.#cell.stashDepth + this.#stashed >= stashMax) {
      throw new MillraceError('StashOverflow', `${this.self.path} may stash ${stashMax} messages and has that many. Unstash earlier, refuse, or raise stashMax.`, {
        details: { path: this.self.path, stashMax },
      });
    }
    this.#stashed += 1;
    this.#record(EffectKind.stash, message);
  }

  unstash(): void {
    this.#record(EffectKind.unstash);
  }

  perform<R>(label: string, run: () => R | Promise<R>, adapt: (outcome: Outcome<R>) => unknown): void {
    this.#record(EffectKind.perform, label, run, adapt);
  }

  /** Tells of this very turn count as sent, so that `while (turn.credit(ref) > 0) turn.tell(...)` ends. */
  credit(ref: ActorRef<never>): number {
    this.#told ??= new Map();
    for (; this.#creditScanned < this.effects.length; this.#creditScanned += effectSlots) {
      const kind = this.effects[this.#creditScanned];
      if (kind !== EffectKind.tell && kind !== EffectKind.ask) continue;
      const key = refKey(this.effects[this.#creditScanned + 1] as ActorRef<never>);
      this.#told.set(key, (this.#told.get(key) ?? 0) + 1);
    }
    return Math.max(0, this.#cell.system.creditOf(ref, this.#cell) - (this.#told.get(refKey(ref)) ?? 0));
  }

  stop(reason: ExitReason = { type: 'normal' }): void {
    this.#assertOpen();
    this.stopReason = reason;
  }

  log(level: LogLevel, text: string, fields?: Record<string, unknown>): void {
    this.#record(EffectKind.log, level, text, fields);
  }

  newChildRef(host: HostId, path: ActorPath, cell?: number): ActorRef<never> {
    return { host, cell: cell ?? this.#cell.system.newCellNumber(host), path };
  }

  spawnChild(start: ChildStart): void {
    this.#record(EffectKind.spawnChild, start);
  }

  exitChild(ref: ActorRef<never>, reason: ExitReason): void {
    this.#record(EffectKind.exitChild, ref, reason);
  }

  killChild(ref: ActorRef<never>): void {
    this.#record(EffectKind.killChild, ref);
  }

  deferStart(): void {
    this.startDeferred = true;
  }

  confirmStart(): void {
    this.#record(EffectKind.confirmStart);
  }

  deadHost(host: HostId): WireError | null {
    return this.#cell.system.deadHost(host);
  }

  random(): number {
    return this.#cell.system.prng.next();
  }

  #record(kind: number, a?: unknown, b?: unknown, c?: unknown, d?: unknown): void {
    if (!this.open) this.#assertOpen();
    this.effects.push(kind, a, b, c, d);
  }

  #assertOpen(): void {
    assert(this.open, 'a turn is of no use after its handler has returned: send yourself a message instead', this.self.path);
  }
}
