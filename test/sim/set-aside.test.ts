/**
 * `createOnError`: a directory of which no checkpoint can be read is set aside, and a new program begins there. The process can die in the middle of
 * that, and the next one is given the same directory.
 */
import t from 'tap';
import { SimulatedCluster } from '../../lib/simulated-cluster.ts';
import { SimulatedMachine } from '../../lib/simulated-machine.ts';
import { StreamingContext } from '../../lib/streaming-context.ts';

const directory = '/checkpoints';
const batchesBefore = 14;

/** How many records each batch's state says, by batch time. */
type Outputs = Map<number, unknown>;

function programInto(outputs: Outputs): (context: StreamingContext) => void {
  return (context) => {
    const ones = context.batchesStream(Array.from({ length: 40 }, () => [['a', 1] as [string, number]]), 1);
    // So long that the state's log has several segments.
    const padding = 'x'.repeat(1_500);
    const counts = ones.updateStateByKey((values: readonly number[], state: readonly [number, string] | undefined) => [(state?.[0] ?? 0) + values.length, padding] as [number, string]).uid('counts');
    counts.foreachRDD(async (rdd, time) => void outputs.set(Number(time), (await rdd.collect()).map(([, [count]]) => count)));
  };
}

/** `crashIn`: crash points behind the first name that is changed. Null: it has crashed there. */
async function live(machine: SimulatedMachine, seed: number, batches: number, crashIn: number | null = null): Promise<Outputs | null> {
  const outputs: Outputs = new Map();
  let hasBegun = false;
  const onTrace = (line: string): void => {
    if (crashIn === null || hasBegun || !line.endsWith(' disk rename')) return;
    hasBegun = true;
    cluster.simulator.crashIn(crashIn);
  };
  const cluster = new SimulatedCluster({ seed, machine, workers: 1, defaultParallelism: 1, logger: { log: () => {} }, onTrace });
  try {
    const options = { sparkContext: cluster.sparkContext, batchInterval: 1_000, clock: 'manual', allowMultipleContexts: true, walSegmentBytesMax: 4_096, createOnError: true } as const;
    const ssc = await cluster.run(StreamingContext.getOrCreate(directory, programInto(outputs), options));
    cluster.simulator.crashIn(null);
    await cluster.run(ssc.start());
    await cluster.run(ssc.clock.advance(batches));
    await cluster.run(ssc.stop({ stopSparkContext: false }));
    await cluster.sparkContext.stop();
    return outputs;
  } catch (thrown) {
    if (cluster.simulator.crashed) return null;
    throw thrown;
  }
}

/** A program has run here, and every checkpoint of it is damaged. */
async function damagedMachine(seed: number): Promise<SimulatedMachine> {
  const machine = new SimulatedMachine({ seed });
  await live(machine, 1, batchesBefore);
  for (const path of machine.disk.filesBelow(directory)) if (path.startsWith(`${directory}/checkpoint-`)) machine.disk.flipBit(path, 100, 3);
  return machine;
}

/** What the files hold, apart from the lock, as texts that can be compared. */
function contentsOf({ disk }: SimulatedMachine): Set<string> {
  const files = disk.filesBelow(directory).filter((path) => !path.endsWith('/lock'));
  return new Set(files.map((path) => Buffer.from(disk.files.readRange(path, 0, disk.files.size(path))).toString('base64')));
}

const begun = [[1_000, [1]], [2_000, [2]], [3_000, [3]]];
/** No checkpoint was left, and the log held all from its beginning. */
const goneOn = [1, 2, 3].map((batch) => [(batchesBefore + batch) * 1_000, [batchesBefore + batch]]);

for (const power of [false, true]) {
  t.test(`wherever ${power ? 'the power goes' : 'the process is killed'} while a directory is set aside, the next process begins in it or goes on from all of it, and nothing is lost`, async (t) => {
    let crashes = 0;
    for (let point = 1; ; point += 1) {
      const machine = await damagedMachine(point);
      const before = contentsOf(machine);
      if ((await live(machine, 2, 1, point)) !== null) break;
      crashes += 1;
      if (power) machine.disk.crash();
      const outputs = [...((await live(machine, 3, 3)) ?? [])];
      const goesOn = outputs[0]?.[0] !== 1_000;
      t.strictSame(outputs, goesOn ? goneOn : begun, `crash point ${point}`);
      const after = contentsOf(machine);
      if (!goesOn) t.strictSame([...before].filter((content) => !after.has(content)), [], `crash point ${point}: all files are there`);
      // What it has written itself can be gone on from.
      const next = goesOn ? batchesBefore + 4 : 4;
      t.strictSame([...((await live(machine, 4, 1)) ?? [])], [[next * 1_000, [next]]], `crash point ${point}: it goes on`);
    }
    t.ok(crashes > 5, `${crashes} crash points`);
  });
}
