/**
 * The property that all tests of random programs share: what runs gives what the sequential model gives.
 *
 * A failure tells the smallest program found, as code, with its batches. PROGRAM_SEED=n PROGRAM_PATH=p runs that one again;
 * PROGRAM_RUNS=n as many as wanted.
 */
import fc from 'fast-check';
import { textOfProgram } from './program-text.ts';
import type { RandomProgram } from './random-program.ts';
import { differenceOfResults, expectedOf } from './run-program.ts';
import type { ProgramResult } from './run-program.ts';
import { TooManyRecords } from './sequential-stream.ts';

/** What of tap's tests is used. */
interface Test {
  fail(message: string): unknown;
  comment(...message: readonly unknown[]): void;
}

export interface Check {
  readonly programs: fc.Arbitrary<RandomProgram>;
  /** Where the environment doesn't say otherwise. */
  readonly runs: number;
  readonly seed: number;
  /** `seed`: chance of the run's own. */
  run(program: RandomProgram, expected: ProgramResult, seed: number): Promise<ProgramResult>;
}

/** What was seen in all runs that passed. */
export interface Seen {
  programs: number;
  records: number;
  failedBatches: number;
  /** How often each operation occurred. */
  readonly operations: Map<string, number>;
  /** False where the environment asked for other runs, which are not to be counted. */
  readonly complete: boolean;
}

/** Programs that multiply their records many times over are left out. */
const recordsMax = 300;

/** Fails the test where a program differs. */
export async function checkPrograms(t: Test, { programs, run, ...defaults }: Check): Promise<Seen> {
  const { PROGRAM_RUNS, PROGRAM_SEED, PROGRAM_PATH: path } = process.env;
  const runs = Number(PROGRAM_RUNS ?? defaults.runs);
  const seen: Seen = { programs: 0, records: 0, failedBatches: 0, operations: new Map(), complete: path === undefined && runs >= defaults.runs };
  const property = fc.asyncProperty(programs, fc.noShrink(fc.nat()), async (program, chance) => {
    const expected = await expectedUnlessLarge(program);
    fc.pre(expected !== null);
    const difference = differenceOfResults(program, expected, await run(program, expected, chance));
    if (difference !== null) throw new Error(difference);
    note(seen, program, expected);
  });
  const result = await fc.check(property, { seed: Number(PROGRAM_SEED ?? defaults.seed), numRuns: runs, ...(path === undefined ? {} : { path }) });
  if (result.failed) t.fail(failureText(result));
  t.comment([...seen.operations].sort((a, b) => b[1] - a[1]).map(([op, count]) => `${op} ${count}`).join(', '));
  return seen;
}

function expectedUnlessLarge(program: RandomProgram): Promise<ProgramResult | null> {
  return expectedOf(program, recordsMax).catch((thrown: unknown) => {
    if (thrown instanceof TooManyRecords) return null;
    throw thrown;
  });
}

function note(seen: Seen, program: RandomProgram, expected: ProgramResult): void {
  seen.programs += 1;
  seen.failedBatches += expected.failedMs.length;
  for (const { op } of program.graph) seen.operations.set(op, (seen.operations.get(op) ?? 0) + 1);
  for (const times of expected.calls.values()) for (const partitions of times.values()) seen.records += partitions.flat(1).length;
}

function failureText({ counterexample, errorInstance, seed, counterexamplePath }: fc.RunDetails<[RandomProgram, number]>): string {
  if (counterexample === null) return 'Too many programs were left out: they make more records than are compared.';
  const [program, chance] = counterexample;
  const error = errorInstance instanceof Error ? (errorInstance.stack ?? errorInstance.message) : String(errorInstance);
  return `${error}\n\n${textOfProgram(program)}\n\nPROGRAM_SEED=${seed} PROGRAM_PATH=${counterexamplePath ?? ''} replays this (chance ${chance})`;
}
