/**
 * Messages that no actor will read: counted, the last ones kept, shown to observers.
 *
 * Invariant: every message that was sent and is not handled is counted here exactly once, on the host that noticed it, unless
 * a thread died with it.
 */
import { RingQueue } from '../base/ring-queue.ts';
import type { ActorRef } from './ref.ts';

export interface DeadLetter {
  readonly to: ActorRef<never>;
  readonly message: unknown;
  /** `noActor`: nobody lives at the address. `ended`: it was in the mailbox or stash when its actor ended. */
  readonly reason: 'noActor' | 'ended' | 'overflow' | 'noRoute' | 'hostGone' | 'notSerializable';
  /** Liveness time of the host that noticed it. */
  readonly atMs: number;
}

export class DeadLetters {
  /** How many of the last ones are kept. */
  static readonly keptMax = 100;
  readonly #kept = new RingQueue<DeadLetter>();
  readonly #observers = new Set<(letter: DeadLetter) => void>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The last ones, oldest first. */
  recent(): DeadLetter[] {
    return [...this.#kept];
  }

  /** `observer` is called with each; it must not throw. Gives the function that ends it. */
  observe(observer: (letter: DeadLetter) => void): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  add(letter: DeadLetter): void {
    this.#count += 1;
    if (this.#kept.length === DeadLetters.keptMax) this.#kept.shift();
    this.#kept.push(letter);
    for (const observer of this.#observers) observer(letter);
  }
}
