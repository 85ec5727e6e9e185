import t from 'tap';
import { encodeRecord, encodeRecords, decodeRecords } from '../../../../protocol/codec.ts';
import { partitionOf } from '../../../../lib/base/key.ts';
import { runTask } from '../../../../lib/rdd/run-task.ts';
import type { TaskContext } from '../../../../lib/rdd/task-context.ts';
import type { AggregatorSpec, BucketRef, PartitionerSpec, Sink } from '../../../../protocol/rdd.ts';
import type { TaskOutput, TaskReport } from '../../../../protocol/task.ts';
import { asRddId, shuffleIdOf } from '../../../../protocol/ids.ts';
import { loopForms, StageMaker } from './stage.ts';

const shuffle = shuffleIdOf(asRddId(1), 0);
const numbers = Array.from({ length: 3_000 }, (_, i) => i);

function bucketsOf(stage: StageMaker, report: TaskReport, read: 'pairs' | 'records' = 'pairs'): unknown[][] {
  return placesOf(report).map((bucket) => (read === 'pairs' ? stage.env.pairsOf(bucket) : stage.env.recordsOf(bucket)));
}

function placesOf({ output }: TaskReport): readonly BucketRef[] {
  if (output.kind !== 'shuffle') throw new Error(`Expected buckets, got ${output.kind}.`);
  return output.buckets;
}

function recordsOf(stage: StageMaker, output: TaskOutput): { records: unknown[]; total: number } {
  if (output.kind !== 'records') throw new Error(`Expected records, got ${output.kind}.`);
  return { records: stage.env.recordsOf(output.block), total: output.total };
}

