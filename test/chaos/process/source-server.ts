/**
 * The source of the process runs: numbered records over TCP, kept until they are acknowledged, and given again to each new connection.
 *
 * Invariant: `acknowledged` holds what a reader has said it has stored, and nothing else; records are sent in their order, the unacknowledged first.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Prng } from '../../../lib/base/prng.ts';

/** Sent and not acknowledged, at most. */
const windowMax = 2_000;

export class SourceServer {
  readonly words: string[] = [];
  readonly acknowledged = new Set<number>();
  readonly #prng: Prng;
  readonly #server: Server;
  #socket: Socket | null = null;
  #next = 0;
  #firstOpen = 0;

  private constructor(prng: Prng, server: Server) {
    this.#prng = prng;
    this.#server = server;
    server.on('connection', (socket: Socket) => this.#onConnection(socket));
  }

  static async open(prng: Prng): Promise<SourceServer> {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new SourceServer(prng, server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get allAcknowledged(): boolean {
    return this.acknowledged.size === this.words.length;
  }

  add(count: number): void {
    for (let index = 0; index < count; index += 1) this.words.push(`w${Math.min(this.#prng.int(60), this.#prng.int(60))}`);
    this.#send();
  }

  /** The reader's connection is gone, in the middle of whatever it was doing. */
  cut(): void {
    this.#socket?.destroy();
  }

  close(): void {
    this.#socket?.destroy();
    this.#server.close();
  }

  #onConnection(socket: Socket): void {
    this.#socket?.destroy();
    this.#socket = socket;
    while (this.acknowledged.has(this.#firstOpen)) this.#firstOpen += 1;
    this.#next = this.#firstOpen;
    let rest = '';
    socket.on('error', () => {});
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const [first = 0, last = -1] = line.split(' ').map(Number);
        for (let sequence = first; sequence <= last; sequence += 1) this.acknowledged.add(sequence);
      }
      while (this.acknowledged.has(this.#firstOpen)) this.#firstOpen += 1;
      this.#send();
    });
    this.#send();
  }

  #send(): void {
    const socket = this.#socket;
    if (socket === null || socket.destroyed) return;
    const lines: string[] = [];
    while (this.#next < this.words.length && this.#next - this.#firstOpen < windowMax) {
      lines.push(`${this.#next} ${this.words[this.#next]}\n`);
      this.#next += 1;
    }
    if (lines.length > 0) socket.write(lines.join(''));
  }
}
