/**
 * What a slice gives of a program's past: just what the batches had, for two checkpoint intervals behind state, and an error for what
 * is gone. Nothing that is asked of the past changes the batches to come.
 */
import t from 'tap';
import type { State } from '../../lib/rdd/state/keyed-state.ts';
import type { RDD } from '../../lib/rdd/rdd.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { startTest } from '../../lib/testing.ts';
import { Run } from '../helpers/going-on.ts';
import type { Outputs } from '../helpers/going-on.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { told } from '../helpers/told-receiver.ts';

interface Test {
  after(fn: () => unknown): void;
}

interface Sliced {
  slice(from: number, to: number): Promise<RDD<unknown>[]>;
}

const total = (values: readonly number[], state: number | undefined): number => values.reduce((a, b) => a + b, state ?? 0);
const add = (a: number, b: number): number => a + b;
const subtract = (a: number, b: number): number => a - b;
const underK = (n: number): [string, number] => ['k', n];
/** 1 + ... + n: the state of batch n. */
const sumTo = (n: number): number => (n * (n + 1)) / 2;

/** Of each RDD the one value, or all of its records where these are not one pair. */
async function values(stream: Sliced, fromBatch: number, toBatch: number): Promise<unknown[]> {
  const rdds = await stream.slice(fromBatch * 1_000, toBatch * 1_000);
  return Promise.all(rdds.map(async (rdd) => {
    const records = await rdd.collect();
    const [first] = records;
    return records.length !== 1 ? records : Array.isArray(first) ? first[1] : first;
  }));
}

const numbersFrom = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** States, a window and what they are made of, over a queue of numbers. */
function program(ssc: StreamingContext) {
  const queue = ssc.queue<number>();
  const numbers = ssc.queueStream(queue);
  const pairs = numbers.map(underK);
  const state = pairs.updateStateByKey(total);
  const inverse = pairs.reduceByKeyAndWindow(add, subtract, 3_000, 1_000);
  const emitted = pairs.mapWithState({ fn: (_time: number, _key: string, value: number | undefined, own: State<number>): number => {
    own.update((own.getOption() ?? 0) + (value ?? 0));
    return own.get();
  } });
  const snapshots = emitted.stateSnapshots();
  return { queue, numbers, pairs, state, inverse, emitted, snapshots, totals: state.publish(), windows: inverse.publish(), emits: emitted.publish() };
}

/** Batch n has the number n. */
async function overQueue(t: Test) {
  const test = await startTest(program, { checkpointDirectory: temporaryDirectory() });
  t.after(() => test.stop());
  let last = 0;
  const advance = async (batches: number): Promise<void> => {
    for (let batch = 0; batch < batches; batch += 1) {
      await test.exports.queue.push([(last += 1)]);
      await test.advance();
    }
  };
  return { test, advance, ...test.exports };
}

/**
 * Bug: RDDs were kept for a slide; what a slice asked for of before was made again of a queue that was empty by then, or of what had been pushed
 * since, and the state came out as if there had been nothing before it.
 */
t.test('states, inverse windows, what they emit and the queue behind them are there for two checkpoint intervals, and gone with an error then', async (t) => {
  const { advance, test, numbers, pairs, state, inverse, emitted, snapshots } = await overQueue(t);
  await advance(5);
  t.same(await values(state, 3, 5), [6, 10, 15]);
  await advance(25);
  const kept = numbersFrom(11, 30);
  for (const stream of [state, emitted, snapshots]) t.same(await values(stream, 11, 30), kept.map(sumTo));
  t.same(await values(inverse, 11, 30), kept.map((n) => 3 * n - 3));
  for (const stream of [numbers, pairs]) t.same(await values(stream, 11, 30), kept);
  for (const stream of [state, emitted, snapshots, inverse] as Sliced[]) {
    await t.rejects(stream.slice(2_000, 3_000), { code: 'SliceUnavailable', message: /records of queueStream .*for 1000 ms, and they are gone: it keeps its batches for 23000 ms.*remember\(\)/ });
  }
  for (const stream of [numbers, pairs] as Sliced[]) await t.rejects(stream.slice(7_000, 7_000), { code: 'SliceUnavailable', details: { batchTime: 7_000, name: 'queueStream' } });
  await advance(2);
  for (const stream of [test.exports.totals, test.exports.emits]) t.same(test.output<unknown>(stream).map(({ records: [first] }) => (Array.isArray(first) ? first[1] as unknown : first)), numbersFrom(1, 32).map(sumTo), 'and no batch has noticed');
});

