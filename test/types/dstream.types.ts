/**
 * What the compiler must infer, and what it must refuse, for every method of DStreams. Compiled with the rest; never run.
 */
import { Seconds } from '../../protocol/time.ts';
import type { BatchTime } from '../../protocol/time.ts';
import type { DeadLetter, DeadLetterStream } from '../../lib/dstream/dead-letters.ts';
import type { DStream, MapWithStateDStream } from '../../lib/dstream/dstream.ts';
import type { PublishedStream } from '../../lib/dstream/published-stream.ts';
import type { RddQueue } from '../../lib/dstream/rdd-queue.ts';
import type { Accumulator } from '../../lib/program/accumulator.ts';
import type { Broadcast } from '../../lib/program/broadcast.ts';
import type { ArgsOf, ExportsOf } from '../../lib/program/exports.ts';
import type { ProgramBuilder } from '../../lib/program/program-builder.ts';
import type { RDD } from '../../lib/rdd/rdd.ts';
import type { State } from '../../lib/rdd/state/keyed-state.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function is<Expected>() {
  return <Given>(given: Given, equal: Equal<Given, Expected>): void => void [given, equal];
}

export function inferred(ssc: ProgramBuilder): void {
  const lines = ssc.socketTextStream('localhost', 9_999);
  const numbers: DStream<number> = ssc.batchesStream([[1, 2], null]);
  const words = lines.flatMap((line) => line.split(' '));
  is<DStream<string>>()(words, true);
  is<DStream<number>>()(words.map((word) => word.length), true);
  is<DStream<boolean>>()(numbers.map((n) => n > 1), true);
  is<DStream<{ word: string }>>()(words.map((word) => ({ word })), true);
  is<DStream<[number, number, number]>>()(numbers.map((n) => [n, n, n]), true);

  // A pair needs no annotation.
  const ones = words.map((word) => [word, 1]);
  is<DStream<[string, number]>>()(ones, true);
  is<DStream<[string, number]>>()(lines.flatMap((line) => line.split(' ').map((word) => [word, 1])), true);
  is<DStream<[string, [number, string]]>>()(words.map((word) => [word, [1, word]]), true);
  is<DStream<[string, number]>>()(words.mapPartitions(function* (records) {
    for (const record of records) yield [record, 1];
  }), true);

  is<DStream<string>>()(words.filter((word) => word !== ''), true);
  is<DStream<'a'>>()(words.filter((word): word is 'a' => word === 'a'), true);
  is<DStream<string[]>>()(words.glom(), true);

  // Lines.
  is<DStream<string>>()(lines.words(), true);
  is<DStream<string>>()(lines.splitBy(',', { onError: 'skip' }), true);
  is<DStream<string[]>>()(lines.fields(','), true);
  is<DStream<unknown>>()(lines.parseJson({ onError: 'deadLetter' }), true);
  is<DStream<{ id: number }>>()(lines.parseJson<{ id: number }>(), true);
  is<DStream<[string, number]>>()(lines.words().map((word) => [word, 1]).reduceByKey((a, b) => a + b), true);
  words.filter((word): word is 'a' => word === 'a').words();
  is<string>()(numbers.explain({ recognizeClosures: false }), true);

  // A policy changes nothing about what is inferred.
  is<DStream<[string, number]>>()(words.map((word) => [word, 1], { onError: 'skip' }), true);
  is<DStream<[string, number]>>()(lines.flatMap((line) => line.split(' ').map((word) => [word, 1]), { onError: 'deadLetter' }), true);
  is<DStream<'a'>>()(words.filter((word): word is 'a' => word === 'a', { onError: 'fail' }), true);
  is<DStream<[string, [number, number]]>>()(ones.mapValues((n) => [n, n], { onError: 'skip' }), true);
  is<DStream<[string, string]>>()(ones.flatMapValues((n) => [`${n}`], {}), true);
  is<DStream<[string, number[]]>>()(ones.combineByKey((n) => [n] as number[], (all, n) => [...all, n], (a, b) => [...a, ...b], 2, true, { onError: 'skip' }), true);
  words.foreach((word) => void word.length, { onError: 'deadLetter' });
  is<DeadLetterStream>()(ssc.deadLetters({ bound: 10 }), true);
  const letters: PublishedStream<DeadLetter> = ssc.deadLetters();
  void letters;
  is<DStream<number>>()(words.mapPartitions((records, context) => [[...records].length + context.partition]), true);
  is<DStream<string>>()(words.repartition(4), true);
  is<DStream<string>>()(words.union(lines), true);
  is<DStream<number>>()(words.count(), true);
  is<DStream<number>>()(numbers.reduce((a, b) => a + b), true);
  is<DStream<[string, number]>>()(words.countByValue(3), true);
  is<DStream<string>>()(words.cache().persist(), true);
  is<DStream<number>>()(words.transform((rdd, time: BatchTime) => rdd.map((word) => word.length + time)), true);
  is<DStream<[string, number]>>()(words.transform(async (rdd) => rdd.map((word) => [word, 1])), true);
  is<DStream<[string, number]>>()(words.transformWith(numbers, (rdd, other) => rdd.cartesian(other)), true);
  is<Promise<RDD<string>[]>>()(words.slice(0, 1_000), true);
  is<PublishedStream<[string, number]>>()(ones.publish({ mode: 'latest' }), true);

  const names = words.map((word) => [word, new Date(0)]);
  is<DStream<[string, string]>>()(ones.mapValues((n) => `${n}`), true);
  is<DStream<[string, [number, number]]>>()(ones.mapValues((n) => [n, n]), true);
  is<DStream<[string, string]>>()(ones.flatMapValues((n) => [`${n}`]), true);
  is<DStream<[string, number[]]>>()(ones.groupByKey(), true);
  is<DStream<[string, number]>>()(ones.reduceByKey((a, b) => a + b, 8), true);
  is<DStream<[string, [number, number]]>>()(ones.combineByKey((n) => [n, 1], ([s, c], n) => [s + n, c + 1], (a, b) => [a[0] + b[0], a[1] + b[1]]), true);
  is<DStream<[string, [number, Date]]>>()(ones.join(names), true);
  is<DStream<[string, [number, Date | null]]>>()(ones.leftOuterJoin(names), true);
  is<DStream<[string, [number | null, Date]]>>()(ones.rightOuterJoin(names), true);
  is<DStream<[string, [number | null, Date | null]]>>()(ones.fullOuterJoin(names), true);
  is<DStream<[string, [number[], Date[]]]>>()(ones.cogroup(names), true);

  is<DStream<string>>()(words.window(30_000, 10_000), true);
  is<DStream<number>>()(words.countByWindow(30_000, 10_000), true);
  is<DStream<number>>()(numbers.reduceByWindow((a, b) => a + b, 30_000, 10_000), true);
  is<DStream<number>>()(numbers.reduceByWindow((a, b) => a + b, (a, b) => a - b, 30_000, 10_000), true);
  is<DStream<[string, number]>>()(words.countByValueAndWindow(30_000, 10_000, 4), true);
  is<DStream<[string, number[]]>>()(ones.groupByKeyAndWindow(30_000), true);
  is<DStream<[string, number]>>()(ones.reduceByKeyAndWindow((a, b) => a + b, 30_000), true);
  is<DStream<[string, number]>>()(ones.reduceByKeyAndWindow((a, b) => a + b, Seconds(30), Seconds(10), 4), true);
  is<DStream<[string, number]>>()(ones.reduceByKeyAndWindow((a, b) => a + b, (a, b) => a - b, 30_000), true);
  is<DStream<[string, number]>>()(ones.reduceByKeyAndWindow((a, b) => a + b, (a, b) => a - b, 30_000, 10_000, 4, ([word, n]) => word.length + n > 0), true);
  is<DStream<string>>()(words.checkpoint(10_000).persist(), true);
  is<void>()(ssc.checkpoint('directory'), true);
  is<void>()(ssc.remember(60_000), true);

  // State: the values' type comes from the stream, the state's from the function.
  const totals = ones.updateStateByKey((values, total: number | undefined) => (total ?? 0) + values.length);
  is<DStream<[string, number]>>()(totals, true);
  is<DStream<[string, number]>>()(ones.updateStateByKey((values, total: number | undefined) => (values.length > 0 ? (total ?? 0) + 1 : undefined)), true);
  is<DStream<[string, number[]]>>()(ones.updateStateByKey((values, all: number[] | undefined) => (values.length > 0 ? [...(all ?? []), ...values] : null)), true);
  is<DStream<[string, { readonly seen: number }]>>()(ones.updateStateByKey((_values, state: { readonly seen: number } | undefined) => state, { partitions: 4 }), true);
  const start: RDD<[string, number]> = ssc.sc.parallelize([['a', 1]]);
  is<DStream<[string, number]>>()(ones.updateStateByKey((values, total: number | undefined) => (total ?? 0) + values.length, { initial: start, variant: 'plain' }), true);
  is<DStream<[string, string]>>()(ones.updateStateByKey((time, key, values, state: string | undefined) => `${time + 1}${key.length}${values.length}${state ?? ''}`, { variant: 'time' }), true);
  is<DStream<[string, number]>>()(ones.updateStateByKey(function* (keys: Iterable<readonly [string, readonly number[], number | undefined]>) {
    for (const [key, values, state] of keys) yield [key, (state ?? 0) + values.length] as const;
  }, { variant: 'iterator' }), true);

  const spec = { fn: (time: number, key: string, value: number | undefined, state: State<number>): string => `${time}${key}${value ?? ''}${state.getOption() ?? ''}`, timeoutMs: 30_000, initial: start, partitions: 2 };
  const tracked = ones.mapWithState(spec);
  is<MapWithStateDStream<string, number, string>>()(tracked, true);
  is<DStream<string>>()(tracked.filter((text) => text !== ''), true);
  is<DStream<[string, number]>>()(tracked.stateSnapshots(), true);
  is<MapWithStateDStream<string, number, string>>()(tracked.checkpoint(10_000), true);
  // What may be left out is not among what is emitted.
  const pairs = ones.mapWithState({ fn: (_time, key, value, state: State<Date>) => (state.exists() && value !== undefined ? [key, value] : undefined) });
  is<MapWithStateDStream<string, Date, [string, number]>>()(pairs, true);
  is<DStream<[string, number]>>()(pairs.reduceByKey((a, b) => a + b), true);

  is<DStream<number>>()(ssc.union([numbers, numbers]), true);
  is<DStream<number>>()(ssc.transform([numbers, numbers], (rdds) => rdds[0] ?? ssc.sc.emptyRDD()), true);
  is<DStream<string>>()(ssc.transform([words, numbers], ([some, others]) => some.union(others.map((n) => `${n}`))), true);
  const many: DStream<number>[] = [numbers, numbers];
  is<DStream<number>>()(ssc.transform(many, (rdds) => ssc.sc.union(rdds)), true);
  is<(x: number) => string>()(ssc.task((x: number) => `${x}`), true);
  is<RDD<[string, number]>>()(ssc.sc.parallelize([['a', 1]]), true);
  is<Broadcast<Map<string, number>>>()(ssc.sc.broadcast(() => new Map<string, number>()), true);
  is<Accumulator<number>>()(ssc.sc.accumulator(0), true);

  words.foreachRDD(async (rdd, time, { app }) => void [await rdd.count(), time + 1, app['database']]);
  words.foreachRDD<{ lines: string[] }>(async (rdd, _time, { app }) => void app.lines.push(...(await rdd.collect())));
  words.foreach((word) => void word.length);
  words.foreachPartition(async (records, { batchTime, partition, attempt }) => void [[...records].length, batchTime, partition, attempt]);
}

