/** Ends of a whole cluster that once stood still instead. */
import t from 'tap';
import { faults, startTest } from '../../lib/testing.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { silent } from '../helpers/running.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

/**
 * Bug: when more threads had died than the cluster accepts, the host manager ended and killed the others, but told nobody that they
 * were gone: the supervisor of what lived on them waited for ever. No batch ran any more, and nobody was told.
 * Conditions: more than 20 deaths within 10 s, inline and on threads. Plan: kill the worker again and again; the context fails.
 */
for (const master of ['inline', 'local[2]']) {
  t.test(`more deaths of threads than a cluster accepts end the context, and say so (${master})`, async (t) => {
    const program = master === 'inline' ? (ssc: StreamingContext) => void ssc.batchesStream([[1]]).print() : new URL('../fixtures/windowed-counts.js', import.meta.url);
    const test = await startTest(program as URL, { master, logger: silent, checkpointDirectory: temporaryDirectory(), driverRestartsMax: 0, args: {} } as never);
    t.after(() => test.stop().catch(() => {}));
    let lost = 0;
    let ended = false;
    test.ssc.on('threadLost', () => void (lost += 1));
    const failure = test.ssc.awaitTermination().then(() => null, (error: { code?: string }) => error).finally(() => (ended = true));
    while (!ended) {
      const up = new Promise<void>((resolve) => {
        const forget = test.ssc.on('threadStarted', () => void (forget(), resolve()));
        void failure.then(() => resolve());
      });
      await faults(test.ssc).killThread('worker', 0).catch(() => {});
      await up;
    }
    t.match(await failure, { code: 'ContextFailed' });
    t.ok(lost >= 20, `${lost} threads were lost`);
    await test.ssc.stop();
    t.equal(test.ssc.getState(), 'STOPPED');
  });
}

/**
 * Bug: after a graceful stop that took too long the SparkContext was left as it was: its threads held the process for ever.
 */
t.test('a graceful stop that takes too long says so, and the threads go all the same', async (t) => {
  const test = await startTest((ssc: StreamingContext) => void ssc.batchesStream([[1]]).foreachRDD(() => new Promise(() => {})), { logger: silent });
  const advanced = test.advance(1).catch(() => {});
  await t.rejects(test.ssc.stop({ graceful: true, timeoutMs: 50 }), { code: 'StopTimeout' });
  t.equal(test.ssc.sparkContext.isStopped, true);
  t.equal(test.ssc.getState(), 'STOPPED');
  await advanced;
});
