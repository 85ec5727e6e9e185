/**
 * What windows and state keep over their batches, larger than shared memory, under the simulator: outputs go to files and are read from there in
 * every order of events that a seed chooses, while threads die that read them, wrote them, or have the state.
 */
import t from 'tap';
import { StreamingContext } from '../../lib/streaming-context.ts';
import { SimulatedCluster } from '../../lib/simulated-cluster.ts';
import { createPrng } from '../../lib/base/prng.ts';
import keptWindows, { totalOf } from '../fixtures/kept-windows.ts';
import type { KeptWindowsArgs } from '../fixtures/kept-windows.ts';
import type { StorageStats } from '../../protocol/job.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const seeds = Number(process.env['SIM_SEEDS'] ?? 4);
const firstSeed = Number(process.env['SIM_SEED'] ?? 1);
const batches = 26;
/** Three batches make 300 KB, of a pool of 1 MB. */
const keys = 800;

interface Outcome {
  readonly seen: readonly unknown[];
  /** The most at a time. */
  readonly onDisk: number;
  readonly killed: number;
  readonly left: StorageStats & { readonly heldHandles: number };
}

async function run(seed: number, form: KeptWindowsArgs['form']): Promise<Outcome> {
  const cluster = new SimulatedCluster({ seed, workers: 2, logger: { log: () => {} }, slabBytes: 65_536, blockMemoryBytesMax: 1_048_576, recordBytesMax: 1_024 });
  const prng = createPrng(`kept ${form} ${seed}`);
  const ssc = await StreamingContext.create((context: StreamingContext) => keptWindows(context, { batches, keys, form, padding: 80 }), {
    sparkContext: cluster.sparkContext, batchInterval: 1_000, clock: 'manual', defaultParallelism: 2, allowMultipleContexts: true, checkpointDirectory: temporaryDirectory(),
  });
  const seen: unknown[] = [];
  void (async () => {
    for await (const { records } of ssc.exports.totals) seen.push(...records);
  })();
  await cluster.run(ssc.start());
  let killed = 0;
  let onDisk = 0;
  for (let batch = 0; batch < batches; batch += 1) {
    const done = ssc.clock.advance(1);
    if (prng.int(3) === 0) {
      for (let step = prng.int(80); step > 0 && cluster.simulator.step(); step -= 1);
      // Both workers at times: whoever goes on with the state has it from its steps alone.
      for (const victim of prng.shuffle(cluster.simulator.hosts.filter((host) => host > 1)).slice(0, 1 + prng.int(2))) {
        cluster.simulator.killHost(victim);
        killed += 1;
      }
    }
    await cluster.run(done);
    onDisk = Math.max(onDisk, (await cluster.run(cluster.sparkContext.storageStats())).outputsOnDisk);
  }
  await cluster.run(ssc.stop({ stopSparkContext: false }));
  const stats = await cluster.run(cluster.sparkContext.storageStats());
  const { heldHandles } = await cluster.run(cluster.sparkContext.blockStats());
  await cluster.sparkContext.stop();
  return { seen, onDisk, killed, left: { ...stats, heldHandles } };
}

for (const form of ['plain', 'inverse', 'state'] as const) {
  t.test(`${form === 'state' ? 'keyed state' : `a window of 12 batches (${form})`} is right in every batch, whichever outputs lie in files and whichever threads die, and nothing is left of it`, async (t) => {
    const total = { onDisk: 0, killed: 0 };
    for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
      const replay = `seed ${seed}: replay with SIM_SEED=${seed} SIM_SEEDS=1`;
      const { seen, onDisk, killed, left } = await run(seed, form).catch((thrown: unknown) => {
        throw new Error(replay, { cause: thrown });
      });
      t.same(seen, Array.from({ length: batches }, (_, index) => totalOf({ batches, keys, form }, index + 1)), replay);
      t.match(left, { mapOutputs: 0, outputsOnDisk: 0, evictable: 0, persistedPartitions: 0, heldHandles: 0 }, replay);
      total.onDisk += onDisk;
      total.killed += killed;
    }
    t.ok(total.onDisk > seeds && (seeds < 4 || total.killed > seeds), 'outputs lay in files, and threads died', total);
  });
}
