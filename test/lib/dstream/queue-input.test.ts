/** queueStream, by the table of Spark's behaviour. */
import t from 'tap';
import type { RDD } from '../../../lib/rdd/rdd.ts';
import { cutEvenly } from '../../../lib/dstream/rdd-queue.ts';
import type { ProgramBuilder } from '../../../lib/program/program-builder.ts';
import { wire } from '../../../lib/program/wiring.ts';
import { ProgramRun, builderFor, codeOf } from '../../helpers/program-run.ts';

function queueRun(oneAtATime: boolean, makeDefault: (ssc: ProgramBuilder) => RDD<string> | null | undefined): ProgramRun {
  return new ProgramRun((ssc) => {
    const fallback = makeDefault(ssc);
    const queue = ssc.queue<string>();
    const stream = fallback === undefined ? ssc.queueStream(queue, oneAtATime) : ssc.queueStream(queue, oneAtATime, fallback);
    stream.foreachRDD(() => {});
  });
}

const table = [
  { oneAtATime: true, fallback: 'not given', empty: [[]], three: [[['a']], [['b', 'c']], [[]]] },
  { oneAtATime: true, fallback: 'null', empty: [], three: [[['a']], [['b', 'c']], []] },
  { oneAtATime: true, fallback: 'an RDD', empty: [['d']], three: [[['a']], [['b', 'c']], [['d']]] },
  { oneAtATime: false, fallback: 'not given', empty: [[]], three: [[['a'], ['b', 'c']], [[]], [[]]] },
  { oneAtATime: false, fallback: 'null', empty: [], three: [[['a'], ['b', 'c']], [], []] },
  { oneAtATime: false, fallback: 'an RDD', empty: [['d']], three: [[['a'], ['b', 'c']], [['d']], [['d']]] },
];

for (const { oneAtATime, fallback, empty, three } of table) {
  t.test(`${oneAtATime ? 'one at a time' : 'all at once'}, default RDD ${fallback}`, async (t) => {
    const make = (ssc: ProgramBuilder) => (fallback === 'not given' ? undefined : fallback === 'null' ? null : ssc.sc.parallelize(['d'], 1));
    const run = queueRun(oneAtATime, make);
    t.same((await run.batches(1))[0], empty);
    run.push(0, ['a']);
    run.push(0, ['b', 'c']);
    const got = [];
    for (const time of [2_000, 3_000, 4_000]) got.push((await run.batch(time))[0]?.partitions);
    t.same(got, three);
  });
}

t.test('an RDD without records in the queue is used as it is', async (t) => {
  const run = queueRun(true, (ssc) => ssc.sc.parallelize(['d'], 1));
  run.push(0, []);
  t.same((await run.batches(2)), [[[]], [['d']]]);
});

t.test('an array of the program\'s own RDDs is a queue too', async (t) => {
  const run = new ProgramRun((ssc) => ssc.queueStream([ssc.sc.parallelize([1, 2], 2), ssc.sc.parallelize([3], 1)]).foreachRDD(() => {}));
  t.same(await run.batches(3), [[[1], [2]], [[3]], [[]]]);
});

t.test('RDDs that wait in the queue are not swept away', async (t) => {
  const run = queueRun(true, () => null);
  for (const letter of 'abcd') run.push(0, [letter]);
  t.same(await run.batches(5), [[['a']], [['b']], [['c']], [['d']], []]);
});

t.test('an RDD is taken when the stream is computed, once a time', async (t) => {
  const run = new ProgramRun((ssc) => {
    const queue = ssc.queue<string>();
    const stream = ssc.queueStream(queue);
    stream.foreachRDD(() => {});
    stream.map((text) => text.toUpperCase()).foreachRDD(() => {});
  });
  run.push(0, ['a']);
  run.push(0, ['b']);
  t.same((await run.batch(1_000)).map(({ partitions }) => partitions), [[['a']], [['A']]]);
  t.equal(run.builder.queues[0]?.length, 1);
});

t.test('push goes out by the wiring, cut into the default number of partitions', async (t) => {
  const ssc = builderFor({ defaultParallelism: 2 });
  const queue = ssc.queue<number>();
  const sent: unknown[] = [];
  t.equal(await codeOf(() => queue.push([1])), 'NotInitialized');
  wire(ssc, { pushQueue: async (index, partitions) => void sent.push([index, partitions]), setBroadcast: async () => {}, slice: async () => [] });
  await queue.push([1, 2, 3]);
  await queue.push([1, 2, 3], 1);
  await queue.pushPartitions([[1], [], [2]]);
  t.same(sent, [[0, [[1], [2, 3]]], [0, [[1, 2, 3]]], [0, [[1], [], [2]]]]);
  t.equal(await codeOf(() => queue.push('text' as never)), 'InvalidArgument');
  wire(ssc, null);
  t.equal(await codeOf(() => queue.push([1])), 'NotInitialized', 'after a stop');
});

t.test('the last partitions get the records of a short list', async (t) => {
  t.same(cutEvenly([1, 2], 3), [[], [1], [2]]);
  t.same(cutEvenly([], 2), [[], []]);
});
