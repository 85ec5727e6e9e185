/**
 * The word count without a socket: every batch is the same RDD of lines in two partitions, cached strings or a text file.
 *
 * Invariant: cached lines are made where they are cached, in the first batch, so nothing of their making is in the batches after it. A file is read
 * in each batch, as bytes.
 */
import type { RDD, StreamingContext } from 'millrace';
import { makeLineStrings } from '../load/zipf-lines.ts';
import type { WordCountApp } from './socket-word-count.ts';
import { addCounts, lineToWords, wordToPair } from './word-count-functions.ts';

const partitions = 2;

export default function memoryWordCount(ssc: StreamingContext, args: { readonly lines: number; readonly batches: number; readonly textFile?: string }) {
  const lines = args.textFile === undefined ? cachedLines(ssc, args.lines) : ssc.sc.textFile(args.textFile, partitions);
  ssc
    .queueStream(Array.from({ length: args.batches }, () => lines), true)
    .flatMap(lineToWords)
    .map(wordToPair)
    .reduceByKey(addCounts, partitions)
    .foreachRDD<WordCountApp>(async (counts, time, { app }) => app.onCounts(time, await counts.collect()));
}

function cachedLines(ssc: StreamingContext, count: number): RDD<string> {
  return ssc.sc
    .parallelize(Array.from({ length: partitions }, (_, partition) => partition), partitions)
    .flatMap((partition) => partOf(makeLineStrings(count), partition))
    .cache();
}

function partOf(lines: readonly string[], partition: number): string[] {
  return lines.slice(Math.floor((lines.length * partition) / partitions), Math.floor((lines.length * (partition + 1)) / partitions));
}
