/** What the app of a context holds, gives and asks while its driver dies and another takes its place. */
import t from 'tap';
import type slicedNumbers from '../fixtures/sliced-numbers.ts';
import { batchMs, begin, pushed } from '../helpers/driver-restart.ts';
import type { Program } from '../helpers/driver-restart.ts';
import type { Outputs, Run } from '../helpers/going-on.ts';
import { created, nextEvent } from '../helpers/running.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

t.test('what the app gives while the driver dies and is away comes into its batches once each, in its order, and is answered', async (t) => {
  const outputs: Outputs = new Map();
  const run = await begin(t, outputs);
  const { ssc, exports: { queue, factor, count } } = run;
  const given: Promise<void>[] = [];
  const restarted = nextEvent(ssc, 'driverRestarted');
  for (let push = 1; push <= 30; push += 1) {
    given.push(queue.push([push], 1));
    if (push === 5) given.push(factor.set(10));
    if (push === 10) given.push(ssc.sparkContext.killHost(1));
    if (push === 20) await nextEvent(ssc, 'threadLost');
    if (push === 25) given.push(factor.set(100));
  }
  await Promise.all(given);
  await restarted;
  const times = await Promise.all([ssc.clock.advance(10), ssc.clock.advance(20)]);
  t.same(times.map(Number), [10 * batchMs, 30 * batchMs]);
  t.equal(Number(count.value), 30);
  await run.stop();
  t.same([...(outputs.get('pairs') ?? [])].sort(([a], [b]) => a - b), Array.from({ length: 30 }, (_, index) => [(index + 1) * batchMs, [JSON.stringify([[`key ${(index + 1) % 3}`, (index + 1) * 100]])]]));
});

t.test('a clock that is advanced over many batches comes to its time, whichever of them the driver dies in', async (t) => {
  const outputs: Outputs = new Map();
  const seen: number[] = [];
  const middle = async (time: number): Promise<void> => {
    const isFirst = !seen.includes(time);
    seen.push(time);
    if (isFirst && time % 2_000 === 0) await run.ssc.sparkContext.killHost(1);
  };
  const run: Run<Program> = await begin(t, outputs, { app: { middle } });
  for (let batch = 1; batch <= 4; batch += 1) await run.exports.queue.push(pushed(batch), 2);
  const restarts: number[] = [];
  run.ssc.on('driverRestarted', (info) => void restarts.push(info.restarts));
  t.equal(Number(await run.ssc.clock.advance(4)), 4 * batchMs);
  t.same(restarts, restarts.map((_, index) => index + 1));
  t.equal(restarts.length, 2);
  t.same([...new Set(seen)], [1, 2, 3, 4].map((batch) => batch * batchMs), 'in order');
  t.equal(Number(run.exports.count.value), 12);
  await run.stop();
});

t.test('RDDs of a driver that has died are known no more; slices can be asked for as ever', async (t) => {
  const ssc = await created<typeof slicedNumbers>(t, 'sliced-numbers', { clock: 'manual', batchInterval: batchMs, checkpointDirectory: temporaryDirectory() });
  await ssc.start();
  await ssc.clock.advance(2);
  const [before] = await ssc.exports.numbers.slice(batchMs, batchMs);
  const made = before?.repartition(1);
  t.equal(await made?.count(), 5);
  const back = nextEvent(ssc, 'driverRestarted');
  await ssc.sparkContext.killHost(1);
  const [lost] = await Promise.allSettled([before?.count()]);
  t.match(lost, { status: 'rejected' });
  await back;
  await ssc.clock.advance(1);
  const [after] = await ssc.exports.numbers.slice(3 * batchMs, 3 * batchMs);
  t.same(await after?.collect(), [1, 2, 3, 4, 5]);
  await t.rejects(before?.count() as Promise<number>, { code: 'RddReleased' });
  await t.rejects(made?.count() as Promise<number>, { code: 'RddReleased' });
});

t.test('a body that the death finds running ends first, and only then runs the one that takes its place', async (t) => {
  let running = 0;
  let atOnce = 0;
  const bodies: number[] = [];
  const middle = async (time: number): Promise<void> => {
    atOnce = Math.max(atOnce, (running += 1));
    if (bodies.push(time) === 1) {
      const back = nextEvent(run.ssc, 'driverRestarted');
      await run.ssc.sparkContext.killHost(1);
      await back;
      // Whatever the new driver asks for comes in meanwhile.
      await new Promise((resolve) => setImmediate(resolve));
    }
    running -= 1;
  };
  const run: Run<Program> = await begin(t, new Map(), { app: { middle } });
  await run.exports.queue.push(pushed(1), 2);
  await run.advance();
  t.same(bodies, [batchMs, batchMs]);
  t.equal(atOnce, 1);
});
