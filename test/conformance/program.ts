/**
 * The program of every conformance case: builds the graph that the case's JSON describes.
 *
 * Invariant: it depends on its arguments alone, so that every thread builds the same graph. What the output gets is handed
 * to `context.app.record`, on the app's thread; the app pushes into queues by the exports.
 *
 *   inputs --> operations, in the order of `graph` --> the one output --> app.record(time, partitions)
 */
import type { CaseInput, ConformanceCase } from './case.ts';
import type { ObservedCall } from './compare.ts';
import { buildOperation } from './operations.ts';
import type { RddLike } from './rdd-functions.ts';
import type { ContextLike, StreamLike } from './stream-like.ts';
import type { Value } from './values.ts';

/** What the program of a case is given: JSON. */
export interface CaseArgs {
  readonly case: ConformanceCase;
  /** Where `textFiles` cases write. */
  readonly outputDirectory: string;
  /** Null where the case has none. */
  readonly checkpointDirectory: string | null;
}

/** The app's objects: where the outputs of a case leave what they got. */
export interface CaseApp {
  readonly record: (call: ObservedCall) => void;
}

export interface QueueLike {
  push(records: readonly Value[], partitions?: number): Promise<void>;
}

export interface CaseExports {
  readonly queues: Readonly<Record<string, QueueLike>>;
  /** Every stream by its id in the case. */
  readonly streams: Readonly<Record<string, SlicedStream>>;
}

/** What the runner asks of streams and of the RDDs that an output gets. */
export interface SlicedStream {
  slice(from: number, to: number): Promise<CollectedRdd[]>;
}

export interface CollectedRdd {
  collect(): Promise<Value[]>;
  collectPartitions(): Promise<Value[][]>;
}

/** The context, as far as a case's program uses it. */
export interface ProgramContext extends ContextLike {
  batchesStream(batches: readonly (readonly Value[] | null)[], partitions: number): InputLike;
  queue(): QueueLike;
  queueStream(queue: QueueLike | RddLike[], oneAtATime: boolean, defaultRdd?: RddLike | null): InputLike;
  remember(durationMs: number): void;
  checkpoint(directory: string): void;
}

export type OutputBody = (rdd: CollectedRdd, time: number, context: { readonly app: CaseApp }) => Promise<void>;

export interface InputLike extends StreamLike {
  foreachRDD(fn: OutputBody): void;
  print(num?: number): void;
  saveAsTextFiles(prefix: string, suffix?: string): void;
}

export default function conformanceProgram(ssc: ProgramContext, { case: testCase, outputDirectory, checkpointDirectory }: CaseArgs): CaseExports {
  const queues: Record<string, QueueLike> = {};
  const streams = new Map<string, StreamLike>();
  if (checkpointDirectory !== null) ssc.checkpoint(checkpointDirectory);
  if (testCase.rememberMs !== undefined) ssc.remember(testCase.rememberMs);
  for (const input of testCase.inputs) streams.set(input.id, inputStream(ssc, input, queues).uid(input.id));
  const streamOf = (id: string): StreamLike => {
    const stream = streams.get(id);
    if (stream === undefined) throw new Error(`Expected a stream named '${id}', got none: known are ${[...streams.keys()].join(', ')}.`);
    return stream;
  };
  for (const operation of testCase.graph) {
    const stream = buildOperation(operation, operation.of.map(streamOf), ssc);
    // `cache` gives the same stream again, and that has its name already.
    streams.set(operation.id, [...streams.values()].includes(stream) ? stream : stream.uid(operation.id));
  }
  addOutput(streamOf(testCase.output) as InputLike, testCase, outputDirectory);
  return { queues, streams: Object.fromEntries(streams) as unknown as Record<string, SlicedStream> };
}

function inputStream(ssc: ProgramContext, input: CaseInput, queues: Record<string, QueueLike>): StreamLike {
  if (input.kind !== 'queue') return ssc.batchesStream(input.batches, input.numPartitions);
  const queue = ssc.queue();
  queues[input.id] = queue;
  if (input.default === undefined) return ssc.queueStream(queue, input.oneAtATime);
  return ssc.queueStream(queue, input.oneAtATime, input.default === null ? null : ssc.sc.parallelize(input.default, input.numPartitions));
}

function addOutput(stream: InputLike, testCase: ConformanceCase, outputDirectory: string): void {
  switch (testCase.collect) {
    case 'print':
      stream.print(testCase.printNum);
      return;
    case 'textFiles':
      stream.saveAsTextFiles(`${outputDirectory}/${testCase.prefix ?? ''}`, testCase.suffix);
      return;
    case 'multiset':
    case 'ordered':
      stream.foreachRDD(async (rdd, time, { app }) => app.record({ timeMs: time, partitions: [await rdd.collect()] }));
      return;
    case 'perPartition':
    case 'partitionCount':
      stream.foreachRDD(async (rdd, time, { app }) => app.record({ timeMs: time, partitions: await rdd.collectPartitions() }));
      return;
    default:
      throw new Error(`Expected a collect mode, got '${String(testCase.collect)}'.`);
  }
}
