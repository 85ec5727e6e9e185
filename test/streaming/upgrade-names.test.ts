/** A uid names the state of an operator that is made of several: it goes on where the number of partitions, or what is upstream, has changed. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { DStream } from '../../lib/dstream/dstream.ts';
import type { State } from '../../lib/index.ts';
import type { StreamingContext, StreamingProgram } from '../../lib/streaming-context.ts';
import { Run } from '../helpers/going-on.ts';
import type { Outputs, RunOptions } from '../helpers/going-on.ts';
import { projectRoot } from '../helpers/project.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { told } from '../helpers/told-receiver.ts';

type Test = { after(fn: () => unknown): void };
type Pairs = DStream<[string, number]>;

const add = (a: number, b: number): number => a + b;
const subtract = (a: number, b: number): number => a - b;
const total = (_time: number, key: string, value: number | undefined, state: State<number>): [string, number] => {
  const sum = (state.exists() ? state.get() : 0) + (value ?? 0);
  state.update(sum);
  return [key, sum];
};
/** Batch n has n, for one key. */
const input: [string, number][][] = Array.from({ length: 20 }, (_, index) => [['k', index + 1]]);

interface Shape {
  /** An operator more, upstream. */
  readonly filtered?: boolean;
  readonly partitions?: number;
}

type Make = (pairs: Pairs, partitions: number) => DStream<unknown>;

const shaped = (make: Make, { filtered = false, partitions = 2 }: Shape = {}): StreamingProgram => (ssc: StreamingContext) => {
  const pairs = ssc.batchesStream(input, 2).uid('in') as Pairs;
  return { out: make(filtered ? pairs.filter(() => true) : pairs, partitions).publish() };
};

/** One life of `batches` batches: what was put out, by batch. */
async function life(t: Test, directory: string, program: StreamingProgram, batches: number, options: RunOptions = {}): Promise<unknown[]> {
  const outputs: Outputs = new Map();
  const run = await Run.begin(t, directory, program, outputs, options);
  await run.advance(batches);
  await run.stop();
  return [...outputs.get('out') ?? []].sort(([a], [b]) => a - b).map(([, seen]) => JSON.parse(seen[0] ?? 'null') as unknown);
}

const tracked: Make = (pairs, partitions) => pairs.mapWithState({ fn: total, partitions }).uid('m');

/** With what batches 1 to 5 put out. */
const composites: Readonly<Record<string, readonly [Make, readonly unknown[]]>> = {
  mapWithState: [tracked, [1, 3, 6, 10, 15].map((sum) => [['k', sum]])],
  'stateSnapshots of a mapWithState with a uid': [(pairs, partitions) => pairs.mapWithState({ fn: total, partitions }).uid('m').stateSnapshots(), [1, 3, 6, 10, 15].map((sum) => [['k', sum]])],
  countByWindow: [(pairs) => pairs.countByWindow(3_000, 1_000).uid('m'), [[1], [2], [3], [3], [3]]],
  'reduceByWindow with an inverse': [(pairs) => pairs.map(([, value]) => value).reduceByWindow(add, subtract, 3_000, 1_000).uid('m'), [[1], [3], [6], [9], [12]]],
  'reduceByKeyAndWindow with an inverse': [(pairs, partitions) => pairs.reduceByKeyAndWindow(add, subtract, 3_000, 1_000, partitions).uid('m'), [1, 3, 6, 9, 12].map((sum) => [['k', sum]])],
  countByValueAndWindow: [(pairs, partitions) => pairs.map(([key]) => key).countByValueAndWindow(3_000, 1_000, partitions).uid('m'), [1, 2, 3, 3, 3].map((count) => [['k', count]])],
};

for (const [name, [make, expected]] of Object.entries(composites)) {
  t.test(`${name}: it goes on by its uid when an operator comes upstream, when that goes, and with other partitions`, async (t) => {
    const directory = temporaryDirectory();
    t.same(await life(t, directory, shaped(make), 2), expected.slice(0, 2));
    t.same(await life(t, directory, shaped(make, { filtered: true }), 1), expected.slice(2, 3));
    t.same(await life(t, directory, shaped(make, { partitions: 5 }), 1), expected.slice(3, 4));
    t.same(await life(t, directory, shaped(make, { filtered: true, partitions: 1 }), 1), expected.slice(4, 5));
  });
}

t.test('two on the same stream, each with a uid, have each a state of its own', async (t) => {
  const directory = temporaryDirectory();
  const program = (names: readonly string[]) => (ssc: StreamingContext) => {
    const pairs = ssc.batchesStream(input, 2).uid('in') as Pairs;
    const [one, ten] = names.map((name) => pairs.mapWithState({ fn: (time: number, key: string, value: number | undefined, state: State<number>) => total(time, key, (value ?? 0) * (name === 'ten' ? 10 : 1), state) }).uid(name));
    return { out: one!.union(ten!).publish() };
  };
  // Sorted as text.
  t.same(await life(t, directory, program(['one', 'ten']), 2), [[['k', 10], ['k', 1]], [['k', 30], ['k', 3]]]);
  t.same(await life(t, directory, program(['ten', 'one']), 1), [[['k', 60], ['k', 6]]], 'also when they change places');
});

