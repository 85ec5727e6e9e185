/** Random programs of all operations on the real runtime against the sequential model, output by output and batch by batch. */
import t from 'tap';
import { SparkContext } from '../../lib/spark-context.ts';
import { checkPrograms } from './check-programs.ts';
import { randomPrograms } from './random-program.ts';
import { runProgram } from './run-program.ts';

t.test('any program gives what the sequential model gives, batch by batch', async (t) => {
  const spark = new SparkContext({ master: 'inline', defaultParallelism: 2, logger: { log: () => {} } });
  t.teardown(() => spark.stop());
  const seen = await checkPrograms(t, { programs: randomPrograms, runs: 500, seed: 2_026, run: (program, expected) => runProgram(spark, program, expected.failedMs.length) });
  if (!seen.complete) return;
  t.ok(seen.programs >= 500, `${seen.programs} programs ran`);
  t.ok(seen.records > 5_000, `${seen.records} records were compared`);
  t.ok(seen.failedBatches > 20, `${seen.failedBatches} batches failed as they had to`);
  t.ok(seen.operations.size > 30, `${seen.operations.size} operations were seen`);
});
