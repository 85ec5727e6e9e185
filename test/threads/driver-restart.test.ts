/** The driver's thread dies, in each way: a context with a checkpoint directory goes on by itself, and its app goes on with what it holds. */
import t from 'tap';
import { places } from '../../actors/places.ts';
import type { ThreadDeath } from '../../lib/spark-context.ts';
import { faults } from '../../lib/testing.ts';
import { batches, batchMs, begin, pushed, undisturbed } from '../helpers/driver-restart.ts';
import type { Program } from '../helpers/driver-restart.ts';
import { plain } from '../helpers/going-on.ts';
import type { Outputs, Run } from '../helpers/going-on.ts';
import { nextEvent } from '../helpers/running.ts';

/** An actor of the cluster on the driver ends, and the driver's supervisor with it. */
type Death = ThreadDeath | 'actor';

async function end(ssc: Run['ssc'], how: Death): Promise<void> {
  if (how === 'actor') ssc.sparkContext.internals.host.system.kill(places.listenerBus as never);
  else await faults(ssc as never).killThread('driver', 0, how);
}

for (const how of ['terminate', 'exit', 'throw', 'rejection', 'outOfMemory', 'actor'] satisfies Death[]) {
  t.test(`a driver that dies (${how}) within a batch: the same context goes on, with the same results, and all that the app holds works on`, async (t) => {
    const expected = await undisturbed(t);
    const outputs: Outputs = new Map();
    const bodies: number[] = [];
    const middle = async (time: number): Promise<void> => {
      bodies.push(time);
      if (time === 3 * batchMs && bodies.filter((one) => one === time).length === 1) await end(run.ssc as never, how);
    };
    const run: Run<Program> = await begin(t, outputs, { app: { middle }, driverHeapMbMax: how === 'outOfMemory' ? 48 : 0 });
    const { ssc } = run;
    const { queue, count } = run.exports;
    const ending = ssc.awaitTermination();
    const completed: number[] = [];
    ssc.on('batchCompleted', ({ batchTime }) => void completed.push(batchTime));
    const told = Promise.all([nextEvent(ssc, 'threadLost'), nextEvent(ssc, 'driverRestarted')]);
    for (let batch = 1; batch <= batches; batch += 1) {
      await queue.push(pushed(batch), 2);
      t.equal(Number(await ssc.clock.advance()), batch * batchMs, 'the clock is where it would be');
    }
    const [lost, restarted] = await told;
    t.match(lost, { host: 1, role: 'driver' });
    t.match(restarted, { error: { code: 'HostGone' }, restarts: 1, recoveredFrom: { completed: 2 * batchMs, generated: 3 * batchMs } });
    t.equal(run.exports.queue, queue);
    t.equal(Number(count.value), expected.count, 'no record is counted twice, and none is left out');
    t.equal(bodies.filter((time) => time === 3 * batchMs).length, 2, 'the batch under way ran again');
    t.same([...new Set(bodies)], [1, 2, 3, 4, 5].map((batch) => batch * batchMs), 'at the same time as before');
    t.same(completed.slice(-3), [3, 4, 5].map((batch) => batch * batchMs), 'listeners hear on');
    t.equal(ssc.getState(), 'ACTIVE');
    t.equal((await ssc.sparkContext.hosts()).length, 4, 'as many threads as before');
    await run.stop();
    t.equal(await ending, true, 'whoever awaited the end has waited on');
    t.same(plain(outputs), expected.outputs, 'readers of published streams have read on');
  });
}
