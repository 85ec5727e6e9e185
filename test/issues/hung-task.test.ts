/** Tasks that hang past their output's time. */
import t from 'tap';
import { startTest } from '../../lib/testing.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { silent } from '../helpers/running.ts';

/**
 * Bug: async functions of foreachPartition that never settled held all workers though their output had failed with OutputTimeout, so
 * every later output failed, too, until taskTimeoutMs.
 * Conditions: as many hung tasks as workers have places. Plan: they hang in the first batch; the second one is as it should be.
 */
t.test('a task that hangs past its output\'s time holds up no later batch', async (t) => {
  let hang = true;
  const test = await startTest(
    (ssc: StreamingContext) => {
      const numbers = ssc.batchesStream([[1, 2], [3, 4], [5, 6]], 2);
      numbers.foreachPartition(async () => {
        if (hang) await new Promise(() => {});
      });
      return { numbers: numbers.publish() };
    },
    { outputTimeoutMs: 3_000, onBatchFailure: 'skip', logger: silent },
  );
  t.after(() => test.stop());
  const threadLost = test.next('threadLost');
  const first = test.advance(1);
  await threadLost;
  hang = false;
  await first;
  await test.advance(2);
  t.same(test.batches.map(({ outputs }) => outputs.map(({ error }) => error?.code ?? null)), [['OutputTimeout', null], [null, null], [null, null]]);
  t.same(test.output(test.exports.numbers).map(({ records }) => records), [[1, 2], [3, 4], [5, 6]]);
});
