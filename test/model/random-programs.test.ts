/**
 * Random programs on the real runtime against the sequential model, output by output and batch by batch.
 *
 * A failure prints the smallest program found, as code, with its batches; PROGRAM_SEED=n PROGRAM_PATH=p runs it again, and
 * PROGRAM_RUNS=n as many as wanted.
 */
import t from 'tap';
import fc from 'fast-check';
import { SparkContext } from '../../lib/spark-context.ts';
import { textOfProgram } from './program-text.ts';
import { randomPrograms } from './random-program.ts';
import type { RandomProgram } from './random-program.ts';
import { differenceOfResults, expectedOf, runProgram } from './run-program.ts';
import type { ProgramResult } from './run-program.ts';
import { TooManyRecords } from './sequential-stream.ts';

const runs = Number(process.env['PROGRAM_RUNS'] ?? 1_000);
const seed = Number(process.env['PROGRAM_SEED'] ?? 2_026);
const path = process.env['PROGRAM_PATH'];
/** Programs that multiply their records many times over are left out. */
const recordsMax = 300;

/** Null where it makes too many records. */
function expectedUnlessLarge(program: RandomProgram): Promise<ProgramResult | null> {
  return expectedOf(program, recordsMax).catch((thrown: unknown) => {
    if (thrown instanceof TooManyRecords) return null;
    throw thrown;
  });
}

t.test('any program gives what the sequential model gives, batch by batch', async (t) => {
  const spark = new SparkContext({ master: 'inline', defaultParallelism: 2, logger: { log: () => {} } });
  t.teardown(() => spark.stop());
  const seen = { operations: new Map<string, number>(), records: 0, failures: 0 };
  let ran = 0;
  const property = fc.asyncProperty(randomPrograms, async (program) => {
    const expected = await expectedUnlessLarge(program);
    fc.pre(expected !== null);
    const got = await runProgram(spark, program, expected.failedMs.length);
    const difference = differenceOfResults(program, expected, got);
    if (difference !== null) throw new Error(difference);
    ran += 1;
    seen.failures += expected.failedMs.length;
    for (const { op } of program.graph) seen.operations.set(op, (seen.operations.get(op) ?? 0) + 1);
    for (const times of expected.calls.values()) for (const partitions of times.values()) seen.records += partitions.flat(1).length;
  });
  const details = await fc.check(property, { seed, numRuns: runs, ...(path === undefined ? {} : { path }) });
  if (details.failed) {
    const [program] = details.counterexample ?? [];
    t.fail(`${String(details.errorInstance)}\n\n${program === undefined ? '' : textOfProgram(program)}\n\nPROGRAM_SEED=${details.seed} PROGRAM_PATH=${details.counterexamplePath} replays this`);
    return;
  }
  t.comment([...seen.operations].sort((a, b) => b[1] - a[1]).map(([op, count]) => `${op} ${count}`).join(', '));
  if (runs < 1_000 || path !== undefined) return;
  t.ok(ran >= 1_000, `${ran} programs ran`);
  t.ok(seen.records > 10_000, `${seen.records} records were compared`);
  t.ok(seen.failures > 100, `${seen.failures} batches failed as they had to`);
  t.ok(seen.operations.size > 30, `${seen.operations.size} operations were seen`);
});
