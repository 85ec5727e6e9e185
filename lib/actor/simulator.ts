/**
 * Several hosts on one thread, on virtual time, with every choice made by a seed: which actor takes the next turn, which envelope
 * arrives next, which piece of work outside is done next, and what breaks.
 *
 *   choices of a step:  runnable cells | pipes with envelopes | performs to run | settled promises | news of a host's death | a disk's calls
 *                       └───────────────────────────────────── one, by the seed ─────────────────────────────────────────────┘
 *
 * The first host is the middle of the star (the driver); the others are connected to it. Every message is cloned, also within a host.
 * Invariant: the same seed, the same actors and the same calls give the same trace, line by line. Time stands still while there is a
 * choice; performs must not depend on the machine (no real files, sockets or time), or the trace will.
 */
import type { WireError } from '../../protocol/errors.ts';
import { toWireError } from '../../protocol/errors.ts';
import type { HostId } from '../../protocol/ids.ts';
import { asHostId } from '../../protocol/ids.ts';
import { ManualClock } from '../base/clock.ts';
import type { Prng } from '../base/prng.ts';
import { createPrng } from '../base/prng.ts';
import type { BehaviorRegistry, Outcome } from './behavior.ts';
import type { Cell } from './cell.ts';
import type { FaultOptions } from './faults.ts';
import { SimulatedFaults } from './faults.ts';
import { createConnection } from './simulated-network.ts';
import type { Pipe } from './simulated-network.ts';
import { ActorSystem, isThenable } from './system.ts';

export interface SimulatorOptions {
  readonly seed: number | string;
  /** A clock that goes on after this simulator's hosts. Default: one of its own. */
  readonly clock?: ManualClock;
  /** Of hosts that are added without one of their own. */
  readonly registry?: BehaviorRegistry;
  /** The first is the driver's. Default: 1. None: they are added later, and `hub` says which is the driver's. */
  readonly hosts?: readonly number[];
  readonly hub?: number;
  readonly faults?: FaultOptions;
  /** Default `pair`: only what is promised. `link`: what MessagePorts do. */
  readonly ordering?: 'pair' | 'link';
  /** A host has died, by a fault or by `killHost`; the others will hear of it in a later step. Here it can be replaced. */
  readonly onHostKilled?: (host: HostId) => void;
  /** All hosts have died at once. */
  readonly onCrash?: () => void;
  /** A run of more steps than this at one time throws: something goes round and round. Default 100,000. */
  readonly stepsMax?: number;
  /** Called with each line of the trace, as it is made. */
  readonly onTrace?: (line: string) => void;
}

interface Host {
  readonly system: ActorSystem;
  readonly pipesOut: Pipe[];
}

interface Outside {
  readonly label: string;
  readonly run: () => void;
}

interface Work {
  readonly cell: Cell;
  readonly label: string;
  /** Of one actor these are done in their order, as they are on a thread; what comes of them comes in any. */
  readonly begins: boolean;
  readonly run: () => void;
}

type Choice = { readonly weight: number; readonly take: () => void };

export class Simulator {
  readonly clock: ManualClock;
  readonly prng: Prng;
  readonly trace: string[] = [];
  readonly faults: SimulatedFaults;
  readonly #options: SimulatorOptions;
  readonly #hosts = new Map<number, Host>();
  readonly #pipes: Pipe[] = [];
  readonly #work: Work[] = [];
  readonly #news: { readonly to: ActorSystem; readonly host: HostId; readonly error: WireError }[] = [];
  #runnable: Cell[] = [];
  #outside: Outside[] = [];
  #hub: number;
  #promises = 0;
  #steps = 0;
  #crashIn: number | null = null;
  #crashed = false;
  #strikes: { steps: number; readonly strike: () => void }[] = [];

