/**
 * Every RDD operation against plain arrays, with 1 to 4 partitions. Keyed results have no order of their own: both sides are sorted.
 */
import t from 'tap';
import { compareKeys } from '../../../../lib/base/key.ts';
import { emptyRdd, parallelize, unionRdds } from '../../../../lib/rdd/make.ts';
import type { RDD } from '../../../../lib/rdd/rdd.ts';
import { LocalRunner } from '../../../helpers/local-runner.ts';

const words = ['to', 'be', 'or', 'not', 'to', 'be', 'that', 'is', 'the', 'question', 'to', 'a'];
const numbers = [5, 3, 8, 1, 9, 2, 7, 3, 3, 6];
const left: [string, number][] = [['a', 1], ['b', 2], ['a', 3], ['c', 4], ['d', 5]];
const right: [string, string][] = [['a', 'x'], ['c', 'y'], ['a', 'z'], ['e', 'w']];

interface Given {
  readonly words: RDD<string>;
  readonly numbers: RDD<number>;
  readonly left: RDD<[string, number]>;
  readonly right: RDD<[string, string]>;
  readonly partitions: number;
  readonly context: LocalRunner;
}

const sorted = (records: readonly unknown[]): unknown[] => [...records].sort(compareKeys);
const ascending = (a: number, b: number): number => a - b;

/** The same records, in this order. */
const inOrder: Record<string, { readonly run: (given: Given) => RDD<unknown>; readonly expected: readonly unknown[] }> = {
  'map': { run: ({ words: rdd }) => rdd.map((word) => [word, word.length]), expected: words.map((word) => [word, word.length]) },
  'filter': { run: ({ numbers: rdd }) => rdd.filter((x) => x > 3), expected: numbers.filter((x) => x > 3) },
  'flatMap': { run: ({ words: rdd }) => rdd.flatMap((word) => word.split('')), expected: words.join('').split('') },
  'keyBy': { run: ({ words: rdd }) => rdd.keyBy((word) => word.length), expected: words.map((word) => [word.length, word]) },
  'mapValues': { run: ({ left: rdd }) => rdd.mapValues((value) => value * 2), expected: left.map(([key, value]) => [key, value * 2]) },
  'flatMapValues': { run: ({ left: rdd }) => rdd.flatMapValues((value) => [value, -value]), expected: left.flatMap(([key, value]) => [[key, value], [key, -value]]) },
  'keys': { run: ({ left: rdd }) => rdd.keys(), expected: left.map(([key]) => key) },
  'values': { run: ({ left: rdd }) => rdd.values(), expected: left.map(([, value]) => value) },
  'union': { run: ({ numbers: rdd }) => rdd.union(rdd.map((x) => -x), rdd), expected: [...numbers, ...numbers.map((x) => -x), ...numbers] },
  'union with itself behind a shuffle': { run: ({ numbers: rdd }) => rdd.sortBy((x) => x).union(rdd), expected: [...[...numbers].sort(ascending), ...numbers] },
  'coalesce': { run: ({ numbers: rdd }) => rdd.coalesce(2), expected: numbers },
  'coalesce to more partitions than there are': { run: ({ numbers: rdd }) => rdd.coalesce(9), expected: numbers },
  'cartesian of single partitions': { run: ({ numbers: rdd }) => rdd.coalesce(1).cartesian(rdd.coalesce(1)), expected: numbers.flatMap((x) => numbers.map((y) => [x, y])) },
  'zip': { run: ({ numbers: rdd }) => rdd.zip(rdd.map((x) => String(x))), expected: numbers.map((x) => [x, String(x)]) },
  'zipWithIndex': { run: ({ words: rdd }) => rdd.zipWithIndex(), expected: words.map((word, index) => [word, index]) },
  'zipWithIndex, coalesced': { run: ({ words: rdd }) => rdd.zipWithIndex().coalesce(1), expected: words.map((word, index) => [word, index]) },
  'zipWithIndex after a shuffle': { run: ({ numbers: rdd }) => rdd.sortBy((x) => x).zipWithIndex(), expected: [...numbers].sort(ascending).map((x, index) => [x, index]) },
  'sortBy': { run: ({ numbers: rdd }) => rdd.sortBy((x) => -x), expected: [...numbers].sort((a, b) => b - a) },
  'sortBy, descending, into 3': { run: ({ numbers: rdd }) => rdd.sortBy((x) => x, false, 3), expected: [...numbers].sort((a, b) => b - a) },
  'sortByKey': { run: ({ left: rdd }) => rdd.sortByKey(), expected: [['a', 1], ['a', 3], ['b', 2], ['c', 4], ['d', 5]] },
  'sortByKey, descending, equal keys as they came': { run: ({ left: rdd }) => rdd.sortByKey(false), expected: [['d', 5], ['c', 4], ['b', 2], ['a', 1], ['a', 3]] },
  'sortBy of arrays': { run: ({ left: rdd }) => rdd.sortBy((pair) => pair), expected: [['a', 1], ['a', 3], ['b', 2], ['c', 4], ['d', 5]] },
  'sorting a cached, combined RDD': { run: ({ words: rdd }) => rdd.map((word) => [word, 1]).reduceByKey((a, b) => a + b).cache().sortByKey().keys(), expected: [...new Set(words)].sort() },
};

