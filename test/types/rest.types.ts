/** What the compiler must infer and refuse of the methods that the other files don't touch: sources, saving, sets, single records. Never run. */
import type { DStream } from '../../lib/dstream/dstream.ts';
import type { StreamDecoder } from '../../lib/dstream/input.ts';
import type { Receiver } from '../../lib/dstream/receiver.ts';
import type { ProgramBuilder } from '../../lib/program/program-builder.ts';
import type { RDD } from '../../lib/rdd/rdd.ts';
import { StorageLevel } from '../../lib/rdd/storage-level.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function is<Expected>() {
  return <Given>(given: Given, equal: Equal<Given, Expected>): void => void [given, equal];
}

type Pair = [string, number];

export function sources(ssc: ProgramBuilder, decoder: () => StreamDecoder<Date>, receiver: () => Receiver<Pair>): void {
  const dates: DStream<Date> = ssc.socketStream('localhost', 1, decoder, StorageLevel.MEMORY_ONLY);
  const raw: DStream<Pair> = ssc.rawSocketStream<Pair>('localhost', 1);
  const received: DStream<Pair> = ssc.receiverStream(receiver);
  const lines: DStream<string> = ssc.textFileStream('folder', {});
  is<RDD<string>>()(ssc.sc.textFile('file', 2), true);
  void [dates, raw, received, lines];
  // @ts-expect-error: the decoder says what the records are
  const wrong: DStream<string> = ssc.socketStream('localhost', 1, decoder);
  // @ts-expect-error: a factory of receivers, since each thread that needs one makes it
  ssc.receiverStream(receiver());
  // @ts-expect-error
  ssc.socketTextStream('localhost');
  // @ts-expect-error
  ssc.rawSocketStream('localhost', '1');
  // @ts-expect-error
  ssc.textFileStream(1);
  // @ts-expect-error
  ssc.sc.textFile();
  void wrong;
}

export function policies(pairs: DStream<Pair>, rdd: RDD<Pair>): void {
  is<DStream<Pair>>()(pairs.reduceByKey((a, b) => a + b, 2, { onError: 'skip' }), true);
  is<RDD<Pair>>()(rdd.reduceByKey((a, b) => a + b, undefined, { onError: 'deadLetter' }), true);
  is<DStream<Pair>>()(pairs.updateStateByKey((values, total: number | undefined) => (total ?? 0) + values.length, { onError: 'skip' }), true);
  is<DStream<Pair>>()(pairs.updateStateByKey((_time, _key, values, total: number | undefined) => (total ?? 0) + values.length, { variant: 'time', onError: 'fail' }), true);
  is<DStream<string>>()(pairs.mapWithState<string, number, number, string>({ fn: (_time, key) => key, onError: 'deadLetter' }).filter(() => true), true);
  // @ts-expect-error: the function of this variant sees all keys
  pairs.updateStateByKey((keys: Iterable<readonly [string, readonly number[], number | undefined]>) => [...keys].map(([key, , state]) => [key, state ?? 0] as const), { variant: 'iterator', onError: 'skip' });
  // @ts-expect-error
  pairs.mapWithState<string, number, number, string>({ fn: (_time, key) => key, onError: 'ignore' });
  // @ts-expect-error: no single record
  pairs.reduce((a) => a, { onError: 'skip' });
  // @ts-expect-error: whole partitions
  pairs.foreachPartition(() => {}, { onError: 'skip' });
  // @ts-expect-error: values that many records have made
  pairs.reduceByWindow((a) => a, 2_000, 1_000, { onError: 'skip' });
  // @ts-expect-error
  pairs.reduceByKeyAndWindow((a, b) => a + b, 2_000, 1_000, 2, { onError: 'skip' });
  // @ts-expect-error
  pairs.reduceByKeyAndWindow((a, b) => a + b, (a, b) => a - b, 2_000, 1_000, 2, () => true, { onError: 'skip' });
  // @ts-expect-error: no record at all
  pairs.transform((all) => all, { onError: 'skip' });
  // @ts-expect-error
  pairs.foreachRDD(() => {}, { onError: 'skip' });
  // @ts-expect-error
  rdd.mapPartitions((all) => all, { onError: 'skip' });
  // @ts-expect-error
  rdd.keyBy(([key]) => key, { onError: 'skip' });
  // @ts-expect-error
  rdd.foldByKey(0, (a, b) => a + b, { onError: 'skip' });
  // @ts-expect-error
  void rdd.reduce((a) => a, { onError: 'skip' });
}

export async function rdds(words: RDD<string>, pairs: RDD<Pair>, numbers: RDD<number>): Promise<void> {
  is<RDD<string>>()(words.coalesce(2, true), true);
  is<RDD<[string, Pair]>>()(words.zip(pairs), true);
  is<RDD<string>>()(words.distinct(2), true);
  is<RDD<string>>()(words.intersection(words), true);
  is<RDD<string>>()(words.subtract(words, 2), true);
  is<RDD<Pair>>()(pairs.subtractByKey(pairs.mapValues((n) => new Date(n))), true);
  is<RDD<string>>()(words.unpersist(), true);
  is<number>()(words.getNumPartitions(), true);
  is<StorageLevel>()(words.getStorageLevel(), true);
  is<string[][]>()(await words.collectPartitions(), true);
  is<string[]>()(await words.take(2), true);
  is<string>()(await words.first(), true);
  is<number[]>()(await numbers.takeOrdered(2, (a, b) => b - a), true);
  is<boolean>()(await words.isEmpty(), true);
  is<void>()(await words.saveAsTextFile('folder', { overwrite: true }), true);
  is<void>()(await words.saveAsObjectFile('folder'), true);
  // @ts-expect-error: another type of record
  words.intersection(numbers);
  // @ts-expect-error
  words.subtract(numbers);
  // @ts-expect-error: another type of key
  pairs.subtractByKey(numbers.keyBy((n) => n));
  // @ts-expect-error: pairs only
  words.subtractByKey(pairs);
  // @ts-expect-error
  words.coalesce('2');
  // @ts-expect-error
  words.distinct('2');
  // @ts-expect-error
  void words.take('2');
  // @ts-expect-error: the comparison is of records
  void words.takeOrdered(2, (a: number, b: number) => a - b);
  // @ts-expect-error
  void words.saveAsTextFile('folder', { overwrites: true });
}

export function saved(words: DStream<string>): void {
  is<void>()(words.saveAsTextFiles('prefix', 'suffix'), true);
  is<void>()(words.saveAsObjectFiles('prefix'), true);
  // @ts-expect-error
  words.saveAsTextFiles();
  // @ts-expect-error
  words.saveAsObjectFiles(1);
}
