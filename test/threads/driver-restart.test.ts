/** The driver's thread dies, in each way: a context with a checkpoint directory goes on by itself, and its app goes on with what it holds. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type countedBatches from '../fixtures/counted-batches.ts';
import type goingOn from '../fixtures/going-on.ts';
import type slicedNumbers from '../fixtures/sliced-numbers.ts';
import { places } from '../../actors/places.ts';
import { faults } from '../../lib/testing.ts';
import { SparkContext } from '../../lib/spark-context.ts';
import type { ThreadDeath } from '../../lib/spark-context.ts';
import { plain, Run } from '../helpers/going-on.ts';
import type { Outputs, RunOptions } from '../helpers/going-on.ts';
import { created, fixture, nextEvent, silent } from '../helpers/running.ts';
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
    if (seen.push(time) % 3 === 2) await run.ssc.sparkContext.killHost(1);
  };
  const run: Run<Program> = await begin(t, outputs, { app: { middle }, driverRestartsMax: 10 });
  for (let batch = 1; batch <= 4; batch += 1) await run.exports.queue.push(pushed(batch), 2);
  const restarts: number[] = [];
  run.ssc.on('driverRestarted', (info) => void restarts.push(info.restarts));
  t.equal(Number(await run.ssc.clock.advance(4)), 4 * batchMs);
  t.same(restarts, restarts.map((_, index) => index + 1));
  t.ok(restarts.length >= 2, `it died ${restarts.length} times`);
  t.same([...new Set(seen)], [1, 2, 3, 4].map((batch) => batch * batchMs), 'in order');
  t.equal(Number(run.exports.count.value), 12);
  await run.stop();
});

t.test('the driver dies again, before and while the program is brought back: it comes back all the same', async (t) => {
  const expected = await undisturbed(t);
  const outputs: Outputs = new Map();
  const run = await begin(t, outputs);
  const { ssc } = run;
  const kill = (): void => void ssc.sparkContext.killHost(1);
  // Before anything is read; then when all is read, and the program is about to start.
  const events: string[] = [];
  ssc.on('threadStarted', ({ role }) => void (role === 'driver' && events.push('started') === 1 && kill()));
  ssc.on('driverRestarted', ({ restarts }) => void (events.push(`restart ${restarts}`) > 0 && restarts === 2 && kill()));
  for (let batch = 1; batch <= batches; batch += 1) {
    await run.exports.queue.push(pushed(batch), 2);
    if (batch === 3) kill();
    await run.advance();
  }
  t.equal(Number(run.exports.count.value), expected.count);
  t.equal(events.at(-1), 'restart 3', events.join(', '));
  await run.stop();
  t.same(plain(outputs), expected.outputs);
});

t.test('more deaths than driverRestartsMax are ContextFailed with the last cause; another context can go on from the directory at once', async (t) => {
  const expected = await undisturbed(t);
  const directory = temporaryDirectory();
  const outputs: Outputs = new Map();
  const first = (await Run.begin<Program>(t, directory, fixture('going-on') as never, outputs, { master: 'local[2]', driverRestartsMax: 1 })) as unknown as Run<Program>;
  const failed = nextEvent(first.ssc, 'failed');
  const ending = first.ssc.awaitTermination();
  ending.catch(() => {});
  for (let batch = 1; batch <= 2; batch += 1) {
    await first.exports.queue.push(pushed(batch), 2);
    await first.advance();
  }
  const back = nextEvent(first.ssc, 'driverRestarted');
  await first.ssc.sparkContext.killHost(1);
  await back;
  await first.exports.queue.push(pushed(3), 2);
  await first.advance();
  await first.ssc.sparkContext.killHost(1, 'exit');
  await t.rejects(ending, { code: 'ContextFailed', message: /died 2 times within 60000 ms.*driverRestartsMax is 1.*getOrCreate/, cause: { code: 'HostGone' } });
  t.match((await failed).error, { code: 'ContextFailed' });
  t.equal(first.ssc.getState(), 'STOPPED');
  await t.rejects(first.exports.queue.push([1]), { code: 'NotInitialized' });
  await first.ended();
  const second = (await Run.begin<Program>(t, directory, null, outputs, { master: 'local[2]' })) as unknown as Run<Program>;
  for (let batch = 4; batch <= batches; batch += 1) {
    await second.exports.queue.push(pushed(batch), 2);
    await second.advance();
  }
  t.equal(Number(second.exports.count.value), expected.count);
  await second.stop();
  t.same(plain(outputs), expected.outputs);
});

t.test('a driver that dies during the first start: the start resolves when the program runs on the next one', async (t) => {
  const ssc = await created<Program>(t, 'going-on', { clock: 'manual', batchInterval: batchMs, checkpointDirectory: temporaryDirectory() });
  const started = nextEvent(ssc, 'streamingStarted');
  const starting = ssc.start();
  await ssc.sparkContext.killHost(1);
  await Promise.all([starting, started]);
  await ssc.exports.queue.push(pushed(1), 2);
  t.equal(Number(await ssc.clock.advance()), batchMs);
  t.equal(Number(ssc.exports.count.value), 3);
});

t.test('a context that is stopped while its driver is brought back stops in good order, gracefully too', async (t) => {
  for (const graceful of [false, true]) {
    const outputs: Outputs = new Map();
    const run = await begin(t, outputs);
    await run.exports.queue.push(pushed(1), 2);
    await run.ssc.sparkContext.killHost(1);
    await nextEvent(run.ssc, 'threadLost');
    await run.ssc.stop({ graceful });
    t.equal(run.ssc.getState(), 'STOPPED');
    t.equal(await run.ssc.awaitTermination(), true);
    t.equal(Number(run.exports.count.value), graceful ? 3 : 0, 'a graceful stop runs what was pushed');
  }
});

t.test('a SparkContext that is stopped while the driver is brought back ends all', async (t) => {
  const run = await begin(t, new Map());
  await run.ssc.sparkContext.killHost(1);
  await nextEvent(run.ssc, 'threadLost');
  await run.ssc.sparkContext.stop();
  t.equal(run.ssc.getState(), 'STOPPED');
  await t.rejects(run.ssc.sparkContext.hosts());
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

t.test('of contexts that share a cluster, each with a directory goes on, and one without fails', async (t) => {
  const sparkContext = new SparkContext({ master: 'local[2]', logger: silent });
  t.after(() => sparkContext.stop());
  const options = { sparkContext, clock: 'manual', batchInterval: batchMs, allowMultipleContexts: true } as const;
  const kept = await Promise.all([1, 2].map(() => created<Program>(t, 'going-on', { ...options, checkpointDirectory: temporaryDirectory() })));
  const plainOne = await created<typeof countedBatches>(t, 'counted-batches', options);
  const unstarted = await created<Program>(t, 'going-on', { ...options, checkpointDirectory: temporaryDirectory() });
  for (const ssc of [...kept, plainOne]) await ssc.start();
  for (const [index, ssc] of kept.entries()) await ssc.exports.queue.push(pushed(index), 2);
  const waiting = plainOne.awaitTermination();
  const back = Promise.all(kept.map((ssc) => nextEvent(ssc, 'driverRestarted')));
  await sparkContext.killHost(1);
  await t.rejects(waiting, { code: 'ContextFailed', message: /checkpointDirectory/ });
  t.equal(plainOne.getState(), 'STOPPED');
  await back;
  await unstarted.start();
  await unstarted.exports.queue.push(pushed(1), 2);
  for (const ssc of [...kept, unstarted]) {
    await ssc.clock.advance();
    t.equal(Number(ssc.exports.count.value), 3);
  }
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

t.test('a context whose log can not be read any more fails, with what is wrong with it', async (t) => {
  const directory = temporaryDirectory();
  const run = (await Run.begin<Program>(t, directory, fixture('going-on') as never, new Map(), { master: 'local[2]' })) as unknown as Run<Program>;
  await run.exports.queue.push(pushed(1), 2);
  await run.advance();
  const pushing = nextEvent(run.ssc, 'threadLost').then(() => {
    rmSync(join(directory, 'log'), { recursive: true });
    return run.exports.queue.push(pushed(2), 2);
  });
  const ending = run.ssc.awaitTermination();
  await Promise.all([
    t.rejects(ending, { code: 'ContextFailed', message: /driver's thread is gone .* could not go on/, cause: { code: 'WalCorrupted' } }),
    t.rejects(pushing, { code: 'ContextFailed' }, 'what waited for the next driver is told'),
    run.ssc.sparkContext.killHost(1),
  ]);
  t.equal(run.ssc.getState(), 'STOPPED');
});
