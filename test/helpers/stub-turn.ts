/**
 * One behaviour, run by hand: each message is one turn, and what it asks for is written down instead of carried out.
 *
 * Invariant: as on a thread, effects of a turn come after it, and what an ask or a perform comes to is a message of its own;
 * the test says when.
 */
import type { Behavior, ExitReason, Outcome, Signal, Turn } from '../../lib/actor/behavior.ts';
import type { ActorRef, ReplyTo } from '../../protocol/ref.ts';
import type { WireError } from '../../protocol/errors.ts';
import { asActorPath, asHostId } from '../../protocol/ids.ts';

export interface Told {
  readonly to: ActorRef<never>;
  readonly message: { readonly type: string } & Readonly<Record<string, unknown>>;
}

export interface Asked extends Told {
  readonly timeoutMs: number;
  readonly adapt: (outcome: Outcome<never>) => unknown;
}

export class Driven<State, Message, Args> {
  state: State;
  /** Everything told to others, in order; emptied by `take`. */
  told: Told[] = [];
  asked: Asked[] = [];
  /** By ask number of the ReplyTo: see `replyTo`. */
  readonly replies = new Map<number, unknown>();
  readonly timers = new Map<string, { readonly delayMs: number; readonly message: Message }>();
  readonly logs: string[] = [];
  stopped: ExitReason | null = null;
  #performs: { readonly run: () => unknown; readonly adapt: (outcome: Outcome<never>) => unknown }[] = [];
  readonly #behavior: Behavior<State, Message, Args>;
  readonly #turn: Turn<Message>;
  #asks = 0;

  constructor(behavior: Behavior<State, Message, Args>, args: Args, { incarnation = 0, now = () => 0 }: { incarnation?: number; now?: () => number } = {}) {
    this.#behavior = behavior;
    const self = { host: asHostId(1), cell: 500, path: asActorPath('/under-test') } as ActorRef<Message>;
    const driven = this;
    this.#turn = {
      self,
      incarnation,
      get now() {
        return now();
      },
      tell: (to, message) => void this.told.push({ to: to as ActorRef<never>, message: message as never }),
      ask: (to, make, timeoutMs, adapt) => {
        const message = make({ host: self.host, cell: self.cell, ask: (driven.#asks += 1) } as never);
        this.asked.push({ to: to as ActorRef<never>, message: message as never, timeoutMs, adapt: adapt as never });
      },
      reply: (to, value) => this.#reply(to, value),
      replyError: (to, error) => this.#reply(to, error),
      startTimer: (key, delayMs, message) => void this.timers.set(key, { delayMs, message }),
      cancelTimer: (key) => void this.timers.delete(key),
      watch: () => {},
      unwatch: () => {},
      watchHost: () => {},
      stash: () => {
        throw new Error('This stub stashes nothing.');
      },
      unstash: () => {},
      perform: (_label, run, adapt) => void this.#performs.push({ run, adapt: adapt as never }),
      credit: () => 1_000,
      stop: (reason = { type: 'normal' }) => void (this.stopped = reason),
      log: (level, text) => void this.logs.push(`${level} ${text}`),
    };
    this.state = behavior.init(this.#turn, args);
  }

  /** One turn; then what it performs, as turns of their own. */
  send(...messages: readonly Message[]): this {
    for (const message of messages) {
      this.state = this.#behavior.receive(this.state, message, this.#turn);
      this.#runPerforms();
    }
    return this;
  }

  /** The last call of a life that has stopped itself. */
  end(): this {
    this.#behavior.stopped?.(this.state, this.stopped ?? { type: 'shutdown' }, this.#turn);
    return this;
  }

  signal(signal: Signal): this {
    if (this.#behavior.signal !== undefined) this.state = this.#behavior.signal(this.state, signal, this.#turn);
    return this;
  }

  /** The outcome of the oldest ask that is open, or of the oldest one for which `which` holds. */
  answer(value: unknown, which: (asked: Asked) => boolean = () => true): this {
    return this.#settle({ ok: true, value: value as never }, which);
  }

  fail(error: WireError, which: (asked: Asked) => boolean = () => true): this {
    return this.#settle({ ok: false, error }, which);
  }

  /** What was told since the last call: all of it, or the messages of one type. */
  take(type?: string): Told['message'][] {
    const taken = this.told.filter(({ message }) => type === undefined || message.type === type);
    this.told = this.told.filter((told) => !taken.includes(told));
    return taken.map(({ message }) => message);
  }

  /** A place for an answer: it is then in `replies`, under its number. */
  replyTo<Reply>(ask: number): ReplyTo<Reply> {
    return { host: asHostId(9), cell: 9, ask };
  }

  #settle(outcome: Outcome<never>, which: (asked: Asked) => boolean): this {
    const asked = this.asked.find(which);
    if (asked === undefined) throw new Error('Nobody has been asked that.');
    this.asked = this.asked.filter((one) => one !== asked);
    return this.send(asked.adapt(outcome) as Message);
  }

  #reply(to: ReplyTo<never>, value: unknown): void {
    if (this.replies.has(to.ask)) throw new Error(`Ask ${to.ask} is answered twice.`);
    this.replies.set(to.ask, value);
  }

  #runPerforms(): void {
    for (const { run, adapt } of this.#performs.splice(0)) {
      const value = run();
      if (value instanceof Promise) throw new Error('This stub performs only what is synchronous.');
      const message = adapt({ ok: true, value: value as never });
      if (message !== null) this.send(message as Message);
    }
  }
}

export function wireError(message: string, code: string | null = null): WireError {
  return { name: 'Error', message, stack: '', code, cause: null, fields: {} };
}
