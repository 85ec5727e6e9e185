import t from 'tap';
import type { StorageLevel } from '../../../../protocol/rdd.ts';
import { asRddId, shuffleIdOf } from '../../../../protocol/ids.ts';
import { MissingInput } from '../../../../lib/rdd/task-failure.ts';
import type { TaskContext } from '../../../../lib/rdd/task-context.ts';
import { loopForms, StageMaker, thrownBy } from './stage.ts';

const memory: StorageLevel = { useMemory: true, useDisk: false, useOffHeap: false, deserialized: false, replication: 1 };
const hash = { kind: 'hash', partitions: 2 } as const;
const add = { kind: 'builtin', name: 'add' } as const;
const identity = { kind: 'builtin', name: 'identity' } as const;

for (const [form, makeLoops] of loopForms) {
  const maker = (options: ConstructorParameters<typeof StageMaker>[0] = {}): StageMaker => new StageMaker({ loops: makeLoops(), ...options });

  t.test(`${form}: text blocks give their lines, with \\n and with \\r\\n, also in chunks of a few bytes`, async (t) => {
    const stage = maker({ chunkBytes: 4 });
    const lines = stage.text('one\r\n\ntwö\n\r\n', 'a\rb\nlast');
    t.strictSame(stage.collect(lines), ['one', '', 'twö', '', 'a\rb', 'last']);
  });

  t.test(`${form}: operators run record by record, one behind the other`, async (t) => {
    const stage = maker();
    const calls: string[] = [];
    const words = stage.op('flatMap', stage.text('a b\nc\n'), (line: string) => (calls.push(`split ${line}`), line.split(' ')));
    const upper = stage.op('map', words, (word: string) => (calls.push(`upper ${word}`), word.toUpperCase()));
    const kept = stage.op('filter', upper, (word: string) => word !== 'B');
    t.strictSame(stage.collect(kept), ['A', 'C']);
    t.strictSame(calls, ['split a b', 'upper a', 'upper b', 'split c', 'upper c']);
  });

  t.test(`${form}: flatMap takes any iterable: sets, generators, strings by their characters`, async (t) => {
    const stage = maker();
    const spread = stage.op('flatMap', stage.source(['ab', 2, 3]), (record: unknown) => {
      if (record === 2) return new Set(['x', 'y']);
      if (record === 3) return (function* () { yield 'g'; yield 'h'; })();
      return record as string;
    });
    t.strictSame(stage.collect(spread), ['a', 'b', 'x', 'y', 'g', 'h']);
  });

  t.test(`${form}: an array with a hole gives undefined for it`, async (t) => {
    const stage = maker();
    const spread = stage.op('flatMap', stage.source([0]), () => { const list = [1, 2, 3]; delete list[1]; return list; });
    t.strictSame(stage.collect(spread), [1, undefined, 3]);
  });

  t.test(`${form}: mapValues and flatMapValues keep keys, also of pairs that are behind a filter`, async (t) => {
    const stage = maker();
    const pairs = stage.op('map', stage.source([1, 2, 3]), (x: number) => [`k${x}`, x]);
    const doubled = stage.op('mapValues', pairs, (x: number) => 2 * x);
    const some = stage.op('filter', doubled, ([, x]: [string, number]) => x > 2);
    const twice = stage.op('flatMapValues', some, (x: number) => [x, -x]);
    const named = stage.op('map', twice, ([key, x]: [string, number]) => `${key}:${x}`);
    t.strictSame(stage.collect(twice), [['k2', 4], ['k2', -4], ['k3', 6], ['k3', -6]]);
    t.strictSame(stage.collect(named), ['k2:4', 'k2:-4', 'k3:6', 'k3:-6']);
  });

  t.test(`${form}: union reads the parent that the partition belongs to, and no other`, async (t) => {
    const stage = maker();
    const [left, right] = [stage.source([1], [2]), stage.source([3])];
    const both = stage.node({ kind: 'union' }, [left, right], { partitions: 3 });
    const plus = stage.op('map', both, (x: number) => x + 10);
    t.strictSame([0, 1, 2].map((p) => stage.collect(plus, p)), [[11], [12], [13]]);
    t.equal(thrownBy(() => stage.collect(plus, 3)).message, `RDD ${both} has no partition 3: its parents have 3 in all.`);
  });

  t.test(`${form}: coalesce runs through its groups in order`, async (t) => {
    const stage = maker();
    const some = stage.op('map', stage.source([1], [2], [], [4]), (x: number) => x * 10);
    const fewer = stage.node({ kind: 'coalesce', groups: [[2, 0, 3], [1], []] }, [some], { partitions: 3 });
    const negative = stage.op('map', fewer, (x: number) => -x);
    t.strictSame([0, 1, 2].map((p) => stage.collect(negative, p)), [[-10, -40], [-20], []]);
  });

  t.test(`${form}: zipWithIndex counts on from the partition's first index, over all groups of a coalesce below`, async (t) => {
    const stage = maker();
    const fewer = stage.node({ kind: 'coalesce', groups: [[0, 1]] }, [stage.source(['a', 'b'], ['c'])]);
    const indexed = stage.node({ kind: 'zipWithIndex' }, [fewer]);
    t.strictSame(stage.collect(indexed, 0, { offsets: [{ rdd: indexed, partition: 0, first: 7 }] }), [['a', 7], ['b', 8], ['c', 9]]);
    const inner = stage.node({ kind: 'zipWithIndex' }, [stage.source(['a', 'b'], ['c'])], { partitions: 2 });
    const outer = stage.node({ kind: 'coalesce', groups: [[1, 0]] }, [inner]);
    const offsets = [{ rdd: inner, partition: 0, first: 0 }, { rdd: inner, partition: 1, first: 2 }];
    t.strictSame(stage.collect(outer, 0, { offsets }), [['c', 2], ['a', 0], ['b', 1]]);
    t.strictSame(stage.collect(stage.op('map', indexed, ([x, i]: [string, number]) => `${x}${i}`), 0, { offsets: [{ rdd: indexed, partition: 0, first: 0 }] }), ['a0', 'b1', 'c2']);
  });

  t.test(`${form}: glom gives one array for each partition, also for an empty one`, async (t) => {
    const stage = maker();
    const arrays = stage.node({ kind: 'glom' }, [stage.op('map', stage.source([1, 2], []), (x: number) => x + 1)], { partitions: 2 });
    t.strictSame([stage.collect(arrays), stage.collect(arrays, 1)], [[[2, 3]], [[]]]);
  });

  t.test(`${form}: mapPartitions gets an iterable and the task's context, and may return any iterable`, async (t) => {
    const stage = maker();
    let seen: TaskContext | null = null;
    const sums = stage.node({ kind: 'mapPartitions', withIndex: false, fn: stage.env.fn((records: Iterable<number>, context: TaskContext) => {
      seen = context;
      t.notOk(Array.isArray(records));
      let sum = 0;
      for (const x of records) sum += x;
      return (function* () { yield sum; yield [...records].length; })();
    }) }, [stage.source([1, 2], [5])], { partitions: 2 });
    t.strictSame(stage.collect(stage.op('map', sums, (x: number) => x * 2), 1), [10, 2]);
    t.strictSame(seen, { batchTime: 2_000, partition: 1, attempt: 0, stageId: 4, program: 1, appName: null, outputUid: null, id: null });
    const indexed = stage.node({ kind: 'mapPartitions', withIndex: true, fn: stage.env.fn((index: number, records: Iterable<number>) => [...records].map((x) => [index, x])) }, [stage.source([1], [5])], { partitions: 2 });
    t.strictSame(stage.collect(indexed, 1), [[1, 5]]);
  });

  t.test(`${form}: zip goes position by position and refuses unequal counts`, async (t) => {
    const stage = maker();
    const zipped = stage.node({ kind: 'zip' }, [stage.source([1, 2], [3]), stage.source(['a', 'b'], [])], { partitions: 2 });
    t.strictSame(stage.collect(zipped), [[1, 'a'], [2, 'b']]);
    const error = thrownBy(() => stage.collect(zipped, 1));
    t.equal(error.code, 'InvalidArgument');
    t.match(error.message, 'partition 1 has 1 and 0');
  });

  t.test(`${form}: cartesian pairs partition i of the left with j of the right, the left outside`, async (t) => {
    const stage = maker();
    const product = stage.node({ kind: 'cartesian', rightPartitions: 2 }, [stage.source([1, 2], [3]), stage.source(['a', 'b'], ['c'])], { partitions: 4 });
    t.strictSame([0, 1, 2, 3].map((p) => stage.collect(product, p)), [[[1, 'a'], [1, 'b'], [2, 'a'], [2, 'b']], [[1, 'c'], [2, 'c']], [[3, 'a'], [3, 'b']], [[3, 'c']]]);
    const many = stage.source(Array.from({ length: 100 }, (_, i) => i));
    const square = stage.node({ kind: 'cartesian', rightPartitions: 1 }, [many, many]);
    t.strictSame(stage.run(square, { kind: 'count' }).output, { kind: 'count', count: 10_000 });
  });

  t.test(`${form}: a shuffled node merges combiners bucket by bucket, keys in the order first seen`, async (t) => {
    const stage = maker();
    const shuffle = shuffleIdOf(asRddId(100), 0);
    const { env } = stage;
    const text = env.fn((a: string, b: string) => `${a}${b}`);
    const inputs = [{ shuffle, partition: 1, buckets: [env.bucket([['b', '1'], ['a', '2']]), null, env.bucket([['a', '3'], ['c', '4'], ['b', '5']])] }];
    const reduced = stage.node({ kind: 'shuffled', shuffle, spec: hash, aggregator: { createCombiner: identity, mergeValue: add, mergeCombiners: text }, mapSideCombine: true, sort: null, narrow: false }, [asRddId(99)], { partitions: 2 });
    t.strictSame(stage.collect(reduced, 1, { shuffles: inputs }), [['b', '15'], ['a', '23'], ['c', '4']]);
  });

  t.test(`${form}: without map-side combine it creates and merges values itself; without aggregator pairs come as they are`, async (t) => {
    const stage = maker();
    const shuffle = shuffleIdOf(asRddId(100), 0);
    const { env } = stage;
    const shuffles = [{ shuffle, partition: 0, buckets: [env.bucket([['b', 1], ['a', 2]]), env.bucket([['b', 3]])] }];
    const lists = { createCombiner: { kind: 'builtin', name: 'listOf' }, mergeValue: { kind: 'builtin', name: 'listAppend' }, mergeCombiners: { kind: 'builtin', name: 'listConcat' } } as const;
    const common = { kind: 'shuffled', shuffle, spec: hash, mapSideCombine: false, narrow: false } as const;
    const grouped = stage.node({ ...common, aggregator: lists, sort: null }, [asRddId(99)]);
    t.strictSame(stage.collect(grouped, 0, { shuffles }), [['b', [1, 3]], ['a', [2]]]);
    const plain = stage.node({ ...common, aggregator: null, sort: null }, [asRddId(99)]);
    t.strictSame(stage.collect(plain, 0, { shuffles }), [['b', 1], ['a', 2], ['b', 3]]);
    const ascending = stage.node({ ...common, aggregator: null, sort: 'ascending' }, [asRddId(99)]);
    t.strictSame(stage.collect(ascending, 0, { shuffles }), [['a', 2], ['b', 1], ['b', 3]]);
    const descending = stage.node({ ...common, aggregator: null, sort: 'descending' }, [asRddId(99)]);
    t.strictSame(stage.collect(descending, 0, { shuffles }), [['b', 1], ['b', 3], ['a', 2]]);
  });

  t.test(`${form}: a narrow shuffled node combines its parent's partition without any bucket`, async (t) => {
    const stage = maker();
    const aggregator = { createCombiner: stage.env.fn((x: number) => x + 100), mergeValue: add, mergeCombiners: stage.env.fn(() => 'never') };
    const reduced = stage.node({ kind: 'shuffled', shuffle: shuffleIdOf(asRddId(100), 0), spec: hash, aggregator, mapSideCombine: true, sort: null, narrow: true }, [stage.source([['a', 1], ['b', 2], ['a', 3]])]);
    t.strictSame(stage.collect(reduced), [['a', 104], ['b', 102]]);
  });

  t.test(`${form}: buckets of a round-robin shuffle are records`, async (t) => {
    const stage = maker();
    const shuffle = shuffleIdOf(asRddId(100), 0);
    const buckets = [stage.env.recordsBlock(['x', 1]).place, stage.env.recordsBlock([[1, 2]]).place];
    const spread = stage.node({ kind: 'shuffled', shuffle, spec: { kind: 'roundRobin', partitions: 1 }, aggregator: null, mapSideCombine: false, sort: null, narrow: false }, [asRddId(99)]);
    t.strictSame(stage.collect(spread, 0, { shuffles: [{ shuffle, partition: 0, buckets }] }), ['x', 1, [1, 2]]);
  });

  t.test(`${form}: coGrouped has a list for each parent, read through a shuffle or directly`, async (t) => {
    const stage = maker();
    const shuffle = shuffleIdOf(asRddId(102), 0);
    const left = stage.node({ kind: 'source', blocks: [[]] }, []);
    const right = stage.op('map', stage.source([['c', 8], ['a', 9]]), ([key, value]: [string, number]) => [key, value + 1]);
    const groups = stage.node({ kind: 'coGrouped', shuffles: [shuffle, null], spec: hash }, [left, right]);
    const shuffles = [{ shuffle, partition: 0, buckets: [stage.env.bucket([['a', 1], ['b', 2]]), stage.env.bucket([['a', 3]])] }];
    t.strictSame(stage.collect(groups, 0, { shuffles }), [['a', [[1, 3], [10]]], ['b', [[2], []]], ['c', [[], [9]]]]);
    const joined = stage.node({ kind: 'flatMapValues', fn: { kind: 'builtin', name: 'fullOuterJoin' } }, [groups]);
    t.strictSame(stage.collect(joined, 0, { shuffles }), [['a', [1, 10]], ['a', [3, 10]], ['b', [2, null]], ['c', [null, 9]]]);
  });

  t.test(`${form}: keys are merged by value: arrays and dates too`, async (t) => {
    const stage = maker();
    const aggregator = { createCombiner: identity, mergeValue: add, mergeCombiners: add };
    const source = stage.source([[[1, 'x'], 1], [new Date(5), 10], [[1, 'x'], 2], [new Date(5), 20], [0, 100], [-0, 200], ['1', 1], [1, 2]]);
    const reduced = stage.node({ kind: 'shuffled', shuffle: shuffleIdOf(asRddId(100), 0), spec: hash, aggregator, mapSideCombine: true, sort: null, narrow: true }, [source]);
    t.strictSame(stage.collect(reduced), [[[1, 'x'], 3], [new Date(5), 30], [0, 300], ['1', 1], [1, 2]]);
  });

  t.test(`${form}: a persisted partition is computed once in a task, stored and reported`, async (t) => {
    const stage = maker();
    let calls = 0;
    const kept = stage.node({ kind: 'map', fn: stage.env.fn((x: number) => ((calls += 1), x + 1)) }, [stage.source([1, 2], [7])], { storage: memory, partitions: 2 });
    const square = stage.node({ kind: 'cartesian', rightPartitions: 2 }, [kept, stage.op('map', kept, (x: number) => -x)], { partitions: 4 });
    const report = stage.run(square, { kind: 'collect', limit: -1 });
    t.equal(calls, 2);
    t.strictSame(report.stored.map(({ rdd, partition, block }) => [rdd, partition, block.id, block.records]), [[kept, 0, `rdd-${kept}-0`, 2]]);
    t.strictSame(stage.env.recordsOf(report.stored[0]!.block), [2, 3]);
    const again = stage.run(kept, { kind: 'count' }, 0, { cached: [{ rdd: kept, partition: 0, block: report.stored[0]!.block }] });
    t.strictSame([again.output, again.stored, calls], [{ kind: 'count', count: 2 }, [], 2]);
  });

  t.test(`${form}: an empty persisted partition is stored as a block without bytes`, async (t) => {
    const stage = maker();
    const kept = stage.node({ kind: 'glom' }, [stage.source([])], { storage: memory });
    const none = stage.node({ kind: 'filter', fn: stage.env.fn(() => false) }, [kept], { storage: memory });
    const { stored } = stage.run(none, { kind: 'count' });
    t.strictSame(stored.map(({ rdd, block }) => [rdd, block.records, block.place === null]), [[kept, 1, false], [none, 0, true]]);
    t.strictSame(stage.collect(none, 0, { cached: [{ rdd: none, partition: 0, block: stored[1]!.block }] }), []);
  });

  t.test(`${form}: a partition that memory has no room for is not stored, and the task goes on`, async (t) => {
    const stage = maker({ memoryBytesMax: 10 });
    const kept = stage.node({ kind: 'map', fn: identity }, [stage.source([1, 2])], { storage: memory });
    const report = stage.run(kept, { kind: 'count' });
    t.strictSame([report.output, report.stored], [{ kind: 'count', count: 2 }, []]);
  });

  t.test(`${form}: a bucket or cached block that is gone is told apart from other failures`, async (t) => {
    const stage = maker();
    const shuffle = shuffleIdOf(asRddId(100), 0);
    const buckets = [stage.env.bucket([['a', 1]]), stage.env.bucket([['b', 1]])];
    const plain = stage.node({ kind: 'shuffled', shuffle, spec: hash, aggregator: null, mapSideCombine: false, sort: null, narrow: false }, [asRddId(99)]);
    stage.env.drop(buckets[1]!);
    const lost = thrownBy(() => stage.collect(plain, 0, { shuffles: [{ shuffle, partition: 0, buckets }] }));
    t.ok(lost instanceof MissingInput);
    t.strictSame((lost as MissingInput).missing, { shuffle, mapPartition: 1 });
    t.equal((lost.cause as { code: string }).code, 'StaleHandle');

    const block = stage.env.recordsBlock([1]);
    stage.env.drop(block.place);
    const uncached = thrownBy(() => stage.collect(plain, 0, { cached: [{ rdd: plain, partition: 0, block }] }));
    t.strictSame((uncached as MissingInput).missing, { rdd: plain, partition: 0 });

    const source = stage.node({ kind: 'source', blocks: [[block]] }, []);
    const sourceLost = thrownBy(() => stage.collect(source));
    t.notOk(sourceLost instanceof MissingInput, 'a received block has no task that could make it again');
    t.equal(sourceLost.code, 'StaleHandle');
  });

  t.test(`${form}: a long chain of operators is walked without recursion`, async (t) => {
    const stage = maker();
    let rdd = stage.source([0]);
    for (let depth = 0; depth < 20; depth += 1) rdd = stage.op('map', rdd, (x: number) => x + 1);
    for (let depth = 0; depth < 5_000; depth += 1) rdd = stage.node({ kind: 'union' }, [rdd]);
    t.strictSame(stage.collect(rdd), [20]);
  });
}