/** The same records, in any order. */
const inAnyOrder: Record<string, { readonly run: (given: Given) => RDD<unknown>; readonly expected: readonly unknown[] }> = {
  'repartition': { run: ({ numbers: rdd }) => rdd.repartition(3), expected: numbers },
  'repartition, coalesced': { run: ({ numbers: rdd }) => rdd.repartition(5).coalesce(2), expected: numbers },
  'cartesian': { run: ({ numbers: rdd, words: other }) => rdd.cartesian(other), expected: numbers.flatMap((x) => words.map((word) => [x, word])) },
  'cartesian of shuffled RDDs with themselves': {
    run: ({ numbers: rdd }) => {
      const distinct = rdd.distinct(3);
      return distinct.cartesian(distinct);
    },
    expected: [...new Set(numbers)].flatMap((x) => [...new Set(numbers)].map((y) => [x, y])),
  },
  'distinct': { run: ({ words: rdd }) => rdd.distinct(), expected: [...new Set(words)] },
  'distinct, coalesced': { run: ({ words: rdd }) => rdd.distinct(4).coalesce(3), expected: [...new Set(words)] },
  'intersection': { run: ({ numbers: rdd }) => rdd.intersection(rdd.filter((x) => x < 4)), expected: [1, 2, 3] },
  'subtract': { run: ({ numbers: rdd }) => rdd.subtract(rdd.filter((x) => x > 3)), expected: [3, 1, 2, 3, 3] },
  'groupBy': { run: ({ numbers: rdd }) => rdd.groupBy((x) => x % 3).mapValues((group) => [...group].sort(ascending)), expected: [[0, [3, 3, 3, 6, 9]], [1, [1, 7]], [2, [2, 5, 8]]] },
  'groupByKey': { run: ({ left: rdd }) => rdd.groupByKey(), expected: [['a', [1, 3]], ['b', [2]], ['c', [4]], ['d', [5]]] },
  'reduceByKey': { run: ({ words: rdd }) => rdd.map((word) => [word, 1]).reduceByKey((a, b) => a + b), expected: [...new Set(words)].map((word) => [word, words.filter((other) => other === word).length]) },
  'combineByKey': {
    run: ({ left: rdd }) => rdd.combineByKey((v) => [v, 1], (c, v) => [c[0] + v, c[1] + 1], (a, b) => [a[0] + b[0], a[1] + b[1]]),
    expected: [['a', [4, 2]], ['b', [2, 1]], ['c', [4, 1]], ['d', [5, 1]]],
  },
  'combineByKey without combining before the shuffle': {
    run: ({ left: rdd }) => rdd.combineByKey((v) => [v] as number[], (c, v) => [...c, v], () => { throw new Error('Nothing is combined twice.'); }, 3, false),
    expected: [['a', [1, 3]], ['b', [2]], ['c', [4]], ['d', [5]]],
  },
  'aggregateByKey, its zero changed in place': {
    run: ({ left: rdd }) => rdd.aggregateByKey({ sum: 0 }, (c, v) => { c.sum += v; return c; }, (a, b) => ({ sum: a.sum + b.sum })).mapValues(({ sum }) => sum),
    expected: [['a', 4], ['b', 2], ['c', 4], ['d', 5]],
  },
  'foldByKey': { run: ({ left: rdd }) => rdd.foldByKey(0, (a, b) => a + b), expected: [['a', 4], ['b', 2], ['c', 4], ['d', 5]] },
  'partitionBy': { run: ({ left: rdd }) => rdd.partitionBy(3), expected: left },
  'join': { run: ({ left: rdd, right: other }) => rdd.join(other), expected: [['a', [1, 'x']], ['a', [1, 'z']], ['a', [3, 'x']], ['a', [3, 'z']], ['c', [4, 'y']]] },
  'join with itself': { run: ({ left: rdd }) => rdd.join(rdd), expected: [['a', [1, 1]], ['a', [1, 3]], ['a', [3, 1]], ['a', [3, 3]], ['b', [2, 2]], ['c', [4, 4]], ['d', [5, 5]]] },
  'leftOuterJoin': { run: ({ left: rdd, right: other }) => rdd.leftOuterJoin(other), expected: [['a', [1, 'x']], ['a', [1, 'z']], ['a', [3, 'x']], ['a', [3, 'z']], ['b', [2, null]], ['c', [4, 'y']], ['d', [5, null]]] },
  'rightOuterJoin': { run: ({ left: rdd, right: other }) => rdd.rightOuterJoin(other), expected: [['a', [1, 'x']], ['a', [1, 'z']], ['a', [3, 'x']], ['a', [3, 'z']], ['c', [4, 'y']], ['e', [null, 'w']]] },
  'fullOuterJoin': { run: ({ left: rdd, right: other }) => rdd.fullOuterJoin(other), expected: [['a', [1, 'x']], ['a', [1, 'z']], ['a', [3, 'x']], ['a', [3, 'z']], ['b', [2, null]], ['c', [4, 'y']], ['d', [5, null]], ['e', [null, 'w']]] },
  'cogroup': { run: ({ left: rdd, right: other }) => rdd.cogroup(other), expected: [['a', [[1, 3], ['x', 'z']]], ['b', [[2], []]], ['c', [[4], ['y']]], ['d', [[5], []]], ['e', [[], ['w']]]] },
  'cogroup of three': {
    run: ({ left: rdd, right: other }) => rdd.cogroup(other, rdd.mapValues(() => true), 2),
    expected: [['a', [[1, 3], ['x', 'z'], [true, true]]], ['b', [[2], [], [true]]], ['c', [[4], ['y'], [true]]], ['d', [[5], [], [true]]], ['e', [[], ['w'], []]]],
  },
  'subtractByKey': { run: ({ left: rdd, right: other }) => rdd.union(rdd).subtractByKey(other), expected: [['b', 2], ['b', 2], ['d', 5], ['d', 5]] },
  'subtractByKey with equal partitioners on both sides': { run: ({ left: rdd, right: other }) => rdd.partitionBy(3).subtractByKey(other.partitionBy(3)), expected: [['b', 2], ['d', 5]] },
  'a join of sorted with hashed pairs': { run: ({ left: rdd, right: other }) => rdd.sortByKey().join(other).mapValues(([v]) => v), expected: [['a', 1], ['a', 1], ['a', 3], ['a', 3], ['c', 4]] },
};

