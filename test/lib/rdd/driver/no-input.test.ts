/** Partitions without records: what is told of them without a task, and where a task has to run all the same. */
import t from 'tap';
import { emptyRdd, parallelize } from '../../../../lib/rdd/make.ts';
import type { RDD } from '../../../../lib/rdd/rdd.ts';
import { StorageLevel } from '../../../../lib/rdd/storage-level.ts';
import { LocalRunner } from '../../../helpers/local-runner.ts';

/** What the action gives, and for which sinks tasks have run. */
async function seen<R>(make: (nothing: RDD<number>, context: LocalRunner) => Promise<R>): Promise<{ result: R; tasks: string[] }> {
  const context = new LocalRunner();
  const result = await make(parallelize<number>(context, [], 2), context);
  return { result, tasks: context.log.map(({ sink, partition }) => `${sink} ${partition}`).sort() };
}

const pairsOf = (rdd: RDD<number>): RDD<[number, number]> => rdd.map((x) => [x, 1] as [number, number]);

t.test('no task runs where nothing can come out', async (t) => {
  t.same(await seen((rdd) => rdd.map((x) => x + 1).filter(() => true).flatMap((x) => [x, x]).collect()), { result: [], tasks: [] });
  t.same(await seen((rdd) => rdd.count()), { result: 0, tasks: [] });
  t.same(await seen((rdd) => rdd.foreach(() => {})), { result: undefined, tasks: [] });
  t.same(await seen((rdd) => rdd.takeOrdered(3)), { result: [], tasks: [] });
  t.same(await seen((rdd) => pairsOf(rdd).reduceByKey((a, b) => a + b).mapValues((n) => n).collect()), { result: [], tasks: [] });
  t.same(await seen((rdd) => pairsOf(rdd).cogroup(pairsOf(rdd)).collect()), { result: [], tasks: [] });
  t.same(await seen((rdd) => pairsOf(rdd).sortByKey().collect()), { result: [], tasks: [] });
  t.same(await seen((rdd) => rdd.zipWithIndex().union(emptyRdd(rdd.context)).coalesce(1).collect()), { result: [], tasks: [] });
  await t.rejects(seen((rdd) => rdd.reduce((a, b) => a + b)), { code: 'EmptyCollection' });
});

t.test('a task runs where a function sees the empty partition, or something is made of it', async (t) => {
  t.same(await seen((rdd) => rdd.mapPartitions(() => [7]).collect()), { result: [7, 7], tasks: ['collect 0', 'collect 1'] });
  t.same(await seen((rdd) => rdd.glom().collect()), { result: [[], []], tasks: ['collect 0', 'collect 1'] });
  t.same(await seen((rdd) => rdd.fold(5, (a, b) => a + b)), { result: 15, tasks: ['aggregate 0', 'aggregate 1'] });
  t.same((await seen((rdd) => rdd.foreachPartition(() => {}))).tasks, ['foreachPartition 0', 'foreachPartition 1']);
});

t.test('only the partitions with records get a task', async (t) => {
  const union = (rdd: RDD<number>, context: LocalRunner): RDD<number> => rdd.union(parallelize(context, [3, 4], 1));
  t.same(await seen((rdd, context) => union(rdd, context).map((x) => x * 2).collect()), { result: [6, 8], tasks: ['collect 2'] });
  const counts = await seen((rdd, context) => pairsOf(union(rdd, context)).reduceByKey((a, b) => a + b, 1).collect());
  t.same(counts, { result: [[3, 1], [4, 1]], tasks: ['collect 0', 'shuffle 2'] });
});

t.test('a persisted partition is made by a task, and known to be empty from then on', async (t) => {
  const { result, tasks } = await seen(async (rdd) => {
    const kept = rdd.map((x) => x).persist(StorageLevel.MEMORY_ONLY);
    return [await kept.count(), await kept.map((x) => x + 1).count()];
  });
  t.same({ result, tasks }, { result: [0, 0], tasks: ['count 0', 'count 1'] });
});
