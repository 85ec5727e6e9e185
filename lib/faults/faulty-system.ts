/**
 * The actor system of a host in which faults are injected: messages are lost or late, actors die, as a plan says.
 *
 * Invariant: what a plan leaves alone is as in an ordinary system. Only messages and replies are touched: what supervisors, watchers and
 * systems say to each other (ends, starts, the death of a host) always comes, as it does between living threads.
 */
import { MillraceError } from '../../protocol/errors.ts';
import { Asks } from '../actor/asks.ts';
import type { Outcome } from '../actor/behavior.ts';
import { Pending } from '../actor/cell.ts';
import type { Cell } from '../actor/cell.ts';
import type { ActorRef } from '../actor/ref.ts';
import { ActorSystem } from '../actor/system.ts';
import type { ActorSystemOptions } from '../actor/system.ts';
import type { Clock } from '../base/clock.ts';
import { isActorNamed } from './actor-names.ts';
import type { Endings } from './endings.ts';
import type { FaultInjector } from './fault-injector.ts';
import { MessageFaults } from './message-faults.ts';

export class FaultySystem extends ActorSystem {
  readonly #injector: FaultInjector;
  readonly #endings: Endings;
  readonly #messages: MessageFaults;
  readonly #asked: AskedOfWhom;

  constructor(options: Omit<ActorSystemOptions, 'asks'>, injector: FaultInjector, endings: Endings) {
    const messages = new MessageFaults(injector, options.clock);
    const asks = new AskedOfWhom(options.clock, messages);
    super({ ...options, asks });
    this.#injector = injector;
    this.#endings = endings;
    this.#messages = messages;
    this.#asked = asks;
  }

  override tellFrom(from: Cell | null, to: ActorRef<never>, message: unknown): void {
    this.#messages.pass(from?.ref.path ?? '', to.path, typeOf(message), () => {
      this.refreshTick();
      super.tellFrom(from, to, message);
    });
  }

  override startAsk(ask: number, from: ActorRef<never>, to: ActorRef<never>, timeoutMs: number, settle: (outcome: Outcome<unknown>) => void): void {
    this.#asked.note(ask, from.path, to.path);
    super.startAsk(ask, from, to, timeoutMs, settle);
  }

  /** A message that kills lies in the mailbox as others do, and does so when its turn has come. */
  override put(cell: Cell, message: unknown): void {
    const hit = this.#injector.strike('kill', ({ actor, type, what }) => {
      if (what === 'thread' && this.#injector.role === 'app') return false;
      return (type === undefined || type === typeOf(message)) && isActorNamed(actor, cell.ref.path);
    });
    super.put(cell, hit === null ? message : new DeadlyMessage(hit.rule.what ?? 'actor', this.#endings));
  }

  override vanish(): void {
    this.#messages.end();
    super.vanish();
  }
}

/** Replies come to the asker's system; only there both ends are known by name. */
class AskedOfWhom extends Asks {
  readonly #messages: MessageFaults;
  readonly #ends = new Map<number, { readonly asker: string; readonly asked: string }>();

  constructor(clock: Clock, messages: MessageFaults) {
    super(clock);
    this.#messages = messages;
  }

  note(ask: number, asker: string, asked: string): void {
    this.#ends.set(ask, { asker, asked });
  }

  override settle(id: number, outcome: Outcome<unknown>): void {
    const ends = this.#ends.get(id);
    if (ends === undefined) return;
    this.#messages.pass(ends.asked, ends.asker, 'reply', () => super.settle(id, outcome));
  }

  override add(id: number, to: ActorRef<never>, timeoutMs: number, settle: (outcome: Outcome<unknown>) => void): boolean {
    return super.add(id, to, timeoutMs, (outcome) => {
      this.#ends.delete(id);
      settle(outcome);
    });
  }

  override forget(id: number): void {
    this.#ends.delete(id);
    super.forget(id);
  }
}

class DeadlyMessage extends Pending {
  readonly label = 'an injected death';
  readonly #what: 'actor' | 'thread' | 'process';
  readonly #endings: Endings;

  constructor(what: 'actor' | 'thread' | 'process', endings: Endings) {
    super();
    this.#what = what;
    this.#endings = endings;
  }

  open(cell: Cell): never {
    if (this.#what !== 'actor') this.#endings[this.#what]();
    throw killed(cell.ref.path);
  }
}

export function killed(path: string, details: Readonly<Record<string, unknown>> = {}): MillraceError {
  return new MillraceError('FaultInjected', `An injected fault has killed ${path}.`, { details: { path, ...details } });
}

function typeOf(message: unknown): string | null {
  const type = typeof message === 'object' && message !== null ? (message as { readonly type?: unknown }).type : null;
  return typeof type === 'string' ? type : null;
}