export function refused(ssc: ProgramBuilder, words: DStream<string>, pairs: DStream<[string, number]>, byNumber: DStream<[number, number]>): void {
  // Operations on lines are there on strings only.
  // @ts-expect-error
  pairs.words();
  // @ts-expect-error
  words.map((word) => word.length).words();
  // @ts-expect-error
  pairs.splitBy(',');
  // @ts-expect-error
  pairs.fields(',');
  // @ts-expect-error
  pairs.parseJson();
  // @ts-expect-error: a closure can have a regular expression
  words.splitBy(/,/);
  // @ts-expect-error
  words.words({ onError: 'drop' });

  // Pair operations are there on pairs only.
  // @ts-expect-error
  words.reduceByKey((a: number, b: number) => a + b);
  // @ts-expect-error
  words.groupByKey();
  // @ts-expect-error
  words.mapValues((x: number) => x);
  // @ts-expect-error
  words.flatMapValues((x: number) => [x]);
  // @ts-expect-error
  words.combineByKey((x: number) => x, (a: number) => a, (a: number) => a);
  // @ts-expect-error
  words.join(pairs);
  // @ts-expect-error
  words.cogroup(pairs);
  // @ts-expect-error
  words.map((word) => [word, 1, 2]).groupByKey();
  // @ts-expect-error: another type of key
  pairs.join(byNumber);
  // @ts-expect-error
  pairs.leftOuterJoin(words);
  // @ts-expect-error: another type of record
  words.union(pairs);
  // @ts-expect-error
  pairs.reduceByKey((a, b) => `${a}${b}`);
  // @ts-expect-error
  words.reduceByKeyAndWindow((a: number, b: number) => a + b, 30_000);
  // @ts-expect-error
  words.groupByKeyAndWindow(30_000);
  // @ts-expect-error: the sum of two numbers is one
  pairs.reduceByKeyAndWindow((a, b) => `${a}${b}`, 30_000);
  // @ts-expect-error: the inverse is of the same type
  pairs.reduceByKeyAndWindow((a, b) => a + b, (a, b) => [a, b], 30_000);
  // @ts-expect-error: a filter has its place behind the partitions
  pairs.reduceByKeyAndWindow((a, b) => a + b, (a, b) => a - b, 30_000, 10_000, ([, n]) => n > 0);
  // @ts-expect-error: only the incremental form has a filter
  pairs.reduceByKeyAndWindow((a, b) => a + b, 30_000, 10_000, 4, ([, n]) => n > 0);
  // @ts-expect-error: the slide is not optional here
  words.countByWindow(30_000);
  // @ts-expect-error
  words.window('30 s');
  // State is there on pairs only.
  // @ts-expect-error
  words.updateStateByKey((values: readonly number[], state: number | undefined) => (state ?? 0) + values.length);
  // @ts-expect-error
  words.mapWithState({ fn: (_time: number, key: string, _value: number | undefined, state: State<number>) => state.getOption() });
  // @ts-expect-error: the state that comes back is the state that goes in
  pairs.updateStateByKey((values, state: number | undefined) => `${state}${values.length}`);
  // @ts-expect-error: the values are numbers
  pairs.updateStateByKey((values: readonly string[], state: string | undefined) => values[0] ?? state);
  // @ts-expect-error: a promise is no state
  pairs.updateStateByKey(async (values, state: number | undefined) => (state ?? 0) + values.length);
  // @ts-expect-error: the initial state is of another type
  pairs.updateStateByKey((values, state: number | undefined) => (state ?? 0) + values.length, { initial: ssc.sc.parallelize([['a', 'b']]) });
  // @ts-expect-error: with the time and the key, the function is of the variant `time`
  pairs.updateStateByKey((time: number, key: string, values: readonly number[], state: number | undefined) => time + key.length + values.length + (state ?? 0));
  // @ts-expect-error: the variant `iterator` gives pairs [key, state]
  pairs.updateStateByKey((keys: Iterable<readonly [string, readonly number[], number | undefined]>) => [...keys].length, { variant: 'iterator' });
  // @ts-expect-error
  pairs.updateStateByKey((values, state: number | undefined) => (state ?? 0) + values.length, { variant: 'timed' });
  // @ts-expect-error: the key is a string
  pairs.mapWithState({ fn: (_time: number, key: number, _value: number | undefined, state: State<number>) => key + state.get() });
  // @ts-expect-error: at a timeout there is no value
  pairs.mapWithState({ fn: (_time: number, _key: string, value: number, state: State<number>) => value + state.get() });
  pairs.mapWithState({
    fn: (_time, key, _value, state: State<number>) => {
      // @ts-expect-error: the state is a number
      state.update(key);
      return undefined;
    },
  });
  // @ts-expect-error: the initial state is of another type
  pairs.mapWithState({ fn: (_time: number, _key: string, _value: number | undefined, state: State<number>) => state.get(), initial: ssc.sc.parallelize([['a', 'b']]) });
  // @ts-expect-error: only the stream of mapWithState has snapshots
  pairs.stateSnapshots();
  // @ts-expect-error
  words.flatMap((word) => word.length);
  // @ts-expect-error: an RDD is wanted
  words.transform((rdd) => rdd.collect());
  // @ts-expect-error
  words.publish({ mode: 'newest' });
  // @ts-expect-error
  ssc.queueStream(ssc.queue<number>(), 'yes');
  // @ts-expect-error
  words.map((word) => word, { onError: 'ignore' });
  // @ts-expect-error: no policy for whole partitions
  words.mapPartitions((records) => records, { onError: 'skip' });
  // @ts-expect-error: nothing but numbers are merged by themselves
  ssc.sc.accumulator('');
}

export function wordCount(ssc: ProgramBuilder, args: { readonly host: string; readonly port: number }) {
  const counts = ssc.socketTextStream(args.host, args.port).flatMap((line) => line.split(' ')).map((word) => [word, 1]).reduceByKey((a, b) => a + b);
  counts.print();
  return { counts: counts.publish(), queue: ssc.queue<string>() };
}

export function silent(ssc: ProgramBuilder): void {
  ssc.batchesStream([[1]]).print();
}

export function exported(exports: ExportsOf<typeof wordCount>, args: ArgsOf<typeof wordCount>, none: ExportsOf<typeof silent>): void {
  is<PublishedStream<[string, number]>>()(exports.counts, true);
  is<RddQueue<string>>()(exports.queue, true);
  is<{ readonly host: string; readonly port: number }>()(args, true);
  // @ts-expect-error
  void none['counts'];
}
