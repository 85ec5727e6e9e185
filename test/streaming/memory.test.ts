/** Shared memory over many batches: whatever takes it, it comes back, and after the context all of it. */
import t from 'tap';
import type everyMemory from '../fixtures/every-memory.ts';
import { SparkContext } from '../../lib/spark-context.ts';
import { silent, started } from '../helpers/running.ts';

for (const master of ['inline', 'local[2]']) {
  t.test(`after 200 batches no more handles and scopes are held than after 50 (${master})`, async (t) => {
    const sparkContext = new SparkContext({ master, logger: silent, defaultParallelism: 2 });
    t.after(() => sparkContext.stop());
    const before = await sparkContext.blockStats();
    const ssc = await started<typeof everyMemory>(t, 'every-memory', { clock: 'manual', batchInterval: 1_000, blockIntervalMs: 5, sparkContext });
    const { pushed, factor, sums } = ssc.exports;
    let total = 0;
    const reading = (async () => {
      for await (const { records } of sums) for (const [word, sum] of records) total += word === 'tick' ? 0 : sum;
    })();
    // The least of each period: how many blocks a batch has depends on how long the machine let it wait, a leak only adds.
    const least = { early: { handles: Infinity, scopes: Infinity }, late: { handles: Infinity, scopes: Infinity } };
    for (let batch = 1; batch <= 200; batch += 1) {
      await pushed.push([['a', 1], ['b', 2], ['c', 3]]);
      await factor.set(1);
      await ssc.clock.advance(1);
      const { liveHandles, scopes } = await sparkContext.blockStats();
      const of = batch > 20 && batch <= 60 ? least.early : batch > 160 ? least.late : null;
      if (of !== null) Object.assign(of, { handles: Math.min(of.handles, liveHandles), scopes: Math.min(of.scopes, scopes) });
    }
    t.ok(least.early.handles > 0, 'something is held at all');
    // A leak of one handle a batch would be 140 more.
    t.ok(least.late.handles <= least.early.handles + 40, `handles: ${least.early.handles} early, ${least.late.handles} late`);
    t.ok(least.late.scopes <= least.early.scopes + 2, `scopes: ${least.early.scopes} early, ${least.late.scopes} late`);
    await ssc.stop({ stopSparkContext: false });
    await reading;
    t.equal(total, 200 * 6, 'and every batch was right');
    let after = await sparkContext.blockStats();
    // A block that its receiver's thread was about to report comes back when that thread says so; a leak never does.
    while (after.liveHandles > before.liveHandles) after = await sparkContext.blockStats();
    t.same([after.liveHandles, after.scopes], [before.liveHandles, before.scopes], 'all comes back with the end of the context');
  });
}
