/**
 * Windows by key with an inverse function, each made of the one before, where a batch fails for good and the stream goes on: none of them may
 * miss what entered or left with the one that could not be made. The plain form of the same window, made whole each time, says what is right.
 */
import t from 'tap';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import type { Outputs } from '../helpers/going-on.ts';
import { Run } from '../helpers/going-on.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

type Pair = [string, number];

const windowMs = 3_000;
const batches = 9;
const sum = (a: number, b: number): number => a + b;
const difference = (a: number, b: number): number => a - b;

/** Sums over three batches of the numbers 1, 2, ... one a batch. Tasks that read 4 fail as long as `fails` says so; where `isHeld`, the second batch's first output waits. */
function windows(fails: () => boolean, held: Promise<void> | null = null) {
  return (ssc: StreamingContext) => {
    const queue = ssc.queue<number>();
    const numbers = ssc.queueStream(queue).uid('numbers');
    if (held !== null) numbers.foreachRDD((_rdd, time) => (Number(time) === 2_000 ? held : undefined));
    const pairs = numbers.map((number): Pair => {
      if (number === 4 && fails()) throw new RangeError('Not this time.');
      return ['k', number];
    });
    return {
      queue,
      inverse: pairs.reduceByKeyAndWindow(sum, difference, windowMs, 1_000).uid('inverse').publish(),
      plain: pairs.reduceByKeyAndWindow(sum, windowMs, 1_000).publish(),
      counts: pairs.countByWindow(windowMs, 1_000).publish(),
    };
  };
}

/** By batch, 1 to `batches`; null: the output failed. */
function valuesOf(outputs: Outputs, name: string): (number | null)[] {
  return Array.from({ length: batches }, (_, index) => {
    const texts = outputs.get(name)?.get((index + 1) * 1_000);
    if (texts === undefined) return null;
    const [value] = JSON.parse(texts.join()) as (Pair | number)[];
    return Array.isArray(value) ? value[1] : value ?? 0;
  });
}

const whole = [1, 3, 6, 9, 12, 15, 18, 21, 24];
const times = (failed: readonly number[], values: readonly number[]): (number | null)[] => values.map((value, index) => (failed.includes(index + 1) ? null : value));

for (const onBatchFailure of ['skip', 'continue'] as const) {
  for (const lives of [1, batches]) {
    t.test(`${onBatchFailure}: a window behind one that failed once is right, ${lives === 1 ? 'in the same run' : 'in the next run'}`, async (t) => {
      const directory = temporaryDirectory();
      const outputs: Outputs = new Map();
      let failures = 4;
      const program = windows(() => (failures -= 1) >= 0);
      for (let life = 0, number = 1; life < lives; life += 1) {
        const run = await Run.begin(t, directory, program, outputs, { onBatchFailure });
        for (let batch = 0; batch < batches / lives; batch += 1) {
          await run.exports.queue.push([number++]);
          await run.ssc.clock.advance(1);
        }
        await run.ended();
      }
      t.same(valuesOf(outputs, 'inverse'), times([4], whole));
      t.same(valuesOf(outputs, 'counts'), [1, 2, 3, 3, 3, 3, 3, 3, 3]);
    });
  }
}

t.test('a batch that always fails costs the windows that hold it, and no other', async (t) => {
  const outputs: Outputs = new Map();
  const run = await Run.begin(t, temporaryDirectory(), windows(() => true), outputs, { onBatchFailure: 'skip' });
  for (let number = 1; number <= batches; number += 1) {
    await run.exports.queue.push([number]);
    await run.ssc.clock.advance(1);
  }
  await run.stop();
  t.same(valuesOf(outputs, 'inverse'), times([4, 5, 6], whole));
  t.same(valuesOf(outputs, 'plain'), valuesOf(outputs, 'inverse'));
});

t.test('windows that were to follow the one that failed, since it was still to run when they were laid out, fail with it: none is wrong', async (t) => {
  const outputs: Outputs = new Map();
  let release: () => void = () => {};
  let failures = 4;
  const run = await Run.begin(t, temporaryDirectory(), windows(() => (failures -= 1) >= 0, new Promise((resolve) => (release = resolve))), outputs, { onBatchFailure: 'skip', inlineWorkers: 1 });
  for (let number = 1; number <= batches; number += 1) await run.exports.queue.push([number]);
  const submitted = new Promise<void>((resolve) => run.ssc.on('batchSubmitted', ({ batchTime }) => void (Number(batchTime) === 6_000 && resolve())));
  const advanced = run.ssc.clock.advance(6);
  await submitted;
  release();
  await advanced;
  await run.ssc.clock.advance(batches - 6);
  await run.stop();
  t.same(valuesOf(outputs, 'inverse'), times([4, 5, 6], whole), '5 and 6 build on 4, and 7 begins anew');
  t.same(valuesOf(outputs, 'plain'), whole, 'what has failed four times fails no more');
});
