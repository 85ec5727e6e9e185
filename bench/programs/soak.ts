/**
 * The soak program: what a stream that runs for weeks does in each batch, all of it at once.
 *
 * Invariant: whatever can take memory is used: received lines and counts that are remembered, a persisted table, a join inside of
 * a transform with functions made for the batch, a broadcast variable that changes, an accumulator, a published stream.
 */
import { StorageLevel } from '../../lib/index.ts';
import type { StreamingContext } from '../../lib/index.ts';
import { addCounts, lineToWords, wordToPair } from './word-count-functions.ts';
import type { WordCount } from './word-count-functions.ts';

export interface SoakArgs {
  readonly host: string;
  readonly port: number;
  readonly rememberMs: number;
}

/** `options.app` of its context. */
export interface SoakApp {
  readonly onCounts: (words: number) => void;
}

export default function soak(ssc: StreamingContext, { host, port, rememberMs }: SoakArgs) {
  ssc.remember(rememberMs);
  const factor = ssc.sc.broadcast(1);
  const lines = ssc.sc.accumulator(0);
  const spam = ssc.sc
    .parallelize(Array.from({ length: 1_000 }, (_, index) => index * 10), 2)
    .map((index): [string, boolean] => [`w${String(index).padStart(4, '0')}`, true])
    .persist(StorageLevel.MEMORY_AND_DISK_SER);
  const counts = ssc
    .socketTextStream(host, port)
    .filter((line) => {
      lines.add(1);
      return line !== '';
    })
    .flatMap(lineToWords)
    .map(wordToPair)
    .reduceByKey(addCounts, 2)
    .persist(StorageLevel.MEMORY_AND_DISK_SER);
  const clean = counts.transform((rdd, time) => rdd.leftOuterJoin(spam, 2).flatMap(([word, [count, isSpam]]) => (isSpam === true ? [] : [[word, count * factor.value, Number(time)] as [string, number, number]])));
  counts.foreachRDD<SoakApp>(async (rdd, _time, { app }) => {
    const found: readonly WordCount[] = await rdd.collect();
    app.onCounts(found.reduce((sum, [, count]) => sum + count, 0));
  });
  return { factor, lines, clean: clean.publish({ bound: 2, mode: 'latest' }) };
}
