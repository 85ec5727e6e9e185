/** Drivers that die at a bad moment, too often, or under contexts that can't go on. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type countedBatches from '../fixtures/counted-batches.ts';
import { SparkContext } from '../../lib/spark-context.ts';
import { batches, batchMs, begin, pushed, undisturbed } from '../helpers/driver-restart.ts';
import type { Program } from '../helpers/driver-restart.ts';
import { plain, Run } from '../helpers/going-on.ts';
import type { Outputs } from '../helpers/going-on.ts';
import { created, fixture, nextEvent, silent } from '../helpers/running.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

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
  const second = (await Run.begin<Program>(t, directory, null, outputs, { master: 'local[2]' })) as unknown as Run<Program>;
  for (let batch = 4; batch <= batches; batch += 1) {
    await second.exports.queue.push(pushed(batch), 2);
    await second.advance();
  }
  t.equal(Number(second.exports.count.value), expected.count);
  await Promise.all([second.stop(), first.ended()]);
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
