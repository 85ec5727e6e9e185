/**
 * One run: a random program, lived through by one process after another on the same machine, with faults, until all is delivered;
 * then the checks.
 *
 * Invariant: a run is its seed's: the same seed gives the same steps, faults and result.
 *
 *   life 0: getOrCreate, send, batches, faults ... killed | life 1: getOrCreate ... power cut | ... | last life: all delivered, stopped
 */
import { createPrng } from '../../lib/base/prng.ts';
import type { Prng } from '../../lib/base/prng.ts';
import { SimulatedMachine } from '../../lib/simulated-machine.ts';
import { textOfProgram } from '../model/program-text.ts';
import { chaosProgram } from './chaos-program.ts';
import type { ChaosProgram, InputKind } from './chaos-program.ts';
import { checkHistory } from './checks.ts';
import { damageOne } from './damage.ts';
import type { Damage } from './damage.ts';
import { History } from './history.ts';
import { live } from './life.ts';
import type { LifeEnd } from './life.ts';
import { ReliableSource } from './reliable-source.ts';

export interface ChaosRun {
  readonly seed: number;
  /** What is wrong; none: the run has passed. */
  readonly problems: readonly string[];
  /** How each life has ended. */
  readonly lives: readonly string[];
  readonly counts: ChaosCounts;
  /** The program as text, with its inputs. */
  readonly text: string;
}

/** What has happened: so that a run in which nothing does is seen. */
export interface ChaosCounts {
  batches: number;
  rewritten: number;
  /** Crashes in a phase that was drawn, of all. */
  aimed: number;
  killed: number;
  powerCuts: number;
  driversKilled: number;
  threadsKilled: number;
  diskFaults: number;
  cuts: number;
  stops: number;
  damages: number;
}

/** All that a run's lives share. */
export interface ChaosWorld {
  readonly seed: number;
  readonly prng: Prng;
  readonly machine: SimulatedMachine;
  readonly chaos: ChaosProgram;
  readonly history: History;
  readonly sources: ReadonlyMap<string, ReliableSource>;
  readonly counts: ChaosCounts;
  readonly options: ChaosOptions;
  /** By input: how much of it was sent. */
  readonly sentOf: Map<string, number>;
}

/** Of the context, in each life the same. */
export interface ChaosOptions {
  readonly blockIntervalMs: number;
  readonly walSync: boolean;
  readonly walSegmentBytesMax: number;
  readonly walCloseFileAfterWrite: boolean;
  readonly walSyncIntervalMs: number;
  readonly checkpointIntervalMs: number;
}

/** More lives than any run needs: one that doesn't come to its end is a failure. */
const livesMax = 40;

const inputKinds: readonly InputKind[] = ['batches', 'queue', 'receiver', 'receiver'];

export async function chaosRun(seed: number, trace: (line: string) => void = () => {}): Promise<ChaosRun> {
  const prng = createPrng(`chaos ${seed}`);
  const chaos = await chaosProgram(prng.fork('program'), inputKinds);
  const history = new History();
  const counts: ChaosCounts = { batches: 0, rewritten: 0, aimed: 0, killed: 0, powerCuts: 0, driversKilled: 0, threadsKilled: 0, diskFaults: 0, cuts: 0, stops: 0, damages: 0 };
  const slow = prng.int(4) === 0;
  const machine = new SimulatedMachine({ seed, shortWrites: prng.int(3) === 0, latencyMs: (own) => (slow && own.int(3) === 0 ? own.int(40) : 0) });
  const sources = new Map(chaos.inputs.filter(({ kind }) => kind === 'receiver').map(({ id }) => [id, new ReliableSource((envelope) => void history.acknowledged.add(envelope))]));
  const world: ChaosWorld = { seed, prng: prng.fork('faults'), machine, chaos, history, sources, counts, options: optionsOf(prng.fork('options')), sentOf: new Map() };
  const lives: string[] = [];
  // Some runs have no fault at all, most have several.
  let crashesLeft = prng.int(8);
  let end: LifeEnd = { kind: 'stopped', text: '' };
  const damages: Damage[] = [];
  for (let life = 0; life < livesMax && history.problems.length === 0; life += 1) {
    end = await live(world, life, crashesLeft, damages, trace);
    crashesLeft -= 1;
    lives.push(end.text);
    if (end.kind === 'delivered') break;
    // What was told of is mended, as from a copy; what was not may stay, and must do no harm.
    if (end.kind === 'damaged') for (const damage of damages.splice(0).reverse()) damage.mend();
    const damage = end.kind === 'crashed' && world.prng.int(4) === 0 ? damageOne(machine.disk, world.prng) : null;
    if (damage === null) continue;
    trace(`damaged: ${damage.text}`);
    counts.damages += 1;
    damages.push(damage);
  }
  if (end.kind === 'delivered') await checkHistory(history, chaos, end.lastMs, end.counted);
  else if (history.problems.length === 0) history.problem(`not all was delivered in ${livesMax} lives`);
  if (end.kind === 'delivered') counts.batches = end.lastMs / chaos.program.batchMs;
  counts.rewritten = history.rewritten;
  return { seed, problems: history.problems, lives, counts, text: textOf(world) };
}

function optionsOf(prng: Prng): ChaosOptions {
  return {
    blockIntervalMs: prng.pick([10, 50, 200]),
    walSync: prng.int(5) > 0,
    walSegmentBytesMax: prng.pick([4_096, 4_096, 16_384, 67_108_864]),
    walCloseFileAfterWrite: prng.int(10) === 0,
    walSyncIntervalMs: prng.pick([0, 200, 1_000]),
    // The last: one checkpoint in each life, so that the log is read back from far behind.
    checkpointIntervalMs: prng.pick([0, 1_000, 1_000_000]),
  };
}

function textOf({ chaos: { program, inputs }, options }: ChaosWorld): string {
  return [textOfProgram(program), ...inputs.map(({ id, kind, oneAtATime, positions }) => `// ${id}: ${kind}${kind === 'queue' && oneAtATime ? ', one at a time' : ''}${kind === 'receiver' && positions ? ' with positions' : ''}`), `// ${JSON.stringify(options)}`].join('\n');
}
