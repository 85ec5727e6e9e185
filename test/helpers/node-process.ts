/**
 * A Node process under test: what it has written so far, waiting for more of it, and its end.
 *
 * Invariant: it dies with the test that started it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

/** What is needed of a test. */
interface Teardown {
  teardown(fn: () => unknown): void;
}

export interface Child {
  readonly stdout: string;
  readonly stderr: string;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when standard output holds `pattern`; rejects where the process ends before. */
  prints(pattern: RegExp): Promise<void>;
  /** The same for standard error. */
  says(pattern: RegExp): Promise<void>;
  /** Resolves when the process has ended, and nothing else holds its output. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

/** The built project: `dist`. */
export const built = new URL('../..', import.meta.url);

export function builtFile(path: string): string {
  return fileURLToPath(new URL(path, built));
}

export interface StartOptions {
  readonly cwd?: string;
  /** Beside this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Started as npm starts a command: in a shell, which gets the signals. */
  readonly inNpmsShell?: boolean;
}

export function startNode(t: Teardown, args: readonly string[], { cwd, env: more = {}, inNpmsShell = false }: StartOptions = {}): Child {
  const [command, first] = inNpmsShell ? ['sh', ['-c', '"$0" "$@"; exit $?', process.execPath]] : [process.execPath, []];
  const { npm_command: _none, ...own } = process.env;
  const env = { ...own, ...more };
  const child = spawn(command, [...first, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: inNpmsShell ? { ...env, npm_command: 'exec' } : env, ...(cwd === undefined ? {} : { cwd }) });
  t.teardown(() => child.kill('SIGKILL'));
  const text = { stdout: '', stderr: '' };
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const look of [...waiting]) look();
  };
  let over = false;
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (more: string) => {
      text[name] += more;
      wake();
    });
  }
  const ended = once(child, 'close').then(([code, signal]) => {
    over = true;
    wake();
    return { code: code as number | null, signal: signal as string | null };
  });
  const waitFor = (name: 'stdout' | 'stderr', pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!pattern.test(text[name]) && !over) return;
        waiting.delete(look);
        if (pattern.test(text[name])) resolve();
        else reject(new Error(`Expected ${name} to hold ${String(pattern)} before the process ended; it was:\n${text.stdout}\n${text.stderr}`));
      };
      waiting.add(look);
      look();
    });
  return {
    get stdout() {
      return text.stdout;
    },
    get stderr() {
      return text.stderr;
    },
    kill: (signal) => void child.kill(signal),
    prints: (pattern) => waitFor('stdout', pattern),
    says: (pattern) => waitFor('stderr', pattern),
    ended,
  };
}

export interface LineServer {
  readonly port: number;
  /** Resolves with a connection, the one that came first of those not yet taken. */
  connection(): Promise<Socket>;
}

/** What `nc -lk` is in a shell: a TCP server on a free port, into which the test types. */
export async function startLineServer(t: Teardown): Promise<LineServer> {
  const come: Socket[] = [];
  const waiting: ((socket: Socket) => void)[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    const take = waiting.shift();
    if (take === undefined) come.push(socket);
    else take(socket);
    t.teardown(() => socket.destroy());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  return {
    port: (server.address() as AddressInfo).port,
    connection: async () => come.shift() ?? (await new Promise((resolve) => waiting.push(resolve))),
  };
}

/** The counts that `print` has written, summed over all batches: `(word,3)` lines. */
export function printedCounts(stdout: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [, word = '', count] of stdout.matchAll(/^\((.*),(\d+)\)$/gm)) counts[word] = (counts[word] ?? 0) + Number(count);
  return counts;
}
