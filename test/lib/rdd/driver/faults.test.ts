/**
 * Retries and lost inputs: whatever fails within the bounds, results are those of an undisturbed run, in the same order, and
 * all memory is given back.
 */
import t from 'tap';
import { parallelize } from '../../../../lib/rdd/make.ts';
import type { RDD } from '../../../../lib/rdd/rdd.ts';
import type { Faults } from '../../../helpers/local-runner.ts';
import { LocalRunner } from '../../../helpers/local-runner.ts';

const text = 'a stream is a series of batches and a batch is a set of records in a row of partitions'.split(' ');

/** A long lineage: combined, cached, sorted, joined with itself, indexed, co-grouped, coalesced. */
function lineage(context: LocalRunner): RDD<unknown> {
  const counts = parallelize(context, text, 4).map((word) => [word, 1]).reduceByKey((a, b) => a + b, 3).cache();
  const sorted = counts.sortBy(([word, count]) => [count, word], false, 3).zipWithIndex();
  const ranked = sorted.map(([[word], rank]) => [word, rank]);
  return ranked.join(counts).union(ranked.subtractByKey(counts.filter(([, count]) => count > 1)).mapValues((rank) => [rank, 0])).coalesce(2).sortByKey(true, 2);
}

async function results(context: LocalRunner): Promise<unknown> {
  const rdd = lineage(context);
  const records = await rdd.collectPartitions();
  const again = await rdd.collectPartitions();
  const first = await rdd.take(3);
  const count = await rdd.count();
  return { records, again, first, count };
}

const kinds: Record<string, Faults> = {
  'tasks that fail before their work': { failBefore: 0.2, faultsMax: 40 },
  'tasks that fail after their work': { failAfter: 0.2, faultsMax: 40 },
  'threads that die': { hostLost: 0.3 },
  'buckets that are lost': { bucketLost: 0.2, faultsMax: 30 },
  'cached partitions that are lost': { blockLost: 0.4, faultsMax: 30 },
  'all of it': { failBefore: 0.05, failAfter: 0.05, hostLost: 0.1, bucketLost: 0.1, blockLost: 0.2, faultsMax: 60 },
};

t.test('faults within the bounds change no result', async (t) => {
  const calm = new LocalRunner();
  const expected = await results(calm);
  calm.endBatch();
  t.equal(calm.memory.live, 0);
  for (const [name, faults] of Object.entries(kinds)) {
    let struck = 0;
    for (let seed = 1; seed <= 6; seed += 1) {
      const context = new LocalRunner({ seed, faults, taskFailuresMax: 12 });
      t.same(await results(context), expected, `${name}, seed ${seed}`);
      struck += context.faultCount;
      context.endBatch();
      t.equal(context.memory.live, 0, `${name}, seed ${seed}: all memory is given back`);
    }
    t.ok(struck > 6, `${name}: ${struck} faults struck`);
  }
});

t.test('a job that fails gives back its memory, and says which operator failed and why', async (t) => {
  const context = new LocalRunner();
  const rdd = parallelize(context, text, 4).map((word) => [word, 1]).reduceByKey((a, b) => a + b)
    .map(([word, count]) => {
      if (word === 'stream') throw new RangeError('No streams here.');
      return [word, count];
    });
  await t.rejects(rdd.collect(), { code: 'TaskFailed', message: /map.*failed 4 times.*No streams here/s, cause: { code: 'UserFunctionFailed', cause: { message: 'No streams here.' } } });
  const attempts = context.log.filter(({ sink }) => sink === 'collect');
  t.equal(Math.max(...attempts.map(({ attempt }) => attempt)), 3);
  context.endBatch();
  t.equal(context.memory.live, 0);
});

t.test('a failure that no attempt can change is not tried again', async (t) => {
  const context = new LocalRunner();
  const rdd = parallelize(context, [1], 1).map((): unknown => () => 'a function');
  await t.rejects(rdd.collect(), { code: 'TaskFailed', cause: { code: 'RecordNotSerializable' } });
  t.equal(context.log.length, 1);
});

t.test('inputs that are lost again and again end the job', async (t) => {
  const context = new LocalRunner({ faults: { bucketLost: 1 } });
  const rdd = parallelize(context, text, 2).map((word) => [word, 1]).reduceByKey((a, b) => a + b, 1);
  await t.rejects(rdd.collect(), { code: 'TaskFailed', message: /inputs were lost 9 times/, cause: { code: 'BlockMissing' } });
  t.ok(context.log.filter(({ sink }) => sink === 'shuffle').length >= 9);
});

t.test('threads that die again and again end the job', async (t) => {
  const context = new LocalRunner({ faults: { hostLost: 1 } });
  await t.rejects(parallelize(context, [1], 1).collect(), { code: 'TaskFailed', message: /thread died 9 times/ });
});
