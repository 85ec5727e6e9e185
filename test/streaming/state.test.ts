/** Keyed state in running streams: attempts and batches that fail, older versions, what is called when. */
import t from 'tap';
import { startTest } from '../../lib/testing.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import type { State } from '../../lib/rdd/state/keyed-state.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const keys = ['a', 'b', 'c', 'd', 'e', 'f'];
const sum = (values: readonly number[], state = 0): number => values.reduce((total, value) => total + value, state);
/** Every key once, with the batch's number. */
const batches = (count: number): [string, number][][] => Array.from({ length: count }, (_, index) => keys.map((key): [string, number] => [key, index + 1]));
const all = (value: number): Record<string, number> => Object.fromEntries(keys.map((key) => [key, value]));

t.test('a batch that failed leaves every partition where it was, and the next one goes on from there', async (t) => {
  let calls = 0;
  const test = await startTest(
    (ssc: StreamingContext) => {
      const totals = ssc.batchesStream(batches(4), 2).updateStateByKey((values: readonly number[], state: number | undefined) => {
        calls += 1;
        // The fault is in one key, so in one partition: the other has made its part of the version.
        if (values[0] === 2 && calls % keys.length === 0) throw new RangeError('not two');
        return sum(values, state);
      }, { partitions: 3 });
      return { totals: totals.publish() };
    },
    { checkpointDirectory: temporaryDirectory(), onBatchFailure: 'skip', taskFailuresMax: 1 },
  );
  t.after(() => test.stop());
  await test.advance(4);
  const seen = test.output(test.exports.totals).map(({ time, records }) => [Number(time), Object.fromEntries(records)]);
  t.same(seen, [[1_000, all(1)], [3_000, all(4)], [4_000, all(8)]], 'without the 2 of the second batch');
});

t.test('a failed attempt leaves no trace: what it had changed is undone before the next', async (t) => {
  const failed = new Set<number>();
  const test = await startTest(
    (ssc: StreamingContext) => {
      const totals = ssc.batchesStream(batches(3), 2).mapWithState<string, number, number, [string, number]>({
        fn: (time, key, value = 0, state: State<number>) => {
          const total = (state.getOption() ?? 0) + value;
          if (key === 'a' && total > 1) state.remove();
          else state.update(total);
          // The last key of the batch: all others have been changed by now.
          if (key === keys.at(-1) && !failed.has(time)) {
            failed.add(time);
            throw new Error('the first attempt fails');
          }
          return [key, total];
        },
        partitions: 1,
      });
      return { totals: totals.publish(), states: totals.stateSnapshots().publish() };
    },
    { checkpointDirectory: temporaryDirectory() },
  );
  t.after(() => test.stop());
  await test.advance(3);
  t.equal(failed.size, 3);
  const emitted = test.output(test.exports.totals).map(({ records }) => Object.fromEntries(records));
  t.same(emitted, [all(1), all(3), { ...all(6), a: 3 }]);
  t.same(test.output(test.exports.states).map(({ records }) => Object.fromEntries(records)).at(-1), Object.fromEntries(keys.filter((key) => key !== 'a').map((key) => [key, 6])));
});

t.test('all outputs of a batch see one version, and a window over state sees each', async (t) => {
  const test = await startTest((ssc: StreamingContext) => {
    const totals = ssc.batchesStream(batches(4), 2).updateStateByKey(sum);
    const pairs = totals.filter(([key]) => key === 'a');
    return { now: pairs.publish(), again: pairs.map(([, total]) => total).publish(), window: pairs.window(3_000).map(([, total]) => total).publish() };
  }, { checkpointDirectory: temporaryDirectory() });
  t.after(() => test.stop());
  await test.advance(4);
  t.same(test.output(test.exports.now).map(({ records }) => records), [[['a', 1]], [['a', 3]], [['a', 6]], [['a', 10]]]);
  t.same(test.output(test.exports.again).map(({ records }) => records), [[1], [3], [6], [10]]);
  t.same(test.output(test.exports.window).map(({ records }) => records), [[1], [1, 3], [1, 3, 6], [3, 6, 10]]);
});

t.test('a state that outlives its records is kept through batches in which nobody asks for it', async (t) => {
  const test = await startTest((ssc: StreamingContext) => {
    const totals = ssc.batchesStream(batches(6), 2).updateStateByKey(sum);
    return { totals: totals.window(1_000, 3_000).publish() };
  }, { checkpointDirectory: temporaryDirectory() });
  t.after(() => test.stop());
  await test.advance(9);
  t.same(test.output(test.exports.totals).map(({ time, records }) => [Number(time), Object.fromEntries(records)]), [[3_000, all(6)], [6_000, all(21)], [9_000, all(21)]]);
});

t.test('undefined and null end a key\'s state; a promise is refused', async (t) => {
  const test = await startTest((ssc: StreamingContext) => {
    const totals = ssc.batchesStream<[string, number]>([[['x', 1], ['y', 1]], [['x', 2]], [['y', 3]]], 1).updateStateByKey((values: readonly number[], state: number | undefined) => (values[0] === 2 ? null : values[0] === 3 ? undefined : sum(values, state)));
    return { totals: totals.publish() };
  }, { checkpointDirectory: temporaryDirectory() });
  t.after(() => test.stop());
  await test.advance(3);
  t.same(test.output(test.exports.totals).map(({ records }) => records), [[['x', 1], ['y', 1]], [['y', 1]], []]);
  const later = await startTest((ssc: StreamingContext) => {
    ssc.batchesStream<[string, number]>([[['x', 1]]], 1).updateStateByKey(((values: readonly number[]) => Promise.resolve(values.length)) as never).print();
  }, { checkpointDirectory: temporaryDirectory() });
  t.after(() => later.stop());
  await later.advance(1).catch(() => {});
  await t.rejects(later.ssc.awaitTermination(), { code: 'TaskFailed', message: /AsyncRecordFunction/ });
});
