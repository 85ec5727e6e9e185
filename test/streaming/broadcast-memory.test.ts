/**
 * Bug: each value that the app set for a broadcast variable stayed in shared memory until the program ended.
 * Conditions: `broadcast.set` again and again while batches run.
 * Plan: set it once a batch, and look at the ledger; the values that batches see must be right all the same.
 */
import t from 'tap';
import { startTest } from '../../lib/testing.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';

t.test('values of a broadcast variable that no batch can read any more are given back', async (t) => {
  const batches = Array.from({ length: 30 }, () => [1]);
  const test = await startTest((ssc: StreamingContext) => {
    const factor = ssc.sc.broadcast(0);
    return { factor, seen: ssc.batchesStream(batches).map((n) => n * factor.value).publish({ bound: 100 }) };
  });
  t.teardown(() => test.stop());
  let liveHandlesMax = 0;
  for (let batch = 0; batch < batches.length; batch += 1) {
    await test.exports.factor.set(batch);
    await test.advance();
    liveHandlesMax = Math.max(liveHandlesMax, (await test.ssc.sparkContext.blockStats()).liveHandles);
  }
  t.strictSame(test.output(test.exports.seen).flatMap(({ records }) => records), batches.map((_, batch) => batch));
  t.ok(liveHandlesMax < 10, 'a few values are held at a time', { liveHandlesMax });
});
