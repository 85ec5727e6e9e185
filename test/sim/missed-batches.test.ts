/** `missedBatches`: the batches that came due while no process ran, on the system's clock, which goes on meanwhile. */
import t from 'tap';
import { ManualClock } from '../../lib/base/clock.ts';
import { SimulatedCluster } from '../../lib/simulated-cluster.ts';
import { SimulatedMachine } from '../../lib/simulated-machine.ts';
import { StreamingContext } from '../../lib/streaming-context.ts';
import type { DStream } from '../../lib/dstream/dstream.ts';
import type { RddQueue } from '../../lib/dstream/rdd-queue.ts';

/** Where the machine's clock begins: on the grid of batches. */
const epochMs = 1_000_000_000_000;

interface Seen {
  /** Records and total of each batch that ran, by time since the first one's, in the order in which they ran. */
  readonly batches: [number, { readonly records: readonly string[]; readonly total: number; readonly window: number; readonly inverse: number }][];
}

/** A count over all batches, and two of the last three, one of them with the inverse function. One push a batch. */
const programInto = (seen: Seen) => (context: StreamingContext): { readonly queue: RddQueue<string> } => {
  const queue = context.queue<string>();
  const words = context.queueStream(queue).uid('words');
  const ones = words.map((): [string, number] => ['all', 1]);
  const totals = ones.updateStateByKey((ones: readonly number[], total: number | undefined) => (total ?? 0) + ones.length, { partitions: 1 }).uid('totals');
  const inverse = ones.reduceByKeyAndWindow((a, b) => a + b, (a, b) => a - b, 3_000, 1_000, 1).uid('inverse');
  const told = (name: string, stream: DStream<[string, number]>): DStream<string> => stream.map(([, value]) => `${name}=${value}`);
  const window = ones.reduceByKeyAndWindow((a, b) => a + b, 3_000, 1_000, 1);
  context.union([words, told('total', totals), told('window', window), told('inverse', inverse)]).foreachRDD(async (rdd, time) => {
    const all = await rdd.collect();
    const valueOf = (name: string): number => Number(all.find((record) => record.startsWith(`${name}=`))?.slice(name.length + 1) ?? 0);
    seen.batches.push([Number(time) - epochMs, { records: all.filter((record) => !record.includes('=')), total: valueOf('total'), window: valueOf('window'), inverse: valueOf('inverse') }]);
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
  ['all', [3_000, 4_000, 5_000, 6_000, 7_000, 8_000, 9_000]],
  ['latest', [7_000, 8_000, 9_000]],
] as const) {
  t.test(`${missedBatches}: whichever batches run, each record is in one of them, and state and windows have it then`, async (t) => {
    const machine = new SimulatedMachine({ seed: 1, clock: new ManualClock({ epochMs }) });
    const first = await live(machine, 1, { push: ['a', 'b', 'c', 'd', 'e'], until: 2_000, missedBatches });
    t.same(first.batches, [[1_000, { records: ['a'], total: 1, window: 1, inverse: 1 }], [2_000, { records: ['b'], total: 2, window: 2, inverse: 2 }]]);
    machine.clock.advanceBy(5_000);
    const second = await live(machine, 2, { push: [], until: 9_000, missedBatches });
    t.same(second.batches.map(([time]) => time).filter((time) => time > 2_000), expected);
    const before: readonly string[] = ['a', 'b'];
    const taken: string[] = [];
    for (const [time, { records, total, window, inverse }] of second.batches.filter(([at]) => at > 2_000)) {
      taken.push(...records);
      t.same(total, before.length + taken.length, `the state at ${time}`);
      const batches = new Map<number, number>([[1_000, 1], [2_000, 1], ...second.batches.map(([at, seen]): [number, number] => [at, seen.records.length])]);
      const inWindow = [...batches].filter(([at]) => at > time - 3_000 && at <= time).reduce((sum, [, count]) => sum + count, 0);
      t.same({ window, inverse }, { window: inWindow, inverse: inWindow }, `the windows at ${time}`);
    }
    t.same(taken, ['c', 'd', 'e'], 'in the order in which they were pushed');
  });
}

t.test('what was left out stays so: after a further restart a window that looks back over it takes nothing for these times', async (t) => {
  const machine = new SimulatedMachine({ seed: 3, clock: new ManualClock({ epochMs }) });
  await live(machine, 1, { push: ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'], until: 2_000, missedBatches: 'latest' });
  machine.clock.advanceBy(5_000);
  const second = await live(machine, 2, { push: [], until: 7_000, missedBatches: 'latest' });
  const third = await live(machine, 3, { push: [], until: 9_000, missedBatches: 'all' });
  const last = new Map([...second.batches, ...third.batches].filter(([time]) => time > 2_000));
  t.same([...last].map(([time, { records }]) => [time, records.join()]), [[7_000, 'c'], [8_000, 'd'], [9_000, 'e']]);
  t.same([...last.values()].map(({ total, window, inverse }) => [total, window, inverse]), [[3, 1, 1], [4, 2, 2], [5, 3, 3]]);
});

t.test('a long time: nothing is made for each of its batches', async (t) => {
  const machine = new SimulatedMachine({ seed: 4, clock: new ManualClock({ epochMs }) });
  await live(machine, 1, { push: ['a', 'b', 'c'], until: 2_000, missedBatches: 'latest' });
  machine.clock.advanceBy(30 * 24 * 3_600_000);
  const second = await live(machine, 2, { push: [], until: 2_000 + 30 * 24 * 3_600_000, missedBatches: 'latest' });
  t.same(second.batches.at(-1)?.[1], { records: ['c'], total: 3, window: 1, inverse: 1 });
});
