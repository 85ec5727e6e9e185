/**
 * Threads by piscina: one long task on each, in which a host lives.
 *
 * Invariant: a pool has as many threads as it may have hosts, and one task for each thread; piscina replaces a thread that
 * dies, and the next host starts on the new one. `atomics: 'disabled'`, since the default parks an idle thread together
 * with its timers and sockets.
 */
import { createRequire } from 'node:module';
import { MessageChannel } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import { clauseOf, MillraceError, toWireError } from '../../protocol/errors.ts';
import type { WireError } from '../../protocol/errors.ts';

export interface ThreadPoolOptions {
  /** The URL of an ES module whose default export is the threads' function. */
  readonly filename: string;
  readonly threads: number;
  /** Old-generation heap of each thread; 0: Node's own default. */
  readonly heapMbMax: number;
}

/** What is used of piscina's own record of a thread. */
interface PoolWorker {
  ref?(): unknown;
  unref?(): unknown;
  readonly worker?: { once?(event: 'exit', listener: () => void): unknown };
}

export interface ThreadTask {
  readonly port: MessagePort;
  /** Null: the task's function returned. */
  readonly exited: Promise<WireError | null>;
  kill(): void;
}

/** See there why it isn't the pool's own module. */
const threadStart = new URL('./thread-start.cjs', import.meta.url).href;

export class ThreadPool {
  readonly #piscina: Piscina;
  readonly #workers = new Set<PoolWorker>();
  /** Of threads that were ready once. Piscina's own `destroy` does not wait for one that it had told to end before. */
  readonly #exits = new Set<Promise<void>>();
  #referenced = true;
  #closed = false;

  constructor({ filename, threads, heapMbMax }: ThreadPoolOptions) {
    // Only threads that start others load it.
    const loaded = createRequire(import.meta.url)('piscina') as typeof import('piscina');
    this.#piscina = new loaded.Piscina({
      filename: threadStart,
      workerData: filename,
      minThreads: threads,
      maxThreads: threads,
      concurrentTasksPerWorker: 1,
      // One host for each thread, and one more for each that is being replaced.
      maxQueue: threads * 2,
      atomics: 'disabled',
      execArgv: inheritedArguments(process.execArgv),
      recordTiming: false,
      ...(heapMbMax > 0 ? { resourceLimits: { maxOldGenerationSizeMb: heapMbMax } } : {}),
    });
    this.#piscina.on('workerCreate', (worker: object) => {
      // A thread that died just before the pool was closed is replaced all the same, and nobody else would end the new one.
      if (this.#closed) {
        void this.#piscina.destroy();
        return;
      }
      for (const symbol of Object.getOwnPropertySymbols(worker)) this.#noteWorker((worker as Record<symbol, PoolWorker>)[symbol] as PoolWorker);
      // Piscina itself holds the process for a thread with a task, and must not for one without.
      if (!this.#referenced) this.#applyRef();
    });
    this.#piscina.on('workerDestroy', (worker: object) => {
      for (const symbol of Object.getOwnPropertySymbols(worker)) this.#workers.delete((worker as Record<symbol, PoolWorker>)[symbol] as PoolWorker);
    });
    // A thread that dies between two tasks is replaced; what matters is said by the task's own end.
    this.#piscina.on('error', () => {});
  }

  /** Runs the pool's function with `{ init, port }`. */
  run(init: unknown): ThreadTask {
    const { port1, port2 } = new MessageChannel();
    const abort = new AbortController();
    const exited = this.#piscina.run({ init, port: port2 }, { transferList: [port2], signal: abort.signal }).then(
      () => null,
      (thrown: unknown) => toWireError(new MillraceError('HostGone', `The thread has died: ${clauseOf(thrown)}.`, { cause: thrown })),
    );
    return { port: port1, exited, kill: () => abort.abort() };
  }

  /** Lets the process end although threads run, or not. */
  setRef(ref: boolean): void {
    this.#referenced = ref;
    this.#applyRef();
  }

  /**
   * Piscina holds the process while a task runs, by a port of its own that it shows to nobody but its load balancers and
   * listeners; a host's task always runs. Where a later piscina has no such port, nothing is let go.
   */
  #applyRef(): void {
    for (const worker of this.#workers) {
      if (this.#referenced) worker.ref?.();
      else worker.unref?.();
    }
  }

  /** Ends all threads; resolves when they are gone, with what they had under way at the system and with threads of their own. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#piscina.destroy();
    await Promise.all(this.#exits);
  }

  #noteWorker(worker: PoolWorker): void {
    this.#workers.add(worker);
    if (typeof worker.worker?.once !== 'function') return;
    const exit = new Promise<void>((resolve) => worker.worker?.once?.('exit', resolve));
    this.#exits.add(exit);
    void exit.then(() => this.#exits.delete(exit));
  }
}

/** Options of Node that a thread may have, and needs to load what the app's thread can load; with and without a value of their own. */
const withValue = /^(-r|--require|--import|--loader|--experimental-loader|-C|--conditions|--unhandled-rejections|--dns-result-order)(?=$|=)/;
const alone = /^--(?:no-)?(enable-source-maps|warnings|trace-warnings|trace-deprecation|trace-uncaught|deprecation|throw-deprecation|pending-deprecation|preserve-symlinks|preserve-symlinks-main|experimental-[a-z-]+)$/;

/**
 * What a thread is given of its parent's command line: what decides how modules are loaded and warnings shown. A thread can't be started
 * with V8's flags (`--max-old-space-size`, `--expose-gc`) nor with those of the whole process, which hold for it anyway; a debugger, a
 * profiler or an --eval of the parent is not for it.
 */
export function inheritedArguments(execArgv: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < execArgv.length; index += 1) {
    const argument = execArgv[index] as string;
    if (alone.test(argument)) kept.push(argument);
    const found = withValue.exec(argument);
    if (found === null) continue;
    kept.push(argument);
    const value = execArgv[index + 1];
    if (found[0] !== argument || value === undefined) continue;
    kept.push(value);
    index += 1;
  }
  return kept;
}
