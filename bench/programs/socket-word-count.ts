/**
 * The network word count: the program whose sustained rate is measured.
 *
 * Invariant: nothing in it is special to the benchmark but the output, which does what the peer's does: all counts of the batch
 * come to the app's thread, which takes their top 10.
 */
import type { StreamingContext } from 'millrace';
import { addCounts, lineToWords, wordToPair } from './word-count-functions.ts';
import type { WordCount } from './word-count-functions.ts';

/** `options.app` of the contexts that run these programs. */
export interface WordCountApp {
  readonly onCounts: (batchTime: number, counts: readonly WordCount[]) => void;
}

export default function socketWordCount(ssc: StreamingContext, args: { readonly host: string; readonly port: number }) {
  ssc
    .socketTextStream(args.host, args.port)
    .flatMap(lineToWords)
    .map(wordToPair)
    .reduceByKey(addCounts, 2)
    .foreachRDD<WordCountApp>(async (counts, time, { app }) => app.onCounts(time, await counts.collect()));
}
