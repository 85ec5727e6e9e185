/** The graceful stop on threads, where a receiver's own thread can stand still. */
import t from 'tap';
import { StreamingContext } from '../../lib/streaming-context.ts';
import type hangsInOnStop from '../fixtures/hangs-in-on-stop.ts';
import { fixture, nextEvent, silent, Totals } from '../helpers/running.ts';
import type { MillraceError } from '../../protocol/errors.ts';

/** Batches are long, so that what was stored is still in none when the stop comes. */
for (const ioThreads of [1, 2]) {
  t.test(`a receiver that never comes back from onStop, of two on ${ioThreads} io threads: what was stored is processed, it is named, and its thread goes`, async (t) => {
    const ssc = await StreamingContext.create<typeof hangsInOnStop>(fixture('hangs-in-on-stop'), { master: 'local[2]', ioThreads, batchInterval: 60_000, blockIntervalMs: 10, logger: silent, args: {} });
    t.after(() => ssc.stop().catch(() => {}));
    const totals = new Totals(ssc.exports.counts);
    const stored = new Set<number>();
    const both = nextEvent(ssc, 'receiverError', ({ stream }) => stored.add(stream).size === 2);
    await ssc.start();
    await both;
    const error = await ssc.stop({ graceful: true, timeoutMs: 3_000 }).then(
      () => null,
      (thrown: unknown) => thrown as MillraceError,
    );
    t.match(error, { code: 'StopTimeout', details: { batches: [], blocks: 0, receivers: [{ uid: 'hanging' }] } });
    t.match(error?.message, /the receiver of stream \d, receiverStream at .*hangs-in-on-stop\.js:\d+:\d+ has not ended\. The context is stopped all the same\. Nothing that was stored is lost\.$/);
    if (ioThreads === 2) t.equal((error?.details['receivers'] as readonly unknown[]).length, 1, 'the other one has ended');
    await totals.ended;
    t.equal(totals.sum, 200, 'all that was acknowledged was processed');
    t.equal(totals.end, null);
    t.equal(ssc.sparkContext.isStopped, true);
  });
}
