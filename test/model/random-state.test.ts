/** Random programs of keyed streams, most of them with windows and state, on the real runtime against the sequential model. */
import t from 'tap';
import { SparkContext } from '../../lib/spark-context.ts';
import { checkPrograms } from './check-programs.ts';
import { statefulPrograms } from './random-program.ts';
import { runProgram } from './run-program.ts';

t.test('any program with windows and state gives what the sequential model gives, batch by batch', async (t) => {
  const spark = new SparkContext({ master: 'inline', defaultParallelism: 2, logger: { log: () => {} } });
  t.teardown(() => spark.stop());
  const seen = await checkPrograms(t, { programs: statefulPrograms, runs: 500, seed: 1_848, run: (program, expected) => runProgram(spark, program, expected.failedMs.length) });
  if (!seen.complete) return;
  t.ok(seen.programs >= 500, `${seen.programs} programs ran`);
  for (const operation of ['updateStateByKey', 'mapWithState', 'stateSnapshots', 'reduceByKeyAndWindow']) t.ok((seen.operations.get(operation) ?? 0) > 50, `${operation} was seen ${seen.operations.get(operation) ?? 0} times`);
});
