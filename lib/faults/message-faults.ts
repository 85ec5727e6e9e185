/**
 * What becomes of a message on its way: it passes, is lost, comes late, twice, or behind the next one.
 *
 *   delay       a ──► late [ a ]    b ──► late [ a b ]    byMs is over ──► a, b
 *   reorder     a ──► held          b ──► b, a            (nothing within byMs: a alone)
 *
 * Invariant: a message that is not dropped is sent once, or twice where it is duplicated. Only `reorder` changes the order between one sender and
 * one receiver. After `end` nothing is sent.
 */
import type { Clock, TimerHandle } from '../base/clock.ts';
import { isActorNamed } from './actor-names.ts';
import type { FaultInjector } from './fault-injector.ts';

const byMsDefault = 100;

type Send = () => void;

interface Held {
  readonly timer: TimerHandle;
  readonly send: Send;
}

interface Late {
  readonly send: Send;
  /** Before it goes; 0: as soon as those before it have gone. */
  readonly dueMs: number;
}

export class MessageFaults {
  readonly #injector: FaultInjector;
  readonly #clock: Clock;
  readonly #timers = new Set<TimerHandle>();
  /** By sender and receiver: who is late, and who comes behind. Never empty. */
  readonly #late = new Map<string, Late[]>();
  /** By sender and receiver: who waits to be overtaken. */
  readonly #held = new Map<string, Held>();

  constructor(injector: FaultInjector, clock: Clock) {
    this.#injector = injector;
    this.#clock = clock;
  }

  /** `from` is empty where no actor has sent it: the app has. */
  pass(from: string, to: string, type: string | null, send: Send): void {
    const hit = this.#injector.strike('message', (rule) => (rule.type === undefined || rule.type === type) && isActorNamed(rule.from, from) && isActorNamed(rule.to, to));
    const pair = `${from} ${to}`;
    const byMs = hit?.rule.byMs ?? byMsDefault;
    switch (hit?.rule.do) {
      case 'drop':
        return;
      case 'delay':
        this.#sendLate(pair, { send, dueMs: this.#clock.now() + byMs });
        break;
      case 'reorder':
        if (!this.#held.has(pair)) return this.#hold(pair, send, byMs);
        this.#send(pair, send);
        break;
      case 'duplicate':
        this.#send(pair, send);
        this.#send(pair, send);
        break;
      default:
        this.#send(pair, send);
    }
    this.#letGo(pair);
  }

  end(): void {
    for (const timer of this.#timers) this.#clock.clear(timer);
    this.#timers.clear();
    this.#late.clear();
    this.#held.clear();
  }

  #send(pair: string, send: Send): void {
    if (this.#late.has(pair)) this.#sendLate(pair, { send, dueMs: 0 });
    else send();
  }

  #sendLate(pair: string, late: Late): void {
    const waiting = this.#late.get(pair);
    if (waiting !== undefined) {
      waiting.push(late);
      return;
    }
    this.#late.set(pair, [late]);
    this.#after(late.dueMs - this.#clock.now(), () => this.#sendDue(pair));
  }

  #sendDue(pair: string): void {
    const waiting = this.#late.get(pair) ?? [];
    const nowMs = this.#clock.now();
    for (let [first] = waiting; first !== undefined && first.dueMs <= nowMs; [first] = waiting) {
      waiting.shift();
      first.send();
    }
    const [next] = waiting;
    if (next === undefined) this.#late.delete(pair);
    else this.#after(next.dueMs - nowMs, () => this.#sendDue(pair));
  }

  /** Until the next one has gone, or nobody comes. */
  #hold(pair: string, send: Send, byMs: number): void {
    this.#held.set(pair, { send, timer: this.#after(byMs, () => this.#letGo(pair)) });
  }

  #letGo(pair: string): void {
    const held = this.#held.get(pair);
    if (held === undefined) return;
    this.#held.delete(pair);
    this.#clock.clear(held.timer);
    this.#timers.delete(held.timer);
    this.#send(pair, held.send);
  }

  #after(delayMs: number, fire: () => void): TimerHandle {
    const timer = this.#clock.setTimer(delayMs, () => {
      this.#timers.delete(timer);
      fire();
    });
    this.#timers.add(timer);
    return timer;
  }
}
