/**
 * Functions that change the records they are given fail in the test kit.
 *
 * Bug: nothing froze records, so a map that changed its record in place passed every test, and gave other results where its
 * input was persisted or had several outputs. Conditions: any function on records. Plan: each operator that hands records to a
 * function is given one that changes its record; and what may be changed, or can't be frozen, is left alone.
 */
import t from 'tap';
import type { DStream } from '../../lib/dstream/dstream.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import type { MillraceError } from '../../protocol/errors.ts';
import { startTest, testOperation } from '../../lib/testing.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

interface Counted {
  n: number;
  deep: { list: number[] };
}
type Pair = readonly [string, Counted];

const record = (n: number): Counted => ({ n, deep: { list: [n] } });
const bump = (counted: Counted): Counted => {
  counted.n += 1;
  return counted;
};

const changing: Readonly<Record<string, (pairs: DStream<Pair>) => DStream<unknown>>> = {
  map: (pairs) => pairs.map(([, counted]) => bump(counted)),
  'map, deep inside': (pairs) => pairs.map(([, counted]) => counted.deep.list.push(1)),
  'map, of what a map has made': (pairs) => pairs.map(([, { n }]) => record(n)).map(bump),
  filter: (pairs) => pairs.filter(([, counted]) => bump(counted).n > 0),
  flatMap: (pairs) => pairs.flatMap(([, counted]) => [bump(counted)]),
  mapValues: (pairs) => pairs.mapValues(bump),
  flatMapValues: (pairs) => pairs.flatMapValues((counted) => [bump(counted)]),
  mapPartitions: (pairs) => pairs.mapPartitions((records) => Array.from(records, ([, counted]) => bump(counted))),
  'reduceByKey, the first record': (pairs) => pairs.reduceByKey((a, b) => ({ ...bump(a), deep: b.deep })),
  'combineByKey, createCombiner': (pairs) => pairs.combineByKey(bump, (a) => a, (a) => a),
  'combineByKey, mergeValue': (pairs) => pairs.combineByKey<string, Counted, number[]>((counted) => [counted.n], (list, counted) => [...list, bump(counted).n], (a) => a),
  'after groupByKey': (pairs) => pairs.groupByKey().mapValues((all) => all.pop()),
  'after a shuffle': (pairs) => pairs.repartition(3).map(([, counted]) => bump(counted)),
  'after a join': (pairs) => pairs.join(pairs).map(([, [left]]) => bump(left)),
  'of a window': (pairs) => pairs.window(2_000).map(([, counted]) => bump(counted)),
  'in transform': (pairs) => pairs.transform((rdd) => rdd.map(([, counted]) => bump(counted))),
  'updateStateByKey, the values': (pairs) => pairs.updateStateByKey<string, Counted, number>((values) => bump(values[0] ?? record(0)).n),
  'mapWithState, the value': (pairs) => pairs.mapWithState<string, Counted, number, number>({ fn: (_time, _key, counted) => bump(counted as Counted).n }),
};

const input: readonly (readonly Pair[])[] = [[['a', record(1)], ['a', record(2)], ['b', record(3)]], [['a', record(4)]]];
const options = { partitions: 1, logger: { log: () => {} } };

async function failureOf(make: (pairs: DStream<Pair>) => DStream<unknown>, more: object = {}): Promise<MillraceError> {
  try {
    await testOperation<Pair, unknown>(input, make, { ...options, checkpointDirectory: temporaryDirectory(), ...more });
  } catch (thrown) {
    const error = thrown as MillraceError;
    return error.code === 'TaskFailed' || error.code === 'StateFailed' ? (error.cause as MillraceError) : error;
  }
  throw new Error('It did not fail.');
}

for (const [name, make] of Object.entries(changing)) {
  t.test(`${name}: a function that changes its record fails, with the operator and its place`, async (t) => {
    for (const codegen of [true, false]) {
      const error = await failureOf(make, { codegen });
      t.match(error, { code: 'UserFunctionFailed', cause: { name: 'TypeError' }, details: { place: /freeze\.test\.[jt]s:\d+/ } }, codegen ? 'compiled' : 'closures');
    }
    await t.resolves(testOperation<Pair, unknown>(input, make, { ...options, checkpointDirectory: temporaryDirectory(), freezeRecords: false }), 'and passes where nothing is frozen');
  });
}

/** Bug: of the arguments of foreach's function the last one was frozen, which is its context. */
t.test('foreach: a function that changes its record fails', async (t) => {
  for (const codegen of [true, false]) {
    const test = await startTest((ssc: StreamingContext) => ssc.batchesStream([[record(1)]], 1).foreach(bump), { codegen, logger: options.logger, taskFailuresMax: 1 });
    await test.advance();
    await t.rejects(test.ssc.awaitTermination(1), { code: 'TaskFailed', cause: { code: 'UserFunctionFailed', cause: { name: 'TypeError' } } });
    await test.stop();
  }
});

t.test('a state that is changed in place fails in the batch after', async (t) => {
  const error = await failureOf((pairs) => pairs.updateStateByKey<string, Counted, Counted>((values, state) => (state === undefined ? record(values.length) : bump(state))));
  t.match(error, { code: 'UserFunctionFailed', cause: { name: 'TypeError' }, details: { name: 'updateStateByKey', batchTime: 2_000 } });
  const got = await failureOf((pairs) => pairs.mapWithState<string, Counted, Counted, number>({
    fn: (_time, _key, counted, state) => {
      const now = state.exists() ? bump(state.get()) : record(1);
      state.update(now);
      return (counted as Counted).n;
    },
  }));
  t.match(got, { code: 'UserFunctionFailed', cause: { name: 'TypeError' }, details: { name: 'mapWithState' } });
});

t.test('a persisted record is frozen for both who read it, and outputs are the app\'s own', async (t) => {
  const test = await startTest((ssc: StreamingContext) => {
    const kept = ssc.batchesStream([[1, 2]], 1).map(record).persist();
    return { sums: kept.map(({ n }) => n).publish(), all: kept.publish(), frozen: kept.map((one) => Object.isFrozen(one) && Object.isFrozen(one.deep.list)).publish() };
  });
  t.teardown(() => test.stop());
  await test.advance();
  t.same(test.output(test.exports.frozen)[0]?.records, [true, true]);
  const [first] = test.output(test.exports.all)[0]?.records ?? [];
  t.equal(bump(first as Counted).n, 2);
});

t.test('a combiner may be changed by whoever made it, and what can\'t be frozen is left alone', async (t) => {
  const lists = await testOperation<Pair, unknown>(input, (pairs) => pairs.combineByKey<string, Counted, number[]>(
    ({ n }) => [n],
    (list, { n }) => {
      list.push(n);
      return list;
    },
    (list, more) => {
      list.push(...more);
      return list;
    },
  ), { partitions: 3 });
  t.same((lists[0] as [string, number[]][]).sort(), [['a', [1, 2]], ['b', [3]]]);
  const others = await testOperation([[1]], (numbers) => numbers.map((n) => ({ bytes: new Uint8Array([n]), map: new Map([[n, n]]), set: new Set([n]), date: new Date(n) })).map((one) => {
    one.bytes[0] = 7;
    one.map.set(2, 2);
    one.set.add(2);
    return [...one.bytes, one.map.size, one.set.size];
  }));
  t.same(others, [[[7, 2, 2]]]);
});
