/** Programs that have changed between two runs: what operators had goes to those of the same uid. */
import t from 'tap';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import type { StreamingProgram } from '../../lib/streaming-context.ts';
import { Run } from '../helpers/going-on.ts';
import type { Outputs, RunOptions } from '../helpers/going-on.ts';
import { codeOf } from '../helpers/running.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

type Test = { after(fn: () => unknown): void };

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
/** Batch n: 12 keys, each with n. */
const input: [string, number][][] = Array.from({ length: 20 }, (_, index) => Array.from({ length: 12 }, (_each, key): [string, number] => [`k${String(key).padStart(2, '0')}`, index + 1]));

interface Shape {
  readonly states: readonly string[];
  readonly partitions?: number;
  /** Other operators, without a uid. */
  readonly others?: boolean;
  readonly stateVersion?: number;
}

/** A state for each of the uids. */
const shaped = ({ states, partitions = 2, others = false, stateVersion = 1 }: Shape): StreamingProgram => (ssc: StreamingContext) => {
  const source = ssc.batchesStream(input, 2).uid('in');
  const exports: Record<string, unknown> = {};
  if (others) exports['windows'] = source.mapValues((value) => -value).filter(() => true).window(2_000, 1_000).publish();
  for (const uid of states) {
    exports[uid] = (stateVersion === 1
      ? source.updateStateByKey((values: readonly number[], total: number | undefined) => (total ?? 0) + sum(values), { partitions }).uid(uid)
      : source.updateStateByKey((values: readonly number[], state: { readonly total: number } | undefined) => ({ total: (state?.total ?? 0) + sum(values) }), { partitions, stateVersion, migrate: (total: number) => ({ total }) } as never).uid(uid)
    ).publish();
  }
  return exports;
};

/** One life of `batches` batches: what each state is at its end. */
async function life(t: Test, directory: string, shape: Shape, batches: number, options: RunOptions = {}): Promise<Record<string, unknown>> {
  const outputs: Outputs = new Map();
  const run = await Run.begin(t, directory, shaped(shape), outputs, options);
  await run.advance(batches);
  await run.stop();
  return Object.fromEntries(shape.states.map((uid) => [uid, totalsOf([...outputs.get(uid) ?? []].sort(([a], [b]) => a - b).at(-1)?.[1] ?? [])]));
}

/** The one value that all keys have, or what is wrong. */
function totalsOf(seen: readonly string[]): unknown {
  const pairs = JSON.parse(seen[0] ?? '[]') as [string, unknown][];
  const values = new Set(pairs.map(([, value]) => JSON.stringify(value)));
  return seen.length === 1 && pairs.length === 12 && values.size === 1 ? pairs[0]![1] : seen;
}

t.test('operators come and go around a state: it goes on by its uid, also after a further restart', async (t) => {
  const directory = temporaryDirectory();
  t.same(await life(t, directory, { states: ['a'] }, 2), { a: 3 });
  t.same(await life(t, directory, { states: ['a'], others: true }, 2), { a: 10 });
  t.same(await life(t, directory, { states: ['a'] }, 1), { a: 15 });
  t.same(await life(t, directory, { states: ['a'], others: true }, 1), { a: 21 });
});

t.test('a state that is new begins empty beside one that goes on', async (t) => {
  const directory = temporaryDirectory();
  t.same(await life(t, directory, { states: ['a'] }, 2), { a: 3 });
  t.same(await life(t, directory, { states: ['b', 'a'] }, 2), { b: 7, a: 10 });
  t.same(await life(t, directory, { states: ['a', 'b'] }, 1), { a: 15, b: 12 });
});

t.test('a window that is new, with an inverse function, begins with the batches that are remembered, and goes on', async (t) => {
  const directory = temporaryDirectory();
  const seen: unknown[] = [];
  const program = (windowed: boolean) => (ssc: StreamingContext) => {
    const source = ssc.batchesStream(input, 2).uid('in');
    const add = (a: number, b: number): number => a + b;
    const totals = source.updateStateByKey((values: readonly number[], total: number | undefined) => (total ?? 0) + sum(values)).uid('totals').publish();
    return windowed ? { totals, window: source.reduceByKeyAndWindow(add, (a, b) => a - b, 3_000, 1_000).uid('window').publish() } : { totals };
  };
  for (const [windowed, batches] of [[false, 4], [true, 2], [true, 3]] as const) {
    const outputs: Outputs = new Map();
    const run = await Run.begin(t, directory, program(windowed), outputs);
    await run.advance(batches);
    await run.stop();
    for (const [, records] of [...outputs.get('window') ?? []].sort(([a], [b]) => a - b)) seen.push(totalsOf(records));
  }
  t.same(seen, [3 + 4 + 5, 4 + 5 + 6, 5 + 6 + 7, 6 + 7 + 8, 7 + 8 + 9]);
});

