/**
 * The word count over records in memory: every batch is the same cached RDD of lines in two partitions.
 *
 * Invariant: the lines are made where they are cached, in the first batch, so nothing of their making is in the batches after it.
 */
import type { StreamingContext } from 'millrace';
import { makeLineStrings } from '../load/zipf-lines.ts';
import type { WordCountApp } from './socket-word-count.ts';
import { addCounts, lineToWords, wordToPair } from './word-count-functions.ts';

const partitions = 2;

export default function memoryWordCount(ssc: StreamingContext, args: { readonly lines: number; readonly batches: number }) {
  const lines = ssc.sc
    .parallelize(Array.from({ length: partitions }, (_, partition) => partition), partitions)
    .flatMap((partition) => partOf(makeLineStrings(args.lines), partition))
    .cache();
  ssc
    .queueStream(Array.from({ length: args.batches }, () => lines), true)
    .flatMap(lineToWords)
    .map(wordToPair)
    .reduceByKey(addCounts, partitions)
    .foreachRDD<WordCountApp>(async (counts, time, { app }) => app.onCounts(time, await counts.collect()));
}

function partOf(lines: readonly string[], partition: number): string[] {
  return lines.slice(Math.floor((lines.length * partition) / partitions), Math.floor((lines.length * (partition + 1)) / partitions));
}
