/**
 * The whole runtime in the simulator: the very same actors, on one thread, on virtual time, every interleaving and every
 * fault chosen by a seed.
 *
 * Invariant: the same seed and the same calls give the same trace, line by line. Nothing outside moves on by itself: `run`
 * takes steps until what was asked for has settled. A cluster is one process: when it crashes, nothing of it does anything any
 * more, and what it had on the disk of its machine is what is left of it.
 */
import { startHost } from '../actors/host.ts';
import type { HostPorts } from '../actors/host.ts';
import type { HostLauncher, LaunchedHost } from '../actors/launcher.ts';
import { Simulator } from './actor/simulator.ts';
import type { FaultOptions } from './actor/faults.ts';
import { appHost, driverHost } from '../protocol/ref.ts';
import type { HostInit } from '../protocol/host.ts';
import { MillraceError, toWireError } from '../protocol/errors.ts';
import type { WireError } from '../protocol/errors.ts';
import { SimulatedMachine } from './simulated-machine.ts';
import { SparkContext } from './spark-context.ts';
import type { SparkContextOptions } from './options.ts';
import type { DiskSession } from './storage/simulated-session.ts';

export interface SimulatedClusterOptions extends Omit<SparkContextOptions, 'master' | 'faults'> {
  readonly seed: number;
  readonly workers?: number;
  readonly faults?: FaultOptions;
  /** Where it runs: disk and clock. Default: a machine of its own. */
  readonly machine?: SimulatedMachine;
  /** See `SimulatorOptions`. */
  readonly stepsMax?: number;
  readonly onTrace?: (line: string) => void;
}

/** What `run` and `steps` reject with, once the process is gone. */
export class ProcessCrashed extends Error {}

export class SimulatedCluster {
  readonly simulator: Simulator;
  readonly sparkContext: SparkContext;
  readonly machine: SimulatedMachine;
  readonly #exits = new Map<number, (error: WireError) => void>();
  /** Each thread has its own: what it was about to do on the disk ends with it. */
  readonly #sessions = new Map<number, DiskSession>();

  constructor({ seed, workers = 2, faults, machine = new SimulatedMachine({ seed }), stepsMax, onTrace, ...options }: SimulatedClusterOptions) {
    this.machine = machine;
    this.simulator = new Simulator({
      seed,
      clock: machine.clock,
      hosts: [],
      hub: driverHost,
      ...(faults === undefined ? {} : { faults }),
      ...(stepsMax === undefined ? {} : { stepsMax }),
      ...(onTrace === undefined ? {} : { onTrace }),
      onHostKilled: (host) => {
        this.#sessions.get(host)?.end();
        this.#exits.get(host)?.(toWireError(new MillraceError('HostGone', `Host ${host} was killed by the simulator.`)));
      },
      onCrash: () => this.#onCrash(),
    });
    const { simulator } = this;
    this.sparkContext = new SparkContext(
      { ...options, seed, master: 'inline', inlineWorkers: workers, ids: () => `simulated-${seed}` },
      {
        clock: simulator.clock,
        disk: this.#disk(appHost),
        createSystem: ({ host, registry }) => simulator.addHost(host, registry),
        launcher: (ports) => this.#launcher(ports),
      },
    );
  }

  /** The line-by-line story of the run: equal for equal seeds. */
  get trace(): readonly string[] {
    return this.simulator.trace;
  }

  /** The process is killed in this instant. What it had written is on the disk; of what was under way there, any part. */
  crash(): void {
    this.simulator.crash();
  }

  /** Takes steps, and moves the virtual time where nothing else is left to do, until the promise has settled. Rejects with ProcessCrashed where it never will. */
  async run<R>(promise: Promise<R>): Promise<R> {
    let settled = false;
    const noted = promise.finally(() => (settled = true));
    noted.catch(() => {});
    for (let idleRounds = 0; !settled; ) {
      await this.simulator.runUntilIdle();
      await turnOfPromises();
      if (settled) break;
      this.#checkAlive();
      if (this.simulator.step()) {
        idleRounds = 0;
        continue;
      }
      this.#checkAlive();
      // What a promise outside has just settled may have given actors something to do; only then does time pass.
      if ((idleRounds += 1) < 3) continue;
      const due = this.simulator.clock.nextDueMs();
      if (due === null) throw new Error(`Nothing is left to do, and what was waited for has not come (seed ${String(this.sparkContext.internals.options.seed)}).`);
      await this.simulator.advance(Math.max(0, due - this.simulator.clock.now()));
      idleRounds = 0;
    }
    // What the end of the process has settled is no answer.
    this.#checkAlive();
    return noted;
  }

  /** Takes that many steps, or fewer where nothing is left to do at this time. What is outside of the actors goes on between any two. Rejects with ProcessCrashed. */
  async steps(count: number): Promise<void> {
    for (let idleRounds = 0; count > 0 && idleRounds < 3; ) {
      await turnOfPromises();
      this.#checkAlive();
      if (this.simulator.step()) {
        idleRounds = 0;
        count -= 1;
      } else {
        idleRounds += 1;
      }
    }
    this.#checkAlive();
  }

  #checkAlive(): void {
    if (this.simulator.crashed) throw new ProcessCrashed('The simulated process was killed.');
  }

  #onCrash(): void {
    for (const session of this.#sessions.values()) session.end();
    this.#exits.clear();
    // Nothing of it runs any more; this lets go of the memory that it had.
    void this.sparkContext.stop();
  }

  #disk(host: number): NonNullable<HostPorts['disk']> {
    const { disk } = this.machine;
    const session = disk.session((call, fire) => this.simulator.outside(`disk ${call}`, fire));
    this.#sessions.set(host, session);
    return { disk: session, files: disk.files };
  }

  #launcher(ports: Omit<HostPorts, 'launcher' | 'die'>): HostLauncher {
    const launcher: HostLauncher = {
      launch: (init: HostInit): LaunchedHost => {
        const { simulator } = this;
        let settle: (error: WireError | null) => void = () => {};
        const exited = new Promise<WireError | null>((resolve) => (settle = resolve));
        this.#exits.set(init.host, settle);
        const kill = (): void => simulator.killHost(init.host);
        startHost(init, null, {
          ...ports,
          disk: this.#disk(init.host),
          createSystem: ({ host, registry }) => simulator.addHost(host, registry),
          launcher: init.role === 'driver' ? launcher : null,
          die: kill,
        });
        return { port: null, exited, kill };
      },
      close: async () => {
        this.#exits.clear();
        for (const host of this.simulator.hosts) {
          if (host === appHost) continue;
          this.simulator.system(host).vanish();
          this.#sessions.get(host)?.end();
        }
      },
    };
    return launcher;
  }
}

/** Lets all microtasks run that are due, and those that they cause. */
function turnOfPromises(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