for (const partitions of [1, 2, 3, 4]) {
  const given = (context: LocalRunner): Given => ({
    words: parallelize(context, words, partitions), numbers: parallelize(context, numbers, partitions),
    left: parallelize(context, left, partitions), right: parallelize(context, right, Math.max(1, 5 - partitions)), partitions, context,
  });
  t.test(`transformations over ${partitions} partitions give what arrays give`, async (t) => {
    for (const [name, { run, expected }] of Object.entries(inOrder)) {
      const context = new LocalRunner({ seed: partitions });
      t.same(await run(given(context)).collect(), expected, name);
      context.endBatch();
      t.equal(context.memory.live, 0, `${name}: all memory is given back`);
    }
    for (const [name, { run, expected }] of Object.entries(inAnyOrder)) {
      const context = new LocalRunner({ seed: partitions });
      t.same(sorted(await run(given(context)).collect()), sorted(expected), name);
      context.endBatch();
      t.equal(context.memory.live, 0, `${name}: all memory is given back`);
    }
  });

  t.test(`actions over ${partitions} partitions give what arrays give`, async (t) => {
    const context = new LocalRunner({ seed: partitions });
    const { words: w, numbers: n, left: l } = given(context);
    t.equal(await n.count(), 10);
    t.equal(await n.isEmpty(), false);
    t.equal(await n.filter(() => false).isEmpty(), true);
    t.equal(await n.first(), 5);
    t.same(await n.take(0), []);
    t.same(await n.take(4), [5, 3, 8, 1]);
    t.same(await n.take(100), numbers);
    t.same(await n.top(3), [9, 8, 7]);
    t.same(await n.takeOrdered(4), [1, 2, 3, 3]);
    t.same(await w.takeOrdered(2, (a, b) => b.length - a.length), ['question', 'that'], 'equal ones as they came');
    t.same(await w.top(2, (a, b) => a.length - b.length), ['question', 'that']);
    t.equal(await n.reduce((a, b) => a + b), 47);
    t.equal(await w.reduce((a, b) => a + b), words.join(''), 'in the order of the records');
    t.equal(await n.fold(0, (a, b) => a + b), 47);
    t.same(await n.aggregate([0, 0], ([s, c], x) => [s + x, c + 1], (a, b) => [a[0] + b[0], a[1] + b[1]]), [47, 10]);
    t.same(await w.aggregate([] as string[], (list, x) => { list.push(x); return list; }, (a, b) => [...a, ...b]), words, 'a zero that is changed in place');
    t.same(new Map([...await l.countByKey()].sort()), new Map([['a', 2], ['b', 1], ['c', 1], ['d', 1]]));
    t.equal((await w.countByValue()).get('to'), 3);
    t.same(await l.collectAsMap(), new Map([['a', 3], ['b', 2], ['c', 4], ['d', 5]]));
    t.same(await l.lookup('a'), [1, 3]);
    t.same(await l.partitionBy(3).lookup('a'), [1, 3]);
    t.same(await l.sortByKey().lookup('a'), [1, 3]);
    const seen: unknown[] = [];
    await n.foreach((x) => void seen.push(x));
    t.same(seen.sort(), [...numbers].sort());
    const sums = new Map<number, number>();
    await n.foreachPartition(async (records, task) => {
      let sum = 0;
      for (const x of records) sum += x;
      await Promise.resolve();
      sums.set(task.partition, sum);
    });
    t.equal(sums.size, partitions);
    t.equal([...sums.values()].reduce((a, b) => a + b), 47);
    await n.saveAsTextFile('/out');
    const files = [...context.files].filter(([path]) => path.startsWith('/out/part-')).sort(([a], [b]) => (a < b ? -1 : 1));
    t.equal(files.length, partitions);
    t.same(files.map(([, text]) => text).join(''), numbers.map((x) => `${x}\n`).join(''));
    context.endBatch();
    t.equal(context.memory.live, 0, 'all memory is given back');
  });

  t.test(`what lies in which of ${partitions} partitions`, async (t) => {
    const context = new LocalRunner();
    const { numbers: n } = given(context);
    const parts = await n.collectPartitions();
    const cut = (p: number): number => Math.floor((p * numbers.length) / partitions);
    t.same(parts, Array.from({ length: partitions }, (_, p) => numbers.slice(cut(p), cut(p + 1))));
    t.same(await n.glom().collect(), parts);
    t.same(await n.mapPartitions((records) => [[...records].length]).collect(), parts.map((part) => part.length));
    t.same(await n.mapPartitions((_records, task) => [task.partition]).collect(), parts.map((_, p) => p));
    t.same(await n.mapPartitionsWithIndex((index, records) => [...records].map((x) => [index, x])).collect(), parts.flatMap((part, p) => part.map((x) => [p, x])));
    t.same((await n.union(n).collectPartitions()), [...parts, ...parts]);
    const dealt: number[][] = [[], []];
    parts.forEach((part, p) => part.forEach((x, index) => dealt[(p + index) % 2]!.push(x)));
    t.same(await n.repartition(2).collectPartitions(), dealt, 'dealt out in turn, map partition p beginning at p');
  });
}

