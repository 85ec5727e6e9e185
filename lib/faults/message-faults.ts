/**
 * What becomes of a message on its way: it passes, is lost, comes late, twice, or behind the next one.
 *
 *   reorder     a ──► held          b ──► b, a           (nothing within `byMs`: a alone)
 *
 * Invariant: a message that is not dropped is sent once, or twice where it is duplicated. After `end` nothing is.
 */
import type { Clock, TimerHandle } from '../base/clock.ts';
import { isActorNamed } from './actor-names.ts';
import type { FaultInjector } from './fault-injector.ts';

const byMsDefault = 100;

interface Held {
  readonly timer: TimerHandle;
  readonly send: () => void;
}

export class MessageFaults {
  readonly #injector: FaultInjector;
  readonly #clock: Clock;
  readonly #timers = new Set<TimerHandle>();
  /** By sender and receiver: who waits to be overtaken. */
  readonly #held = new Map<string, Held>();

  constructor(injector: FaultInjector, clock: Clock) {
    this.#injector = injector;
    this.#clock = clock;
  }

  /** `from` is empty where no actor has sent it: the app has. */
  pass(from: string, to: string, type: string | null, send: () => void): void {
    const hit = this.#injector.strike('message', (rule) => (rule.type === undefined || rule.type === type) && isActorNamed(rule.from, from) && isActorNamed(rule.to, to));
    const pair = `${from} ${to}`;
    const held = this.#held.get(pair);
    switch (hit?.rule.do) {
      case 'drop':
        return;
      case 'delay':
        this.#later(hit.rule.byMs, send);
        return;
      case 'duplicate':
        send();
        send();
        break;
      case 'reorder':
        if (held === undefined) {
          const timer = this.#later(hit.rule.byMs, () => {
            this.#held.delete(pair);
            send();
          });
          this.#held.set(pair, { timer, send });
          return;
        }
        send();
        break;
      default:
        send();
    }
    if (held === undefined) return;
    this.#held.delete(pair);
    this.#clock.clear(held.timer);
    this.#timers.delete(held.timer);
    held.send();
  }

  end(): void {
    for (const timer of this.#timers) this.#clock.clear(timer);
    this.#timers.clear();
    this.#held.clear();
  }

  #later(byMs: number | undefined, send: () => void): TimerHandle {
    const timer = this.#clock.setTimer(byMs ?? byMsDefault, () => {
      this.#timers.delete(timer);
      send();
    });
    this.#timers.add(timer);
    return timer;
  }
}
