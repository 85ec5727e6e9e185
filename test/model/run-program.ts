/**
 * Random programs run: by the sequential model, and by the real runtime on a context that is given; and what differs between both.
 *
 * Invariant: both give the same form of result, output by output and batch by batch, and the batches that failed. A batch fails as
 * a whole where a stream has no RDD that an operation needs; the batches after it go on.
 */
import type { DStream } from '../../lib/dstream/dstream.ts';
import type { SparkContext } from '../../lib/spark-context.ts';
import { StreamingContext } from '../../lib/streaming-context.ts';
import { buildOperation } from '../conformance/operations.ts';
import type { ContextLike, StreamLike } from '../conformance/stream-like.ts';
import { equalValues, previewValue, sortedValues } from '../conformance/values.ts';
import type { Value } from '../conformance/values.ts';
import type { RandomProgram } from './random-program.ts';
import { defaultOptions } from './sequential-rdd.ts';
import { SequentialStreams } from './sequential.ts';
import { NoRdd } from './sequential-stream.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

type Partitions = readonly (readonly Value[])[];

export interface ProgramResult {
  /** By output and time: the RDD's partitions, or (where these aren't promised) one with all records. */
  readonly calls: ReadonlyMap<string, ReadonlyMap<number, Partitions>>;
  readonly failedMs: readonly number[];
}

/** What must come. Throws TooManyRecords where the program makes more than `recordsMax` of one batch. */
export async function expectedOf(program: RandomProgram, recordsMax: number): Promise<ProgramResult> {
  const streams = new SequentialStreams(program, { ...defaultOptions, recordsMax });
  const calls = new Map(program.outputs.map(({ id }) => [id, new Map<number, Partitions>()]));
  const failedMs: number[] = [];
  for (let time = program.batchMs; time <= program.batchesToRun * program.batchMs; time += program.batchMs) {
    const batch = new Map<string, Partitions>();
    try {
      for (const { id } of program.outputs) {
        const rdd = await streams.stream(id).rddAt(time);
        if (rdd !== null) batch.set(id, rdd.partitions);
      }
    } catch (thrown) {
      if (!(thrown instanceof NoRdd)) throw thrown;
      failedMs.push(time);
      continue;
    }
    for (const [id, partitions] of batch) calls.get(id)?.set(time, partitions);
  }
  return { calls, failedMs };
}

/** How a context's steps are taken: in the simulator they need somebody who takes them. */
export interface Driving {
  settle<R>(promise: Promise<R>): Promise<R>;
  /** Runs all batches. */
  advance(ssc: StreamingContext, batches: number): Promise<void>;
}

export const realTime: Driving = {
  settle: (promise) => promise,
  async advance(ssc, batches) {
    await ssc.clock.advance(batches);
  },
};

/** What comes of it on a runtime. The context is stopped at the end, the SparkContext stays. */
export async function runProgram(sparkContext: SparkContext, program: RandomProgram, failuresExpected: number, { settle, advance }: Driving = realTime): Promise<ProgramResult> {
  const calls = new Map(program.outputs.map(({ id }) => [id, new Map<number, Partitions>()]));
  const failedMs: number[] = [];
  const ssc = await settle(StreamingContext.create(
    (context: StreamingContext) => {
      const streams = new Map<string, StreamLike>();
      for (const { id, batches, numPartitions } of program.inputs) streams.set(id, context.batchesStream(batches, numPartitions) as unknown as StreamLike);
      for (const operation of program.graph) {
        streams.set(operation.id, buildOperation(operation, operation.of.map((id) => streams.get(id) as StreamLike), context as unknown as ContextLike));
      }
      for (const { id, order } of program.outputs) {
        (streams.get(id) as unknown as DStream<Value>).foreachRDD(async (rdd, time) => {
          calls.get(id)?.set(Number(time), order === 'partitions' ? await rdd.collectPartitions() : [await rdd.collect()]);
        });
      }
    },
    { sparkContext, batchInterval: program.batchMs, clock: 'manual', allowMultipleContexts: true, onBatchFailure: 'continue', checkpointDirectory: temporaryDirectory(), advanceTimeoutMs: 60_000 },
  ));
  const allFailures = new Promise<void>((resolve) => {
    if (failuresExpected === 0) resolve();
    ssc.on('failed', ({ time }) => {
      failedMs.push(Number(time));
      if (failedMs.length === failuresExpected) resolve();
    });
  });
  try {
    await settle(ssc.start());
    await advance(ssc as StreamingContext, program.batchesToRun);
    // The news of a failure may come after the batch's end.
    await settle(allFailures);
  } finally {
    await settle(ssc.stop({ stopSparkContext: false }));
  }
  return { calls, failedMs };
}

/** The first difference as one line; null: none. */
export function differenceOfResults(program: RandomProgram, expected: ProgramResult, got: ProgramResult): string | null {
  if (!equalValues(expected.failedMs, [...got.failedMs].sort((a, b) => a - b))) return `failed batches: expected ${previewValue(expected.failedMs)}, got ${previewValue(got.failedMs)}`;
  for (let time = program.batchMs; time <= program.batchesToRun * program.batchMs; time += program.batchMs) {
    for (const { id, order } of program.outputs) {
      const compared = (result: ProgramResult): Value | undefined => comparable(result.calls.get(id)?.get(time), order);
      if (!equalValues(compared(expected), compared(got))) return `${id} at ${time} ms: expected ${textOf(compared(expected))}, got ${textOf(compared(got))}`;
    }
  }
  return null;
}

function comparable(partitions: Partitions | undefined, order: RandomProgram['outputs'][number]['order']): Value | undefined {
  if (partitions === undefined || order === 'partitions') return partitions;
  const records = partitions.flat(1) as Value[];
  return order === 'order' ? records : sortedValues(records);
}

function textOf(value: Value | undefined): string {
  return value === undefined ? 'no RDD' : previewValue(value, 400);
}
