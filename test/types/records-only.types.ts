/**
 * What is no record the compiler refuses, for every method whose function gives records, keys, values or states; and what it must
 * not refuse: see lib/rdd/records-only.ts. Compiled with the rest; never run.
 */
import type { DStream, MapWithStateDStream } from '../../lib/dstream/dstream.ts';
import type { ProgramBuilder } from '../../lib/program/program-builder.ts';
import type { RDD } from '../../lib/rdd/rdd.ts';
import type { State } from '../../lib/rdd/state/keyed-state.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function is<Expected>() {
  return <Given>(given: Given, equal: Equal<Given, Expected>): void => void [given, equal];
}

type Pairs = DStream<[string, number]>;
type PairRdd = RDD<[string, number]>;

export function promisesOnStreams(words: DStream<string>, pairs: Pairs, known: boolean): void {
  // @ts-expect-error
  words.map(async (word) => word);
  // @ts-expect-error: nor by a policy
  words.map(async (word) => word, { onError: 'skip' });
  // @ts-expect-error: nor for some of the records
  words.map((word) => (known ? word : Promise.resolve(word)));
  // @ts-expect-error: nor whatever has a then
  words.map((word): PromiseLike<string> => ({ then: (done) => Promise.resolve(done!(word)) }));
  // @ts-expect-error: nor inside of a pair
  words.map((word) => [word, Promise.resolve(1)]);
  // @ts-expect-error
  words.flatMap(async (word) => [word]);
  // @ts-expect-error
  words.flatMap((word) => [Promise.resolve(word)]);
  // @ts-expect-error
  words.flatMap(async function* (word) { yield word; });
  // @ts-expect-error: a promise is always true
  words.filter(async (word) => word !== '');
  // @ts-expect-error
  words.mapPartitions(async (records) => [...records]);
  // @ts-expect-error
  words.mapPartitions((records) => [...records].map(async (word) => word));
  // @ts-expect-error
  words.reduce(async (a, b) => a + b);
  // @ts-expect-error: foreachPartition's may be async
  words.foreach(async (word) => void word);
  // @ts-expect-error
  words.reduceByWindow(async (a, b) => a + b, 2_000, 1_000);
  // @ts-expect-error
  pairs.mapValues(async (n) => n);
  // @ts-expect-error
  pairs.flatMapValues(async (n) => [n]);
  // @ts-expect-error
  pairs.flatMapValues((n) => [Promise.resolve(n)]);
  // @ts-expect-error
  pairs.reduceByKey(async (a, b) => a + b);
  // @ts-expect-error
  pairs.reduceByKey(async (a, b) => a + b, 2, { onError: 'skip' });
  // @ts-expect-error
  pairs.combineByKey(async (n) => n, async (sum, n) => (await sum) + n, async (a, b) => (await a) + (await b));
  // @ts-expect-error
  pairs.reduceByKeyAndWindow(async (a, b) => a + b, 2_000);
  // @ts-expect-error
  pairs.reduceByKeyAndWindow((a, b) => a + b, async (a, b) => a - b, 2_000);
  // @ts-expect-error
  pairs.reduceByKeyAndWindow((a, b) => a + b, (a, b) => a - b, 2_000, 1_000, 2, async ([, n]) => n > 0);
  // @ts-expect-error
  pairs.updateStateByKey(async (values) => values.length);
  // @ts-expect-error
  pairs.updateStateByKey(async (_time, _key, values) => values.length, { variant: 'time' });
  // @ts-expect-error
  pairs.updateStateByKey((keys: Iterable<readonly [string, readonly number[], Promise<number> | undefined]>) => [...keys].map(([key, values]) => [key, Promise.resolve(values.length)] as const), { variant: 'iterator' });
  // @ts-expect-error
  pairs.mapWithState({ fn: async (_time, _key, value, state: State<number>) => value ?? state.get() });
  // @ts-expect-error: nor as the state
  pairs.mapWithState({ fn: (_time, _key, _value, state: State<Promise<number>>) => (state.exists() ? 1 : 0) });
  // @ts-expect-error: of an RDD inside of transform the same holds
  words.transform((rdd) => rdd.map(async (word) => word));
  // @ts-expect-error
  words.transformWith(words, (rdd, other) => rdd.union(other).map(async (word) => word));
}

export function functionsOnStreams(words: DStream<string>, pairs: Pairs): void {
  // @ts-expect-error
  words.map((word) => () => word);
  // @ts-expect-error
  words.map((word) => [word, () => 1]);
  // @ts-expect-error: a class is one, too
  words.map(() => Map);
  // @ts-expect-error: called without its brackets
  words.map((word) => word.trim);
  // @ts-expect-error
  words.flatMap((word) => [() => word]);
  // @ts-expect-error
  words.mapPartitions(() => [() => 1]);
  // @ts-expect-error
  pairs.mapValues((n) => () => n);
  // @ts-expect-error
  pairs.flatMapValues((n) => [() => n]);
  // @ts-expect-error
  pairs.combineByKey((n) => () => n, (sum, n) => () => sum() + n, (a, b) => () => a() + b());
  // @ts-expect-error
  pairs.updateStateByKey((values) => () => values.length);
  // @ts-expect-error
  pairs.mapWithState({ fn: (_time, _key, value, _state: State<number>) => () => value });
}

