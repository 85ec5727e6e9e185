/**
 * Holds the process while contexts are active whose every part runs on the app's own thread: nothing else need be open there
 * under a manual clock.
 *
 * Invariant: the process is held exactly while there is a holder and `setRef(false)` was not the last word.
 */
import { MessageChannel } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';

export class KeepAlive<Holder> {
  readonly #holders = new Set<Holder>();
  #port: MessagePort | null = null;
  #ref = true;

  hold(holder: Holder): void {
    this.#holders.add(holder);
    if (this.#port !== null) return;
    // A port that is listened to is open work for Node, and costs nothing.
    const { port1 } = new MessageChannel();
    this.#port = port1.on('message', () => {});
    this.setRef(this.#ref);
  }

  release(holder: Holder): void {
    this.#holders.delete(holder);
    if (this.#holders.size > 0) return;
    this.#port?.close();
    this.#port = null;
  }

  setRef(ref: boolean): void {
    this.#ref = ref;
    if (ref) this.#port?.ref();
    else this.#port?.unref();
  }
}
