/** Dead letters and accumulators on threads: each counts once, whatever is computed again. */
import t from 'tap';
import type leftOut from '../fixtures/left-out.ts';
import type { LeftOutArgs } from '../fixtures/left-out.ts';
import type { DeadLetter, DeadLetterStream } from '../../lib/dstream/dead-letters.ts';
import type { LeftOutInfo } from '../../protocol/listener.ts';
import type { StreamingOptions } from '../../lib/options.ts';
import { faults } from '../../lib/testing.ts';
import { started } from '../helpers/running.ts';

type Test = Parameters<typeof started>[0];

async function run(t: Test, args: LeftOutArgs, options: Partial<StreamingOptions<LeftOutArgs>> = {}) {
  const ssc = await started<typeof leftOut>(t, 'left-out', { args, clock: 'manual', batchInterval: 1_000, ...options });
  const batches: (readonly LeftOutInfo[])[] = [];
  const events: { readonly records: number; readonly dropped: number; readonly error: Error | null }[] = [];
  ssc.on('batchCompleted', (info) => void batches.push(info.leftOut));
  ssc.on('deadLetters', (info) => void events.push(info));
  return { ssc, batches, events, letters: read(ssc.exports.letters) };
}

/** All letters, once the stream has ended. */
async function read(stream: DeadLetterStream): Promise<DeadLetter[]> {
  const all: DeadLetter[] = [];
  for await (const { records } of stream) all.push(...records);
  return all;
}

/** Of each batch's numbers, merging pairs leaves one for each of 7 remainders: the others were merged away. */
const mergesOf = (batches: number, records: number): number => batches * (records - records / 10 - 7);
const refusedOf = (batches: number, records: number): number[] => Array.from({ length: batches * records }, (_, n) => n).filter((n) => n % 10 === 3);
const numbersOf = (letters: readonly DeadLetter[]): number[] => letters.map(({ record }) => record as number).sort((a, b) => a - b);

for (const master of ['local[2]', 'inline']) {
  for (const firstAttempt of [undefined, 'throws', ...(master === 'inline' ? [] : ['exits'])] as LeftOutArgs['firstAttempt'][]) {
    t.test(`${master}, the first attempt ${firstAttempt ?? 'succeeds'}: every refused record is one dead letter, and every call counts once`, async (t) => {
      const { ssc, batches, events, letters } = await run(t, { batches: 3, records: 400, ...(firstAttempt === undefined ? {} : { firstAttempt }) }, { master, codegen: master !== 'inline' });
      await ssc.clock.advance(3);
      const { seen, written, merged } = ssc.exports;
      t.same([seen.value, written.value, merged.value], [1_200, 1_080, mergesOf(3, 400)]);
      t.match(batches, [1, 2, 3].map(() => [{ operator: { name: 'map', place: /left-out/ }, onError: 'deadLetter', records: 40, deadLetters: 40, dropped: 0 }]));
      t.equal(events.reduce((sum, { records }) => sum + records, 0), 120);
      t.match(events[0]!.error, { name: 'RangeError', message: /^No \d+3\.$|^No 3\.$/ });
      // A stream's RDD is the same RDD, however late it is computed again.
      const [rdd] = await ssc.exports.good.slice(2_000, 2_000);
      t.equal(await rdd!.count(), 360);
      await ssc.stop();
      t.same(numbersOf(await letters), refusedOf(3, 400));
      t.same([seen.value, events.length], [1_200, events.length], 'nothing counts again');
      const [letter] = (await letters).filter(({ record }) => record === 413);
      t.match(letter, { isPreview: false, operator: { uid: /^map-/, name: 'map', place: /left-out/ }, batchTime: 2_000, partition: 0, error: { name: 'RangeError', message: 'No 413.', stack: /left-out/ } });
      t.ok(ssc.exports.again.droppedLetters > 0, 'nobody has read the other one');
      t.equal(ssc.exports.again.droppedLetters + (await read(ssc.exports.again)).length, 120);
      t.equal(ssc.exports.letters.droppedLetters, 0);
    });
  }
}

t.test('workers that die between and within batches take no letter and no count with them, and bring none twice', async (t) => {
  const { ssc, batches, letters } = await run(t, { batches: 30, records: 200 });
  let completed = 0;
  const kills: Promise<unknown>[] = [];
  ssc.on('batchCompleted', () => {
    completed += 1;
    if (completed % 4 === 1) kills.push(faults(ssc).killThread('worker', completed % 8 === 1 ? 0 : 1).catch(() => {}));
  });
  for (let batch = 0; batch < 30; batch += 1) await ssc.clock.advance(1);
  await Promise.all(kills);
  const { seen, written, merged } = ssc.exports;
  t.same([seen.value, written.value, merged.value], [6_000, 5_400, mergesOf(30, 200)]);
  t.equal(batches.flat().reduce((sum, { deadLetters }) => sum + deadLetters, 0), 600);
  await ssc.stop();
  t.same(numbersOf(await letters), refusedOf(30, 200));
  t.ok(kills.length >= 7, 'workers were killed');
});

t.test('skip counts what it leaves out, and nothing goes into the dead-letter stream', async (t) => {
  const { ssc, batches, events, letters } = await run(t, { batches: 2, records: 100, onError: 'skip' });
  await ssc.clock.advance(2);
  t.match(batches, [1, 2].map(() => [{ onError: 'skip', records: 10, deadLetters: 0, dropped: 0 }]));
  await ssc.stop();
  t.same([await letters, events, ssc.exports.written.value], [[], [], 180]);
});

t.test('above deadLettersPerTaskMax records are left out, counted and dropped', async (t) => {
  const { ssc, batches, letters } = await run(t, { batches: 1, records: 400 }, { deadLettersPerTaskMax: 3 });
  await ssc.clock.advance(1);
  t.match(batches, [[{ records: 40, deadLetters: 12, dropped: 28 }]]);
  await ssc.stop();
  t.same([(await letters).length, ssc.exports.letters.droppedLetters, ssc.exports.written.value], [12, 28, 360]);
});
