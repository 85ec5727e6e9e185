/**
 * One process of a chaos run: goes on from what is on the disk, sends, runs batches, has its faults, and ends one way or another.
 *
 * Invariant: all that it does is drawn from the run's seed. What fails in it must be explained by a fault that it has had; all else is a problem.
 *
 *   ends   crashed: at a random crash point, with or without the power | driver: its thread dies, the app goes on from the checkpoint |
 *          stopped: in good order, and started again | delivered: there is nothing left to do
 */
import type { Prng } from '../../lib/base/prng.ts';
import { StorageLevel } from '../../lib/rdd/storage-level.ts';
import { ProcessCrashed, SimulatedCluster } from '../../lib/simulated-cluster.ts';
import { StreamingContext } from '../../lib/streaming-context.ts';
import { driverHost } from '../../protocol/ref.ts';
import type { MillraceError } from '../../protocol/errors.ts';
import { buildChaosProgram } from './chaos-program.ts';
import type { ChaosExports } from './chaos-program.ts';
import type { ChaosWorld } from './chaos-run.ts';
import type { Counted } from './checks.ts';
import type { Damage } from './damage.ts';
import { Aim, drawPhase, Habit, phasesOf } from './phases.ts';
import { FromReliableSource } from './reliable-source.ts';

export type LifeEnd =
  | { readonly kind: 'delivered'; readonly text: string; readonly lastMs: number; readonly counted: Counted }
  | { readonly kind: 'crashed' | 'driver' | 'stopped' | 'failed' | 'damaged'; readonly text: string };

type Planned = 'killed' | 'powerCut' | 'driver' | 'stop' | 'none';

const directory = '/checkpoints';
/** Rounds of sending and batches in one life; more are needed by none. */
const roundsMax = 150;
/** Of a life that has delivered all, and waits for the crash that is planned. */
const idleRoundsMax = 2;
/** What an operation that the disk let down may fail with. */
const diskCodes = ['LogFailed', 'ContextFailed', 'ContextStopped', 'AskTimeout', 'ActorGone', 'HostGone', 'StopTimeout', 'RestartIntensityReached'];

/** How damage may be told of. */
const damageCodes = ['WalCorrupted', 'CheckpointCorrupted', 'FormatUnknown'];

export async function live(world: ChaosWorld, life: number, crashesLeft: number, damages: readonly Damage[], trace: (line: string) => void): Promise<LifeEnd> {
  const prng = world.prng.fork(`life ${life}`);
  const one = new Life(world, life, prng, crashesLeft > 0 ? planOf(world, prng) : 'none', trace);
  try {
    return await one.run();
  } catch (thrown) {
    return await one.end(thrown, damages);
  } finally {
    for (const source of world.sources.values()) source.forget();
    world.history.lettersRead(one.letters);
  }
}

function planOf({ options }: ChaosWorld, prng: Prng): Planned {
  const planned = prng.pick(['killed', 'killed', 'killed', 'powerCut', 'powerCut', 'powerCut', 'powerCut', 'driver', 'stop'] as const);
  // Without syncs a power cut may cost what it likes.
  return planned === 'powerCut' && !options.walSync ? 'killed' : planned;
}

class Life {
  readonly #world: ChaosWorld;
  readonly #number: number;
  readonly #prng: Prng;
  readonly #planned: Planned;
  readonly #trace: (line: string) => void;
  readonly #cluster: SimulatedCluster;
  /** Faults that wait for their phase. */
  #aims: (Aim | Habit)[] = [];
  /** Dead letters that the app has read. */
  readonly letters: [time: number, envelope: string][] = [];
  /** Of the last batch that may have been announced: what is confirmed is seen by those behind it. */
  #announcedMs = 0;
  #ssc: StreamingContext<ChaosExports> | null = null;
  #failure: Error | null = null;
  #lastMs = 0;
  /** A fault that explains a failure. */
  #diskTrouble = false;
  #driverKilled = false;
  #pushing: Promise<void>[] = [];