t.test('a list shorter than the partitions fills the last ones', async (t) => {
  t.same(await parallelize(new LocalRunner(), [1, 2], 5).collectPartitions(), [[], [], [1], [], [2]]);
});

t.test('RDDs without partitions and without records', async (t) => {
  const context = new LocalRunner();
  const nothing = emptyRdd<[string, number]>(context);
  t.equal(nothing.getNumPartitions(), 0);
  t.same(await nothing.collect(), []);
  t.equal(await nothing.count(), 0);
  t.equal(await nothing.isEmpty(), true);
  t.same(await nothing.take(3), []);
  t.same(await nothing.reduceByKey((a, b) => a + b).collectPartitions(), [[], []]);
  t.same(await nothing.sortByKey().zipWithIndex().collect(), []);
  t.same(await nothing.distinct().collect(), []);
  t.same(await nothing.union(parallelize(context, [['a', 1]], 1)).collect(), [['a', 1]]);
  t.same(await nothing.join(parallelize(context, [['a', 1]], 1)).collect(), []);
  t.same(await nothing.cartesian(nothing).collect(), []);
  t.same(await nothing.repartition(2).collectPartitions(), [[], []]);
  t.same(await unionRdds(context, []).collect(), []);
  t.equal(await nothing.values().fold(0, (a, b) => a + b), 0);
  t.equal(await parallelize(context, [] as number[], 3).fold(0, (a, b) => a + b), 0);
  await t.rejects(nothing.first(), { code: 'EmptyCollection' });
  await t.rejects(nothing.reduce((a) => a), { code: 'EmptyCollection' });
  await t.rejects(parallelize(context, [] as number[], 3).reduce((a) => a), { code: 'EmptyCollection' });
});

t.test('values that survive all paths: as records, as keys, as sort keys', async (t) => {
  const odd = [null, undefined, true, -0, NaN, 1n, '', '\ud800', new Date(5), [1, ['x']], new Uint8Array([1])];
  const rdd = parallelize<unknown>(new LocalRunner(), odd, 3);
  t.strictSame(await rdd.collect(), odd);
  t.strictSame((await rdd.distinct(2).collect()).length, odd.length);
  t.strictSame((await rdd.union(rdd).distinct(4).collect()).length, odd.length);
  t.strictSame((await rdd.sortBy((x) => x).collect()).length, odd.length);
});
