/** The driver's thread dies in the middle of a batch, and is not restarted: another context goes on from the checkpoint directory, in the same process. */
import t from 'tap';
import type { HostId } from '../../protocol/ids.ts';
import type goingOn from '../fixtures/going-on.ts';
import type { Middle } from '../fixtures/going-on.ts';
import { plain, Run } from '../helpers/going-on.ts';
import type { Outputs, RunOptions } from '../helpers/going-on.ts';
import { fixture } from '../helpers/running.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

type Program = typeof goingOn;
const driver = 1 as HostId;
const batches = 5;

/** Batch n takes these. */
const pushed = (batch: number): number[] => [batch, batch + 1, 10 * batch];

async function feed(run: Run<Program>, batch: number): Promise<void> {
  if (batch === 1) await run.exports.factor.set(7);
  await run.exports.queue.push(pushed(batch), 2);
}

async function begin(t: { after(fn: () => unknown): void }, directory: string, outputs: Outputs, options: RunOptions = {}, program: URL | null = fixture('going-on')): Promise<Run<Program>> {
  return (await Run.begin<Program>(t, directory, program as URL, outputs, { master: 'local[2]', driverRestartsMax: 0, ...options })) as Run<Program>;
}

/** Without a death; the app sets the variable anew within batch `setAt`, which does not see that yet. */
async function undisturbed(t: { after(fn: () => unknown): void }, setAt: number): Promise<{ readonly outputs: unknown; readonly count: number }> {
  const outputs: Outputs = new Map();
  const middle: Middle = async (time) => {
    if (time === setAt * 1_000) await run.exports.factor.set(100);
  };
  const run: Run<Program> = await begin(t, temporaryDirectory(), outputs, { master: 'inline', app: { middle } });
  for (let batch = 1; batch <= batches; batch += 1) {
    await feed(run, batch);
    await run.advance();
  }
  const count = Number(run.exports.count.value);
  await run.stop();
  return { outputs: plain(outputs), count };
}

for (const killed of [1, 3]) {
  t.test(`killed within batch ${killed}, it runs that batch again with the same time, records and values, and later ones come out right`, async (t) => {
    const expected = await undisturbed(t, killed);
    const directory = temporaryDirectory();
    const outputs: Outputs = new Map();
    const times: number[] = [];
    const middle: Middle = async (time) => {
      times.push(time);
      if (time !== killed * 1_000 || times.filter((one) => one === time).length > 1) return;
      await first.exports.factor.set(100);
      await first.exports.queue.push(pushed(killed + 1), 2);
      await first.ssc.sparkContext.killHost(driver);
    };
    const first: Run<Program> = await begin(t, directory, outputs, { app: { middle } });
    for (let batch = 1; batch < killed; batch += 1) {
      await feed(first, batch);
      await first.advance();
    }
    await feed(first, killed);
    await t.rejects(first.advance(), 'its driver is gone');
    await first.ended();

    // The module's name and the interval are in the checkpoint.
    const second = await begin(t, directory, outputs, { app: { middle } }, null);
    t.match(second.ssc.recoveredFrom, { generated: killed * 1_000 });
    // What the next batch takes was pushed before the death.
    await second.advance();
    for (let batch = killed + 2; batch <= batches; batch += 1) {
      await feed(second, batch);
      await second.advance();
    }
    const count = Number(second.exports.count.value);
    await second.stop();
    t.same(plain(outputs), expected.outputs);
    t.equal(count, expected.count, 'no record is counted twice');
    t.equal(times.filter((time) => time === killed * 1_000).length, 2, 'the batch ran twice');
    t.same([...new Set(times)], [1, 2, 3, 4, 5].map((batch) => batch * 1_000), 'no time is left out, and none comes back later');
  });
}

t.test('stopped and gone on with after each batch on threads, it puts out the same', async (t) => {
  const expected = await undisturbed(t, 99);
  const directory = temporaryDirectory();
  const outputs: Outputs = new Map();
  for (let batch = 1; batch <= 4; batch += 1) {
    const run = await begin(t, directory, outputs);
    await feed(run, batch);
    await run.advance();
    await run.stop();
  }
  const last = await begin(t, directory, outputs, {}, null);
  await feed(last, 5);
  await last.advance();
  t.equal(Number(last.exports.count.value), expected.count);
  await last.stop();
  t.same(plain(outputs), expected.outputs);
});
