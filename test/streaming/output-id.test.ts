/** The name of what an output writes: the same in every attempt and every run, and no other output's. */
import t from 'tap';
import { transactionalSink } from '../../lib/dstream/transactional-sink.ts';
import type { TransactionalSink } from '../../lib/dstream/transactional-sink.ts';
import { bodyActionUid, outputId } from '../../lib/rdd/output-id.ts';
import type { TaskContext } from '../../lib/rdd/task-context.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import type { TestOptions } from '../../lib/testing.ts';
import { startTest } from '../../lib/testing.ts';
import { asBatchTime } from '../../protocol/time.ts';
import { silent } from '../helpers/running.ts';

async function run(program: (ssc: StreamingContext) => void, batches: number, options: Omit<TestOptions, 'args'> = {}): Promise<void> {
  const test = await startTest(program, { appName: 'shop', logger: silent, ...options });
  await test.advance(batches);
  await test.stop();
}

t.test('APP/OUTPUT/BATCH_TIME/PARTITION can be read back, whatever the app is called', (t) => {
  t.equal(outputId('shop', 'orders/foreach', asBatchTime(1_000), 2), 'shop/orders/foreach/1000/2');
  t.equal(outputId('a/b%', 'c', asBatchTime(5)), 'a%2Fb%25/c/5');
  t.not(outputId('a/b', 'c', asBatchTime(5)), outputId('a', 'b/c', asBatchTime(5)));
  t.same([1, 2, 3].map((ordinal) => bodyActionUid('o', ordinal)), ['o', 'o@2', 'o@3']);
  t.end();
});

t.test('every output and partition of a batch has an id of its own, also where streams and methods are the same', async (t) => {
  const seen: string[] = [];
  const note = (_: unknown, { id }: TaskContext): void => void seen.push(String(id));
  await run((ssc) => {
    const numbers = ssc.batchesStream([[1, 2], [3, 4]], 2).uid('numbers');
    numbers.foreachPartition(note);
    numbers.foreachPartition(note);
    numbers.foreach(note);
    numbers.foreachRDD((_rdd, _time, { id, outputUid, batchTime }) => void seen.push(`${id} ${outputUid} ${batchTime}`));
    // Two streams made alike have the same derived uid.
    numbers.map((n) => n + 1).foreach(note);
    numbers.map((n) => n + 2).foreach(note);
  }, 2);
  t.equal(seen.length, 22);
  t.equal(new Set(seen).size, 22, 'no two are alike');
  t.same(seen.slice(0, 7), ['numbers/foreachPartition/1000/0', 'numbers/foreachPartition/1000/1', 'numbers/foreachPartition#2/1000/0', 'numbers/foreachPartition#2/1000/1', 'numbers/foreach/1000/0', 'numbers/foreach/1000/1', 'numbers/foreachRDD/1000 numbers/foreachRDD 1000'].map((id) => `shop/${id}`));
});

t.test('an id is the same in every attempt, and in another run of the batch', async (t) => {
  const runs: string[][] = [];
  for (let n = 0; n < 2; n += 1) {
    const seen: string[] = [];
    runs.push(seen);
    await run((ssc) => ssc.batchesStream([['a', 'b', 'c'], ['d']], 2).window(2_000).map((word): [string, number] => [word, 1]).reduceByKey((a, b) => a + b).foreachPartition((_, { id, attempt }) => {
      seen.push(`${id}`);
      if (attempt === 0) throw new Error('once');
    }), 2);
  }
  t.same(runs[0], runs[1]);
  t.same(runs[0]?.toSorted().filter((id, index, all) => all.indexOf(id) === index).length, 4);
  t.equal(runs[0]?.length, 8, 'each twice');
});

