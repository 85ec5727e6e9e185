/**
 * An advance that takes too long says what it waits for.
 *
 * Bug: ERRORS.md promised that the message lists what was still running, and it said that something was. Plan: one advance for each
 * thing that can be under way: an output's function, a task, a batch that is being generated.
 */
import t from 'tap';
import { StreamingContext } from '../../lib/streaming-context.ts';
import type { StreamingProgram } from '../../lib/streaming-context.ts';
import { startTest } from '../../lib/testing.ts';
import { silent } from '../helpers/running.ts';

const forever = (): Promise<never> => new Promise(() => {});

/** Inline; the stop that ends it waits for nothing. */
async function advanced(t: { teardown(fn: () => unknown): void }, program: StreamingProgram, batches: number): Promise<unknown> {
  const test = await startTest(program, { advanceTimeoutMs: 100, logger: silent });
  t.teardown(() => test.stop());
  return test.advance(batches).catch((thrown: unknown) => thrown);
}

t.test('an output\'s function that does not end: its batch, its output with its place, and what waits behind', async (t) => {
  const error = await advanced(t, (ssc: StreamingContext) => {
    ssc.batchesStream([[1]]).print();
    ssc.batchesStream([[1]]).foreachRDD(forever);
  }, 3);
  t.match(error, {
    code: 'AdvanceTimeout',
    message: /3 batches to be complete within 100 ms\. Under way: batch 1000, output 1, foreachRDD at .*advance-timeout\.test\.[jt]s:\d+:\d+; 2 more batches wait\./,
    details: { batches: 3, advanceTimeoutMs: 100, underWay: [/^batch 1000, output 1/, '2 more batches wait'] },
    cause: { code: 'AskTimeout' },
  });
});

t.test('a task that does not end: the job\'s stage, too', async (t) => {
  const error = await advanced(t, (ssc: StreamingContext) => ssc.batchesStream([[1]], 1).map((n) => [n, n]).groupByKey(1).foreachPartition(forever), 1);
  t.match(error, { code: 'AdvanceTimeout', details: { underWay: [/^batch 1000, output 0, foreachPartition at /, /^job \d+, result of RDD \d+: 0 tasks pending, 1 running$/] } });
});

t.test('a batch that is being generated says so', async (t) => {
  const error = await advanced(t, (ssc: StreamingContext) => ssc.batchesStream([[1]]).transform(forever).print(), 1);
  t.match(error, { code: 'AdvanceTimeout', details: { underWay: ['no batch runs: the next one is still being generated'] } });
});
