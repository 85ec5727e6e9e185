/**
 * The whole runtime under the simulator: random programs' worth of interleavings, threads that die at random, one seed each.
 * Checked against plain recomputation; a seed that fails is printed and replays exactly.
 */
import t from 'tap';
import { StreamingContext } from '../../lib/streaming-context.ts';
import { SimulatedCluster } from '../../lib/simulated-cluster.ts';
import { createPrng } from '../../lib/base/prng.ts';
import type { PublishedBatch } from '../../lib/dstream/published-stream.ts';
import { goOnAWhile, killOne } from '../helpers/simulated-deaths.ts';

const seeds = Number(process.env['SIM_SEEDS'] ?? 25);
const firstSeed = Number(process.env['SIM_SEED'] ?? 1);

interface Run {
  readonly batches: readonly PublishedBatch<readonly [string, number]>[];
  readonly trace: readonly string[];
  readonly killed: number;
}

/** Word count over `input`, one entry a batch; with `kills`, a host dies now and then. */
async function run(seed: number, input: readonly (readonly string[])[], kills: boolean): Promise<Run> {
  const cluster = new SimulatedCluster({ seed, workers: 2, logger: { log: () => {} } });
  const prng = createPrng(`kills ${seed}`);
  let killed = 0;
  const ssc = await StreamingContext.create(
    (context: StreamingContext) => {
      const lines = context.queue<string>();
      const counts = context
        .queueStream(lines)
        .flatMap((line) => line.split(' '))
        .map((word) => [word, 1])
        .reduceByKey((a, b) => a + b);
      return { lines, counts: counts.publish({ bound: 1_000 }) };
    },
    { sparkContext: cluster.sparkContext, batchInterval: 1_000, clock: 'manual', defaultParallelism: 2, allowMultipleContexts: true },
  );
  const batches: PublishedBatch<readonly [string, number]>[] = [];
  void (async () => {
    for await (const batch of ssc.exports.counts) batches.push(batch as PublishedBatch<readonly [string, number]>);
  })();
  await cluster.run(ssc.start());
  for (const records of input) {
    await cluster.run(ssc.exports.lines.push(records));
    const done = ssc.clock.advance(1);
    if (kills && prng.int(2) === 0) {
      // In the middle of the batch: after a number of steps of the seed's choice.
      goOnAWhile(cluster, prng, 60);
      if (killOne(cluster, prng)) killed += 1;
    }
    await cluster.run(done);
  }
  await cluster.run(ssc.stop({ stopSparkContext: false }));
  const trace = [...cluster.trace];
  // The end of the cluster removes a directory: real I/O, outside of the simulation.
  await cluster.sparkContext.stop();
  return { batches, trace, killed };
}

function counted(lines: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of lines.flatMap((line) => line.split(' '))) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

function inputFor(seed: number): string[][] {
  const prng = createPrng(`input ${seed}`);
  return Array.from({ length: 4 }, () => Array.from({ length: prng.int(6) }, () => Array.from({ length: 1 + prng.int(4) }, () => `w${prng.int(5)}`).join(' ')));
}

t.test('every batch is right, whatever order things happen in and whichever threads die', async (t) => {
  let killed = 0;
  for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
    const input = inputFor(seed);
    const result = await run(seed, input, true).catch((thrown: unknown) => {
      throw new Error(`SIM_SEED=${seed} SIM_SEEDS=1 replays this`, { cause: thrown });
    });
    killed += result.killed;
    t.same(
      result.batches.map(({ time, records }) => [Number(time), Object.fromEntries(records)]),
      input.map((lines, index) => [(index + 1) * 1_000, counted(lines)]),
      `seed ${seed}: replay with SIM_SEED=${seed} SIM_SEEDS=1`,
    );
  }
  t.ok(seeds < 10 || killed > seeds / 2, `threads were killed (${killed})`);
});

t.test('the same seed gives the same story, line by line', async (t) => {
  const input = inputFor(7);
  const first = await run(7, input, true);
  const second = await run(7, input, true);
  t.ok(first.trace.length > 100, `a run has many steps (${first.trace.length})`);
  t.same(second.trace, first.trace);
  const other = await run(8, input, true);
  t.notSame(other.trace, first.trace, 'another seed, another story');
});
