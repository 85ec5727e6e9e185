/**
 * A text server on this machine that says what the test tells it to.
 *
 * Invariant: `send` goes to the newest connection, waiting for one where there is none; ends with the test.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

export interface TextServer {
  readonly port: number;
  /** Connections so far. */
  readonly connections: number;
  /** Resolves when the bytes have gone to the system. */
  send(text: string | Uint8Array): Promise<void>;
  /** The next connection from now on. */
  nextConnection(): Promise<Socket>;
  /** Resolves with the newest connection, as soon as there is one that is open. */
  connection(): Promise<Socket>;
  close(): Promise<void>;
}

export async function textServer(t: { after(fn: () => unknown): void }, port = 0): Promise<TextServer> {
  let newest: Socket | null = null;
  let connections = 0;
  const waiting: ((socket: Socket) => void)[] = [];
  const open = new Set<Socket>();
  const server: Server = createServer((socket) => {
    connections += 1;
    newest = socket;
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      open.delete(socket);
      if (newest === socket) newest = null;
    });
    for (const resolve of waiting.splice(0)) resolve(socket);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  const nextConnection = (): Promise<Socket> => new Promise((resolve) => waiting.push(resolve));
  const connection = async (): Promise<Socket> => newest ?? nextConnection();
  const close = (): Promise<void> => {
    for (const socket of open) socket.destroy();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  t.after(close);
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    nextConnection,
    connection,
    async send(text) {
      const socket = await connection();
      await new Promise<void>((resolve, reject) => socket.write(text, (error) => (error == null ? resolve() : reject(error))));
    },
    close,
  };
}

/** A port on which nobody listens just now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