t.test('what lies in a queue is not taken by a slice of the past', async (t) => {
  const { advance, queue, numbers, state, test, totals } = await overQueue(t);
  await advance(25);
  await queue.push([26]);
  await t.rejects(numbers.slice(1_000, 2_000), { code: 'SliceUnavailable' });
  await t.rejects(state.slice(1_000, 2_000), { code: 'SliceUnavailable' });
  await test.advance();
  t.same(test.output<[string, number]>(totals).at(-1)?.records, [['k', sumTo(26)]]);
});

t.test('of a queue without state what batches need is kept, and the rest an error', async (t) => {
  const test = await startTest((ssc: StreamingContext) => {
    const queue = ssc.queue<number>();
    const numbers = ssc.queueStream(queue);
    return { queue, numbers, windows: numbers.window(3_000, 1_000), seen: numbers.window(3_000, 1_000).publish() };
  });
  t.after(() => test.stop());
  for (const n of numbersFrom(1, 8)) {
    await test.exports.queue.push([n]);
    await test.advance();
  }
  t.same(await values(test.exports.numbers, 5, 8), [5, 6, 7, 8]);
  t.same(await values(test.exports.windows, 7, 8), [[5, 6, 7], [6, 7, 8]]);
  await t.rejects(test.exports.windows.slice(6_000, 8_000), { code: 'SliceUnavailable', message: /queueStream .*for 4000 ms, and they are gone: it keeps its batches for 4000 ms/ });
});

t.test('large pushes are kept for batches alone, small ones for slices too', async (t) => {
  const test = await startTest((ssc: StreamingContext) => {
    const queue = ssc.queue<string>();
    const texts = ssc.queueStream(queue);
    const lengths = texts.map((text): [string, number] => ['k', text.length]).updateStateByKey(total);
    return { queue, texts, lengths, seen: lengths.publish() };
  }, { checkpointDirectory: temporaryDirectory() });
  t.after(() => test.stop());
  const large = 'x'.repeat(6 * 1024 * 1024);
  for (const text of ['a', 'b', large, large, large, large, 'c', 'd', 'e']) {
    await test.exports.queue.push([text]);
    await test.advance();
  }
  t.same(await values(test.exports.lengths, 1, 3), [1, 2, 2 + large.length], 'the state is another matter');
  t.same((await values(test.exports.texts, 5, 9)).map((text) => String(text).length), [large.length, large.length, 1, 1, 1]);
  await t.rejects(test.exports.texts.slice(4_000, 4_000), { code: 'SliceUnavailable' });
});

t.test('a receiver\'s batches are kept for batches alone; the state that is made of them for two intervals', async (t) => {
  const source = told<number>();
  const test = await startTest((ssc: StreamingContext) => {
    const numbers = ssc.receiverStream(source.make);
    const state = numbers.map(underK).updateStateByKey(total);
    return { numbers, state, totals: state.publish() };
  }, { checkpointDirectory: temporaryDirectory() });
  t.after(() => test.stop());
  const receiver = await source.running;
  for (const n of numbersFrom(1, 24)) {
    receiver.store(n);
    await test.advance();
  }
  t.same(await values(test.exports.state, 5, 24), numbersFrom(5, 24).map(sumTo));
  t.same(await values(test.exports.numbers, 24, 24), [24]);
  await t.rejects(test.exports.numbers.slice(22_000, 24_000), { code: 'SliceUnavailable', message: /receiverStream .*for 22000 ms, and they are gone: it keeps its batches for 1000 ms/ });
  await t.rejects(test.exports.state.slice(3_000, 3_000), { code: 'SliceUnavailable', details: { name: 'receiverStream', batchTime: 1_000 } });
  await t.rejects(test.exports.numbers.slice(24_000, 25_000), { code: 'SliceUnavailable', message: /for 25000 ms, and that batch has not been yet/ });
  receiver.store(25);
  await test.advance();
  t.same(test.output<[string, number]>(test.exports.totals).at(-1)?.records, [['k', sumTo(25)]], 'the batch that was asked for before it came has its records');
});

