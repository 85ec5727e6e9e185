/**
 * The messages that wait for one actor, with their bound and their policy at it. Signals have a lane of their own, in cell.ts.
 *
 *   put ──> [ m5 | m4 | m3 | m2 | m1 ] ──> take
 *            ^ tail                ^ head      unstash puts back here
 *   times   [ t5 | t4 | t3 | t2 | t1 ]         when each was put, for the age of the oldest
 *
 * Invariant: both queues have the same length. Only `put` is subject to the bound: `putAlways` is for outcomes that this actor
 * has itself asked for (timers, asks, performs), of which there are at most as many as it asked for.
 */
import { RingQueue } from '../base/ring-queue.ts';
import type { MailboxSpec } from './behavior.ts';
import { defaultMailbox } from './behavior.ts';

export type PutResult = 'taken' | 'deadLetter' | 'fail';

/** What `take` gives where there is nothing: no message can be equal to it. */
export const nothing: unique symbol = Symbol('nothing');

export class Mailbox {
  readonly messagesMax: number;
  readonly overflow: MailboxSpec['overflow'];
  readonly stashMax: number;
  /** Called when the mailbox has become empty, or half of its bound was taken: senders on other hosts may be told. Set by the system for `credit`. */
  onRoom: (() => void) | null = null;
  readonly #messages = new RingQueue<unknown>();
  readonly #times = new RingQueue<number>({ vacant: 0 });
  readonly #hardMax: number;
  #takenSinceRoom = 0;

  constructor(spec: MailboxSpec = defaultMailbox) {
    this.messagesMax = spec.messagesMax;
    this.overflow = spec.overflow;
    this.stashMax = spec.stashMax ?? defaultMailbox.stashMax;
    // Senders on this thread, what other hosts were granted and what they have under way can each fill the bound once: beyond
    // three times the bound a sender has ignored its credit.
    this.#hardMax = spec.overflow === 'credit' ? spec.messagesMax * 3 : spec.messagesMax;
  }

  get depth(): number {
    return this.#messages.length;
  }

  /** How many more messages it will take by its bound. */
  get room(): number {
    return Math.max(0, this.messagesMax - this.#messages.length);
  }

  /** When the oldest message came, or null where there is none. */
  get oldestAtMs(): number | null {
    return this.#times.at(0) ?? null;
  }

  /** What is taken next, left where it is; `undefined` where there is nothing. */
  get first(): unknown {
    return this.#messages.at(0);
  }

  put(message: unknown, nowMs: number): PutResult {
    if (this.#messages.length >= this.#hardMax) return this.overflow === 'fail' ? 'fail' : 'deadLetter';
    this.#messages.push(message);
    this.#times.push(nowMs);
    return 'taken';
  }

  putAlways(message: unknown, nowMs: number): void {
    this.#messages.push(message);
    this.#times.push(nowMs);
  }

  /** Puts the stash back, its first message in front. */
  putBack(messages: readonly unknown[], nowMs: number): void {
    for (let index = messages.length - 1; index >= 0; index -= 1) {
      this.#messages.unshift(messages[index]);
      this.#times.unshift(nowMs);
    }
  }

  take(): unknown {
    if (this.#messages.length === 0) return nothing;
    this.#times.shift();
    const message = this.#messages.shift();
    if (this.onRoom !== null && ((this.#takenSinceRoom += 1) * 2 >= this.messagesMax || this.#messages.length === 0)) {
      this.#takenSinceRoom = 0;
      this.onRoom();
    }
    return message;
  }

  /** Takes all: they become dead letters. */
  drain(): unknown[] {
    const rest = [...this.#messages];
    this.#messages.clear();
    this.#times.clear();
    return rest;
  }
}
