/**
 * Persisted data larger than shared memory under the simulator: blocks move, are dropped and computed again in every order of events
 * that a seed chooses, while threads die that read them or write them to the disk.
 */
import t from 'tap';
import { StreamingContext } from '../../lib/streaming-context.ts';
import { SimulatedCluster } from '../../lib/simulated-cluster.ts';
import { StorageLevel } from '../../lib/rdd/storage-level.ts';
import { createPrng } from '../../lib/base/prng.ts';
import type { PublishedBatch } from '../../lib/dstream/published-stream.ts';
import type { StorageStats } from '../../protocol/job.ts';
import { checkNothingLeft, goOnAWhile, killOne } from '../helpers/simulated-deaths.ts';

const seeds = Number(process.env['SIM_SEEDS'] ?? 8);
const firstSeed = Number(process.env['SIM_SEED'] ?? 1);
const batches = 12;
const tables = 12;
const records = 250;

const textOf = (table: number, part: number, index: number): string => `${table}-${part}-${index}-${'x'.repeat(80)}`;

async function run(seed: number): Promise<{ readonly seen: readonly PublishedBatch<readonly [string, number]>[]; readonly stats: StorageStats; readonly killed: number }> {
  const cluster = new SimulatedCluster({ seed, workers: 2, logger: { log: () => {} }, slabBytes: 65_536, blockMemoryBytesMax: 1_048_576, recordBytesMax: 1_024 });
  const prng = createPrng(`memory ${seed}`);
  const ssc = await StreamingContext.create(
    (context: StreamingContext) => {
      const kept = Array.from({ length: tables }, (_, table) =>
        context.sc
          .parallelize([0, 1], 2)
          .flatMap((part) => Array.from({ length: records }, (_each, index) => textOf(table, part, index)))
          .persist(table % 3 === 0 ? StorageLevel.MEMORY_AND_DISK_SER : StorageLevel.MEMORY_ONLY));
      const turns = context.batchesStream(Array.from({ length: 2 * batches }, () => [1]), 1);
      const sums = turns.transform((_rdd, time) => {
        const at = Number(time) / 1_000;
        return (kept[at % tables] as (typeof kept)[number])
          .union(kept[(at * 5) % tables] as (typeof kept)[number])
          .map((text) => [text.split('-')[0] as string, text.length] as [string, number])
          .reduceByKey((a, b) => a + b, 2);
      });
      return { sums: sums.publish({ bound: 1_000 }) };
    },
    { sparkContext: cluster.sparkContext, batchInterval: 1_000, clock: 'manual', defaultParallelism: 2, allowMultipleContexts: true },
  );
  const seen: PublishedBatch<readonly [string, number]>[] = [];
  void (async () => {
    for await (const batch of ssc.exports.sums) seen.push(batch as PublishedBatch<readonly [string, number]>);
  })();
  await cluster.run(ssc.start());
  let killed = 0;
  for (let batch = 0; batch < batches; batch += 1) {
    const done = ssc.clock.advance(1);
    if (prng.int(3) === 0) {
      goOnAWhile(cluster, prng, 80);
      if (killOne(cluster, prng)) killed += 1;
    }
    await cluster.run(done);
  }
  const stats = await cluster.run(cluster.sparkContext.storageStats());
  await cluster.run(ssc.stop({ stopSparkContext: false }));
  await checkNothingLeft(cluster);
  await cluster.sparkContext.stop();
  return { seen, stats, killed };
}

function expected(batch: number): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const table of [batch % tables, (batch * 5) % tables]) {
    for (const part of [0, 1]) for (let index = 0; index < records; index += 1) sums[table] = (sums[table] ?? 0) + textOf(table, part, index).length;
  }
  return sums;
}

t.test('every batch is right, whichever blocks have to go and whichever threads die, and nothing is left of the program', async (t) => {
  const total = { spilled: 0, dropped: 0, killed: 0 };
  for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
    const { seen, stats, killed } = await run(seed).catch((thrown: unknown) => {
      throw new Error(`SIM_SEED=${seed} SIM_SEEDS=1 replays this`, { cause: thrown });
    });
    total.spilled += stats.spilled;
    total.dropped += stats.dropped;
    total.killed += killed;
    t.same(seen.map(({ records: sums }) => Object.fromEntries(sums)), Array.from({ length: batches }, (_, index) => expected(index + 1)), `seed ${seed}: replay with SIM_SEED=${seed} SIM_SEEDS=1`);
  }
  t.ok(seeds < 8 || (total.spilled > seeds && total.dropped > seeds && total.killed > seeds), 'blocks moved, were dropped, and threads died', total);
});
