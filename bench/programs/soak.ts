/**
 * The soak program: what a stream that runs for weeks does in each batch, all of it at once.
 *
 * Invariant: whatever can take memory is used: received lines and counts that are remembered, a persisted table, a join inside of
 * a transform with functions made for the batch, a broadcast variable that changes, an accumulator, a published stream, both forms of
 * state and both forms of windows. Keys of state and windows carry the second that they are of: there are new ones for as long as it
 * runs, and those of a second that is over are eliminated, time out, or leave the window.
 */
import { StorageLevel } from 'millrace';
import type { StreamingContext } from 'millrace';
import type { Seen } from './soak-functions.ts';
import { countWhileSeen, forgetIdle, isDifferent, isNotZero } from './soak-functions.ts';
import { addCounts, lineToWords, subtractCounts, wordToPair } from './word-count-functions.ts';
import type { WordCount } from './word-count-functions.ts';

export interface SoakArgs {
  readonly host: string;
  readonly port: number;
  readonly rememberMs: number;
  readonly windowMs: number;
  readonly slideMs: number;
  /** A key of state is gone when it has not come for this long: for mapWithState in time, for updateStateByKey in batches. */
  readonly idleMs: number;
  readonly idleBatches: number;
  readonly checkpointDirectory: string;
}

/** `options.app` of its context. */
export interface SoakApp {
  readonly onCounts: (words: number) => void;
  /** Keys that each of the two states holds, and how many of the first were eliminated or have timed out since the last call. */
  readonly onState: (form: 'updateStateByKey' | 'mapWithState', keys: number) => void;
  readonly onTimedOut: (keys: number) => void;
  /** Keys of a window, and those whose counts differ between its two forms: none should. */
  readonly onWindow: (keys: number, different: number) => void;
}

export default function soak(ssc: StreamingContext, { host, port, rememberMs, windowMs, slideMs, idleMs, idleBatches, checkpointDirectory }: SoakArgs) {
  ssc.checkpoint(checkpointDirectory);
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

  const passing = counts.transform((rdd, time) => {
    const second = Math.floor(Number(time) / 1_000);
    return rdd.map(([word, count]) => [`${word}/${second}`, count] as [string, number]);
  });
  const totals = passing.updateStateByKey((given: readonly number[], state: Seen | undefined) => countWhileSeen(given, state, idleBatches), { partitions: 2 });
  totals.count().foreachRDD<SoakApp>(async (rdd, _time, { app }) => app.onState('updateStateByKey', await rdd.first()));
  const sessions = passing.mapWithState({ fn: forgetIdle, timeoutMs: idleMs, partitions: 2 });
  sessions.stateSnapshots().count().foreachRDD<SoakApp>(async (rdd, _time, { app }) => app.onState('mapWithState', await rdd.first()));
  sessions.count().foreachRDD<SoakApp>(async (rdd, _time, { app }) => app.onTimedOut(await rdd.first()));

  const plain = passing.reduceByKeyAndWindow(addCounts, windowMs, slideMs, 2);
  const inverse = passing.reduceByKeyAndWindow(addCounts, subtractCounts, windowMs, slideMs, 2, isNotZero);
  const compared = plain.fullOuterJoin(inverse, 2).map(isDifferent);
  compared.foreachRDD<SoakApp>(async (rdd, _time, { app }) => {
    const found = await rdd.countByValue();
    app.onWindow([...found.values()].reduce((sum, count) => sum + count, 0), found.get(true) ?? 0);
  });
  return { factor, lines, clean: clean.publish({ bound: 2, mode: 'latest' }) };
}
