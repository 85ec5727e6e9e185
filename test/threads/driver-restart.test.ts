/** The driver's thread dies, in each way: a context with a checkpoint directory goes on by itself, and its app goes on with what it holds. */
import t from 'tap';
import type goingOn from '../fixtures/going-on.ts';
import { faults } from '../../lib/testing.ts';
import type { ThreadDeath } from '../../lib/spark-context.ts';
import { plain, Run } from '../helpers/going-on.ts';
import type { Outputs, RunOptions } from '../helpers/going-on.ts';
import { fixture, nextEvent } from '../helpers/running.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

type Program = typeof goingOn;
const batches = 5;
const batchMs = 1_000;

/** Batch n takes these. */
const pushed = (batch: number): number[] => [batch, batch + 1, 10 * batch];

async function begin(t: { after(fn: () => unknown): void }, outputs: Outputs, options: RunOptions = {}): Promise<Run<Program>> {
  return (await Run.begin<Program>(t, temporaryDirectory(), fixture('going-on') as never, outputs, { master: 'local[2]', ...options })) as unknown as Run<Program>;
}

/** What comes without a death. */
async function undisturbed(t: { after(fn: () => unknown): void }): Promise<{ readonly outputs: unknown; readonly count: number }> {
  const outputs: Outputs = new Map();
  const run = await begin(t, outputs, { master: 'inline' });
  for (let batch = 1; batch <= batches; batch += 1) {
    await run.exports.queue.push(pushed(batch), 2);
    await run.advance();
  }
  const count = Number(run.exports.count.value);
  await run.stop();
  return { outputs: plain(outputs), count };
}

for (const how of ['terminate', 'exit', 'throw', 'rejection', 'outOfMemory'] satisfies ThreadDeath[]) {
  t.test(`a driver that dies (${how}) within a batch: the same context goes on, with the same results, and all that the app holds works on`, async (t) => {
    const expected = await undisturbed(t);
    const outputs: Outputs = new Map();
    const bodies: number[] = [];
    const middle = async (time: number): Promise<void> => {
      bodies.push(time);
      if (time === 3 * batchMs && bodies.filter((one) => one === time).length === 1) await faults(run.ssc as never).killThread('driver', 0, how);
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
    t.match(restarted, { error: { code: 'ContextFailed' }, restarts: 1, recoveredFrom: { completed: 2 * batchMs, generated: 3 * batchMs } });
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
