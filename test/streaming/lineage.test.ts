/** Results that are made of earlier results: lineage, RDDs and memory stay within bounds over many batches. */
import t from 'tap';
import { SparkContext } from '../../lib/spark-context.ts';
import type { DStream } from '../../lib/dstream/dstream.ts';
import { openMax } from '../../lib/program/lineage-ends.ts';
import { isSettled } from '../../lib/rdd/state-rdd.ts';
import { startTest } from '../../lib/testing.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { silent } from '../helpers/running.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const add = (a: number, b: number): number => a + b;
const subtract = (a: number, b: number): number => a - b;
/** Every batch has each of these keys once, so that each partition has records. */
const keys = Array.from({ length: 40 }, (_, index) => index);
const counts = (ssc: StreamingContext): DStream<[number, number]> =>
  ssc.batchesStream(Array.from({ length: 400 }, () => keys), 2).map((key) => [key, 1]).reduceByKeyAndWindow(add, subtract, 3_000, 1_000, 4);

const outputs: Record<string, (stream: DStream<[number, number]>) => void> = {
  'all partitions': (stream) => stream.foreachRDD(async (rdd) => void (await rdd.count())),
  // `take` finds what it wants in the first partition.
  'the first partition only': (stream) => stream.print(2),
  'no partition at all': (stream) => stream.foreachRDD(async () => {}),
};

for (const [read, output] of Object.entries(outputs)) {
  t.test(`an incremental window of which an output reads ${read} keeps as much after 200 batches as after 50`, async (t) => {
    const sparkContext = new SparkContext({ master: 'inline', logger: silent, defaultParallelism: 2 });
    t.after(() => sparkContext.stop());
    let seen = 0;
    const test = await startTest((ssc: StreamingContext) => {
      const stream = counts(ssc);
      output(stream);
      return { stream };
    }, { sparkContext, checkpointDirectory: temporaryDirectory(), advanceTimeoutMs: 60_000 });
    t.after(() => test.stop());
    const most = { early: { rdds: 0, handles: 0 }, late: { rdds: 0, handles: 0 } };
    for (let batch = 1; batch <= 200; batch += 1) {
      await test.advance(1);
      const of = batch > 20 && batch <= 60 ? most.early : batch > 160 ? most.late : null;
      if (of === null) continue;
      seen += 1;
      const { liveHandles } = await sparkContext.blockStats();
      Object.assign(of, { rdds: Math.max(of.rdds, test.ssc.rdds.made.length), handles: Math.max(of.handles, liveHandles) });
    }
    t.equal(seen, 80);
    t.ok(most.early.rdds > 0 && most.late.rdds <= most.early.rdds, `RDDs: ${most.early.rdds} early, ${most.late.rdds} late`);
    t.ok(most.late.handles <= most.early.handles + 10, `handles: ${most.early.handles} early, ${most.late.handles} late`);
    const [last] = await test.exports.stream.slice(200_000, 200_000);
    t.same(await last?.lookup(0), [3], 'and the result is right');
  });
}

t.test('a version that nobody asks for is made for the log, and lineage ends there', async (t) => {
  const test = await startTest((ssc: StreamingContext) => void counts(ssc).foreachRDD(async () => {}), { checkpointDirectory: temporaryDirectory() });
  t.after(() => test.stop());
  const resultsOpen = (): number => test.ssc.rdds.made.filter((id) => !isSettled(test.ssc.rdds.node(id))).length;
  await test.advance(5);
  t.equal(resultsOpen(), 0);
  await test.advance(60);
  t.equal(resultsOpen(), 0);
});

t.test('a result that can\'t be computed fails no output but those that read it', async (t) => {
  const test = await startTest((ssc: StreamingContext) => {
    const boom = (n: number): number => {
      if (n === 3) throw new RangeError('boom');
      return n;
    };
    counts(ssc).mapValues(boom).foreachRDD(async (rdd) => void (await rdd.count()));
    ssc.batchesStream<[string, number]>([[['a', 1]], [['a', 1]]]).reduceByKeyAndWindow(add, () => { throw new RangeError('boom'); }, 1_000).foreachRDD(async () => {});
    return { other: ssc.batchesStream([[1]]).count().publish() };
  }, { checkpointDirectory: temporaryDirectory(), onBatchFailure: 'continue' });
  t.after(() => test.stop());
  await test.advance(4 * openMax);
  t.equal(test.output(test.exports.other).length, 4 * openMax);
});
