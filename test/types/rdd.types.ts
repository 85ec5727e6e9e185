/**
 * What the compiler must infer of RDDs, and what it must refuse. Checked by tsc; nothing here runs.
 */
import { emptyRdd, parallelize } from '../../lib/rdd/make.ts';
import type { RDD } from '../../lib/rdd/rdd.ts';
import type { RddContext } from '../../lib/rdd/context.ts';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles only where the type of `value` is exactly `Expected`. */
declare function is<Expected>(): <Actual>(value: Actual, same: Same<Actual, Expected>) => void;

export async function inference(context: RddContext, lines: RDD<string>, users: RDD<[string, { age: number }]>): Promise<void> {
  const words = lines.flatMap((line) => line.split(' '));
  is<RDD<string>>()(words, true);
  const ones = words.map((word) => [word, 1]);
  is<RDD<[string, number]>>()(ones, true);
  const counts = ones.reduceByKey((a, b) => a + b);
  is<RDD<[string, number]>>()(counts, true);

  // No tuple where none is returned.
  is<RDD<number>>()(words.map((word) => word.length), true);
  is<RDD<string[]>>()(words.map((word) => word.split('')), true);
  is<RDD<{ word: string; size: number }>>()(words.map((word) => ({ word, size: 1 })), true);
  is<RDD<boolean>>()(words.map((word) => word === ''), true);
  is<RDD<unknown>>()(words.map((word): unknown => word), true);

  // Tuples at any depth, of any length, on all branches.
  is<RDD<[string, [number, number]]>>()(counts.mapValues((count) => [count, 1]), true);
  is<RDD<[[string, number], number]>>()(counts.map(([word, count]) => [[word, count], 1]), true);
  is<RDD<[string, number, boolean]>>()(words.map((word) => [word, 1, true]), true);
  is<RDD<[string, number]>>()(words.map((word) => (word === '' ? [word, 0] : [word, 1])), true);
  is<RDD<[string, number]>>()(words.flatMap((word) => [[word, 1], [word, 2]]), true);
  is<RDD<[string, number]>>()(words.mapPartitions(function* (all) { for (const word of all) yield [word, 1]; }), true);
  is<RDD<[string, [number, number]]>>()(counts.combineByKey((v) => [v, 1], (c, v) => [c[0] + v, c[1] + 1], (a, b) => [a[0] + b[0], a[1] + b[1]]), true);
  is<RDD<[string, number]>>()(counts.aggregateByKey(0, (sum, v) => sum + v, (a, b) => a + b), true);
  is<RDD<[string, number[]]>>()(counts.aggregateByKey([] as number[], (list, v) => [...list, v], (a, b) => [...a, ...b]), true);
  is<RDD<[string, string[]]>>()(words.map((word) => [word, [word] as string[]]).reduceByKey((a, b) => [...a, ...b]), true);
  is<RDD<[string, number]>>()(parallelize(context, [['a', 1], ['b', 2]]), true);
  is<RDD<number>>()(parallelize(context, [1, 2]), true);
  is<RDD<never>>()(emptyRdd(context), true);

  // Filters narrow, by a guard or by what the compiler sees.
  is<RDD<string>>()(words.map((word) => (word === '' ? null : word)).filter((word) => word !== null), true);
  is<RDD<string | null>>()(words.map((word) => (word === '' ? null : word)).filter(() => true), true);

  // Pairs of pairs.
  is<RDD<[string, [number, { age: number }]]>>()(counts.join(users), true);
  is<RDD<[string, [number, { age: number } | null]]>>()(counts.leftOuterJoin(users), true);
  is<RDD<[string, [number | null, { age: number }]]>>()(counts.rightOuterJoin(users), true);
  is<RDD<[string, [number | null, { age: number } | null]]>>()(counts.fullOuterJoin(users), true);
  is<RDD<[string, [number[], { age: number }[]]]>>()(counts.cogroup(users), true);
  is<RDD<[string, [number[], { age: number }[], string[]]]>>()(counts.cogroup(users, words.keyBy((word) => word), 4), true);
  is<RDD<[string, number[]]>>()(counts.groupByKey(), true);
  is<RDD<[number, string[]]>>()(words.groupBy((word) => word.length), true);
  is<RDD<[[string, number], number]>>()(counts.zipWithIndex(), true);
  is<RDD<[string, number]>>()(counts.sortByKey(false).sortBy(([, count]) => count), true);
  is<RDD<string>>()(counts.keys(), true);
  is<RDD<number>>()(counts.values(), true);
  is<RDD<[string, number]>>()(counts.cache(), true);
  is<RDD<[string, number][]>>()(counts.glom(), true);
  is<RDD<string>>()(words.words(), true);
  is<RDD<string>>()(words.splitBy(','), true);
  is<RDD<string[]>>()(words.fields(',', { onError: 'skip' }), true);
  is<RDD<unknown>>()(words.parseJson(), true);
  is<RDD<number[]>>()(words.parseJson<number[]>({ onError: 'skip' }), true);
  is<string>()(counts.explain(), true);

  is<[string, number][]>()(await counts.collect(), true);
  is<Map<string, number>>()(await counts.collectAsMap(), true);
  is<Map<string, number>>()(await counts.countByKey(), true);
  is<number[]>()(await counts.lookup('a'), true);
  is<number>()(await words.aggregate(0, (sum, word) => sum + word.length, (a, b) => a + b), true);
  is<[number, number]>()(await counts.values().aggregate([0, 0], ([s, n], x) => [s + x, n + 1], (a, b) => [a[0] + b[0], a[1] + b[1]]), true);

  // Readonly pairs are pairs, and a wider RDD takes a narrower one.
  const fixed = words.map((word) => [word, 1] as const);
  fixed.keys();
  const wide: RDD<readonly [string, unknown]> = counts;
  wide.keys();
}