export function onRdds(words: RDD<string>, pairs: PairRdd): void {
  // @ts-expect-error
  words.map(async (word) => word);
  // @ts-expect-error
  words.map((word) => () => word);
  // @ts-expect-error
  words.flatMap((word) => [Promise.resolve(word)]);
  // @ts-expect-error
  words.filter(async (word) => word !== '');
  // @ts-expect-error
  words.keyBy(async (word) => word);
  // @ts-expect-error
  words.groupBy(async (word) => word);
  // @ts-expect-error
  words.sortBy(async (word) => word);
  // @ts-expect-error
  words.mapPartitions((records) => [...records].map(async (word) => word));
  // @ts-expect-error
  words.mapPartitionsWithIndex((_partition, records) => [...records].map((word) => () => word));
  // @ts-expect-error
  void words.foreach(async (word) => void word);
  // @ts-expect-error
  void words.reduce(async (a, b) => a + b);
  // @ts-expect-error
  void words.fold('', async (a, b) => a + b);
  // @ts-expect-error
  void words.aggregate(0, async (sum, word) => sum + word.length, (a, b) => a + b);
  // @ts-expect-error
  void words.top(2, async () => 0);
  // @ts-expect-error
  pairs.mapValues(async (n) => n);
  // @ts-expect-error
  pairs.flatMapValues((n) => [() => n]);
  // @ts-expect-error
  pairs.reduceByKey(async (a, b) => a + b);
  // @ts-expect-error
  pairs.foldByKey(0, async (a, b) => a + b);
  // @ts-expect-error
  pairs.aggregateByKey(0, async (sum, n) => sum + n, (a, b) => a + b);
  // @ts-expect-error
  pairs.combineByKey(async (n) => n, async (sum, n) => (await sum) + n, async (a, b) => (await a) + (await b));
}

/** Nothing else is refused, and what is inferred is what it was: also where types are parameters, or not known. */
export function allowed<T, K, V, E extends { readonly size: number }>(ssc: ProgramBuilder, anything: DStream<T>, pairs: DStream<[K, V]>, sized: DStream<E>, words: DStream<string>, rdd: RDD<[K, V]>): void {
  is<DStream<T>>()(anything.map((record) => record), true);
  is<DStream<T | null>>()(anything.map((record): T | null => record), true);
  is<DStream<[T, number]>>()(anything.map((record) => [record, 1]), true);
  is<DStream<V>>()(pairs.map(([, value]) => value), true);
  is<DStream<[V, K]>>()(pairs.map(([key, value]) => [value, key]), true);
  is<DStream<[K, V]>>()(pairs.mapValues((value) => value), true);
  is<DStream<[K, V]>>()(pairs.flatMapValues((value) => [value] as V[]), true);
  is<DStream<E>>()(sized.map((record) => record), true);
  is<DStream<number>>()(sized.map((record) => record.size), true);
  is<DStream<[K, V]>>()(pairs.updateStateByKey((values, state: V | undefined) => values[0] ?? state), true);
  is<MapWithStateDStream<K, V, [K, number]>>()(pairs.mapWithState({ fn: (_time, key, _value, state: State<V>) => (state.isTimingOut() ? undefined : [key, 1]) }), true);
  is<RDD<[K, V]>>()(rdd.map((pair) => pair), true);
  is<RDD<V>>()(rdd.flatMap(([, value]) => [value] as V[]), true);

  is<DStream<any>>()(words.map((word) => JSON.parse(word)), true);
  is<DStream<unknown>>()(words.map((word): unknown => word), true);
  is<DStream<object>>()(words.map((word): object => ({ word })), true);
  is<DStream<[string, any]>>()(words.map((word) => [word, JSON.parse(word)]), true);
  is<DStream<Date | null>>()(words.map((word) => (word === '' ? null : new Date(word))), true);
  is<DStream<Map<string, number>>>()(words.map((word) => new Map([[word, 1]])), true);
  is<DStream<readonly [string, 1]>>()(words.map((word) => [word, 1] as const), true);
  words.foreach((word) => word.length);
  words.foreach(console.log);
  words.foreachPartition(async (records) => void [...records]);
  words.foreachRDD(async (words) => void (await words.count()));
  // A narrower stream is a wider one.
  const wide: DStream<unknown> = words;
  const readonlyPairs: DStream<readonly [string, unknown]> = words.map((word) => [word, 1]);
  void [wide, readonlyPairs, ssc.union([words, words]).map((word) => word.length)];
}
