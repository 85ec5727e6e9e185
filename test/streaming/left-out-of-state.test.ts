/** `onError` of functions that work by key: which record is left out, what state stays, and that neither depends on attempts or partitions. */
import t from 'tap';
import { startTest } from '../../lib/testing.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import type { DeadLetter } from '../../lib/dstream/dead-letters.ts';
import type { RecordPolicy } from '../../protocol/rdd.ts';
import type { LeftOutInfo } from '../../protocol/listener.ts';
import { KeyedState } from '../../lib/rdd/state/keyed-state.ts';
import type { State } from '../../lib/rdd/state/keyed-state.ts';

const checkpointDirectory = 'nothing-is-written-yet';
type Pair = [string, number];
const batches: Pair[][] = [[['a', 1], ['b', 2]], [['a', -1], ['b', 3], ['c', -5]], [['a', 4], ['a', -7], ['a', 5]], []];
const letters = (all: readonly { readonly records: readonly DeadLetter[] }[]): unknown[] => all.flatMap(({ records }) => records.map(({ record, batchTime, operator, error }) => [Number(batchTime), operator?.name, record, error.message]));
const positive = (n: number): number => {
  if (n < 0) throw new RangeError(`${n}`);
  return n;
};

interface Test {
  after(stop: () => Promise<void>): void;
}

async function run<E>(t: Test, program: (ssc: StreamingContext) => E, count: number) {
  const test = await startTest(program as (ssc: StreamingContext) => never, { checkpointDirectory });
  t.after(() => test.stop());
  await test.advance(count);
  return { test, leftOut: test.batches.map((info): readonly LeftOutInfo[] => info.leftOut), exports: test.exports as unknown as E };
}

for (const variant of ['plain', 'time'] as const) {
  for (const onError of ['skip', 'deadLetter'] as const) {
    t.test(`updateStateByKey, ${variant}, ${onError}: the state of a key whose function threw stays as it was, and its values are left out together`, async (t) => {
      const { test, exports, leftOut } = await run(t, (ssc) => {
        const pairs = ssc.batchesStream(batches, 2);
        const update = (values: readonly number[], total = 0): number => values.reduce((sum, n) => sum + positive(n), total);
        const totals = variant === 'plain' ? pairs.updateStateByKey(update, { onError }) : pairs.updateStateByKey((_time, _key, values, total: number | undefined) => update(values, total), { variant, onError });
        return { totals: totals.publish(), letters: ssc.deadLetters() };
      }, 4);
      t.same(test.output(exports.totals).map(({ records }) => Object.fromEntries(records)), [{ a: 1, b: 2 }, { a: 1, b: 5 }, { a: 1, b: 5 }, { a: 1, b: 5 }]);
      t.same(leftOut.map((all) => all.map(({ onError: policy, records }) => [policy, records])), [[], [[onError, 2]], [[onError, 1]], []]);
      const expected = [[2_000, 'updateStateByKey', ['a', [-1]], '-1'], [2_000, 'updateStateByKey', ['c', [-5]], '-5'], [3_000, 'updateStateByKey', ['a', [4, -7, 5]], '-7']];
      await test.stop();
      t.same(letters(test.output(exports.letters)).sort(), onError === 'skip' ? [] : expected);
    });
  }
}

t.test('mapWithState: a record on which the function threw is left out alone, with what it had done to the state', async (t) => {
  const { test, exports } = await run(t, (ssc) => {
    const tracked = ssc.batchesStream(batches, 2).mapWithState({
      fn: (_time, key, value, state: State<number>) => {
        const total = (state.getOption() ?? 0) + (value ?? 0);
        if (value === -7) state.remove();
        else state.update(total);
        positive(value ?? 0);
        return [key, total];
      },
      onError: 'deadLetter',
    });
    return { emitted: tracked.publish(), states: tracked.stateSnapshots().publish(), letters: ssc.deadLetters() };
  }, 4);
  t.same(test.output(exports.emitted).map(({ records }) => [...records].sort()), [[['a', 1], ['b', 2]], [['b', 5]], [['a', 10], ['a', 5]], []]);
  t.same(test.output(exports.states).map(({ records }) => Object.fromEntries(records)), [{ a: 1, b: 2 }, { a: 1, b: 5 }, { a: 10, b: 5 }, { a: 10, b: 5 }]);
  await test.stop();
  t.same(letters(test.output(exports.letters)).sort(), [[2_000, 'mapWithState', ['a', -1], '-1'], [2_000, 'mapWithState', ['c', -5], '-5'], [3_000, 'mapWithState', ['a', -7], '-7']]);
});

