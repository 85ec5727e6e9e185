/**
 * A batch that fails for good, under each policy: how often its tasks are tried, what else of it runs, what the app is told, and that neither
 * memory nor state keeps a trace of it.
 *
 * The input comes by a receiver, so that the batch's blocks are in the ledger, and goes through a shuffle and through state on three partitions.
 * The poison is in one key, so in one partition: the others have done their part when the batch fails.
 */
import t from 'tap';
import type { DeadLetter } from '../../lib/dstream/dead-letters.ts';
import { partitionOf } from '../../lib/base/key.ts';
import type { TestOptions } from '../../lib/testing.ts';
import { startTest } from '../../lib/testing.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import type { Outputs } from '../helpers/going-on.ts';
import { plain, Run } from '../helpers/going-on.ts';
import { silent } from '../helpers/running.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { told } from '../helpers/told-receiver.ts';

type Pair = [string, number];

const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l'];
const poison = 666;
const sum = (a: number, b: number): number => a + b;

const [poisoned, without3] = [[1, 2, 3, 4, 5, 6], [1, 2, 4, 5, 6]];

/** A batch for each number, in which every key has it; key b has the poison in place of 3. */
async function run(t: { after(fn: () => unknown): void }, numbers: readonly number[], options: Omit<TestOptions, 'args'>) {
  const source = told<Pair>();
  const calls = { state: 0, sums: 0 };
  const test = await startTest(
    (ssc: StreamingContext) => {
      const pairs = ssc.receiverStream(source.make);
      const totals = pairs.updateStateByKey((values: readonly number[], state: number | undefined) => {
        if (values.includes(poison)) {
          calls.state += 1;
          throw new RangeError('The state takes no poison.');
        }
        return values.reduce(sum, state ?? 0);
      // What a failed batch has made in part of it is held as long as its version, for slices two intervals: here two batches.
      }, { partitions: 3 }).checkpoint(1_000).uid('totals');
      const sums = pairs.reduceByKey(sum, 3).map(([key, value]): Pair => {
        if (value === poison) {
          calls.sums += 1;
          throw new RangeError('No poison is summed up.');
        }
        return [key, value];
      }).uid('sums');
      return { totals: totals.publish(), sums: sums.publish(), counts: pairs.count().publish(), letters: ssc.deadLetters() };
    },
    { checkpointDirectory: temporaryDirectory(), taskFailuresMax: 3, logger: silent, ...options },
  );
  t.after(() => test.stop());
  const receiver = await source.running;
  const before = await test.ssc.sparkContext.blockStats();
  let ended: unknown = null;
  for (const number of numbers) {
    if (ended !== null) break;
    for (const key of keys) receiver.store([key, number === 3 && key === 'b' ? poison : number]);
    await test.advance().catch((thrown: unknown) => (ended = thrown));
  }
  const stats = await test.ssc.sparkContext.blockStats();
  const output = (name: 'totals' | 'sums'): [number, Record<string, number>][] => test.output<Pair>(test.exports[name]).map(({ time, records }) => [Number(time), Object.fromEntries([...records].sort())]);
  return { test, calls, ended, before, stats, totals: output('totals'), sums: output('sums'), counts: test.output<number>(test.exports.counts).map(({ time, records }) => [Number(time), records[0]]) };
}

const all = (value: number): Record<string, number> => Object.fromEntries(keys.map((key) => [key, value]));

async function lettersOf(test: Awaited<ReturnType<typeof run>>['test']): Promise<DeadLetter[]> {
  await test.stop();
  const letters: DeadLetter[] = [];
  for (const { records } of test.output<DeadLetter>(test.exports.letters)) letters.push(...records);
  return letters;
}

t.test('the keys lie in all three partitions', (t) => {
  t.equal(new Set(keys.map((key) => partitionOf(key, 3))).size, 3);
  t.end();
});

for (const policy of ['skip', 'continue'] as const) {
  t.test(`${policy}: the failed outputs are tried as often as asked, the others run, and later batches are right`, async (t) => {
    const { calls, totals, sums, counts, ended } = await run(t, poisoned, { onBatchFailure: policy });
    t.equal(ended, null, 'all six batches have run');
    t.same(calls, { state: 3, sums: 3 }, 'taskFailuresMax attempts, of the failed partition');
    t.same(counts, [1, 2, 3, 4, 5, 6].map((batch) => [batch * 1_000, keys.length]), 'the output that needs neither has all batches');
    t.same(sums, without3.map((batch) => [batch * 1_000, all(batch)]));
    let total = 0;
    t.same(totals, without3.map((batch) => [batch * 1_000, all((total += batch))]), 'in every partition, the state after the failed batch is that before it');
  });

  t.test(`${policy}: memory is as if the batch had never been`, async (t) => {
    const failed = await run(t, poisoned, { onBatchFailure: policy });
    const healthy = await run(t, without3, { onBatchFailure: policy });
    t.same([failed.counts.length, healthy.counts.length], [6, 5]);
    t.ok(failed.stats.heldHandles > failed.before.heldHandles, 'something is held: state');
    t.same([failed.stats.liveHandles, failed.stats.heldHandles, failed.stats.scopes], [healthy.stats.liveHandles, healthy.stats.heldHandles, healthy.stats.scopes]);
    await failed.test.ssc.stop({ stopSparkContext: false });
    const after = await failed.test.ssc.sparkContext.blockStats();
    t.same([after.liveHandles, after.heldHandles], [0, 0], 'and nothing is left of the stream');
  });
}

