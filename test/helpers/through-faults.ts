/**
 * A program with state, windows, a broadcast variable and an accumulator, taken through some batches over as many contexts as that takes.
 *
 * Invariant: a context runs the batches that the one before has not begun, and nothing is done again from outside; so a run that dies puts out
 * what an undisturbed one does, or something was lost or came twice.
 */
import type goingOn from '../fixtures/going-on.ts';
import type { FaultPlan } from '../../lib/testing.ts';
import { MillraceError } from '../../protocol/errors.ts';
import { plain, Run } from './going-on.ts';
import type { Outputs, RunOptions } from './going-on.ts';
import { fixture } from './running.ts';

interface Test {
  after(fn: () => unknown): void;
}

export interface Went {
  /** What each export has put out, by batch time. */
  readonly outputs: unknown;
  /** The accumulator's. */
  readonly count: number;
  /** With which contexts have ended before the last one: codes down to the first cause. */
  readonly deaths: readonly string[];
}

const batches = 5;
const livesMax = 5;

type Program = typeof goingOn;

/** All in the first life, before a batch runs: a push that fails with its context may be in the log or not, and nobody could say what is right. */
async function feed(run: Run<Program>): Promise<void> {
  await run.exports.factor.set(7);
  for (let index = 0; index < batches; index += 1) await run.exports.queue.push([index, index + 1, 10 * index], 2);
}

export async function throughFaults(t: Test, directory: string, faults: FaultPlan | null, options: RunOptions = {}): Promise<Went> {
  const outputs: Outputs = new Map();
  const deaths: string[] = [];
  for (let life = 1; life <= livesMax; life += 1) {
    const run = (await Run.begin<Program>(t, directory, fixture('going-on'), outputs, { master: 'local[2]', driverRestartsMax: 0, ...(faults === null ? {} : { faults }), ...options })) as Run<Program>;
    if (life === 1) await feed(run);
    try {
      // What was generated runs again by itself, before all else; the last batch has no records.
      for (let batch = (run.ssc.recoveredFrom?.generated ?? 0) / 1_000 + 1; batch <= batches + 1; batch += 1) await run.advance();
      const count = Number(run.exports.count.value);
      await run.stop();
      return { outputs: plain(outputs), count, deaths };
    } catch (thrown) {
      await run.ended();
      const end = await run.ssc.awaitTermination(0).catch((error: unknown) => error);
      const told = end instanceof MillraceError ? end : thrown;
      deaths.push(codesOf(told).join(' < '));
    }
  }
  throw new Error(`Expected the program to come through within ${livesMax} lives; they ended with ${deaths.join(', ')}.`);
}

/** Its code and those of its causes, also the system's. Supervisors that give up one above the other are told once. */
export function codesOf(thrown: unknown): string[] {
  const codes: string[] = [];
  for (let error = thrown; error instanceof Error; error = error.cause) {
    const { code } = error as { readonly code?: unknown };
    if (typeof code === 'string' && codes.at(-1) !== code) codes.push(code);
  }
  return codes;
}
