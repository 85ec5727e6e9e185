/**
 * Words counted from the beginning on, with state, log and checkpoints: what is killed and goes on.
 *
 * Invariant: all there is to see of the state comes to the app as three numbers for each batch, by which it can be checked against the
 * text: bench/load/text-sums.ts. With `keys`, there are so many from the start, and the words are some of them.
 */
import type { StreamingContext } from 'millrace';
import { vocabularyWords } from '../load/zipf-lines.ts';
import { LineReceiver } from './line-receiver.ts';
import { addToState, statePartitions } from './state-functions.ts';
import { lineToWords } from './word-count-functions.ts';

export interface RunningCountArgs {
  readonly host: string;
  readonly port: number;
  readonly keys: number;
}

/** Keys, the sum of their counts, and the sum of counts times the words' numbers. */
export type StateSums = readonly [keys: number, words: number, weighted: number];

/** `options.app` of the contexts that run it. */
export interface RunningCountApp {
  readonly onState: (batchTime: number, sums: readonly StateSums[]) => void;
}

export default function runningCount(ssc: StreamingContext, { host, port, keys }: RunningCountArgs) {
  const stride = Math.max(1, Math.floor(keys / vocabularyWords));
  const words = ssc
    .receiverStream(() => new LineReceiver(host, port))
    .uid('lines')
    .flatMap(lineToWords)
    .map((word): [string, number] => [keyOf(Number(word.slice(1)) * stride), 1])
    .reduceByKey((a, b) => a + b, statePartitions);
  const numbers = keys === 0 ? undefined : ssc.sc.parallelize(Array.from({ length: statePartitions }, (_, partition) => partition), statePartitions);
  const initial = numbers?.flatMap((partition) => Array.from({ length: Math.floor(keys / statePartitions) }, (_, index): [string, number] => [keyOf(index * statePartitions + partition), 0]));
  const counts = words.updateStateByKey(addToState, { partitions: statePartitions, ...(initial === undefined ? {} : { initial }) }).uid('counts');
  counts.mapPartitions((pairs) => [sumsOf(pairs, stride)]).foreachRDD<RunningCountApp>(async (sums, time, { app }) => app.onState(time, await sums.collect()));
}

export function sumsOf(pairs: Iterable<readonly [string, number]>, stride: number): StateSums {
  let keys = 0;
  let words = 0;
  let weighted = 0;
  for (const [key, count] of pairs) {
    keys += 1;
    if (count === 0) continue;
    words += count;
    weighted += (count * Number(key.slice(1))) / stride;
  }
  return [keys, words, weighted];
}

function keyOf(number: number): string {
  return `k${number}`;
}
