/**
 * Bytes from a TCP server given to a decoder as they come, whose records become blocks: `socketStream(decoder)`, and
 * `rawSocketStream`, whose decoder only takes frames apart.
 *
 * Invariant: a decoder is made anew for each connection, and sees every byte of it once, in order. Where memory runs out,
 * the connection is read no further.
 */
import { toWireError, MillraceError } from '../../protocol/errors.ts';
import { connectionEnd } from './connection-end.ts';
import type { Emit, NetPort, Source, SourceBlock } from './source.ts';

/** What a decoder's output is collected in. */
export interface ByteSink {
  /** Takes what a chunk gave. False: no more for now; `ready()` says when. Throws what the decoder throws. */
  push(chunk: Uint8Array): boolean;
  /** The connection has ended: what the decoder still holds back. */
  finish(): void;
  /** Tries again to place what has no memory yet. False: still none. */
  ready(): boolean;
  cut(): readonly SourceBlock[];
}

export interface SocketBytesOptions {
  readonly host: string;
  readonly port: number;
  readonly net: NetPort;
  readonly sink: ByteSink;
  readonly emit: Emit;
}

export class SocketBytesSource implements Source {
  readonly copies = 1;
  readonly #options: SocketBytesOptions;
  readonly #buffer = new Uint8Array(65_536);
  #connection: ReturnType<NetPort['connect']> | null = null;
  #paused = false;
  #isHeldBack = false;
  #failed = false;

  constructor(options: SocketBytesOptions) {
    this.#options = options;
  }

  start(): void {
    const { host, port, net, emit } = this.#options;
    this.#connection = net.connect({
      host,
      port,
      buffer: () => this.#buffer,
      onRead: (bytes) => this.#onRead(bytes),
      onConnect: () => emit({ type: 'connected', peer: `${host}:${port}` }),
      onClose: (error) => this.#onClose(error),
    });
  }

  cut(): readonly SourceBlock[] {
    const blocks = this.#options.sink.cut();
    if (this.#paused && !this.#failed) {
      // What waits for memory has not been looked at yet: it can be damaged, too.
      this.#guard(() => {
        this.#paused = !this.#options.sink.ready();
      });
      if (!this.#paused && !this.#isHeldBack) this.#connection?.resume();
    }
    return blocks;
  }

  end(): readonly SourceBlock[] {
    this.#connection?.destroy();
    this.#connection = null;
    if (!this.#failed) this.#finish();
    return this.#options.sink.cut();
  }

  /** One read more may come: it is taken. */
  holdBack(isHeldBack: boolean): void {
    this.#isHeldBack = isHeldBack;
    if (!isHeldBack && !this.#paused) this.#connection?.resume();
  }

  // A plain connection takes no acknowledgement.
  stored(): void {}

  refused(): void {}

  /** It ends in any case: a decoder that throws now is no reason to start again, but what it held back is lost. */
  #finish(): void {
    try {
      this.#options.sink.finish();
    } catch (thrown) {
      this.#failed = true;
      const { host, port, emit } = this.#options;
      const failure = new MillraceError('ReceiverFailed', `The decoder of the stream from ${host}:${port} threw when the connection had ended; what it still held back is lost.`, { cause: thrown });
      emit({ type: 'reported', message: failure.message, error: toWireError(failure) });
    }
  }

  #onRead(bytes: number): boolean {
    let more = false;
    // A decoder may keep views of what it was given; the read buffer is used again.
    this.#guard(() => {
      more = this.#options.sink.push(this.#buffer.slice(0, bytes));
    });
    if (this.#failed) return false;
    if (!more) {
      this.#paused = true;
      this.#options.emit({ type: 'blockFull' });
    }
    return more && !this.#isHeldBack;
  }

  #guard(step: () => void): void {
    try {
      step();
    } catch (thrown) {
      this.#failed = true;
      this.#connection?.destroy();
      this.#connection = null;
      const { host, port } = this.#options;
      const failure = new MillraceError('ReceiverFailed', `The decoder of the stream from ${host}:${port} threw; the receiver starts again with a new connection.`, { cause: thrown });
      this.#options.emit({ type: 'failed', message: failure.message, error: toWireError(failure) });
    }
  }

  #onClose(error: Error | null): void {
    this.#connection = null;
    const { host, port, emit } = this.#options;
    emit(connectionEnd(host, port, error));
  }
}
