/**
 * The asks of one system that wait for their outcome.
 *
 * Invariant: an ask is settled exactly once and then forgotten: by its reply, by its timeout, or because the asked actor or
 * its host is gone. Later answers find nothing.
 */
import type { WireError } from '../../protocol/errors.ts';
import { MillraceError, sentenceOf, toWireError } from '../../protocol/errors.ts';
import type { Clock, TimerHandle } from '../base/clock.ts';
import type { ExitReason, Outcome } from './behavior.ts';
import type { ActorRef } from './ref.ts';
import { refKey } from './ref.ts';

export interface PendingAsk {
  readonly id: number;
  readonly to: ActorRef<never>;
  readonly settle: (outcome: Outcome<unknown>) => void;
  timer: TimerHandle | null;
}

export class Asks {
  readonly #clock: Clock;
  readonly #pending = new Map<number, PendingAsk>();
  /** By the asked actor, so that its end settles them. */
  readonly #byTarget = new Map<string, Set<PendingAsk>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** True where this is the first ask under way to that actor: then it is to be watched. */
  add(id: number, to: ActorRef<never>, timeoutMs: number, settle: (outcome: Outcome<unknown>) => void): boolean {
    const ask: PendingAsk = { id, to, settle, timer: null };
    ask.timer = this.#clock.setTimer(timeoutMs, () => this.#settle(ask, failed(askTimeout(to, timeoutMs))));
    this.#pending.set(id, ask);
    const key = refKey(to);
    const others = this.#byTarget.get(key);
    if (others !== undefined) {
      others.add(ask);
      return false;
    }
    this.#byTarget.set(key, new Set([ask]));
    return true;
  }

  settle(id: number, outcome: Outcome<unknown>): void {
    const ask = this.#pending.get(id);
    if (ask !== undefined) this.#settle(ask, outcome);
  }

  /** The asker has ended: nobody hears the outcome. */
  forget(id: number): void {
    const ask = this.#pending.get(id);
    if (ask !== undefined) this.#remove(ask);
  }

  targetEnded(ref: ActorRef<never>, reason: ExitReason): void {
    const asks = this.#byTarget.get(refKey(ref));
    if (asks === undefined) return;
    for (const ask of [...asks]) this.#settle(ask, failed(goneError(ask.to, reason)));
  }

  hostDown(host: number, error: WireError): void {
    for (const ask of [...this.#pending.values()]) {
      if (ask.to.host === host) this.#settle(ask, failed(goneError(ask.to, { type: 'hostDown', error })));
    }
  }

  #settle(ask: PendingAsk, outcome: Outcome<unknown>): void {
    this.#remove(ask);
    ask.settle(outcome);
  }

  #remove(ask: PendingAsk): void {
    this.#pending.delete(ask.id);
    if (ask.timer !== null) this.#clock.clear(ask.timer);
    const key = refKey(ask.to);
    const others = this.#byTarget.get(key);
    if (others === undefined) return;
    others.delete(ask);
    if (others.size === 0) this.#byTarget.delete(key);
  }
}

function failed(error: MillraceError): Outcome<unknown> {
  return { ok: false, error: toWireError(error) };
}

function askTimeout(to: ActorRef<never>, timeoutMs: number): MillraceError {
  return new MillraceError('AskTimeout', `${to.path} on host ${to.host} did not answer within ${timeoutMs} ms.`, { details: { path: to.path, host: to.host, timeoutMs } });
}

function goneError(to: ActorRef<never>, reason: ExitReason): MillraceError {
  const details = { path: to.path, host: to.host, reason: reason.type };
  if (reason.type === 'hostDown') {
    return new MillraceError('HostGone', `Host ${to.host} died before ${to.path} answered: ${reason.error.message}`, { details });
  }
  const why = reason.type === 'error' ? `: ${reason.error.message}` : '';
  return new MillraceError('ActorGone', sentenceOf(`${to.path} on host ${to.host} ended (${reason.type}) before it answered${why}`), { details });
}
