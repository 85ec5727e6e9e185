/** Programs that random ones were shrunk to when they found a bug, each kept as it was found. */
import t from 'tap';
import { SparkContext } from '../../lib/spark-context.ts';
import { textOfProgram } from './program-text.ts';
import type { RandomProgram } from './random-program.ts';
import { differenceOfResults, expectedOf, runProgram } from './run-program.ts';

const found: Readonly<Record<string, RandomProgram>> = {
  'old versions of two states, read together while newer ones are made': {
    batchMs: 1_000,
    inputs: [{ id: 'in1', batches: [], numPartitions: 1 }],
    graph: [
      { id: 's1', op: 'count', of: ['in1'] },
      { id: 's2', op: 'countByValueAndWindow', of: ['s1'], windowMs: 2_000, slideMs: 1_000 },
      { id: 's3', op: 'reduceByKeyAndWindow', of: ['s2'], fn: 'add', invFn: 'sub', windowMs: 2_000, slideMs: 1_000 },
      { id: 's4', op: 'join', of: ['s3', 's2'] },
    ],
    outputs: [{ id: 's4', order: 'bag' }],
    batchesToRun: 12,
  },
  'what a state emitted, read by a window after its snapshots': {
    batchMs: 1_000,
    inputs: [{ id: 'in1', batches: [[[4, 2], [0, 8]], [[1, 2]]], numPartitions: 4 }],
    graph: [
      { id: 's1', op: 'mapWithState', of: ['in1'], fn: 'mwsSum' },
      { id: 's2', op: 'stateSnapshots', of: ['s1'] },
      { id: 's3', op: 'window', of: ['s1'], windowMs: 3_000, slideMs: 4_000 },
    ],
    outputs: [{ id: 's3', order: 'bag' }, { id: 's2', order: 'bag' }],
    batchesToRun: 12,
  },
  'an action in a transform behind a window that slides by three': {
    batchMs: 1_000,
    inputs: [{ id: 'in1', batches: [[['a', -2]], [['b', 4], ['b', 5]], [['b', -3], ['c', 9]], [['c', 0]], [['a', -3], ['b', -3], ['c', 2]]], numPartitions: 3 }],
    graph: [
      { id: 's1', op: 'groupByKeyAndWindow', of: ['in1'], windowMs: 4_000, slideMs: 3_000, numPartitions: 2 },
      { id: 's2', op: 'count', of: ['s1'] },
      { id: 's3', op: 'reduce', of: ['s2'], fn: 'maxInt' },
      { id: 's4', op: 'transform', of: ['s3'], fn: 'takeSorted(3)' },
      { id: 's5', op: 'countByValueAndWindow', of: ['s4'], windowMs: 3_000, slideMs: 3_000 },
    ],
    outputs: [{ id: 's5', order: 'bag' }],
    batchesToRun: 12,
  },
};

for (const [name, program] of Object.entries(found)) {
  t.test(name, async (t) => {
    const spark = new SparkContext({ master: 'inline', defaultParallelism: 2, logger: { log: () => {} } });
    t.teardown(() => spark.stop());
    const expected = await expectedOf(program, Infinity);
    t.strictSame(expected.failedMs, []);
    t.equal(differenceOfResults(program, expected, await runProgram(spark, program, 0)), null, textOfProgram(program));
  });
}
