/** How far back slices reach: what is kept for them, and for how long. */
import t from 'tap';
import { keptFor, keptWithin, reachOfCheckpoints } from '../../../lib/dstream/reach-back.ts';
import type { DStream } from '../../../lib/dstream/dstream.ts';
import type { ProgramBuilder } from '../../../lib/program/program-builder.ts';
import { asBatchTime } from '../../../protocol/time.ts';
import { ProgramRun } from '../../helpers/program-run.ts';

const total = (values: readonly number[], state: number | undefined): number => values.reduce((a, b) => a + b, state ?? 0);

t.test('what is checkpointed is kept for two of its intervals, and at most two hundred slides longer than batches need', async (t) => {
  t.equal(reachOfCheckpoints(null), 0);
  t.equal(keptFor(1_000, reachOfCheckpoints(10_000), 1_000), 20_000);
  t.equal(keptFor(30_000, reachOfCheckpoints(10_000), 1_000), 30_000, 'batches need more');
  t.equal(keptFor(100, reachOfCheckpoints(10_000), 100), 20_000);
  t.equal(keptFor(10, reachOfCheckpoints(10_000), 10), 2_000, 'each costs in every batch');
});

t.test('of what takes memory the newest is kept, and all that batches need', async (t) => {
  const sizes = [[3, 40], [1, 40], [2, 40], [4, 1_000]].map(([second, bytes]) => [asBatchTime(second! * 1_000), bytes!] as const);
  const kept = (bytesMax: number) => keptWithin(bytesMax, sizes, asBatchTime(4_000), 1_000, 20_000);
  t.equal(kept(120), 20_000);
  t.equal(kept(119), 3_000, 'batch 1 goes');
  t.equal(kept(79), 2_000);
  t.equal(kept(0), 1_000, 'the newest is needed, however large');
});

t.test('inputs are kept as long as what is made of them looks back, where they are queues', async (t) => {
  const kept = (make: (ssc: ProgramBuilder) => DStream<unknown>): number[] => {
    const run = new ProgramRun((ssc) => {
      ssc.checkpoint('somewhere');
      make(ssc).print();
    });
    return run.builder.graph.operators.map(({ keptMs }) => keptMs);
  };
  const queue = (ssc: ProgramBuilder) => ssc.queueStream(ssc.queue<number>()).map((n): [string, number] => ['k', n]);
  t.same(kept((ssc) => queue(ssc)), [1_000, 1_000], 'nothing asks for more');
  t.same(kept((ssc) => queue(ssc).updateStateByKey(total)), [20_000, 1_000, 20_000]);
  t.same(kept((ssc) => queue(ssc).updateStateByKey(total).checkpoint(3_000)), [6_000, 1_000, 6_000]);
  t.same(kept((ssc) => queue(ssc).checkpoint(4_000)), [8_000, 1_000], 'also where the stream itself is made again');
  t.same(kept((ssc) => queue(ssc).window(3_000, 2_000).updateStateByKey(total)), [23_000, 5_000, 2_000, 20_000]);
  t.same(kept((ssc) => queue(ssc).reduceByKeyAndWindow((a, b) => a + b, (a, b) => a - b, 5_000, 1_000)).filter((_ms, index) => index !== 1), [25_000, 6_000, 20_000]);
  t.same(kept((ssc) => ssc.batchesStream([[1]]).map((n): [string, number] => ['k', n]).updateStateByKey(total)), [1_000, 1_000, 20_000], 'known beforehand');
  t.same(kept((ssc) => ssc.socketTextStream('localhost', 9_999).map((line): [string, number] => [line, 1]).updateStateByKey(total)), [1_000, 1_000, 20_000], 'blocks are not kept for slices');
});
