/**
 * Checkpoint directories that earlier releases have written stay readable: version 1 is recovered, and goes on. A directory in
 * test/fixtures/formats is never changed: a new form is a new one.
 */
import { cpSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { StreamingContext } from '../../../lib/streaming-context.ts';
import type { State } from '../../../lib/index.ts';
import { recover } from '../../../lib/recovery/recover.ts';
import { nodeDisk } from '../../../lib/storage/node-disk.ts';
import { Run } from '../../helpers/going-on.ts';
import type { Outputs } from '../../helpers/going-on.ts';
import { projectRoot } from '../../helpers/project.ts';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';
import { told } from '../../helpers/told-receiver.ts';

const fixture = join(projectRoot, 'test/fixtures/formats/checkpoint-1');
/** Of the same version: what was received. */
const receivedFixture = join(projectRoot, 'test/fixtures/formats/checkpoint-1-received');

/** The checkpoint's own part of what can be held: what the app has given, state, and a plain window. */
function program(ssc: StreamingContext) {
  const factor = ssc.sc.broadcast(1);
  const count = ssc.sc.accumulator(0);
  const queue = ssc.queue<number>();
  const pairs = ssc.queueStream(queue).uid('numbers').map((value): [string, number] => {
    count.add(1);
    return [value % 2 === 0 ? 'even' : 'odd', value * factor.value];
  });
  const totals = pairs.updateStateByKey((values: readonly number[], total: number | undefined) => values.reduce((all, value) => all + value, total ?? 0), { partitions: 2 }).uid('totals');
  return { factor, count, queue, totals: totals.publish(), window: pairs.window(2_000, 1_000).publish() };
}

/** What the fixture was made by: two batches, and what waits for the third. */
async function make(t: { after(fn: () => unknown): void }, directory: string): Promise<void> {
  const run = await Run.begin(t, directory, program, new Map());
  await run.exports.factor.set(10);
  await run.exports.queue.push([1, 2, 3], 1);
  await run.exports.queue.push([4, 5], 1);
  await run.exports.queue.push([6], 1);
  await run.advance(2);
  await run.stop();
  rmSync(join(directory, 'lock'), { force: true });
}

t.test('version 1 is recovered: state, queue, broadcast variable, accumulator and window go on', async (t) => {
  if (process.argv.includes('--make') && !existsSync(fixture)) await make(t, fixture);
  const directory = temporaryDirectory();
  cpSync(fixture, directory, { recursive: true });
  const outputs: Outputs = new Map();
  const run = await Run.begin(t, directory, program, outputs);
  t.same(run.ssc.recoveredFrom, { completed: 2_000, generated: 2_000 });
  t.equal(run.exports.count.value, 5);
  await run.advance();
  t.equal(run.exports.count.value, 6);
  await run.stop();
  t.same([...outputs.get('totals')!], [[3_000, ['[["even",120],["odd",90]]']]]);
  t.same([...outputs.get('window')!], [[3_000, ['[["even",40],["even",60],["odd",50]]']]]);
});

/** Received blocks in the log, how far the receiver had come, both other kinds of state. */
function receiving() {
  const { make, running } = told<string>();
  const program = (ssc: StreamingContext) => {
    const pairs = ssc.receiverStream(make).uid('words').map((word): [string, number] => [word, word.length]);
    const track = (_time: number, word: string, length: number | undefined, state: State<number>): string => {
      const seen = (state.exists() ? state.get() : 0) + 1;
      state.update(seen);
      return `${word}/${String(length)}: ${seen}`;
    };
    return {
      tracked: pairs.mapWithState({ fn: track, partitions: 1 }).uid('tracked').publish(),
      window: pairs.reduceByKeyAndWindow((a: number, b: number) => a + b, (a: number, b: number) => a - b, 2_000, 1_000, 1).uid('window').publish(),
    };
  };
  return { program, running };
}

t.test('version 1 is recovered: received blocks, the receiver\'s position, mapWithState and the inverse window go on', async (t) => {
  if (process.argv.includes('--make') && !existsSync(receivedFixture)) {
    const { program, running } = receiving();
    const run = await Run.begin(t, receivedFixture, program, new Map(), { writeAheadLog: true });
    const receiver = await running;
    await receiver.storeBatch(['a', 'bb'], { position: 2 });
    await run.advance();
    await receiver.storeBatch(['bb', 'ccc'], { position: 4 });
    await run.advance();
    await receiver.storeBatch(['a', 'dddd'], { position: 6 });
    await run.stop();
    rmSync(join(receivedFixture, 'lock'), { force: true });
  }
  const directory = temporaryDirectory();
  cpSync(receivedFixture, directory, { recursive: true });
  const outputs: Outputs = new Map();
  const { program, running } = receiving();
  const run = await Run.begin(t, directory, program, outputs, { writeAheadLog: true });
  t.same(run.ssc.recoveredFrom, { completed: 2_000, generated: 2_000 });
  t.equal((await running).lastAcknowledged, 6);
  await run.advance();
  await run.stop();
  t.same([...outputs.get('tracked')!], [[3_000, ['["a/1: 2","dddd/4: 1"]']]]);
  t.same([...outputs.get('window')!], [[3_000, ['[["a",1],["bb",2],["ccc",3],["dddd",4]]']]]);
});

t.test('its log alone gives the same as its newest checkpoint', async (t) => {
  const directory = temporaryDirectory();
  cpSync(fixture, directory, { recursive: true });
  const whole = await recover({ disk: nodeDisk, directory });
  for (const name of await nodeDisk.list(directory)) if (name.startsWith('checkpoint-')) rmSync(join(directory, name));
  const fromLog = await recover({ disk: nodeDisk, directory });
  t.ok(whole !== null && whole.book.generated === 2_000);
  t.same(fromLog, whole);
});