for (const [form, makeLoops] of loopForms) {
  const maker = (options: ConstructorParameters<typeof StageMaker>[0] = {}): StageMaker => new StageMaker({ loops: makeLoops(), ...options });
  const shuffleSink = (spec: PartitionerSpec, combine: AggregatorSpec | null = null): Sink => ({ kind: 'shuffle', shuffle, spec, combine, keyed: spec.kind !== 'roundRobin' });

  t.test(`${form}: pairs go to the bucket of their key's hash, in order; a bucket without records is null`, async (t) => {
    const stage = maker();
    const words = ['the', 'quick', 'fox', 'the', 'dog'];
    const pairs = stage.op('map', stage.source(words), (word: string) => [word, word.length]);
    const report = stage.run(pairs, shuffleSink({ kind: 'hash', partitions: 64 }));
    const expected = Array.from({ length: 64 }, (_, p) => words.filter((word) => partitionOf(word, 64) === p).map((word) => [word, word.length]));
    t.strictSame(bucketsOf(stage, report), expected);
    t.match(report.output, { records: 5 });
    t.strictSame(placesOf(report).map((bucket) => bucket === null), expected.map((bucket) => bucket.length === 0));
  });

  t.test(`${form}: combining on the map side leaves one value a key, keys in the order first met`, async (t) => {
    const stage = maker();
    const calls: string[] = [];
    const combine = {
      createCombiner: stage.env.fn((v: number) => (calls.push(`create ${v}`), [v])),
      mergeValue: stage.env.fn((c: number[], v: number) => (calls.push(`merge ${v}`), [...c, v])),
      mergeCombiners: stage.env.fn(() => 'never here'),
    };
    const report = stage.run(stage.source([['b', 1], ['a', 2], ['b', 3]]), shuffleSink({ kind: 'hash', partitions: 1 }, combine));
    t.strictSame(bucketsOf(stage, report), [[['b', [1, 3]], ['a', [2]]]]);
    t.strictSame(calls, ['create 1', 'create 2', 'merge 3']);
    const spread = bucketsOf(stage, stage.run(stage.source(numbers.map((i) => [i % 100, 1])), shuffleSink({ kind: 'hash', partitions: 8 }, { createCombiner: { kind: 'builtin', name: 'identity' }, mergeValue: { kind: 'builtin', name: 'add' }, mergeCombiners: { kind: 'builtin', name: 'add' } })));
    t.strictSame(spread, Array.from({ length: 8 }, (_, p) => numbers.slice(0, 100).filter((i) => partitionOf(i, 8) === p).map((i) => [i, 30])));
  });

  t.test(`${form}: the range partitioner cuts at its bounds, which are the last key of their piece`, async (t) => {
    const stage = maker();
    const pairs = stage.source([5, 1, 10, 11, 3, 20].map((key) => [key, -key]));
    const spec = { kind: 'range', partitions: 3, bounds: encodeRecords([3, 10]), owner: asRddId(1) } as const;
    t.strictSame(bucketsOf(stage, stage.run(pairs, shuffleSink({ ...spec, ascending: true }))), [[[1, -1], [3, -3]], [[5, -5], [10, -10]], [[11, -11], [20, -20]]]);
    t.strictSame(bucketsOf(stage, stage.run(pairs, shuffleSink({ ...spec, ascending: false }))), [[[11, -11], [20, -20]], [[5, -5], [10, -10]], [[1, -1], [3, -3]]]);
  });

  t.test(`${form}: round robin begins at the map partition's own number`, async (t) => {
    const stage = maker();
    const records = stage.source([], ['a', 'b', 'c', 'd']);
    t.strictSame(bucketsOf(stage, stage.run(records, shuffleSink({ kind: 'roundRobin', partitions: 3 }), 1), 'records'), [['c'], ['a', 'd'], ['b']]);
  });

  t.test(`${form}: collect gives all records, or the first ones and touches no more`, async (t) => {
    const stage = maker();
    const seen: number[] = [];
    const blocks = [stage.env.recordsBlock([1, 2, 3]), stage.env.recordsBlock([4])];
    const source = stage.node({ kind: 'source', blocks: [blocks] }, []);
    const twice = stage.op('flatMap', source, (x: number) => (seen.push(x), [x, x]));
    t.strictSame(stage.collect(twice), [1, 1, 2, 2, 3, 3, 4, 4]);
    seen.length = 0;
    stage.env.reads.length = 0;
    t.strictSame(stage.collect(twice, 0, {}, 3), [1, 1, 2]);
    t.strictSame(seen, [1, 2]);
    t.notOk(stage.env.reads.includes(blocks[1]!.place!), 'the second block is not read');
    t.strictSame(stage.collect(twice, 0, {}, 0), []);
    t.strictSame(stage.collect(twice, 0, {}, 100), [1, 1, 2, 2, 3, 3, 4, 4]);
  });

  t.test(`${form}: an early end closes the open iterators, so an endless one is no trouble`, async (t) => {
    const stage = maker();
    const closed: string[] = [];
    const endless = function* (name: string): Generator<string> {
      try {
        for (;;) yield name;
      } finally {
        closed.push(name);
      }
    };
    const outer = stage.op('flatMap', stage.source(['o']), endless);
    const inner = stage.op('flatMap', outer, () => endless('i'));
    t.strictSame(stage.collect(inner, 0, {}, 2), ['i', 'i']);
    t.strictSame(closed.sort(), ['i', 'o']);
    const partition = stage.node({ kind: 'mapPartitions', withIndex: false, fn: stage.env.fn(() => endless('p')) }, [stage.source([1])]);
    t.strictSame(stage.collect(partition, 0, {}, 3), ['p', 'p', 'p']);
    t.ok(closed.includes('p'));
  });

  t.test(`${form}: count counts pairs, records and lines`, async (t) => {
    const stage = maker();
    t.strictSame(stage.run(stage.text('a\nb\n', 'c\n'), { kind: 'count' }).output, { kind: 'count', count: 3 });
    t.strictSame(stage.run(stage.op('flatMap', stage.source([2, 0, 3]), (n: number) => numbers.slice(0, n)), { kind: 'count' }).output, { kind: 'count', count: 5 });
    t.strictSame(stage.run(stage.source([]), { kind: 'count' }).output, { kind: 'count', count: 0 });
  });

  t.test(`${form}: reduce of none is none, of one is that record untouched`, async (t) => {
    const stage = maker();
    const fn = stage.env.fn((a: string, b: string) => `(${a}${b})`);
    const reduce = (...records: unknown[]): unknown => recordsOf(stage, stage.run(stage.source(records), { kind: 'reduce', fn }).output);
    t.strictSame(reduce(), { records: [], total: 0 });
    t.strictSame(reduce('a'), { records: ['a'], total: 1 });
    t.strictSame(reduce('a', 'b', 'c'), { records: ['((ab)c)'], total: 1 });
    t.strictSame(reduce(undefined, 'b'), { records: ['(undefinedb)'], total: 1 });
  });

  t.test(`${form}: reduce goes on over blocks and over the groups of a coalesce`, async (t) => {
    const stage = maker();
    const fewer = stage.node({ kind: 'coalesce', groups: [[0, 1, 2]] }, [stage.source([1, 2], [3], [4])]);
    const fn = stage.env.fn((a: number, b: number) => a * 10 + b);
    t.strictSame(recordsOf(stage, stage.run(fewer, { kind: 'reduce', fn }).output).records, [1234]);
    t.strictSame(recordsOf(stage, stage.run(fewer, { kind: 'aggregate', zero: encodeRecord(9), seqFn: fn }).output).records, [91234]);
  });

  t.test(`${form}: aggregate decodes its zero anew for each task`, async (t) => {
    const stage = maker();
    const seqFn = stage.env.fn((list: number[], x: number) => (list.push(x), list));
    const sink = { kind: 'aggregate', zero: encodeRecord([0]), seqFn } as const;
    const source = stage.source([1, 2], []);
    t.strictSame([0, 1, 0].map((p) => recordsOf(stage, stage.run(source, sink, p).output).records), [[[0, 1, 2]], [[0]], [[0, 1, 2]]]);
  });

  t.test(`${form}: takeOrdered keeps the first by order, equal ones in theirs, also of more than it keeps at once`, async (t) => {
    const stage = maker();
    const take = (rdd: ReturnType<StageMaker['source']>, limit: number, descending = false, order: ((a: never, b: never) => number) | null = null): unknown[] =>
      recordsOf(stage, stage.run(rdd, { kind: 'takeOrdered', limit, descending, order: order === null ? null : stage.env.fn(order) }).output).records;
    const mixed = stage.source(numbers.map((i) => (i * 7919) % 3_000));
    t.strictSame(take(mixed, 4), [0, 1, 2, 3]);
    t.strictSame(take(mixed, 3, true), [2999, 2998, 2997]);
    t.strictSame(take(mixed, 0), []);
    const pairs = stage.source(numbers.map((i) => [i % 3, i]));
    t.strictSame(take(pairs, 3, false, (a: [number, number], b: [number, number]) => a[0] - b[0]), [[0, 0], [0, 3], [0, 6]]);
    t.strictSame(take(stage.source(['b', 2, null, 'a']), 9), [null, 2, 'a', 'b']);
  });

  t.test(`${form}: sampleKeys gives evenly spread keys and the number of records`, async (t) => {
    const stage = maker();
    const sample = (count: number, limit: number): { records: unknown[]; total: number } => recordsOf(stage, stage.run(stage.source(numbers.slice(0, count).map((i) => [i, 'v'])), { kind: 'sampleKeys', limit }).output);
    t.strictSame(sample(4, 10), { records: [0, 1, 2, 3], total: 4 });
    t.strictSame(sample(0, 10), { records: [], total: 0 });
    for (const [count, limit] of [[20, 10], [21, 10], [3_000, 10], [2_999, 7], [3_000, 1]] as const) {
      const { records, total } = sample(count, limit);
      t.equal(total, count);
      t.equal(records.length, limit);
      const gaps = (records as number[]).slice(1).map((key, index) => key - (records as number[])[index]!);
      t.ok(gaps.every((gap) => gap > 0 && gap < (4 * count) / limit), `${count} by ${limit}: gaps ${gaps}`);
      t.ok((records.at(-1) as number) >= count - (4 * count) / limit);
    }
  });

  t.test(`${form}: foreach gets each record and the context`, async (t) => {
    const stage = maker();
    const seen: unknown[] = [];
    const { output } = stage.run(stage.source([1, 2]), { kind: 'foreach', fn: stage.env.fn((record: number, context: TaskContext) => void seen.push([record, context.batchTime])) });
    t.strictSame([output, seen], [{ kind: 'done' }, [[1, 2_000], [2, 2_000]]]);
  });

  t.test(`${form}: foreachPartition gets the partition once; a promise holds the task open`, async (t) => {
    const stage = maker();
    const seen: unknown[] = [];
    const doubled = stage.op('map', stage.source([1, 2], []), (x: number) => 2 * x);
    const sink = (fn: (...args: never[]) => unknown): Sink => ({ kind: 'foreachPartition', fn: stage.env.fn(fn) });
    stage.run(doubled, sink((records: Iterable<number>, context: TaskContext) => void seen.push([context.partition, ...records])));
    stage.run(doubled, sink((records: Iterable<number>, context: TaskContext) => void seen.push([context.partition, ...records])), 1);
    t.strictSame(seen, [[0, 2, 4], [1]]);
    let release = (): void => undefined;
    const open = runTask(stage.stage(doubled, sink(() => new Promise<void>((resolve) => (release = resolve)))), stage.task(), stage.env);
    t.ok(open instanceof Promise);
    let ended = false;
    const ending = Promise.resolve(open).then((report) => ((ended = true), report));
    await Promise.resolve();
    t.notOk(ended);
    release();
    t.strictSame((await ending).output, { kind: 'done' });
    const failing = runTask(stage.stage(doubled, sink(async () => { throw new RangeError('refused'); })), stage.task(), stage.env);
    await t.rejects(Promise.resolve(failing), { code: 'UserFunctionFailed', cause: { name: 'RangeError', message: 'refused' } });
  });

  t.test(`${form}: saveText writes one file a partition, with a line for each record`, async (t) => {
    const stage = maker();
    const source = stage.source(['a', ['k', 1]], []);
    const sink = { kind: 'saveText', directory: 'out/x-1000' } as const;
    t.strictSame([stage.run(source, sink, 0).output, stage.run(source, sink, 1).output], [{ kind: 'done' }, { kind: 'done' }]);
    t.strictSame([...stage.env.fileBytes].map(([path, bytes]) => [path, new TextDecoder().decode(bytes)]), [['out/x-1000/part-00000', 'a\n(k,1)\n'], ['out/x-1000/part-00001', '']]);
    const long = 'x'.repeat(400_000);
    stage.run(stage.source([long, 'é', long, long, 'end']), sink);
    t.equal(new TextDecoder().decode(stage.env.fileBytes.get('out/x-1000/part-00000')), [long, 'é', long, long, 'end', ''].join('\n'));
  });

  t.test(`${form}: saveObjects writes what the codec reads back`, async (t) => {
    const stage = maker();
    stage.run(stage.source([['a', new Date(3)], [1n, undefined]]), { kind: 'saveObjects', directory: 'out' });
    t.strictSame(decodeRecords(stage.env.fileBytes.get('out/part-00000')!), [['a', new Date(3)], [1n, undefined]]);
  });

  t.test(`${form}: a report has the task's run time , and no more where nothing else is to be told`, async (t) => {
    const stage = maker();
    const { runMs, accumulators, stored, ...rest } = stage.run(stage.source([1]), { kind: 'count' });
    t.strictSame([runMs, accumulators, stored, Object.keys(rest)], [5, [], [], ['output']]);
  });

  t.test(`${form}: every 1,024 source records the loop says that it lives`, async (t) => {
    const alive: number[] = [];
    const stage = maker({ onAlive: (records) => void alive.push(records) });
    const text = stage.text(...Array.from({ length: 10 }, (_, i) => `${i}\n`.repeat(300)));
    t.strictSame(stage.run(text, { kind: 'count' }).output, { kind: 'count', count: 3_000 });
    t.strictSame(alive, [1_024, 1_024], 'also where blocks are shorter than that');
  });
}
