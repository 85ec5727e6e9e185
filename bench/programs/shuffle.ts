/**
 * Shuffles without anything to combine before them: groupByKey over all pairs, or a join of half of them with a pair for each key.
 *
 * Invariant: the pairs are made inside of the tasks, anew in each batch; what comes to the app is one number, known beforehand.
 */
import type { StreamingContext } from 'millrace';
import type { KeyedStateApp } from './keyed-state.ts';
import { add, chunksOf, pairsOfChunk, shufflePartitions, weightOf } from './shuffle-functions.ts';
import type { ShuffleSize } from './shuffle-functions.ts';

export interface ShuffleArgs extends ShuffleSize {
  readonly form: 'groupByKey' | 'join';
  readonly batches: number;
}

export default function shuffle(ssc: StreamingContext, { form, batches, pairs, keys }: ShuffleArgs) {
  const streamOf = (size: ShuffleSize) => {
    const chunks = ssc.sc.parallelize(chunksOf(size.pairs), shufflePartitions);
    return ssc.queueStream(Array.from({ length: batches }, () => chunks), true).flatMap((chunk) => pairsOfChunk(chunk, size));
  };
  if (form === 'groupByKey') {
    const sum = ssc.task(add);
    streamOf({ pairs, keys })
      .groupByKey(shufflePartitions)
      .map(weightOf)
      .foreachRDD<KeyedStateApp>(async (rdd, time, { app }) => app.onCount(time, await rdd.reduce(sum)));
    return;
  }
  streamOf({ pairs: pairs / 2, keys })
    .join(streamOf({ pairs: keys, keys }), shufflePartitions)
    .foreachRDD<KeyedStateApp>(async (rdd, time, { app }) => app.onCount(time, await rdd.count()));
}