export function generic<T, K, V>(rdd: RDD<T>, pairs: RDD<[K, V]>): [RDD<[T, number]>, RDD<[V, K]>, RDD<[K, V[]]>] {
  return [rdd.map((x) => [x, 1]), pairs.map(([k, v]) => [v, k]), pairs.groupByKey()];
}

export function refused(words: RDD<string>, counts: RDD<[string, number]>, byNumber: RDD<[number, string]>): void {
  // @ts-expect-error Operations on lines exist on strings only.
  counts.words();
  // @ts-expect-error
  counts.splitBy(',');
  // @ts-expect-error
  counts.fields(',');
  // @ts-expect-error
  counts.parseJson();
  // @ts-expect-error Pair operations exist on pairs only.
  words.reduceByKey((a: string, b: string) => a + b);
  // @ts-expect-error Nor do keys.
  words.keys();
  // @ts-expect-error A triple is no pair.
  words.map((word) => [word, 1, 2]).groupByKey();
  // @ts-expect-error The reducer's result must be a value.
  counts.reduceByKey((a, b) => `${a}${b}`);
  // @ts-expect-error The function gets a string.
  words.map((word) => word.toFixed(2));
  // @ts-expect-error flatMap needs an iterable.
  words.flatMap((word) => word.length);
  // @ts-expect-error A filter answers yes or no.
  words.filter((word) => word.length);
  // @ts-expect-error Keys of joined RDDs are of one type.
  counts.join(byNumber);
  // @ts-expect-error So are records of united ones.
  words.union(counts);
  // @ts-expect-error The zero has the values' type.
  counts.foldByKey('', (a, b) => a + b);
  // @ts-expect-error A number of partitions, or a partitioner.
  counts.partitionBy('2');
  // @ts-expect-error lookup takes a key.
  void counts.lookup(1);
  // @ts-expect-error The comparison is of records.
  void words.top(3, (a: number, b: number) => a - b);
}
