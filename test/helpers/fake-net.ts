/**
 * A network of one connection for sources under test: what the other side does is called here.
 *
 * Invariant: as Node's sockets: the next buffer is asked for right after each read; nothing is read while it is paused, and what
 * was sent meanwhile comes after `resume`, in order.
 */
import type { NetPort } from '../../lib/sources/source.ts';

type ConnectOptions = Parameters<NetPort['connect']>[0];

export class FakeNet implements NetPort {
  #options: ConnectOptions | null = null;
  #buffer: Uint8Array | null = null;
  #unread: Uint8Array[] = [];
  paused = false;
  destroyed = false;
  connects = 0;

  connect(options: ConnectOptions): { resume(): void; destroy(): void } {
    this.connects += 1;
    this.#options = options;
    this.#buffer = options.buffer();
    return {
      resume: () => {
        this.paused = false;
        this.#deliver();
      },
      destroy: () => void (this.destroyed = true),
    };
  }

  accept(): void {
    this.#options?.onConnect();
  }

  send(bytes: Uint8Array | string): void {
    this.#unread.push(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes);
    this.#deliver();
  }

  close(error: Error | null = null): void {
    this.#options?.onClose(error);
  }

  /** Bytes that were sent and not read. */
  get unreadBytes(): number {
    return this.#unread.reduce((sum, { length }) => sum + length, 0);
  }

  #deliver(): void {
    while (!this.paused && !this.destroyed && this.#unread.length > 0) {
      const [next, ...others] = this.#unread as [Uint8Array, ...Uint8Array[]];
      const buffer = this.#buffer as Uint8Array;
      const part = next.subarray(0, buffer.length);
      buffer.set(part);
      this.#unread = part.length < next.length ? [next.subarray(part.length), ...others] : others;
      if (this.#options?.onRead(part.length, buffer) === false) this.paused = true;
      this.#buffer = this.#options?.buffer() ?? null;
    }
  }
}
