/** Transform calls: what the driver records, a worker replays, and gets the same closures from. */
import t from 'tap';
import { asBatchTime } from '../../../protocol/time.ts';
import { MillraceError } from '../../../protocol/errors.ts';
import type { ReplayRecord } from '../../../protocol/rdd.ts';
import type { RDD } from '../../../lib/rdd/rdd.ts';
import { ReplayCache, replayTransform } from '../../../lib/program/replay.ts';
import type { ProgramBuilder } from '../../../lib/program/program-builder.ts';
import { ProgramRun, codeOf, flat } from '../../helpers/program-run.ts';

const numbers = (ssc: ProgramBuilder) => ssc.batchesStream([[1, 2, 3], [4], [5, 6]], 2);
const threaded = (make: (rdd: RDD<number>, time: number, ssc: ProgramBuilder) => RDD<unknown> | Promise<RDD<unknown>>): ProgramRun =>
  new ProgramRun((ssc) => numbers(ssc).transform((rdd, time) => make(rdd, time, ssc)).foreachRDD(() => {}), { threads: true });

t.test('closures over the batch time are made again on the worker', async (t) => {
  const run = threaded((rdd, time) => rdd.map((x) => x + time).filter((x) => x !== time + 2));
  t.same(flat(await run.batches(3)), [[1_001, 1_003], [2_004], [3_005, 3_006]]);
});

t.test('an action runs once, on the driver, and a replay sees its result', async (t) => {
  const run = threaded(async (rdd) => {
    const count = await rdd.count();
    const [first] = await rdd.take(1);
    return count > 1 ? rdd.map((x) => [count, first, x]) : rdd.map((x) => x);
  });
  t.same(flat(await run.batches(3)), [[[3, 1, 1], [3, 1, 2], [3, 1, 3]], [4], [[2, 5, 5], [2, 5, 6]]]);
  t.same(run.runner.log.filter(({ sink }) => sink === 'count').length, 2 + 1 + 2, 'a count job a batch, with a task for each partition that has records');
});

t.test('functions made before an action are there for the action\'s own job', async (t) => {
  const run = threaded(async (rdd, time) => {
    const large = await rdd.filter((x) => x > 1).count();
    const smallest = await rdd.takeOrdered(1, (a, b) => b - a);
    const sum = await rdd.map((x) => x + large).fold(0, (a, b) => a + b);
    return rdd.map((x) => [x, large, smallest[0], sum - time]);
  });
  t.same(flat(await run.batches(1)), [[[1, 2, 3, -988], [2, 2, 3, -988], [3, 2, 3, -988]]]);
});

t.test('actions begun at once keep their functions apart', async (t) => {
  const run = threaded(async (rdd) => {
    const counts = await Promise.all([1, 2, 3].map(async (least) => {
      const count = await rdd.filter((x) => x >= least).count();
      const plus = rdd.map((x) => x * 10 ** least);
      return { count, total: await plus.reduce((a, b) => a + b) };
    }));
    return rdd.map((x) => [x, counts.map(({ count }) => count), counts.map(({ total }) => total)]);
  });
  t.same(flat(await run.batches(1))[0]?.[0], [1, [3, 2, 1], [60, 600, 6_000]]);
});

t.test('a failed action fails in the replay too, so what follows on it is the same', async (t) => {
  const run = threaded(async (rdd) => {
    try {
      await rdd.filter(() => false).first();
    } catch (thrown) {
      const code = (thrown as MillraceError).code;
      return rdd.map((x) => `${x} ${code}`);
    }
    return rdd.map(String);
  });
  t.same(flat(await run.batches(2))[1], ['4 EmptyCollection']);
});

t.test('the program\'s own RDDs and functions keep their names in a transform', async (t) => {
  const run = new ProgramRun((ssc) => {
    const names = ssc.sc.parallelize<[number, string]>([[1, 'one'], [3, 'three']]);
    const swap = ssc.task(([n, [, name]]: [number, [number, string]]): [string, number] => [name, n]);
    numbers(ssc).map((x) => [x, x]).transform((rdd) => rdd.join(names).map(swap)).foreachRDD(() => {});
  }, { threads: true });
  t.same(new Map(flat(await run.batches(1))[0] as [string, number][]), new Map([['one', 1], ['three', 3]]));
  t.equal(run.replays.size, 0, 'nothing had to be replayed');
});

t.test('RDDs made inside the call are made again, and store nothing', async (t) => {
  const run = threaded((rdd, time, ssc) => {
    const extra = ssc.sc.parallelize([time, time + 1], 1).map((x) => -x);
    return rdd.union(extra).union(ssc.sc.emptyRDD());
  });
  t.same(flat(await run.batches(1)), [[1, 2, 3, -1_000, -1_001]]);
  t.equal(run.worker.rdds.made.length, 0);
});

