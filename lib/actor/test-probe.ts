/**
 * An actor for tests that keeps what it is sent.
 *
 * Invariant: messages are given out in the order in which they came, each once; a wait ends with the message, never by
 * itself after a while.
 */
import type { ActorRef } from './ref.ts';
import type { ActorSystem } from './system.ts';

/** An actor for tests: keeps what it is sent, and gives it out in order. */
export class TestProbe<Message> {
  readonly ref: ActorRef<Message>;
  readonly #messages: Message[] = [];
  readonly #waiting: ((message: Message) => void)[] = [];

  constructor(system: ActorSystem, path = '/probe') {
    this.ref = system.spawn<Message>(path, { name: 'test-probe', init: () => null, receive: (state, message: Message) => this.#take(state, message) }, undefined);
  }

  /** The next message, as soon as there is one. */
  next(): Promise<Message> {
    const message = this.#messages.shift();
    return message === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(message);
  }

  /** What has come and was not yet taken. */
  get messages(): readonly Message[] {
    return this.#messages;
  }

  #take(state: null, message: Message): null {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#messages.push(message);
    else waiting(message);
    return state;
  }
}
