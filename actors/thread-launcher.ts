/**
 * Hosts on threads: one piscina pool for each role, owned by the thread that launches.
 *
 * Invariant: a pool is made when its role is first launched, or by `open` before that, with as many threads as the options say, and ends with the
 * launcher.
 */
import type { MessagePort } from 'node:worker_threads';
import { portOf } from '../lib/actor/link.ts';
import { ThreadPool } from '../lib/actor/thread-pool.ts';
import type { ClusterOptions, HostRole } from '../protocol/host.ts';
import type { HostLauncher, LaunchedHost } from './launcher.ts';

export interface ThreadLauncher extends HostLauncher {
  /** Starts the threads of all roles but the driver's: what they load, they load while the caller does. */
  open(options: ClusterOptions): void;
  setRef(ref: boolean): void;
}

const driverEntry = new URL('./driver-entry.js', import.meta.url).href;
const workerEntry = new URL('./worker-entry.js', import.meta.url).href;

export function threadLauncher(): ThreadLauncher {
  const pools = new Map<HostRole, ThreadPool>();
  const ports = new Set<MessagePort>();
  let referenced = true;

  const poolOf = (role: HostRole, options: ClusterOptions): ThreadPool => {
    let pool = pools.get(role);
    if (pool === undefined) {
      const threads = { driver: 1, io: options.ioThreads, worker: options.workers }[role];
      const heapMbMax = { driver: options.driverHeapMbMax, io: options.ioHeapMbMax, worker: options.workerHeapMbMax }[role];
      pools.set(role, (pool = new ThreadPool({ filename: role === 'driver' ? driverEntry : workerEntry, threads, heapMbMax })));
    }
    return pool;
  };

  return {
    open(options) {
      for (const role of ['io', 'worker'] as const) poolOf(role, options).setRef(referenced);
    },
    launch(init): LaunchedHost {
      const pool = poolOf(init.role, init.options);
      const { port, exited, kill } = pool.run(init);
      pool.setRef(referenced);
      ports.add(port);
      void exited.then(() => {
        ports.delete(port);
        port.close();
      });
      if (!referenced) port.unref();
      return { port: portOf(port), exited, kill };
    },
    setRef(ref) {
      referenced = ref;
      for (const pool of pools.values()) pool.setRef(ref);
      for (const port of ports) {
        if (ref) port.ref();
        else port.unref();
      }
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.close()));
      pools.clear();
    },
  };
}
