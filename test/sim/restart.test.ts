/**
 * Restarts in the simulator whose bugs chaos runs have found, each as small as it can be: a process is killed, the next one goes on with
 * `getOrCreate` on the same disk.
 */
import t from 'tap';
import { SimulatedCluster } from '../../lib/simulated-cluster.ts';
import { SimulatedMachine } from '../../lib/simulated-machine.ts';
import { StreamingContext } from '../../lib/streaming-context.ts';
import type { StreamingProgram } from '../../lib/streaming-context.ts';
import type { DStream } from '../../lib/dstream/dstream.ts';
import type { RddQueue } from '../../lib/dstream/rdd-queue.ts';

/** Output by batch time, of all processes. */
type Outputs = Map<number, unknown>;

function recorded<T>(stream: DStream<T>, outputs: Outputs): void {
  stream.foreachRDD(async (rdd, time) => void outputs.set(Number(time), await rdd.collect()));
}

async function process<Exports>(machine: SimulatedMachine, seed: number, program: StreamingProgram): Promise<{ readonly cluster: SimulatedCluster; readonly ssc: StreamingContext<Exports> }> {
  const cluster = new SimulatedCluster({ seed, machine, workers: 2, defaultParallelism: 2, logger: { log: () => {} } });
  const ssc = (await cluster.run(StreamingContext.getOrCreate('/checkpoints', program, { sparkContext: cluster.sparkContext, batchInterval: 1_000, clock: 'manual', allowMultipleContexts: true }))) as StreamingContext<Exports>;
  await cluster.run(ssc.start());
  return { cluster, ssc };
}

t.test('versions of a state that no batch has asked for in time come back, too', async (t) => {
  // A window that slides by three reads the state at 2000 and 3000, and then at 5000 and 6000: batches 1000, 2000, 4000 and 5000 read nothing.
  for (const killedAfter of [1, 2, 3, 4, 5]) {
    const outputs: Outputs = new Map();
    const program = (context: StreamingContext): void => {
      const input = context.batchesStream(Array.from({ length: 6 }, (_, index) => [['a', index + 1] as [string, number]]), 1);
      const sums = input.updateStateByKey((values: readonly number[], sum: number | undefined) => values.reduce((x, y) => x + y, sum ?? 0)).uid('sums');
      recorded(sums.window(2_000, 3_000), outputs);
    };
    const machine = new SimulatedMachine({ seed: killedAfter });
    const first = await process(machine, 1, program);
    for (let batch = 0; batch < killedAfter; batch += 1) await first.cluster.run(first.ssc.clock.advance(1));
    await first.cluster.steps(200);
    first.cluster.crash();
    const second = await process(machine, 2, program);
    await second.cluster.run(second.ssc.clock.advance(6 - killedAfter));
    await second.cluster.run(second.ssc.stop({ stopSparkContext: false }));
    await second.cluster.sparkContext.stop();
    t.strictSame(Object.fromEntries(outputs), { 3_000: [['a', 3], ['a', 6]], 6_000: [['a', 15], ['a', 21]] }, `killed after batch ${killedAfter}`);
  }
});

t.test('what a batch had taken from a queue is there for it, however many batches run again before', async (t) => {
  const outputs: Outputs = new Map();
  const program = (context: StreamingContext): { readonly queue: RddQueue<number> } => {
    const queue = context.queue<number>();
    recorded(context.queueStream(queue), outputs);
    return { queue };
  };
  const machine = new SimulatedMachine({ seed: 1 });
  const first = await process<ReturnType<typeof program>>(machine, 1, program);
  for (const record of [1, 2, 3]) await first.cluster.run(first.ssc.exports.queue.push([record]));
  // All three are generated; at most the first is complete.
  first.ssc.clock.advance(3).catch(() => {});
  while (first.cluster.trace.filter((line) => line.includes('submitJobSet')).length < 3) await first.cluster.steps(1);
  first.cluster.crash();
  const second = await process<ReturnType<typeof program>>(machine, 2, program);
  await second.cluster.run(second.ssc.clock.advance(1));
  await second.cluster.run(second.ssc.stop({ stopSparkContext: false }));
  await second.cluster.sparkContext.stop();
  t.strictSame(Object.fromEntries(outputs), { 1_000: [1], 2_000: [2], 3_000: [3], 4_000: [] });
});
