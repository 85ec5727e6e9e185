/**
 * Bug: a graceful stop dropped what had been pushed into queues, although each push had settled.
 * Conditions: no batch had come between the pushes and the stop. Only receivers' blocks counted as something left.
 * Plan: push, stop gracefully, and see that all of it was processed: all at once, one RDD at a time, behind a window that
 * slides every second batch; and that queues which are empty, or which no output reads, make no batch.
 */
import t from 'tap';
import type { DStream } from '../../lib/dstream/dstream.ts';
import type { RddQueue } from '../../lib/dstream/rdd-queue.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { Seconds } from '../../protocol/time.ts';
import { startTest } from '../../lib/testing.ts';

type Build = (ssc: StreamingContext, queue: RddQueue<number>) => DStream<number>;

async function processed(pushes: number, build: Build | null): Promise<number[][]> {
  const seen: number[][] = [];
  const test = await startTest((ssc: StreamingContext) => {
    const queue = ssc.queue<number>();
    const unread = ssc.queue<number>();
    ssc.queueStream(unread);
    const out = build === null ? ssc.batchesStream<number>([], 1) : build(ssc, queue);
    out.foreachRDD(async (rdd) => void seen.push((await rdd.collect()) as number[]));
    return { queue, unread };
  });
  await test.exports.unread.push([99]);
  for (let push = 0; push < pushes; push += 1) await test.exports.queue.push([push]);
  await test.ssc.stop({ graceful: true });
  return seen;
}

t.test('all that was pushed is processed in one batch, where the stream takes all at once', async (t) => {
  t.same(await processed(3, (ssc, queue) => ssc.queueStream(queue, false)), [[0, 1, 2]]);
});

t.test('all that was pushed is processed in as many batches as there are RDDs, where the stream takes one at a time', async (t) => {
  t.same(await processed(3, (ssc, queue) => ssc.queueStream(queue)), [[0], [1], [2]]);
});

t.test('behind a window that slides every second batch, too', async (t) => {
  t.same(await processed(2, (ssc, queue) => ssc.queueStream(queue).window(Seconds(2), Seconds(2))), [[0, 1]]);
  t.same(await processed(2, (ssc, queue) => ssc.queueStream(queue).window(Seconds(1), Seconds(2))), [[0], [1]], 'also where the window reads only every second batch');
});

t.test('nothing pushed, or nothing that an output reads: no batch more', async (t) => {
  t.same(await processed(0, (ssc, queue) => ssc.queueStream(queue)), []);
  t.same(await processed(2, null), []);
});
