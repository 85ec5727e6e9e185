/** How streams end: by a failed batch, by an output that takes too long, by the end of the cluster under them. */
import t from 'tap';
import type { MillraceError } from '../../protocol/errors.ts';
import { StreamingContext } from '../../lib/streaming-context.ts';
import { startTest } from '../../lib/testing.ts';

t.test('after a failed batch no further one is made, the other outputs of that batch have run, and each wait says why', async (t) => {
  const seen: string[] = [];
  const test = await startTest((ssc: StreamingContext) => {
    const numbers = ssc.batchesStream([[1], [2], [3]], 1);
    numbers.foreachRDD((_rdd, time) => {
      if (Number(time) === 2_000) throw new Error('boom');
      seen.push(`first ${time}`);
    });
    numbers.foreachRDD((_rdd, time) => void seen.push(`second ${time}`));
  });
  await test.advance(1);
  await test.advance(1).catch(() => {});
  await t.rejects(test.advance(1), { code: 'OutputFailed' });
  t.same(seen, ['first 1000', 'second 1000', 'second 2000']);
  await t.rejects(test.ssc.awaitTermination(), { code: 'OutputFailed' });
  await t.rejects(test.ssc.awaitTermination(), { code: 'OutputFailed' }, 'each time');
  t.same(test.batches.map(({ batchTime }) => Number(batchTime)), [1_000, 2_000]);
  await test.stop();
});

t.test('an output that passes outputTimeoutMs fails its batch, and a later batch runs where the policy says so', async (t) => {
  let release: () => void = () => {};
  const test = await startTest(
    (ssc: StreamingContext) => {
      ssc.batchesStream([[1], [2]], 1).foreachRDD((_rdd, time) => (Number(time) === 1_000 ? new Promise<void>((resolve) => (release = resolve)) : undefined));
    },
    { outputTimeoutMs: 20, onBatchFailure: 'continue' },
  );
  await test.advance(1);
  release();
  await test.advance(1);
  t.same(
    test.batches.map(({ outputs }) => (outputs[0]?.error as unknown as MillraceError | null)?.code ?? null),
    ['OutputTimeout', null],
  );
  await t.rejects(test.ssc.awaitTermination(), { code: 'OutputTimeout' });
  await test.stop();
});

t.test('a SparkContext that is stopped stops the context that is active on it', async (t) => {
  const ssc = new StreamingContext({ master: 'inline', batchInterval: 1_000, clock: 'manual', allowMultipleContexts: true });
  ssc.batchesStream([[1]], 1).foreach(() => {});
  await ssc.start();
  const ended = ssc.awaitTermination();
  await ssc.sparkContext.stop();
  t.equal(await ended, true);
  t.equal(ssc.getState(), 'STOPPED');
});
