/**
 * Ten small programs that have as little in common as programs can: other operators, other kinds of records, other functions.
 *
 * Invariant: each batch of a program is the same cached RDD of `records` records, made where it is cached; what comes to the app is one number a batch.
 */
import type { DStream, State, StreamingContext } from 'millrace';
import type { KeyedStateApp } from './keyed-state.ts';

export const kinds = ['words', 'numbers', 'filter', 'objects', 'groups', 'join', 'distinct', 'window', 'update', 'track'] as const;
export type Kind = (typeof kinds)[number];

export interface TenKindsArgs {
  readonly kind: Kind;
  readonly records: number;
  readonly batches: number;
  /** Of the kinds that keep state. */
  readonly checkpointDirectory: string;
}

const partitions = 2;

interface Reading {
  readonly sensor: string;
  readonly celsius: number;
  readonly ok: boolean;
}

export default function tenKinds(ssc: StreamingContext, { kind, records, batches, checkpointDirectory }: TenKindsArgs) {
  const numbers = (): DStream<number> => {
    const cached = ssc.sc.parallelize(Array.from({ length: partitions }, (_, partition) => partition), partitions).flatMap((partition) => numbersOf(partition, records)).cache();
    return ssc.queueStream(Array.from({ length: batches }, () => cached), true);
  };
  const add = ssc.task((a: number, b: number) => a + b);
  const counted = (stream: DStream<unknown>): void => stream.foreachRDD<KeyedStateApp>(async (rdd, time, { app }) => app.onCount(time, await rdd.count()));
  const summed = (stream: DStream<number>): void => stream.foreachRDD<KeyedStateApp>(async (rdd, time, { app }) => app.onCount(time, await rdd.fold(0, add)));
  switch (kind) {
    case 'words':
      return counted(numbers().map((value) => `word${value % 997} and some more of them`).flatMap((line) => line.split(' ')).map((word): [string, number] => [word, 1]).reduceByKey((a, b) => a + b, partitions));
    case 'numbers':
      return summed(numbers().map((value) => value * 3).map((value) => value % 1_000));
    case 'filter':
      return counted(numbers().filter((value) => value % 3 !== 0).map(String).filter((text) => text.length > 2));
    case 'objects':
      return counted(
        numbers()
          .map((value): Reading => ({ sensor: `s${value % 101}`, celsius: value % 40, ok: value % 7 !== 0 }))
          .filter(({ ok }) => ok)
          .map((reading): [string, { readonly sum: number; readonly count: number }] => [reading.sensor, { sum: reading.celsius, count: 1 }])
          .reduceByKey((a, b) => ({ sum: a.sum + b.sum, count: a.count + b.count }), partitions),
      );
    case 'groups':
      return counted(numbers().map((value): [number, number] => [value % 5_003, value]).groupByKey(partitions).mapValues((values) => values.length));
    case 'join':
      return counted(numbers().map((value): [number, string] => [value, 'left']).join(numbers().map((value): [number, boolean] => [value * 2, true]), partitions));
    case 'distinct':
      return counted(numbers().transform((rdd) => rdd.map((value) => [value % 10_007, value % 3]).distinct(partitions)));
    case 'window':
      return counted(numbers().map((value): [boolean, number] => [value % 2 === 0, value]).reduceByKeyAndWindow((a, b) => Math.max(a, b), 3_000, 1_000, partitions));
    case 'update':
      ssc.checkpoint(checkpointDirectory);
      return counted(numbers().map((value): [string, number] => [`k${value % 2_003}`, 1]).updateStateByKey((values: readonly number[], state: number | undefined) => (state ?? 0) + values.length, { partitions }));
    case 'track':
      ssc.checkpoint(checkpointDirectory);
      return counted(
        numbers()
          .map((value): [number, number] => [value % 3_001, value])
          .mapWithState({
            fn: (_time: number, _key: number, value: number | undefined, state: State<number[]>) => {
              const seen = state.exists() ? state.get() : [0, 0];
              state.update([seen[0]! + 1, Math.max(seen[1]!, value ?? 0)]);
              return seen[0]!;
            },
            partitions,
          }),
      );
  }
}

function numbersOf(partition: number, records: number): number[] {
  return Array.from({ length: Math.floor(records / partitions) }, (_, index) => index * partitions + partition);
}
