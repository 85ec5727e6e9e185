/**
 * A reliable receiver of the load generator's lines: it goes on behind the last line that was acknowledged.
 *
 * Invariant: the position is the number of the next line, so what a program has got after a kill is the text's beginning, without a gap
 * and with no line twice.
 *
 *   "1200\n" --> generator --> lines 1200, 1201 ... --storeBatch(lines, { position: 1260 })--> stored: the next life begins at 1260
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { Receiver } from 'millrace';

/** Over it the source is held back. */
const storesUnderWayMax = 32;

export class LineReceiver extends Receiver<string, number> {
  readonly #host: string;
  readonly #port: number;
  #socket: Socket | null = null;
  #rest = '';
  #next = 0;
  #underWay = 0;

  constructor(host: string, port: number) {
    super();
    this.#host = host;
    this.#port = port;
  }

  override onStart(): void {
    this.#next = this.lastAcknowledged ?? 0;
    const socket = connect({ host: this.#host, port: this.#port });
    this.#socket = socket;
    socket.write(`${this.#next}\n`);
    socket.setEncoding('latin1').on('data', (text: string) => this.#take(socket, text));
    socket.on('error', () => {});
    socket.on('close', () => {
      if (!this.isStopped()) this.restart('The load generator is gone.');
    });
  }

  override onStop(): void {
    this.#socket?.destroy();
  }

  #take(socket: Socket, text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    if (lines.length === 0) return;
    this.#next += lines.length;
    this.#underWay += 1;
    if (this.#underWay === storesUnderWayMax) socket.pause();
    this.storeBatch(lines, { position: this.#next }).then(
      () => {
        this.#underWay -= 1;
        socket.resume();
      },
      // Not stored: the next life reads it again.
      () => socket.destroy(),
    );
  }
}