t.test('a state without a uid is listed by a name that brings it back; what is named otherwise by the one that was given', async (t) => {
  const directory = temporaryDirectory();
  const named = (uid: string | null): Make => (pairs, partitions) => {
    const stream = pairs.mapWithState({ fn: total, partitions });
    return uid === null ? stream : stream.uid(uid);
  };
  t.same(await life(t, directory, shaped(named(null)), 2), [[['k', 1]], [['k', 3]]]);
  const refused = await life(t, directory, shaped(named('m')), 1).then(() => null, (thrown: unknown) => thrown as { code: string; message: string; details: { lost: string[]; fresh: string[] } });
  t.equal(refused?.code, 'CheckpointMismatch');
  const listed = refused?.details.lost[0] ?? '';
  t.match(listed, /^mapWithState-[0-9a-f]{16}$/);
  t.match(refused?.message, `the state of mapWithState "${listed}"`);
  t.same(refused?.details.fresh, ['m']);
  t.same(await life(t, directory, shaped(named(listed), { filtered: true, partitions: 5 }), 1), [[['k', 6]]]);
  t.same(await life(t, directory, shaped(named(listed)), 1), [[['k', 10]]], 'from then on, too');
  await t.rejects(life(t, directory, shaped(named('other')), 1), { code: 'CheckpointMismatch', message: `the state of mapWithState "${listed}". Only in the program: mapWithState "other"`, details: { lost: [listed], fresh: ['other'] } });
  await t.rejects(life(t, directory, shaped(named(null)), 1), { code: 'CheckpointMismatch', details: { lost: [listed] } });
});

t.test('a uid that was a derived state\'s, or has an operator of another kind under it, takes nothing over that is not its own', async (t) => {
  const directory = temporaryDirectory();
  const keyed: Make = (pairs) => pairs.reduceByKeyAndWindow(add, subtract, 3_000, 1_000).uid('w').map(([, sum]) => sum).uid('m');
  const counted: Make = (pairs) => pairs.countByWindow(3_000, 1_000).uid('m');
  t.same(await life(t, directory, shaped(keyed), 2), [[1], [3]]);
  await t.rejects(life(t, directory, shaped(counted), 1), { code: 'CheckpointMismatch', details: { lost: ['w'], fresh: ['m'] } });
  t.same(await life(t, directory, shaped(counted), 1, { allowNonRestoredState: true }), [[3]]);
});

t.test('the name of a state is taken: nothing else can have it, and a stream that is named anew gives it free', async (t) => {
  const refused = (program: (pairs: Pairs) => DStream<unknown>) => life(t, temporaryDirectory(), shaped(program), 1);
  await t.rejects(refused((pairs) => tracked(pairs.filter(() => true).uid('m/state'), 2)), { code: 'ProgramThrew', cause: { code: 'DuplicateUid', message: /"m\/state"/ } });
  await t.rejects(refused((pairs) => tracked(pairs, 2).filter(() => true).uid('m/state')), { cause: { code: 'DuplicateUid' } });
  t.same(await refused((pairs) => tracked(pairs.filter(() => true), 2).uid('n').filter(() => true).uid('m/state')), [[['k', 1]]]);
});

t.test('a checkpoint in which the uid named the outer stream alone: its state is found, also with other partitions and operators upstream, and goes on', async (t) => {
  const directory = temporaryDirectory();
  cpSync(join(projectRoot, 'test/fixtures/formats/checkpoint-1-received'), directory, { recursive: true });
  // Two batches had words, and the third has been received.
  for (const [changed, expected] of [[{ partitions: 5, filtered: true }, ['a/1: 2', 'dddd/4: 1']], [{ partitions: 2, filtered: false }, ['a/1: 3']], [{ partitions: 1, filtered: true }, ['a/1: 4']]] as const) {
    const { make, running } = told<string>();
    const program = (ssc: StreamingContext) => {
      const words = ssc.receiverStream(make).uid('words');
      const pairs = (changed.filtered ? words.filter(() => true) : words).map((word): [string, number] => [word, word.length]);
      const track = (_time: number, word: string, length: number | undefined, state: State<number>): string => {
        const seen = (state.exists() ? state.get() : 0) + 1;
        state.update(seen);
        return `${word}/${String(length)}: ${seen}`;
      };
      return {
        out: pairs.mapWithState({ fn: track, partitions: changed.partitions }).uid('tracked').publish(),
        window: pairs.reduceByKeyAndWindow(add, subtract, 2_000, 1_000, changed.partitions).uid('window').publish(),
      };
    };
    const outputs: Outputs = new Map();
    const run = await Run.begin(t, directory, program, outputs, { writeAheadLog: true });
    const receiver = await running;
    if (expected.length === 1) await receiver.storeBatch(['a'], { position: 7 });
    await run.advance();
    await run.stop();
    t.same([...outputs.get('out')!.values()].map(([seen]) => JSON.parse(seen!) as unknown), [expected]);
  }
});
