/**
 * Everybody who needs shared memory at the same time, under the simulator: tasks, pushes that nobody waits for one by one, the driver's own
 * sources, values of broadcast variables, what foreachRDD bodies store. The order of events is a seed's, and threads die that read blocks or
 * write them to the disk. Nobody may wait for ever, and all results are right.
 */
import t from 'tap';
import { StreamingContext } from '../../lib/streaming-context.ts';
import { SimulatedCluster } from '../../lib/simulated-cluster.ts';
import { StorageLevel } from '../../lib/rdd/storage-level.ts';
import { createPrng } from '../../lib/base/prng.ts';
import windowsOverMemory, { expectedOf, textsOf } from '../fixtures/windows-over-memory.ts';
import type { WindowsOverMemoryArgs } from '../fixtures/windows-over-memory.ts';
import type { StorageStats } from '../../protocol/job.ts';
import { checkNothingLeft, goOnAWhile, killOne } from '../helpers/simulated-deaths.ts';

const seeds = Number(process.env['SIM_SEEDS'] ?? 6);
const firstSeed = Number(process.env['SIM_SEED'] ?? 1);
const batches = 9;
const levels = [null, ...(Object.keys(StorageLevel) as (keyof typeof StorageLevel)[])];

interface Outcome {
  readonly args: WindowsOverMemoryArgs;
  readonly seen: readonly unknown[][];
  readonly bodies: readonly number[];
  readonly stats: StorageStats;
  readonly killed: number;
}

async function run(seed: number): Promise<Outcome> {
  const prng = createPrng(`room ${seed}`);
  // Of 1 MB, or a little more: 2 streams of 150 KB a batch in windows of 6 are 1.8 MB, and their sources as much.
  const blockMemoryBytesMax = 65_536 * (16 + prng.int(4));
  const args: WindowsOverMemoryArgs = { level: prng.pick(levels), records: 150, batches, window: 6 };
  const cluster = new SimulatedCluster({ seed, workers: 2, logger: { log: () => {} }, slabBytes: 65_536, blockMemoryBytesMax, recordBytesMax: 4_096 });
  const bodies: number[] = [];
  const ssc = await StreamingContext.create(
    (context: StreamingContext) => {
      const exported = windowsOverMemory(context, args);
      const value = context.sc.broadcast(() => 'v'.repeat(20_000));
      const factor = context.task((x: string) => x.length + value.value.length);
      context.batchesStream(Array.from({ length: batches }, () => [1]), 1).foreachRDD(async (_rdd, time) => {
        bodies[Number(time) / 1_000 - 1] = await context.sc.parallelize(Array.from({ length: 40 }, (_each, index) => `${index}`.padEnd(1_000, 'b')), 2).map(factor).reduce((a, b) => a + b);
      });
      return { ...exported, value };
    },
    { sparkContext: cluster.sparkContext, batchInterval: 1_000, clock: 'manual', defaultParallelism: 2, allowMultipleContexts: true },
  );
  const seen: unknown[][] = [[], []];
  for (const [index, stream] of [ssc.exports.pushed, ssc.exports.replayed].entries()) {
    void (async () => {
      for await (const { records } of stream) seen[index]!.push([...records].sort(([a], [b]) => a - b));
    })();
  }
  await cluster.run(ssc.start());
  let killed = 0;
  for (let batch = 0; batch < batches;) {
    const several = Math.min(batches - batch, 1 + prng.int(4));
    const asked: Promise<unknown>[] = Array.from({ length: several }, (_, index) => ssc.exports.queue.push(textsOf(batch + index + 1, args.records)));
    if (prng.int(2) === 0) asked.push(ssc.exports.value.set('w'.repeat(20_000)));
    // Batches run behind their records; which of them are generated while others wait for room, the seed says.
    const done = Promise.all(asked).then(() => ssc.clock.advance(several));
    done.catch(() => {});
    if (prng.int(2) === 0) {
      goOnAWhile(cluster, prng, 200);
      if (killOne(cluster, prng)) killed += 1;
    }
    await cluster.run(done);
    batch += several;
  }
  const stats = await cluster.run(cluster.sparkContext.storageStats());
  await cluster.run(ssc.stop({ stopSparkContext: false }));
  await checkNothingLeft(cluster);
  await cluster.sparkContext.stop();
  return { args, seen, bodies, stats, killed };
}

t.test('whoever needs room gets it, whatever the order of events and whichever threads die, every result is right, and nothing is left', async (t) => {
  const total = { sources: 0, waits: 0, killed: 0 };
  for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
    const replay = `seed ${seed}: replay with SIM_SEED=${seed} SIM_SEEDS=1`;
    const { args, seen, bodies, stats, killed } = await run(seed).catch((thrown: unknown) => {
      throw new Error(replay, { cause: thrown });
    });
    const expected = Array.from({ length: batches }, (_, index) => expectedOf(index + 1, args));
    t.same(seen, [expected, expected], replay);
    t.same(bodies, Array.from({ length: batches }, () => 40 * 21_000), replay);
    total.sources += stats.sourceBlocksOnDisk;
    total.waits += stats.memoryWaits;
    total.killed += killed;
  }
  t.ok(seeds < 6 || (total.sources > seeds && total.waits > 0 && total.killed > 0), 'sources went to the disk, somebody waited, and threads died', total);
});