t.test('with remember() the records of a receiver can be sliced as far back', async (t) => {
  const source = told<number>();
  const test = await startTest((ssc: StreamingContext) => {
    ssc.remember(5_000);
    const numbers = ssc.receiverStream(source.make);
    return { numbers, seen: numbers.publish() };
  });
  t.after(() => test.stop());
  const receiver = await source.running;
  for (const n of [1, 2, 3, 4, 5, 6, 7, null, 9]) {
    if (n !== null) receiver.store(n);
    await test.advance();
  }
  t.same(await values(test.exports.numbers, 5, 9), [5, 6, 7, [], 9], 'a batch without records is one, too');
  await t.rejects(test.exports.numbers.slice(4_000, 9_000), { code: 'SliceUnavailable' });
});

t.test('a state that is forgotten is made again of an input that can be read again, however long ago it was, and batches go on', async (t) => {
  const batches = 60;
  const test = await startTest((ssc: StreamingContext) => {
    const pairs = ssc.batchesStream(numbersFrom(1, batches + 10).map((n) => [underK(n)]), 2);
    const state = pairs.updateStateByKey(total).checkpoint(1_000);
    const inverse = pairs.reduceByKeyAndWindow(add, subtract, 3_000, 1_000).checkpoint(1_000);
    return { state, inverse, totals: state.publish(), windows: inverse.publish() };
  }, { checkpointDirectory: temporaryDirectory() });
  t.after(() => test.stop());
  await test.advance(batches);
  t.same(await values(test.exports.state, 45, 47), [45, 46, 47].map(sumTo));
  t.same(await values(test.exports.inverse, 30, 31), [87, 90]);
  await test.advance(2);
  t.same(test.output<[string, number]>(test.exports.totals).map(({ records: [first] }) => first?.[1]), numbersFrom(1, batches + 2).map(sumTo));
  t.same(test.output<[string, number]>(test.exports.windows).slice(-2).map(({ records: [first] }) => first?.[1]), [3 * 61 - 3, 3 * 62 - 3]);
});

t.test('after a restart what the checkpoint has is there, the rest is an error, and batches go on', async (t) => {
  const directory = temporaryDirectory();
  const outputs: Outputs = new Map();
  const first = await Run.begin(t, directory, program, outputs);
  for (const n of numbersFrom(1, 6)) {
    await first.exports.queue.push([n]);
    await first.advance();
  }
  await first.stop();
  const second = await Run.begin(t, directory, program, outputs);
  const { queue, numbers, state, inverse, emitted, snapshots } = second.exports;
  for (const n of [7, 8]) {
    await queue.push([n]);
    await second.advance();
  }
  t.same(await values(state, 6, 8), [6, 7, 8].map(sumTo));
  t.same(await values(snapshots, 6, 8), [6, 7, 8].map(sumTo));
  t.same(await values(inverse, 6, 8), [15, 18, 21]);
  t.same(await values(numbers, 7, 8), [7, 8]);
  t.same(await values(emitted, 7, 8), [7, 8].map(sumTo));
  for (const stream of [state, snapshots, inverse]) await t.rejects(stream.slice(5_000, 8_000), { code: 'SliceUnavailable', message: /for 5000 ms, and the checkpoint that the program goes on from does not have them/ });
  await t.rejects(emitted.slice(6_000, 6_000), { code: 'SliceUnavailable', message: /for 6000 ms, and the checkpoint/ });
  await t.rejects(numbers.slice(1_000, 1_000), { code: 'SliceUnavailable' });
  await queue.push([9]);
  await second.advance();
  await second.stop();
  t.same([...outputs.get('totals') ?? []].map(([, seen]) => seen), numbersFrom(1, 9).map((n) => [`[["k",${sumTo(n)}]]`]));
});

t.test('what is kept for slices is bounded: as many RDDs and blocks are held 129 batches later', async (t) => {
  const test = await startTest((ssc: StreamingContext) => {
    const queue = ssc.queue<number>();
    return { queue, totals: ssc.queueStream(queue).map(underK).updateStateByKey(total).publish() };
  }, { checkpointDirectory: temporaryDirectory() });
  t.after(() => test.stop());
  const held = async (batches: number) => {
    for (let batch = 0; batch < batches; batch += 1) {
      await test.exports.queue.push([1]);
      await test.advance();
    }
    return { rdds: test.ssc.rdds.made.length, blocks: (await test.ssc.sparkContext.blockStats()).liveHandles };
  };
  const early = await held(160);
  t.ok(early.rdds > 0 && early.blocks > 0);
  // A snapshot of the state comes after every 128 changes: only then is it as it was.
  t.same(await held(129), early);
});