t.test('mapWithState: a key that throws when it times out goes all the same, and its last state is in the letter', async (t) => {
  const { test, exports } = await run(t, (ssc) => {
    const tracked = ssc.batchesStream<Pair>([[['a', 1], ['b', 2]], [], [], [], []], 2).mapWithState({
      fn: (_time, key, value, state: State<number>) => {
        if (!state.isTimingOut()) return void state.update(value ?? 0);
        if (key === 'a') throw new Error('too late');
        return key;
      },
      timeoutMs: 2_000,
      onError: 'deadLetter',
    });
    tracked.checkpoint(1_000);
    return { emitted: tracked.publish(), states: tracked.stateSnapshots().publish(), letters: ssc.deadLetters() };
  }, 5);
  t.same(test.output(exports.emitted).flatMap(({ records }) => records), ['b']);
  t.same(test.output(exports.states).at(-1)?.records, []);
  await test.stop();
  t.same(letters(test.output(exports.letters)), [[4_000, 'mapWithState', ['a', undefined, 1], 'too late']], 'once: no later sweep finds it');
});

t.test('what says that the program is wrong fails all the same', async (t) => {
  for (const fn of [(_time: number, _key: string, _value: unknown, state: State<number>) => state.get(), (): unknown => Promise.resolve(1)]) {
    const test = await startTest((ssc) => ({ out: ssc.batchesStream<Pair>([[['a', 1]]]).mapWithState({ fn: fn as (time: number, key: string, value: number | undefined, state: State<number>) => number, onError: 'skip' }).publish() }), { checkpointDirectory, onBatchFailure: 'skip', taskFailuresMax: 1 });
    t.after(() => test.stop());
    await test.advance(1);
    t.match(test.batches.flatMap(({ outputs, leftOut }) => [outputs.map(({ error }) => error !== null), leftOut]), [[true], []]);
  }
});

t.test('a failed attempt leaves out nothing, and the next one the same records', async (t) => {
  let attempts = 0;
  const { test, exports, leftOut } = await run(t, (ssc) => {
    const tracked = ssc.batchesStream<Pair>([[['a', 1], ['a', -2], ['a', 3]]]).mapWithState({
      fn: (_time, _key, value, state: State<number>) => {
        state.update((state.getOption() ?? 0) + positive(value ?? 0));
        // No policy is for this one: the attempt fails, after it has left out a record and changed the state.
        if (value === 3 && attempts++ === 0) new KeyedState().get();
        return undefined;
      },
      onError: 'deadLetter',
    });
    return { states: tracked.stateSnapshots().publish(), letters: ssc.deadLetters() };
  }, 1);
  t.equal(attempts, 2);
  t.same(leftOut.map((all) => all.map(({ records, deadLetters }) => [records, deadLetters])), [[[1, 1]]]);
  t.same(test.output(exports.states).flatMap(({ records }) => records), [['a', 4]]);
  await test.stop();
  t.same(letters(test.output(exports.letters)), [[1_000, 'mapWithState', ['a', -2], '-2']]);
});

t.test('reduceByKey leaves out the second value alone, whatever the partitions on either side', async (t) => {
  // What has passed 10 takes no odd value any more: the function throws depending on what was reduced before.
  const add = (sum: number, n: number): number => {
    if (sum > 10 && n % 2 === 1) throw new RangeError(`${sum}+${n}`);
    return sum + n;
  };
  const records = Array.from({ length: 30 }, (_, n): Pair => [n % 3 === 0 ? 'x' : 'y', n]);
  const sequential = new Map<string, number>();
  const refused: unknown[] = [];
  for (const [key, n] of records) {
    const sum = sequential.get(key);
    try {
      sequential.set(key, sum === undefined ? n : add(sum, n));
    } catch {
      refused.push([key, n]);
    }
  }
  t.ok(refused.length > 5);
  for (const [partitions, reducers] of [[1, 1], [4, 1], [4, 3], [7, 2]] as const) {
    for (const onError of ['skip', 'deadLetter'] satisfies RecordPolicy[]) {
      const { test, exports, leftOut } = await run(t, (ssc) => {
        const sums = ssc.batchesStream([records], partitions).mapPartitions((all, { attempt, partition }) => {
          if (attempt === 0 && partition === 0) throw new Error('the first attempt fails');
          return all;
        }).reduceByKey(add, reducers, { onError });
        return { sums: sums.publish(), again: sums.publish(), letters: ssc.deadLetters() };
      }, 1);
      const name = `${partitions} to ${reducers}, ${onError}`;
      t.same(new Map(test.output(exports.sums).flatMap(({ records: all }) => all)), sequential, name);
      t.same(leftOut.flat().map(({ records: count }) => count), [refused.length], name);
      await test.stop();
      const left = test.output(exports.letters).flatMap(({ records: all }) => all.map(({ record }) => record as Pair));
      t.same(left.sort(([, a], [, b]) => a - b), onError === 'skip' ? [] : refused, name);
    }
  }
});