  constructor(options: SimulatorOptions) {
    this.#options = options;
    this.clock = options.clock ?? new ManualClock();
    this.prng = createPrng(options.seed);
    this.faults = new SimulatedFaults(options.faults ?? {}, this.prng.fork('faults'), (cell, kill, where) => this.#onFault(cell, kill, where), () => this.#point());
    const hosts = options.hosts ?? [1];
    this.#hub = options.hub ?? hosts[0]!;
    for (const host of hosts) this.addHost(host);
  }

  /** A new host, connected to the driver's (or, if it is that, to all others). Its number must not have been used before. */
  addHost(number: number, registry: BehaviorRegistry = this.#options.registry ?? new Map()): ActorSystem {
    const host = asHostId(number);
    const system = new ActorSystem({
      host,
      clock: this.clock,
      registry,
      prng: this.prng.fork(`host ${number}`),
      logger: { log: (level, text) => level !== 'debug' && this.#line(host, `${level} ${text}`) },
      onDeadLetter: (letter) => this.#line(host, `dead letter ${letter.reason} to ${letter.to.path === '' ? letter.to.cell : letter.to.path}`),
      hooks: {
        runnable: (cell) => void this.#runnable.push(cell),
        perform: (cell, label, run, done) => this.#perform(cell, label, run, done),
        codec: (message) => structuredClone(message),
        faults: this.faults,
      },
    });
    this.#hosts.set(number, { system, pipesOut: [] });
    const hub = this.#hosts.get(this.#hub);
    const added = this.#hosts.get(number)!;
    if (number !== this.#hub) {
      if (hub !== undefined) this.#connect(hub, added);
    } else {
      for (const [other, host] of this.#hosts) if (other !== number) this.#connect(added, host);
    }
    return system;
  }

  system(host: number): ActorSystem {
    const found = this.#hosts.get(host);
    if (found === undefined) throw new Error(`The simulator has no living host ${host}; it has ${[...this.#hosts.keys()].join(', ')}.`);
    return found.system;
  }

  /** The hosts that live. */
  get hosts(): HostId[] {
    return [...this.#hosts.keys()].map(asHostId);
  }

  /** The host is gone, with all that was on it; a random part of what it had posted still arrives. The others hear of it later. */
  killHost(number: number, cause: unknown = new Error('killed by the simulator')): void {
    const dead = this.#hosts.get(number);
    if (dead === undefined) return;
    this.#line(number, 'killed');
    this.#hosts.delete(number);
    dead.system.vanish();
    this.#runnable = this.#runnable.filter((cell) => cell.system !== dead.system);
    for (const pipe of dead.pipesOut) pipe.cut(this.prng.int(pipe.depth + 1));
    const error = toWireError(cause);
    const told = number === this.#hub ? [...this.#hosts.values()] : [this.#hosts.get(this.#hub)!];
    for (const host of told) if (host !== undefined) this.#news.push({ to: host.system, host: asHostId(number), error });
    this.#options.onHostKilled?.(asHostId(number));
  }

  /** Every host is gone in this instant, the app's with them, and nobody hears of it: as when the process is killed. No step is taken any more. */
  crash(): void {
    if (this.#crashed) return;
    this.#line('', 'the process is gone');
    this.#crashed = true;
    this.#crashIn = null;
    for (const { system } of this.#hosts.values()) system.vanish();
    this.#hosts.clear();
    for (const left of [this.#pipes, this.#work, this.#news, this.#runnable, this.#outside]) left.length = 0;
    this.#options.onCrash?.();
  }

  /** `crash` at the crash point that many from now: before a step, a turn, or an effect of one. Null: not any more. */
  crashIn(points: number | null): void {
    this.#crashIn = points;
  }

  get crashed(): boolean {
    return this.#crashed;
  }

  /** `strike` is called between two steps, before the one that many from now: there a host can be killed, whatever has asked for it. */
  strikeIn(steps: number, strike: () => void): void {
    this.#strikes.push({ steps, strike });
  }

  /** Work that no actor does, such as a disk's: `run` is called in a step of its own. */
  outside(label: string, run: () => void): void {
    if (!this.#crashed) this.#outside.push({ label, run });
  }

  /** One step, chosen by the seed. False where nothing is to be done at this time. */
  step(): boolean {
    if (this.#crashed || this.#point()) return false;
    if (this.#strikes.length > 0) this.#strike();
    for (const { system } of this.#hosts.values()) system.remote.router.flush();
    const choices = this.#choices();
    let total = 0;
    for (const choice of choices) total += choice.weight;
    if (total === 0) return false;
    let index = this.prng.int(total);
    for (const choice of choices) {
      if (index < choice.weight) {
        choice.take();
        return true;
      }
      index -= choice.weight;
    }
    return true;
  }

  /** Steps until nothing is left to do at this time. Promises of performs get their microtasks between the steps. */
  async runUntilIdle(): Promise<void> {
    const firstStep = this.#steps;
    for (;;) {
      if (this.#promises > 0) await microtasks();
      if (!this.#checkedStep(firstStep)) return;
    }
  }

  /** As `runUntilIdle`, where no perform gives a promise. */
  runSync(): void {
    const firstStep = this.#steps;
    while (this.#checkedStep(firstStep));
    if (this.#promises > 0) throw new Error('A perform gave a promise: use runUntilIdle() and advance().');
  }

  /** Moves the time; at each timer on the way everything runs until idle. */
  async advance(durationMs: number): Promise<void> {
    await this.runUntilIdle();
    const endMs = this.clock.now() + durationMs;
    while (this.#fireNext(endMs)) await this.runUntilIdle();
    this.clock.advanceTo(endMs);
  }

  advanceSync(durationMs: number): void {
    this.runSync();
    const endMs = this.clock.now() + durationMs;
    while (this.#fireNext(endMs)) this.runSync();
    this.clock.advanceTo(endMs);
  }

  #connect(hub: Host, other: Host): void {
    const { pipes, ports } = createConnection(hub.system.host, other.system.host);
    hub.pipesOut.push(pipes[0]);
    other.pipesOut.push(pipes[1]);
    this.#pipes.push(...pipes);
    hub.system.connect(ports[0], { hosts: [other.system.host] });
    other.system.connect(ports[1], { hosts: [hub.system.host], isDefault: true });
  }

  #choices(): Choice[] {
    return [
      { weight: this.#runnable.length, take: () => this.#takeTurn() },
      ...this.#pipes.map((pipe) => ({ weight: pipe.depth, take: () => this.#line(pipe.name, `arrives ${pipe.deliver(this.prng, this.#options.ordering ?? 'pair')}`) })),
      { weight: this.#work.length, take: () => this.#doWork() },
      { weight: this.#news.length, take: () => this.#tellNews() },
      { weight: this.#outside.length, take: () => this.#doOutside() },
    ];
  }

  #takeTurn(): void {
    const [cell] = this.#runnable.splice(this.prng.int(this.#runnable.length), 1);
    if (cell!.phase === 'ended') return;
    this.#line(cell!.ref.host, `turn ${cell!.ref.path}#${cell!.incarnation} ${cell!.next}`);
    cell!.system.step(cell!);
  }

  #doWork(): void {
    const drawn = this.prng.int(this.#work.length);
    const { cell, begins } = this.#work[drawn]!;
    const [work] = this.#work.splice(begins ? this.#work.findIndex((one) => one.begins && one.cell === cell) : drawn, 1);
    this.#line(work!.cell.ref.host, `${work!.label} of ${work!.cell.ref.path}`);
    work!.run();
  }

  #doOutside(): void {
    const [one] = this.#outside.splice(this.prng.int(this.#outside.length), 1);
    this.#line('', one!.label);
    one!.run();
  }

  /** True where the process has gone here. */
  #point(): boolean {
    if (this.#crashIn === null || this.#crashed) return this.#crashed;
    this.#crashIn -= 1;
    if (this.#crashIn <= 0) this.crash();
    return this.#crashed;
  }

  #strike(): void {
    for (const one of this.#strikes) one.steps -= 1;
    const due = this.#strikes.filter(({ steps }) => steps <= 0);
    this.#strikes = this.#strikes.filter(({ steps }) => steps > 0);
    for (const { strike } of due) strike();
  }

  #tellNews(): void {
    const [news] = this.#news.splice(this.prng.int(this.#news.length), 1);
    this.#line(news!.to.host, `hears that host ${news!.host} is dead`);
    news!.to.hostDown(news!.host, news!.error);
  }

  #perform(cell: Cell, label: string, run: () => unknown, done: (outcome: Outcome<unknown>) => void): void {
    const settle = (outcome: Outcome<unknown>): void => {
      this.#promises -= 1;
      if (this.#lives(cell)) this.#work.push({ cell, label: `perform ${label} settled`, begins: false, run: () => done(outcome) });
    };
    this.#work.push({
      cell,
      label: `perform ${label}`,
      begins: true,
      run: () => {
        // Work that a dead host was about to do is not done.
        if (!this.#lives(cell)) return;
        let value: unknown;
        try {
          value = run();
        } catch (thrown) {
          done({ ok: false, error: toWireError(thrown) });
          return;
        }
        if (!isThenable(value)) {
          done({ ok: true, value });
          return;
        }
        this.#promises += 1;
        value.then((settled) => settle({ ok: true, value: settled }), (thrown: unknown) => settle({ ok: false, error: toWireError(thrown) }));
      },
    });
  }

  #lives(cell: Cell): boolean {
    return this.#hosts.get(cell.ref.host)?.system === cell.system;
  }

  #onFault(cell: Cell, kill: 'actor' | 'host', where: string): void {
    this.#line(cell.ref.host, `fault ${kill} ${cell.ref.path} ${where}`);
    if (kill === 'host') this.killHost(cell.ref.host);
  }

  #fireNext(endMs: number): boolean {
    const fired = this.clock.fireNext(endMs);
    if (fired) this.#line('', 'timer');
    return fired;
  }

  #checkedStep(firstStep: number): boolean {
    if (this.#steps - firstStep >= (this.#options.stepsMax ?? 100_000)) {
      throw new Error(`Not idle after ${this.#steps - firstStep} steps at ${this.clock.now()} ms (seed ${this.#options.seed}). The last: ${this.trace.at(-1)}`);
    }
    this.#steps += 1;
    return this.step();
  }

  #line(host: number | string, text: string): void {
    const line = `${this.#steps} ${this.clock.now()}ms ${host} ${text}`;
    this.trace.push(line);
    this.#options.onTrace?.(line);
  }
}

/** Lets all microtasks run that are due, and those that they cause. */
function microtasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
