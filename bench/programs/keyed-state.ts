/**
 * Keyed state: a million keys from an initial RDD, and batches that bring a few of them.
 *
 * Invariant: the updates are made inside of the tasks, from the batch's time; what comes to the app is a count: of the whole state
 * (updateStateByKey) or of what the function has returned (mapWithState).
 */
import type { StreamingContext } from 'millrace';
import { addToState, initialPairs, statePartitions, trackSum, updatePairs } from './state-functions.ts';
import type { StateSize } from './state-functions.ts';

export interface KeyedStateArgs extends StateSize {
  readonly form: 'updateStateByKey' | 'mapWithState';
  /** Both forms ask for one, as Spark does. */
  readonly checkpointDirectory: string;
}

/** `options.app` of the contexts that run this program. */
export interface KeyedStateApp {
  readonly onCount: (batchTime: number, count: number) => void;
}

export default function keyedState(ssc: StreamingContext, args: KeyedStateArgs) {
  ssc.checkpoint(args.checkpointDirectory);
  const partitions = statePartitions;
  const numbers = ssc.sc.parallelize(Array.from({ length: partitions }, (_, partition) => partition), partitions);
  const initial = numbers.flatMap((partition) => initialPairs(partition, args));
  const updates = ssc.queueStream([], true, numbers).transform((rdd, time) => rdd.flatMap((partition) => updatePairs(time, partition, args)));
  const counted = args.form === 'updateStateByKey'
    ? updates.updateStateByKey(addToState, { partitions, initial })
    : updates.mapWithState({ fn: trackSum, partitions, initial });
  counted.foreachRDD<KeyedStateApp>(async (rdd, time, { app }) => app.onCount(time, await rdd.count()));
}