t.test('a record is kept as long as an RDD needs it, and no longer', async (t) => {
  const run = threaded((rdd, time) => rdd.map((x) => x + time));
  await run.batches(3);
  const live = run.builder.graph.held();
  const nodes = run.builder.rdds.lineage(live);
  t.same(run.builder.rdds.replaysFor(nodes).map(({ time }) => time), [3_000]);
});

async function recordOf(run: ProgramRun, time = 1_000): Promise<ReplayRecord> {
  const jobs = await run.builder.graph.generateJobs(asBatchTime(time), run.env);
  const nodes = run.builder.rdds.lineage(jobs.map(({ rdd }) => rdd));
  return run.builder.rdds.replaysFor(structuredClone(nodes))[0] as ReplayRecord;
}

t.test('a record survives structured clone, and names functions by their text', async (t) => {
  const record = structuredClone(await recordOf(threaded(async (rdd) => ((await rdd.isEmpty()) ? rdd : rdd.map((x) => x + 1)))));
  t.match(record, { operator: 1, time: 1_000, parents: [{ partitions: 2, partitioner: null }], functionHashes: [/^[0-9a-f]{16}$/] });
  t.equal(record.actions.length, 1);
});

t.test('a replay that makes other functions is refused', async (t) => {
  let replays = false;
  const run = threaded((rdd) => (replays ? rdd.map((x) => x - 1) : rdd.map((x) => x + 1)));
  const record = await recordOf(run);
  replays = true;
  t.equal(await codeOf(() => replayTransform(run.worker.graph, run.worker.rdds, record)), 'ProgramDiverged');
  replays = false;
  const [fn] = await replayTransform(run.worker.graph, run.worker.rdds, record);
  t.equal((fn as unknown as (x: number) => number)(1), 2, 'and a refused replay leaves the thread able to replay');
  t.equal(await codeOf(() => replayTransform(run.worker.graph, run.worker.rdds, { ...record, operator: 0 })), 'ProgramDiverged');
});

t.test('the cache replays a call once, is bounded, and keeps what a stage needs', async (t) => {
  let calls = 0;
  const run = threaded((rdd, time) => {
    calls += 1;
    return rdd.map((x) => x + time);
  });
  const records: ReplayRecord[] = [];
  for (const time of [1_000, 2_000, 3_000, 4_000]) records.push(await recordOf(run, time));
  const cache = new ReplayCache(run.worker.graph, run.worker.rdds, 2);
  calls = 0;
  const resolve = (record: ReplayRecord) => cache.resolve({ kind: 'batch', program: record.program, operator: record.operator, time: record.time, index: 0 }) as unknown as (x: number) => number;
  for (const record of records.slice(0, 2)) t.equal(cache.prepare([record]), undefined, 'nothing is awaited');
  cache.prepare(records.slice(0, 2));
  t.equal(calls, 2);
  cache.prepare([records[2] as ReplayRecord]);
  t.equal(cache.size, 2);
  t.equal(await codeOf(() => resolve(records[0] as ReplayRecord)), 'ProgramDiverged');
  cache.prepare(records);
  t.equal(cache.size, 4, 'a stage over more calls than the bound has all of them');
  t.same(records.map((record) => resolve(record)(1)), [1_001, 2_001, 3_001, 4_001]);
});

t.test('replays of async calls do not overlap', async (t) => {
  let running = 0;
  let most = 0;
  const run = threaded(async (rdd, time) => {
    running += 1;
    most = Math.max(most, running);
    const count = await rdd.count();
    running -= 1;
    return rdd.map((x) => x + time + count);
  });
  const records = [await recordOf(run, 1_000), await recordOf(run, 2_000)];
  const cache = new ReplayCache(run.worker.graph, run.worker.rdds);
  await Promise.all([cache.prepare([records[0] as ReplayRecord]), cache.prepare([records[1] as ReplayRecord])]);
  t.equal(most, 1);
  t.equal(cache.size, 2);
});

t.test('batches that are generated at once are generated one after another', async (t) => {
  const times: string[] = [];
  const run = threaded(async (rdd, time) => {
    times.push(`begin ${time}`);
    await rdd.count();
    times.push(`end ${time}`);
    return rdd;
  });
  await Promise.all([run.builder.graph.generateJobs(asBatchTime(1_000), run.env), run.builder.graph.generateJobs(asBatchTime(2_000), run.env)]);
  t.same(times, ['begin 1000', 'end 1000', 'begin 2000', 'end 2000']);
});
