/**
 * One life of a cluster: the driver's thread and all others, their pool of shared memory, the app's end of the actor system.
 *
 * Invariant: after `end` nothing of it runs any more: no thread, and nothing that a thread had under way at the system. Then the next life
 * may have its directories. Numbers of RDDs are no life's but its own, so that none made in an earlier one is taken for another.
 */
import { startAppHost } from '../actors/host.ts';
import type { CreateSystem, DiskPorts, Host, HostPorts } from '../actors/host.ts';
import { appListeners } from '../actors/app-listeners.ts';
import { appLog } from '../actors/app-log.ts';
import { inlineLauncher } from '../actors/inline-launcher.ts';
import type { HostLauncher, LaunchedHost } from '../actors/launcher.ts';
import { places } from '../actors/places.ts';
import type { ProgramLoader } from '../actors/program-loader.ts';
import { threadLauncher } from '../actors/thread-launcher.ts';
import type { ThreadLauncher } from '../actors/thread-launcher.ts';
import type { ClusterOptions, HostInit } from '../protocol/host.ts';
import type { ListenerEvent } from '../protocol/listener.ts';
import { appHost, driverHost } from '../protocol/ref.ts';
import type { ProgramId } from '../protocol/ids.ts';
import { toWireError } from '../protocol/errors.ts';
import type { MillraceError, WireError } from '../protocol/errors.ts';
import type { Logger } from './actor/logger.ts';
import type { Clock } from './base/clock.ts';
import { TaskControl } from './base/task-control.ts';
import { removeDirectory } from './storage/node-files.ts';
import { SlabPool } from './storage/slab-pool.ts';

/** What takes the place of clock, disk and threads: the simulator's. With `master: 'inline'` only. */
export interface ClusterRuntime {
  readonly clock: Clock;
  /** The app's thread's. */
  readonly disk: DiskPorts;
  readonly createSystem: CreateSystem;
  readonly launcher: (ports: Omit<HostPorts, 'launcher' | 'die'>) => HostLauncher;
}

/** How the end of a thread is brought about: ended from outside, or by itself in one of the ways in which threads die. */
export type ThreadDeath = 'terminate' | 'throw' | 'exit' | 'rejection' | 'outOfMemory';
export const threadDeaths: readonly ThreadDeath[] = ['terminate', 'throw', 'exit', 'rejection', 'outOfMemory'];

export interface ClusterLifeOptions {
  readonly options: ClusterOptions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly runtime: ClusterRuntime | null;
  /** Inline: the app's programs, for the other hosts. Null: threads load modules. */
  readonly load: ProgramLoader | null;
  /** How many lives came before. */
  readonly number: number;
  readonly emit: (program: ProgramId | null, event: ListenerEvent) => void;
}

/** Each life counts RDDs from a place of its own: far more than one makes, and so many places before one comes again. */
const rddsPerLife = 0x400_0000;
const lifePlaces = 64;

export class ClusterLife {
  readonly host: Host;
  /** Of the driver's thread; null: its tree has ended. Other threads may still run then: see `end`. */
  readonly exited: Promise<WireError | null>;
  readonly #options: ClusterOptions;
  readonly #isSimulated: boolean;
  readonly #launcher: HostLauncher;
  readonly #threads: ThreadLauncher | null;
  readonly #driver: LaunchedHost;

  constructor({ options, clock, logger, runtime, load, number, emit }: ClusterLifeOptions) {
    this.#options = options;
    this.#isSimulated = runtime !== null;
    const pool = SlabPool.create({ slabBytes: options.slabBytes, poolBytes: options.blockMemoryBytesMax, host: appHost }).share;
    const firstRdd = (number % lifePlaces) * rddsPerLife;
    this.host = startAppHost({ host: appHost, index: 0, options, pool, control: new TaskControl().shared, firstRdd }, { clock, logger, ...(runtime === null ? {} : { createSystem: runtime.createSystem, disk: runtime.disk }) }, []);
    const { system } = this.host;
    system.spawn('/app/log', appLog(logger), undefined, { cell: places.appLog.cell });
    system.spawn('/app/listeners', appListeners(emit), undefined, { cell: places.appListeners.cell });
    if (load === null) this.#launcher = this.#threads = threadLauncher();
    else {
      const ports = { clock, logger, load };
      this.#threads = null;
      this.#launcher = runtime === null ? inlineLauncher(ports) : runtime.launcher(ports);
    }
    const init: HostInit = { host: driverHost, role: 'driver', index: 0, options, pool, control: new TaskControl().shared, firstRdd };
    this.#driver = this.#launcher.launch(init);
    if (this.#driver.port !== null) system.connect(this.#driver.port, { hosts: [driverHost], isDefault: true });
    this.exited = this.#driver.exited;
  }

  kill(how: ThreadDeath): void {
    if (how === 'terminate') this.#driver.kill();
    else this.host.system.tell(places.agent(driverHost), { type: 'die', how });
  }

  setRef(ref: boolean): void {
    this.#threads?.setRef(ref);
  }

  /** The driver is gone: whoever waits for an answer of it gets this one. */
  driverDown(error: WireError): void {
    this.host.system.hostDown(driverHost, error);
  }

  /** Ends all threads. `reason`: for whoever still waits for an answer of the driver. */
  async end(reason: MillraceError): Promise<void> {
    await this.#launcher.close();
    // The simulator's files are on its own disk, which goes with it.
    if (!this.#isSimulated) await removeDirectory(this.#options.scratchDirectory);
    this.driverDown(toWireError(reason));
    this.host.system.vanish();
  }
}