t.test('in a body, each action that writes has an id; elsewhere there is none', async (t) => {
  const seen: (string | null)[] = [];
  const elsewhere: unknown[] = [];
  await run((ssc) => {
    const note = ssc.task((_: unknown, { id }: TaskContext): void => void seen.push(id));
    const numbers = ssc.batchesStream([[1], [2]], 1).uid('numbers');
    numbers.mapPartitions((records, { id, outputUid }) => {
      elsewhere.push(id, outputUid);
      return records;
    }).foreach(() => {});
    numbers.foreachRDD(async (rdd) => {
      await rdd.foreachPartition(note as never);
      await rdd.count();
      await rdd.foreach(note as never);
    });
  }, 2);
  t.same(seen, ['1000/0', '@2/1000/0', '2000/0', '@2/2000/0'].map((end) => `shop/numbers/foreachRDD${end.startsWith('@') ? '' : '/'}${end}`));
  t.same(elsewhere, [null, null, null, null]);
});

t.test('a body that has passed its time writes under the name of its own batch, beside the next one', async (t) => {
  const seen: (string | null)[] = [];
  let wake: () => void = () => {};
  let late: () => void = () => {};
  const lateEnded = new Promise<void>((resolve) => (late = resolve));
  await run((ssc) => {
    const note = ssc.task((_: unknown, { id }: TaskContext): void => void seen.push(id)) as never;
    const { sc } = ssc;
    ssc.batchesStream([[1], [2]], 1).uid('numbers').foreachRDD(async (rdd, time) => {
      if (time === 1_000) {
        await new Promise<void>((resolve) => (wake = resolve));
        await sc.parallelize([1], 1).foreachPartition(note).finally(late);
        return;
      }
      wake();
      await lateEnded;
      await rdd.foreachPartition(note);
    });
  }, 2, { outputTimeoutMs: 1_500, onBatchFailure: 'skip' });
  t.same(seen, ['shop/numbers/foreachRDD/1000/0', 'shop/numbers/foreachRDD/2000/0']);
});

const context = { batchTime: asBatchTime(1_000), partition: 0, attempt: 0, stageId: 0, program: null, appName: 'shop', outputUid: 'o', id: 'shop/o/1000/0' } as const;

/** Hooks that note their calls; each of `throwing` throws. */
function noted(claimed: unknown, throwing: readonly string[] = []) {
  const calls: string[] = [];
  const call = (name: string): void => {
    calls.push(name);
    if (throwing.includes(name)) throw new Error(`${name} throws`);
  };
  const sink: TransactionalSink<number, string> = {
    begin: () => (call('begin'), 'tx'),
    claim: () => (call('claim'), claimed as boolean),
    write: (tx, records) => call(`write ${tx} ${[...records].join()}`),
    commit: () => call('commit'),
    rollback: (_tx, _context, cause) => call(cause === undefined ? 'rollback' : `rollback: ${(cause as Error).message}`),
  };
  return { calls, write: transactionalSink(sink) };
}

t.test('a transactional sink claims before it writes, and commits or rolls back what it has begun', async (t) => {
  const of = async (claimed: unknown, throwing: readonly string[] = []): Promise<string[]> => {
    const { calls, write } = noted(claimed, throwing);
    const error = await write([1, 2], context).then(() => [], (thrown: Error) => [`rejects: ${thrown.message}`]);
    return [...calls, ...error];
  };
  t.same(await of(true), ['begin', 'claim', 'write tx 1,2', 'commit']);
  t.same(await of(false), ['begin', 'claim', 'rollback']);
  t.same(await of(true, ['begin']), ['begin', 'rejects: begin throws']);
  t.same(await of(true, ['claim']), ['begin', 'claim', 'rollback: claim throws', 'rejects: claim throws']);
  t.same(await of(true, ['write tx 1,2']), ['begin', 'claim', 'write tx 1,2', 'rollback: write tx 1,2 throws', 'rejects: write tx 1,2 throws']);
  t.same(await of(true, ['commit', 'rollback: commit throws']), ['begin', 'claim', 'write tx 1,2', 'commit', 'rollback: commit throws', 'rejects: commit throws'], 'the first error is told');
  t.match((await of(undefined)).at(-1), /^rejects: .*claim expects to return true .* and returned undefined/);
});

t.test('a transactional sink refuses to write for no output', async (t) => {
  const { calls, write } = noted(true);
  await t.rejects(write([1], { ...context, appName: null, outputUid: null, id: null }), { code: 'InvalidArgument', message: /foreachPartition of a stream/ });
  t.same(calls, []);
});