  constructor(world: ChaosWorld, number: number, prng: Prng, planned: Planned, trace: (line: string) => void) {
    this.#world = world;
    this.#number = number;
    this.#prng = prng;
    this.#planned = planned;
    this.#trace = trace;
    this.#cluster = new SimulatedCluster({
      seed: world.seed * 64 + number,
      machine: world.machine,
      workers: 1 + prng.int(3),
      ioThreads: 1 + prng.int(2),
      defaultParallelism: 2,
      slabBytes: 65_536,
      blockMemoryBytesMax: 2_097_152,
      recordBytesMax: 4_096,
      logger: { log: (level, text) => trace(`    ${level} ${text}`) },
      onTrace: (line) => this.#aims.forEach((aim) => aim.see(line)),
    });
    trace(`life ${number}: ${planned}`);
    this.#aims.push(new Habit(phasesOf.app, prng.fork('app'), prng.pick([0, 2, 4, 6]), (behind) => this.#cluster.simulator.strikeIn(behind, () => this.#act())));
    if (planned === 'killed' || planned === 'powerCut') this.#planCrash();
    for (let aims = prng.int(4) - 1; aims > 0; aims -= 1) this.#aims.push(new Aim(drawPhase(phasesOf.threads, prng), prng, (behind) => this.#cluster.simulator.strikeIn(behind, () => this.#killThread())));
  }

  /** In between. */
  #act(): void {
    const ssc = this.#ssc;
    if (ssc?.getState() !== 'ACTIVE') return;
    if (this.#prng.int(3) === 0) this.#send(ssc);
    for (let sets = 1 + this.#prng.int(2); sets > 0; sets -= 1) this.#set(ssc);
  }

  /** Anywhere, or (more often) in a phase that was drawn. */
  #planCrash(): void {
    const prng = this.#prng;
    const { simulator } = this.#cluster;
    if (prng.int(4) === 0) {
      simulator.crashIn(1 + prng.int(prng.pick([400, 2_000, 8_000])));
      return;
    }
    const { running, recovering } = phasesOf.process;
    const aim = new Aim(drawPhase(this.#number > 0 && prng.int(4) === 0 ? recovering : running, prng), prng, (behind) => {
      this.#world.counts.aimed += 1;
      simulator.crashIn(behind);
    });
    this.#trace(`aimed at: ${aim.phase.name}`);
    this.#aims.push(aim);
  }

  async run(): Promise<LifeEnd> {
    const cluster = this.#cluster;
    await cluster.run(cluster.sparkContext.hosts());
    const actorsBefore = this.#actors();
    const { options, chaos, history, machine, sources } = this.#world;
    machine.disk.heal();
    const recordsMax = this.#prng.pick([1, 1, 2, 4]);
    const paceMs = this.#prng.pick([0, 3, 20]);
    const pause = async (): Promise<void> => (paceMs === 0 ? undefined : this.#wait(paceMs));
    const level = StorageLevel.MEMORY_AND_DISK_SER_2;
    const receiver = (input: string): FromReliableSource => new FromReliableSource(sources.get(input)!, { level, recordsMax, pause, positions: chaos.inputs.some(({ id, positions }) => id === input && positions) });
    const ssc = await cluster.run(
      StreamingContext.getOrCreate(
        directory,
        (context: StreamingContext) => buildChaosProgram(context, chaos, { history, receiver, wait: (ms) => this.#wait(ms) }),
        { sparkContext: cluster.sparkContext, batchInterval: chaos.program.batchMs, clock: 'manual', allowMultipleContexts: true, advanceTimeoutMs: 300_000, receiverRestartDelayMs: 500, ...options },
      ),
    );
    this.#ssc = ssc;
    ssc.on('failed', ({ error }) => void (this.#failure ??= error));
    ssc.on('batchCompleted', ({ batchTime }) => void (this.#lastMs = Math.max(this.#lastMs, Number(batchTime))));
    this.#lastMs = ssc.recoveredFrom?.completed ?? 0;
    this.#announcedMs = ssc.recoveredFrom?.generated ?? 0;
    void this.#readLetters(ssc);
    await cluster.run(ssc.start());
    const ends = this.#prng.int(5);
    let idleRounds = this.#planned === 'killed' || this.#planned === 'powerCut' ? idleRoundsMax : 0;
    for (let round = 0; round < roundsMax; round += 1) {
      await this.#round(ssc);
      if (this.#planned === 'stop' && round >= ends) return await this.#stop(ssc, actorsBefore);
      if (this.#planned === 'driver' && round >= ends && !this.#driverKilled) await this.#killDriver();
      if (this.#isDelivered() && (idleRounds -= 1) < 0) return await this.#deliver(ssc, actorsBefore);
    }
    throw new Error(`not all was delivered in ${roundsMax} rounds`);
  }

  /** Sends, runs a batch or two, with faults before and meanwhile. */
  async #round(ssc: StreamingContext<ChaosExports>): Promise<void> {
    const prng = this.#prng;
    const cluster = this.#cluster;
    this.#send(ssc);
    if (prng.int(3) === 0) await cluster.steps(prng.int(120));
    this.#fault();
    if (this.#world.sources.size > 0 && prng.int(2) === 0) await cluster.run(this.#wait(prng.int(250)));
    const { jobs, waitMs } = this.#world.chaos.generation;
    const slow = jobs + waitMs > 0;
    const done = this.#advance(ssc, slow ? 1 + prng.int(3) : prng.int(5) === 0 ? 2 : 1);
    done.catch(() => {});
    if (prng.int(2) === 0) {
      await cluster.steps(prng.int(250));
      this.#send(ssc);
      this.#fault();
    }
    await cluster.run(done);
    if (this.#failure !== null) throw this.#failure;
    if (prng.int(2) === 0) await cluster.run(Promise.all(this.#pushing.splice(0)));
  }

  #send(ssc: StreamingContext<ChaosExports>): void {
    const { chaos, sources, sentOf, history } = this.#world;
    for (const { id, kind, sends } of chaos.inputs) {
      if (kind === 'batches') continue;
      for (let count = this.#prng.int(3); count > 0; count -= 1) {
        const records = sends[sentOf.get(id) ?? 0];
        if (records === undefined) break;
        sentOf.set(id, (sentOf.get(id) ?? 0) + 1);
        for (const [envelope] of records) history.sent.add(envelope);
        if (kind === 'receiver') sources.get(id)?.add(records);
        else this.#push(ssc, id, records);
      }
    }
    if (this.#prng.int(4) === 0) this.#set(ssc);
  }

  #push(ssc: StreamingContext<ChaosExports>, id: string, records: readonly (readonly [string, unknown])[]): void {
    const pushed = ssc.exports.queues[id]!.push(records as never, 1 + this.#prng.int(3));
    // One that fails may be there or not: nobody knows.
    const noted = pushed.then(
      () => {
        // What a dead process hears, nobody does.
        if (!this.#cluster.simulator.crashed) for (const [envelope] of records) this.#world.history.acknowledged.add(envelope);
      },
      () => {},
    );
    this.#pushing.push(noted);
  }

  #set(ssc: StreamingContext<ChaosExports>): void {
    const { settings } = this.#world.history;
    const setting: (typeof settings)[number] = { value: settings.length, fromMs: null };
    settings.push(setting);
    const set = (async () => ssc.exports.setting.set(setting.value))();
    this.#pushing.push(
      set.then(
        () => {
          if (!this.#cluster.simulator.crashed) setting.fromMs = this.#announcedMs;
        },
        () => {},
      ),
    );
  }

  #advance(ssc: StreamingContext<ChaosExports>, batches: number): Promise<unknown> {
    this.#announcedMs += batches * this.#world.chaos.program.batchMs;
    return ssc.clock.advance(batches);
  }

  /** To the end. */
  async #readLetters(ssc: StreamingContext<ChaosExports>): Promise<void> {
    try {
      for await (const { records } of ssc.exports.letters) for (const { record, batchTime } of records) this.letters.push([Number(batchTime), (record as readonly [string, unknown])[0]]);
    } catch {
      // Why the context has ended is told by others.
    }
  }

  /** Now and then. */
  #fault(): void {
    const prng = this.#prng;
    const { counts, sources, machine } = this.#world;
    if (prng.int(4) === 0) this.#killThread();
    if (sources.size > 0 && prng.int(6) === 0) {
      prng.pick([...sources.values()]).cut();
      counts.cuts += 1;
    }
    if (prng.int(8) === 0) {
      counts.diskFaults += 1;
      const call = prng.pick(['append', 'sync', 'create', 'rename', 'syncDirectory', 'close', 'remove'] as const);
      // The log tries five times; more of them in a row end the program, which then starts again.
      const times = prng.int(10) === 0 ? 6 : 1 + prng.int(2);
      this.#diskTrouble = true;
      machine.disk.fail({ call, code: prng.pick(['EIO', 'ENOSPC', 'EMFILE']), after: prng.int(4), times, path: prng.pick(['', '', '/log/', '/state/', 'checkpoint-']) });
    }
  }

  #endFaults(): void {
    this.#aims = [];
    this.#cluster.simulator.crashIn(null);
  }

  #killThread(): void {
    const victims = this.#cluster.simulator.hosts.filter((host) => host > driverHost);
    if (victims.length === 0) return;
    this.#cluster.simulator.killHost(this.#prng.pick(victims));
    this.#world.counts.threadsKilled += 1;
  }

  async #killDriver(): Promise<void> {
    this.#driverKilled = true;
    await this.#cluster.steps(this.#prng.int(200));
    this.#cluster.simulator.killHost(driverHost);
    this.#world.counts.driversKilled += 1;
    await this.#cluster.run(this.#wait(1));
  }

  #isDelivered(): boolean {
    const { chaos, history, sources, sentOf } = this.#world;
    if (this.#lastMs < chaos.program.batchesToRun * chaos.program.batchMs) return false;
    if (chaos.inputs.some(({ id, kind, sends }) => kind !== 'batches' && (sentOf.get(id) ?? 0) < sends.length)) return false;
    if ([...sources.values()].some((source) => !source.allAcknowledged)) return false;
    const allocated = new Set([...history.allocations.values()].flatMap((times) => [...times.values()].flat(2)).map(([envelope]) => envelope));
    return [...history.acknowledged].every((envelope) => allocated.has(envelope));
  }

  async #deliver(ssc: StreamingContext<ChaosExports>, actorsBefore: readonly string[]): Promise<LifeEnd> {
    const cluster = this.#cluster;
    this.#endFaults();
    this.#world.machine.disk.heal();
    await cluster.run(Promise.all(this.#pushing.splice(0)));
    // What was acknowledged just now is in a batch of these.
    for (let batch = 0; batch < 20 && (batch === 0 || !this.#isDelivered()); batch += 1) await cluster.run(this.#advance(ssc, 1));
    const counted = { counted: ssc.exports.counted.value, countedOnce: ssc.exports.countedOnce.value, countedEarly: ssc.exports.countedEarly.value };
    await this.#stop(ssc, actorsBefore);
    return { kind: 'delivered', text: `delivered at ${this.#lastMs} ms`, lastMs: this.#lastMs, counted };
  }

  async #stop(ssc: StreamingContext<ChaosExports>, actorsBefore: readonly string[]): Promise<LifeEnd> {
    const cluster = this.#cluster;
    const graceful = this.#prng.int(2) === 0;
    this.#world.counts.stops += 1;
    // It runs batches of its own for what is left, and nobody is told when.
    this.#announcedMs = Infinity;
    await cluster.run(ssc.stop({ graceful, stopSparkContext: false }));
    if (this.#failure !== null) throw this.#failure;
    const { heldHandles, liveHandles } = await cluster.run(cluster.sparkContext.blockStats());
    if (heldHandles + liveHandles > 0) this.#world.history.problem(`${heldHandles} blocks are held and ${liveHandles} live after the stop`);
    const left = this.#actors().filter((path) => !actorsBefore.includes(path));
    if (left.length > 0) this.#world.history.problem(`actors are left after the stop: ${left.join(', ')}`);
    await cluster.sparkContext.stop();
    return { kind: 'stopped', text: `stopped ${graceful ? 'gracefully ' : ''}at ${this.#lastMs} ms` };
  }

  /** What was thrown: a crash, a failure that a fault explains, or a problem. */
  async end(thrown: unknown, damages: readonly Damage[]): Promise<LifeEnd> {
    const { machine, counts, history } = this.#world;
    const at = `${machine.clock.now()} ms`;
    if (thrown instanceof ProcessCrashed || this.#cluster.simulator.crashed) {
      if (this.#planned === 'powerCut') machine.disk.crash();
      counts[this.#planned === 'powerCut' ? 'powerCuts' : 'killed'] += 1;
      return { kind: 'crashed', text: `${this.#planned} at ${at}` };
    }
    const code = (thrown as Partial<MillraceError>).code ?? '';
    const damaged = damages.length > 0 && damageCodes.includes(code);
    const explained = damaged || this.#driverKilled || (this.#diskTrouble && diskCodes.includes(code));
    if (!explained) history.problem(`life ${this.#number} failed at ${at}: ${reasons(thrown)}`);
    this.#endFaults();
    try {
      if (this.#ssc !== null) await this.#cluster.run(this.#ssc.stop({ stopSparkContext: false }));
    } catch (after) {
      this.#trace(`    stopping: ${String(after)}`);
    }
    await this.#cluster.sparkContext.stop();
    if (damaged) return { kind: 'damaged', text: `${damages.map(({ text }) => text).join(', ')}: ${code}` };
    return { kind: this.#driverKilled ? 'driver' : 'failed', text: `${this.#driverKilled ? 'the driver\'s thread was killed' : `failed with ${code}`} at ${at}` };
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#world.machine.clock.setTimer(ms, resolve));
  }

  #actors(): string[] {
    const { simulator } = this.#cluster;
    return simulator.hosts.flatMap((host) => simulator.system(host).metrics().map(({ ref }) => ref.path));
  }
}

/** With its causes, and where the first of them was thrown. */
function reasons(thrown: unknown): string {
  const texts: string[] = [];
  let stack = '';
  for (let error = thrown; error instanceof Error; error = error.cause) {
    texts.push(error.message);
    stack = error.stack?.split('\n').slice(1, 6).join('\n') ?? '';
  }
  return texts.length === 0 ? String(thrown) : `${texts.join('\n    because: ')}\n${stack}`;
}
