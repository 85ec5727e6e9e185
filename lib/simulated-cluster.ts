/**
 * The whole runtime in the simulator: the very same actors, on one thread, on virtual time, every interleaving and every
 * fault chosen by a seed.
 *
 * Invariant: the same seed and the same calls give the same trace, line by line. Nothing outside moves on by itself: `run`
 * takes steps until what was asked for has settled.
 */
import { startHost } from '../actors/host.ts';
import type { HostPorts } from '../actors/host.ts';
import type { HostLauncher, LaunchedHost } from '../actors/launcher.ts';
import { Simulator } from './actor/simulator.ts';
import type { FaultOptions } from './actor/faults.ts';
import { driverHost } from '../protocol/ref.ts';
import type { HostInit } from '../protocol/host.ts';
import { MillraceError, toWireError } from '../protocol/errors.ts';
import type { WireError } from '../protocol/errors.ts';
import { SparkContext } from './spark-context.ts';
import type { SparkContextOptions } from './options.ts';

export interface SimulatedClusterOptions extends Omit<SparkContextOptions, 'master'> {
  readonly seed: number;
  readonly workers?: number;
  readonly faults?: FaultOptions;
}

export class SimulatedCluster {
  readonly simulator: Simulator;
  readonly sparkContext: SparkContext;
  readonly #exits = new Map<number, (error: WireError) => void>();

  constructor({ seed, workers = 2, faults, ...options }: SimulatedClusterOptions) {
    this.simulator = new Simulator({
      seed,
      hosts: [],
      hub: driverHost,
      ...(faults === undefined ? {} : { faults }),
      onHostKilled: (host) => this.#exits.get(host)?.(toWireError(new MillraceError('HostGone', `Host ${host} was killed by the simulator.`))),
    });
    const { simulator } = this;
    this.sparkContext = new SparkContext(
      { ...options, seed, master: 'inline', inlineWorkers: workers, ids: () => `simulated-${seed}` },
      {
        clock: simulator.clock,
        createSystem: ({ host, registry }) => simulator.addHost(host, registry),
        launcher: (ports) => this.#launcher(ports),
      },
    );
  }

  /** The line-by-line story of the run: equal for equal seeds. */
  get trace(): readonly string[] {
    return this.simulator.trace;
  }

  /** Takes steps, and moves the virtual time where nothing else is left to do, until the promise has settled. */
  async run<R>(promise: Promise<R>): Promise<R> {
    let settled = false;
    const noted = promise.finally(() => (settled = true));
    noted.catch(() => {});
    for (let idleRounds = 0; !settled; ) {
      await this.simulator.runUntilIdle();
      await new Promise((resolve) => setImmediate(resolve));
      if (settled || this.simulator.step()) {
        idleRounds = 0;
        continue;
      }
      // What a promise outside has just settled may have given actors something to do; only then does time pass.
      if ((idleRounds += 1) < 3) continue;
      const due = this.simulator.clock.nextDueMs();
      if (due === null) throw new Error(`Nothing is left to do, and what was waited for has not come (seed ${String(this.sparkContext.internals.options.seed)}).`);
      await this.simulator.advance(Math.max(0, due - this.simulator.clock.now()));
      idleRounds = 0;
    }
    return noted;
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
          createSystem: ({ host, registry }) => simulator.addHost(host, registry),
          launcher: init.role === 'driver' ? launcher : null,
          die: kill,
        });
        return { port: null, exited, kill };
      },
      close: async () => {
        this.#exits.clear();
        for (const host of this.simulator.hosts) {
          if (host !== 0) this.simulator.system(host).vanish();
        }
      },
    };
    return launcher;
  }
}
