/** `missedBatches`: the batches that came due while no process ran, on the system's clock, which goes on meanwhile. */
import t from 'tap';
import { ManualClock } from '../../lib/base/clock.ts';
import { SimulatedCluster } from '../../lib/simulated-cluster.ts';
import { SimulatedMachine } from '../../lib/simulated-machine.ts';
import { StreamingContext } from '../../lib/streaming-context.ts';
import type { RddQueue } from '../../lib/dstream/rdd-queue.ts';

/** Where the machine's clock begins: on the grid of batches. */
const epochMs = 1_000_000_000_000;

interface Seen {
  /** Records and total of each batch that ran, by time since the first one's, in the order in which they ran. */
  readonly batches: [number, { readonly records: readonly string[]; readonly total: number }][];
}

/** A count over all batches, and the window of the last two. */
const programInto = (seen: Seen) => (context: StreamingContext): { readonly queue: RddQueue<string> } => {
  const queue = context.queue<string>();
  const words = context.queueStream(queue, false).uid('words');
  const totals = words.map((): [string, number] => ['all', 1]).updateStateByKey((ones: readonly number[], total: number | undefined) => (total ?? 0) + ones.length, { partitions: 1 }).uid('totals');
  words.union(totals.map(([, total]) => `=${total}`)).foreachRDD(async (rdd, time) => {
    const all = await rdd.collect();
    seen.batches.push([Number(time) - epochMs, { records: all.filter((record) => !record.startsWith('=')), total: Number(all.find((record) => record.startsWith('='))?.slice(1) ?? 0) }]);
  });
  return { queue };
};

/** A process that lives until the batch at `until` is complete, and is killed then: that batch may run again. */
async function live(machine: SimulatedMachine, seed: number, { push, until, missedBatches }: { readonly push: readonly string[]; readonly until: number; readonly missedBatches: 'all' | 'latest' }): Promise<Seen> {
  const seen: Seen = { batches: [] };
  const cluster = new SimulatedCluster({ seed, machine, workers: 1, defaultParallelism: 1, logger: { log: () => {} } });
  const ssc = (await cluster.run(StreamingContext.getOrCreate('/checkpoints', programInto(seen), { sparkContext: cluster.sparkContext, batchInterval: 1_000, allowMultipleContexts: true, missedBatches }))) as StreamingContext<{ readonly queue: RddQueue<string> }>;
  const complete = new Promise<void>((resolve) => {
    ssc.on('batchCompleted', ({ batchTime }) => void (batchTime - epochMs >= until && resolve()));
  });
  await cluster.run(ssc.start());
  for (const record of push) await cluster.run(ssc.exports.queue.push([record]));
  await cluster.run(complete);
  cluster.crash();
  return seen;
}

for (const [missedBatches, expected] of [
  ['all', [3_000, 4_000, 5_000, 6_000, 7_000, 8_000]],
  ['latest', [7_000, 8_000]],
] as const) {
  t.test(`${missedBatches}: state and records are those of all batches, whichever of them run`, async (t) => {
    const machine = new SimulatedMachine({ seed: 1, clock: new ManualClock({ epochMs }) });
    const first = await live(machine, 1, { push: ['a', 'b'], until: 2_000, missedBatches });
    t.same(first.batches, [[1_000, { records: ['a', 'b'], total: 2 }], [2_000, { records: [], total: 2 }]]);
    machine.clock.advanceBy(5_000);
    const second = await live(machine, 2, { push: ['c'], until: 8_000, missedBatches });
    t.same(second.batches.map(([time]) => time).filter((time) => time > 2_000), expected);
    t.same(second.batches.at(-1)?.[1].total, 3);
    t.same(second.batches.flatMap(([, { records }]) => records), ['c']);
  });
}
