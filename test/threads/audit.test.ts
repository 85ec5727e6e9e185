/**
 * Regressions: keys without an order in a sort, a stop in the middle of a start, arguments that can't travel, a graceful
 * stop that runs out of time, an overwritten output directory.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { StreamingContext } from '../../lib/streaming-context.ts';
import { startTest } from '../../lib/testing.ts';

t.test('a key that has no order fails its batch, and the batches after it are right', async (t) => {
  const test = await startTest(
    (ssc: StreamingContext) => {
      const queue = ssc.queue<unknown>();
      const sorted = ssc.queueStream(queue).map((key) => [key, 1] as [unknown, number]).transform((rdd) => rdd.sortByKey());
      return { queue, sorted: sorted.publish() };
    },
    { onBatchFailure: 'continue', inlineWorkers: 2 },
  );
  await test.exports.queue.pushPartitions([[{ a: 1 }], [{ a: 2 }]]);
  await test.advance(1);
  await test.exports.queue.push([3, 1, 2]);
  await test.advance(1);
  t.same(test.output(test.exports.sorted).map(({ time, records }) => [Number(time), records.map(([key]) => key)]), [[2_000, [1, 2, 3]]]);
  await t.rejects(test.ssc.awaitTermination(), { code: 'TaskFailed', cause: { code: 'InvalidKey' } });
  await test.stop();
});

for (const turns of [0, 1, 5, 50, 500]) {
  t.test(`a stop that comes ${turns} turns of the event loop into a start ends both, and no thread stays`, async (t) => {
    const ssc = await StreamingContext.create(new URL('../fixtures/workers-only.js', import.meta.url), { master: 'local[1]', batchInterval: 50, allowMultipleContexts: true, args: {} });
    const started = ssc.start().then(
      () => 'started',
      (thrown: { code?: string }) => thrown.code,
    );
    for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    await ssc.stop();
    t.match(await started, /^(started|ContextStopped)$/);
    t.equal(ssc.getState(), 'STOPPED');
    t.equal(ssc.sparkContext.isStopped, true);
  });
}

t.test('arguments that are no JSON are refused at once, with the place of what is wrong', async (t) => {
  const program = new URL('../fixtures/workers-only.js', import.meta.url);
  for (const [args, path] of [
    [{ d: 1, f() {} }, 'args.f'],
    [{ list: [1, Symbol('x')] }, 'args.list[1]'],
    [{ when: new Date(0) }, 'args.when'],
    [{ n: NaN }, 'args.n'],
  ] as const) {
    await t.rejects(StreamingContext.create(program, { master: 'local[1]', batchInterval: 50, args }), { code: 'InvalidOption', details: { option: path } });
  }
});

t.test('a graceful stop that runs out of time says what was left, and the context is stopped all the same', async (t) => {
  let entered: () => void = () => {};
  const inBody = new Promise<void>((resolve) => (entered = resolve));
  let release: () => void = () => {};
  const test = await startTest((ssc: StreamingContext) => {
    ssc.batchesStream([[1]]).foreachRDD(() => {
      entered();
      return new Promise<void>((resolve) => (release = resolve));
    });
  });
  const advanced = test.advance(1).catch(() => {});
  await inBody;
  await t.rejects(test.ssc.stop({ graceful: true, timeoutMs: 30 }), { code: 'StopTimeout', message: /batch at 1000 ms is not complete/ });
  t.equal(test.ssc.getState(), 'STOPPED');
  release();
  await test.ssc.sparkContext.stop();
  await advanced;
});

t.test('an output directory that is written anew holds the new parts alone', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-overwrite-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const read: unknown[] = [];
  const test = await startTest((ssc: StreamingContext) => {
    const { sc } = ssc;
    ssc.batchesStream([[1]]).foreachRDD(async () => {
      await sc.parallelize(['a', 'b', 'c', 'd'], 3).saveAsTextFile(join(folder, 'x'));
      await sc.parallelize(['z'], 1).saveAsTextFile(join(folder, 'x'), { overwrite: true });
      read.push(await sc.textFile(join(folder, 'x')).collect());
    });
  });
  await test.advance(1);
  t.same(read, [['z']]);
  await test.stop();
});