t.test('skip: each failed output is a dead letter, and the context has not failed', async (t) => {
  const { test } = await run(t, poisoned, { onBatchFailure: 'skip' });
  t.equal(await test.ssc.awaitTermination(1), false);
  const infos = test.batches.map(({ batchTime, outputs }) => [Number(batchTime), outputs.map(({ error }) => error?.code ?? null)]);
  t.same(infos, [1, 2, 3, 4, 5, 6].map((batch) => [batch * 1_000, batch === 3 ? ['TaskFailed', 'TaskFailed', null] : [null, null, null]]));
  const letters = await lettersOf(test);
  t.same(letters.map(({ kind, batchTime, partition, record, operator, error }) => [kind, Number(batchTime), partition, record, operator?.uid, error.code]), [
    ['batch', 3_000, -1, null, 'totals/publish', 'TaskFailed'],
    ['batch', 3_000, -1, null, 'sums/publish', 'TaskFailed'],
  ]);
  t.match(letters.map(({ error }) => error.message), [/takes no poison/, /No poison is summed up/]);
});

t.test('skip: a batch that could not be generated is one dead letter, of no output', async (t) => {
  const test = await startTest(
    (ssc: StreamingContext) => {
      const numbers = ssc.batchesStream([[1], [2], [3]], 1).transform((rdd, time) => {
        if (time === 2_000) throw new RangeError('No second batch.');
        return rdd;
      });
      return { numbers: numbers.publish(), letters: ssc.deadLetters() };
    },
    { onBatchFailure: 'skip', logger: silent },
  );
  t.after(() => test.stop());
  await test.advance(3);
  t.same(test.output(test.exports.numbers).map(({ records }) => records), [[1], [3]]);
  const letters = test.output<DeadLetter>(test.exports.letters).flatMap(({ records }) => records);
  t.match(letters, [{ kind: 'batch', batchTime: 2_000, operator: null, error: { message: /No second batch/ } }]);
  t.equal(letters.length, 1);
});

t.test('continue: the failure is told, and there is no dead letter', async (t) => {
  const { test } = await run(t, poisoned, { onBatchFailure: 'continue' });
  await t.rejects(test.ssc.awaitTermination(1), { code: 'TaskFailed', message: /takes no poison/ });
  await t.rejects(test.ssc.awaitTermination(1), { code: 'TaskFailed' }, 'each time it is asked');
  t.same(await lettersOf(test), []);
});

t.test('stop: the batch\'s other outputs run, no later batch does, each wait says why, and its memory comes back', async (t) => {
  const { test, ended, calls, totals, sums, counts, before } = await run(t, poisoned, { onBatchFailure: 'stop' });
  t.match(ended, { code: 'TaskFailed', message: /takes no poison/ });
  t.same(calls, { state: 3, sums: 3 }, 'the second output has been tried, too');
  t.same(counts, [1_000, 2_000, 3_000].map((time) => [time, keys.length]));
  t.same([totals.length, sums.length], [2, 2]);
  await t.rejects(test.ssc.awaitTermination(1), { code: 'TaskFailed' });
  await t.rejects(test.ssc.awaitTermination(1), { code: 'TaskFailed' });
  await test.ssc.stop({ stopSparkContext: false });
  const after = await test.ssc.sparkContext.blockStats();
  t.same([after.liveHandles, after.heldHandles, before.heldHandles], [0, 0, 0]);
  t.same(await lettersOf(test), []);
});

/** Bug: it counted as complete, so that its records were acknowledged, and in no state for ever. */
for (const where of ['task', 'output', 'generation']) {
  t.test(`stop: a batch that failed in its ${where} runs again when the program goes on, and all is as if it had not failed`, async (t) => {
    const directory = temporaryDirectory();
    const outputs: Outputs = new Map();
    const seen: [number, readonly number[]][] = [];
    let failing = true;
    const failsAt = (place: string, isTheOne: boolean): void => {
      if (failing && place === where && isTheOne) throw new RangeError('Not yet.');
    };
    const program = (ssc: StreamingContext) => {
      const queue = ssc.queue<number>();
      const read = ssc.sc.accumulator(0);
      const numbers = ssc.queueStream(queue).transform((rdd, time) => {
        failsAt('generation', Number(time) === 2_000);
        return rdd;
      }).map((number) => {
        failsAt('task', number === 2);
        read.add(1);
        return number;
      });
      numbers.foreachRDD(async (rdd, time) => {
        const records = await rdd.collect();
        failsAt('output', Number(time) === 2_000);
        seen.push([Number(time), records]);
      });
      return { queue, read, totals: numbers.map((number): Pair => ['k', number]).updateStateByKey((values: readonly number[], state: number | undefined) => values.reduce(sum, state ?? 0)).publish() };
    };
    const first = await Run.begin(t, directory, program, outputs);
    for (const number of [1, 2, 3]) await first.exports.queue.push([number]);
    await t.rejects(first.advance(3), /Not yet/);
    await first.ended();
    t.same(seen, [[1_000, [1]]]);
    failing = false;
    const second = await Run.begin(t, directory, program, outputs);
    await second.advance(1);
    t.equal(second.exports.read.value, 3);
    await second.stop();
    t.same(seen, [[1_000, [1]], [2_000, [2]], [3_000, [3]]]);
    t.same(plain(outputs), [['totals', [[1_000, ['[["k",1]]']], [2_000, ['[["k",3]]']], [3_000, ['[["k",6]]']]]]]);
  });
}
