/**
 * The network word count over a sliding window, with the inverse function or without.
 *
 * Invariant: the slide is the batch interval; all of the window's counts come to the app's thread, which takes their top 10.
 */
import type { StreamingContext } from 'millrace';
import type { WordCountApp } from './socket-word-count.ts';
import { addCounts, lineToWords, subtractCounts, wordToPair } from './word-count-functions.ts';

export interface WindowedWordCountArgs {
  readonly host: string;
  readonly port: number;
  readonly form: 'inverse' | 'plain';
  readonly windowMs: number;
  readonly slideMs: number;
  readonly checkpointDirectory: string;
}

export default function windowedWordCount(ssc: StreamingContext, args: WindowedWordCountArgs) {
  ssc.checkpoint(args.checkpointDirectory);
  const { windowMs, slideMs } = args;
  const pairs = ssc.socketTextStream(args.host, args.port).flatMap(lineToWords).map(wordToPair);
  const counts = args.form === 'inverse'
    ? pairs.reduceByKeyAndWindow(addCounts, subtractCounts, windowMs, slideMs, 2, ([, count]) => count > 0)
    : pairs.reduceByKeyAndWindow(addCounts, windowMs, slideMs, 2);
  counts.foreachRDD<WordCountApp>(async (rdd, time, { app }) => app.onCounts(time, await rdd.collect()));
}