t.test('a state that is gone is an error that lists both sides; allowed, it is left behind, and nobody is asked again', async (t) => {
  const directory = temporaryDirectory();
  await life(t, directory, { states: ['a', 'b'] }, 2);
  await t.rejects(life(t, directory, { states: ['a', 'new'] }, 1), { code: 'CheckpointMismatch', message: /Only in the checkpoint: the state of updateStateByKey "b"\. Only in the program: updateStateByKey "new"/, details: { lost: ['b'], fresh: ['new'] } });
  t.equal(await codeOf(() => life(t, directory, { states: ['a'] }, 1)), 'CheckpointMismatch', 'a refusal changes nothing');
  t.same(await life(t, directory, { states: ['a', 'new'] }, 1, { allowNonRestoredState: true }), { a: 6, new: 3 });
  t.same(await life(t, directory, { states: ['a', 'new'] }, 1), { a: 10, new: 7 });
  t.same(await life(t, directory, { states: ['a', 'b', 'new'] }, 1), { a: 15, b: 5, new: 12 }, 'what was left behind does not come back');
});

t.test('another number of partitions: the state is split anew, and goes on, restart by restart', async (t) => {
  const directory = temporaryDirectory();
  t.same(await life(t, directory, { states: ['a'], partitions: 2 }, 3), { a: 6 });
  t.same(await life(t, directory, { states: ['a'], partitions: 5 }, 2), { a: 15 });
  t.same(await life(t, directory, { states: ['a'], partitions: 5 }, 1), { a: 21 });
  t.same(await life(t, directory, { states: ['a'], partitions: 1 }, 1), { a: 28 });
  t.same(await life(t, directory, { states: ['a'], partitions: 3 }, 1), { a: 36 });
});

t.test('another type of state is migrated once, and goes on, restart by restart', async (t) => {
  const directory = temporaryDirectory();
  t.same(await life(t, directory, { states: ['a'] }, 3), { a: 6 });
  t.same(await life(t, directory, { states: ['a'], stateVersion: 2 }, 2), { a: { total: 15 } });
  t.same(await life(t, directory, { states: ['a'], stateVersion: 2 }, 1), { a: { total: 21 } });
  t.same(await life(t, directory, { states: ['a'], stateVersion: 2, partitions: 3 }, 1), { a: { total: 28 } }, 'with other partitions, too');
});

t.test('another version of a state, and nothing that makes one of the other: refused before anything starts, and nothing is lost', async (t) => {
  const directory = temporaryDirectory();
  t.same(await life(t, directory, { states: ['a'] }, 3), { a: 6 });
  const program = (ssc: StreamingContext) => ({ a: ssc.batchesStream(input, 2).uid('in').updateStateByKey((values: readonly number[], state: number | undefined) => (state ?? 0) + sum(values), { stateVersion: 2 }).uid('a').publish() });
  for (const allowNonRestoredState of [false, true]) {
    await t.rejects(Run.begin(t, directory, program, new Map(), { allowNonRestoredState }), { code: 'StateNotMigrated', message: /updateStateByKey .*was written as stateVersion 1, and the program has stateVersion 2/ });
  }
  t.same(await life(t, directory, { states: ['a'] }, 1), { a: 10 });
});

t.test('the default parallelism, the threads and the name may change at a restart, and states without a uid of their own go on', async (t) => {
  const directory = temporaryDirectory();
  const program = (ssc: StreamingContext) => ({ totals: ssc.batchesStream(input, 2).updateStateByKey((values: readonly number[], total: number | undefined) => (total ?? 0) + sum(values)).publish() });
  const seen: unknown[] = [];
  for (const options of [{ defaultParallelism: 2 }, { defaultParallelism: 3, appName: 'another' }, { defaultParallelism: 1, inlineWorkers: 2 }]) {
    const outputs: Outputs = new Map();
    const run = await Run.begin(t, directory, program, outputs, options);
    await run.advance();
    await run.stop();
    seen.push(totalsOf([...outputs.get('totals')!.values()].at(-1) ?? []));
  }
  t.same(seen, [1, 3, 6]);
});
