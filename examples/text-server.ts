/**
 * A text server for the examples: sends the lines of a known text over TCP, around and around, and knows how many it has sent.
 *
 * Not a program by itself: start.ts and kill-a-receiver.ts use it in place of `nc -lk 9999`.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export const text = [
  'the stream turns the wheel',
  'the wheel turns the stone',
  'the stone grinds the grain',
  'the mill grinds grain by grain',
] as const;

export interface TextServer {
  readonly port: number;
  /** Lines sent since the start, over all connections: line k of them was `text[k % text.length]`. */
  readonly linesSent: number;
  /** Sends whole rounds of the text to whoever is connected. False where nobody is, or where the reader is behind. */
  send(rounds: number): boolean;
  close(): Promise<void>;
}

/** Listens on a free port of this machine. One reader at a time; the one that came last is served. */
export async function startTextServer(): Promise<TextServer> {
  let reader: Socket | null = null;
  let linesSent = 0;
  const server = createServer((socket) => {
    reader = socket.on('error', () => {}).on('close', () => {
      if (reader === socket) reader = null;
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const round = text.map((line) => `${line}\n`).join('');
  return {
    port: (server.address() as AddressInfo).port,
    get linesSent() {
      return linesSent;
    },
    send(rounds) {
      if (reader === null || reader.writableNeedDrain) return false;
      reader.write(round.repeat(rounds));
      linesSent += rounds * text.length;
      return true;
    },
    async close() {
      reader?.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
