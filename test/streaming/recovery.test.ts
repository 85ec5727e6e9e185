/** Programs that are stopped and go on from their checkpoint directory, inline: what they put out is what they would have without a stop. */
import { mkdirSync, writeFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { StreamingContext } from '../../lib/streaming-context.ts';
import type { DStream } from '../../lib/dstream/dstream.ts';
import type { StreamingProgram } from '../../lib/streaming-context.ts';
import { listCheckpoints } from '../../lib/recovery/checkpoint-file.ts';
import { nodeDisk } from '../../lib/storage/node-disk.ts';
import { plain, Run } from '../helpers/going-on.ts';
import type { Outputs, RunOptions } from '../helpers/going-on.ts';
import { codeOf, silent } from '../helpers/running.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

type Pairs = DStream<[string, number]>;

const batches = 7;
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const add = (a: number, b: number): number => a + b;
const subtract = (a: number, b: number): number => a - b;

/** Batch n: `a` in all, `b` in every second, `c` in the first alone. */
const input: [string, number][][] = Array.from({ length: batches }, (_, index) => [['a', index + 1], ...(index % 2 === 0 ? [['b', 10 * (index + 1)] as [string, number]] : []), ...(index === 0 ? [['c', 100] as [string, number]] : [])]);

interface Feed {
  /** What the app gives before batch n. */
  before?(run: Run, batch: number): Promise<void> | void;
}

/** The same batches without a stop, and with one after each of the batches named. */
async function outputsOf(t: Test, program: StreamingProgram, stops: readonly number[], { before, ...options }: Feed & RunOptions = {}): Promise<Outputs> {
  const directory = temporaryDirectory();
  const outputs: Outputs = new Map();
  let run = await Run.begin(t, directory, program, outputs, options);
  for (let batch = 1; batch <= batches; batch += 1) {
    await before?.(run, batch);
    await run.advance();
    if (!stops.includes(batch)) continue;
    await run.stop();
    run = await Run.begin(t, directory, program, outputs, options);
  }
  await run.stop();
  return outputs;
}

async function sameOverStops(t: Test, program: StreamingProgram, more: () => Feed & RunOptions = () => ({}), wanted = /\d/): Promise<void> {
  const expected = plain(await outputsOf(t, program, [], more()));
  t.match(JSON.stringify(expected), wanted, 'it puts out something');
  for (let stop = 1; stop < batches; stop += 1) t.same(plain(await outputsOf(t, program, [stop], more())), expected, `a stop after batch ${stop}`);
  t.same(plain(await outputsOf(t, program, [1, 2, 3, 4, 5, 6], more())), expected, 'a stop after each batch');
}

const fromPairs = (make: (pairs: Pairs, ssc: StreamingContext) => Record<string, DStream<never> | DStream<unknown>>) => (ssc: StreamingContext) =>
  Object.fromEntries(Object.entries(make(ssc.batchesStream(input, 2) as Pairs, ssc)).map(([name, stream]) => [name, (stream as DStream<unknown>).publish()]));

const total = (pairs: Pairs): DStream<[string, number]> => pairs.updateStateByKey((values: readonly number[], state: number | undefined) => (state === 100 && values.length === 0 ? undefined : (state ?? 0) + sum(values))) as DStream<[string, number]>;
const tracked = (pairs: Pairs) => pairs.mapWithState({
  fn: (_time: number, key: string, value: number | undefined, state: { exists(): boolean; get(): number; update(value: number): void; isTimingOut(): boolean }): [string, number, boolean] => {
    const next = (state.exists() ? state.get() : 0) + (value ?? 0);
    const ends = state.isTimingOut();
    if (!ends) state.update(next);
    return [key, next, ends];
  },
  // With a checkpoint of the state in each batch, idle keys are looked for in each batch.
  timeoutMs: 2_000,
} as never).checkpoint(1_000) as DStream<unknown>;

const programs: Record<string, StreamingProgram> = {
  'updateStateByKey': fromPairs((pairs) => ({ totals: total(pairs) })),
  'mapWithState with timeouts': fromPairs((pairs) => ({ emitted: tracked(pairs) })),
  'a plain window': fromPairs((pairs) => ({ windows: pairs.window(3_000, 1_000) })),
  'a plain window that slides every second batch': fromPairs((pairs) => ({ windows: pairs.window(3_000, 2_000) })),
  'a reduced window': fromPairs((pairs) => ({ windows: pairs.reduceByKeyAndWindow(add, 3_000, 1_000) })),
  'a window with an inverse': fromPairs((pairs) => ({ windows: pairs.reduceByKeyAndWindow(add, subtract, 3_000, 1_000) })),
  'a window over a state': fromPairs((pairs) => ({ windows: total(pairs).window(3_000, 1_000) })),
  'a window over emitted records': fromPairs((pairs) => ({ windows: tracked(pairs).window(3_000, 1_000) })),
  'transform, with the batch\'s time': fromPairs((pairs) => ({ out: pairs.transform((rdd, time) => rdd.map(([key, value]): [string, number, number] => [key, value, Number(time)])) })),
  'all of these side by side': fromPairs((pairs) => ({ a: total(pairs), b: tracked(pairs), c: pairs.window(2_000, 2_000), d: pairs.reduceByKeyAndWindow(add, subtract, 4_000, 1_000), e: total(pairs.mapValues((value) => -value) as Pairs).window(2_000, 1_000) })),
};

for (const [name, program] of Object.entries(programs)) t.test(`${name}: stopped and gone on with after any batch, it puts out the same`, (t) => sameOverStops(t, program, undefined, name.includes('timeouts') ? /true/ : /\d/));

t.test('what was pushed into a queue is taken once, also where it waits over a stop', (t) => sameOverStops(t, (ssc: StreamingContext) => {
  const queue = ssc.queue<number>();
  const stream = ssc.queueStream(queue, { oneAtATime: true } as never);
  return { queue, out: (stream as DStream<number>).window(2_000, 1_000).publish() };
}, () => ({
  before: async (run, batch) => {
    const { queue } = run.exports as { queue: { push(records: readonly number[]): Promise<void> } };
    // Two at a time: half of them wait.
    if (batch % 2 === 1) for (const item of [1, 2]) await queue.push([batch * 10 + item]);
  },
})));

t.test('each file is read once, and read again by the windows that look back at it', (t) => sameOverStops(t, (ssc: StreamingContext, { folder }: { folder: string }) => ({ out: ssc.textFileStream(folder).window(2_000, 1_000).publish() }), () => {
  const root = temporaryDirectory();
  const folder = join(root, 'in');
  mkdirSync(folder);
  return {
    args: { folder },
    before: (_run, batch) => {
      writeFileSync(join(root, `${batch}.txt`), `line ${batch}\n`);
      renameSync(join(root, `${batch}.txt`), join(folder, `${batch}.txt`));
    },
  };
}));

t.test('a broadcast variable comes back with the value that was set last', (t) => sameOverStops(t, (ssc: StreamingContext) => {
  const factor = ssc.sc.broadcast(1);
  return { factor, out: (ssc.batchesStream(input, 2) as Pairs).mapValues((value) => value * factor.value).publish() };
}, () => ({
  before: async (run, batch) => {
    if (batch % 3 === 0) await (run.exports as { factor: { set(value: number): Promise<void> } }).factor.set(batch);
  },
})));

t.test('an accumulator goes on from its total, and counts no batch twice', async (t) => {
  const directory = temporaryDirectory();
  const program = (ssc: StreamingContext) => {
    const count = ssc.sc.accumulator(0);
    return { count, out: (ssc.batchesStream(input, 2) as Pairs).map((pair) => {
      count.add(1);
      return pair;
    }).publish() };
  };
  let expected = 0;
  for (let batch = 1; batch <= batches; batch += 1) {
    const run = await Run.begin(t, directory, program, new Map());
    t.equal(Number(run.exports.count.value), expected, `before batch ${batch}`);
    await run.advance();
    expected += input[batch - 1]!.length;
    t.equal(Number(run.exports.count.value), expected, `after batch ${batch}`);
    await run.stop();
  }
});

const words: StreamingProgram = fromPairs((pairs) => ({ totals: total(pairs) }));

t.test('a directory that holds a run is refused to a new one, and one that holds none to whoever gives no program', async (t) => {
  const directory = temporaryDirectory();
  const run = await Run.begin(t, directory, words, new Map());
  await run.advance(2);
  await run.stop();
  const options = { master: 'inline', clock: 'manual', batchInterval: 1_000, allowMultipleContexts: true, logger: silent } as const;
  const other = await StreamingContext.create(words, { ...options, checkpointDirectory: directory });
  t.equal(await codeOf(() => other.start()), 'CheckpointExists');
  t.equal(await codeOf(() => StreamingContext.getOrCreate(temporaryDirectory(), null, options)), 'CheckpointMissing');
  t.equal(await codeOf(() => StreamingContext.getOrCreate(directory, null, options)), 'CheckpointMissing', 'a plain function can\'t be found again');
});

t.test('a second context can\'t have the directory while the first one runs', async (t) => {
  const directory = temporaryDirectory();
  const run = await Run.begin(t, directory, words, new Map());
  t.equal(await codeOf(() => Run.begin(t, directory, words, new Map())), 'LogLocked');
  await run.advance(1);
  await run.stop();
  t.equal(await codeOf(async () => (await Run.begin(t, directory, words, new Map())).stop()), 'none');
});

t.test('batch interval and clock can\'t change at a restart, and the directory is free after that', async (t) => {
  const directory = temporaryDirectory();
  const run = await Run.begin(t, directory, words, new Map());
  await run.advance(1);
  await run.stop();
  await t.rejects(Run.begin(t, directory, words, new Map(), { batchInterval: 500 }), { code: 'CheckpointMismatch', message: /batchInterval to be 1000 ms.*got 500/ });
  await t.rejects(Run.begin(t, directory, words, new Map(), { clock: 'system' }), { code: 'CheckpointMismatch', message: /clock to be manual.*got "system"/ });
  const changed = await Run.begin(t, directory, words, new Map(), { defaultParallelism: 2, appName: 'another', blockIntervalMs: 50, walSegmentBytesMax: 4_096, checkpointIntervalMs: 500, missedBatches: 'latest', onBatchFailure: 'continue', writeAheadLog: false });
  await changed.advance(1);
  await changed.stop();
});

t.test('an array of RDDs as a queue can\'t be recovered, and says so', async (t) => {
  const directory = temporaryDirectory();
  const program = (ssc: StreamingContext) => ({ out: ssc.queueStream([ssc.sc.parallelize([1, 2])]).publish() });
  const run = await Run.begin(t, directory, program, new Map());
  await run.advance(1);
  await run.stop();
  t.equal(await codeOf(() => Run.begin(t, directory, program, new Map())), 'QueueNotRecoverable');
});

t.test('over 30 batches with small files the old ones go, and it still goes on', async (t) => {
  const directory = temporaryDirectory();
  const many = (ssc: StreamingContext) => ({ totals: total(ssc.batchesStream(Array.from({ length: 40 }, (_, index) => Array.from({ length: 50 }, (_each, key): [string, number] => [`key ${(index + key) % 60}`, 1])), 2) as Pairs).publish() });
  const whole: Outputs = new Map();
  const once = await Run.begin(t, temporaryDirectory(), many, whole);
  await once.advance(32);
  await once.stop();
  const outputs: Outputs = new Map();
  const first = await Run.begin(t, directory, many, outputs, { walSegmentBytesMax: 4_096 });
  await first.advance(30);
  await first.stop();
  t.equal((await listCheckpoints(nodeDisk, directory)).length, 10);
  const second = await Run.begin(t, directory, many, outputs, { walSegmentBytesMax: 4_096 });
  await second.advance(2);
  await second.stop();
  t.same(plain(outputs), plain(whole));
});
