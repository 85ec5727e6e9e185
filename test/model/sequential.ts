/**
 * A sequential model of streams: what the outputs of a program must be, computed by plain recursion over plain arrays.
 *
 * Invariant: nothing is distributed, incremental or forgotten: each stream's RDD of each time is a plain value (see
 * sequential-stream.ts), which follows from the definition of the operation alone.
 */
import type { BatchesInput, CaseInput, CaseOperation, ConformanceCase, QueueInput } from '../conformance/case.ts';
import type { Value } from '../conformance/values.ts';
import { statelessModels } from './sequential-operations.ts';
import type { SequentialRdd, SequentialOptions } from './sequential-rdd.ts';
import { defaultOptions, sequentialMaker } from './sequential-rdd.ts';
import { stateModels } from './sequential-state.ts';
import { rddsBetween, sequentialStream } from './sequential-stream.ts';
import type { SequentialStream } from './sequential-stream.ts';
import { windowModels } from './sequential-windows.ts';

/** What came of a case. */
export interface SequentialRun {
  /** Entry i: the output's RDD at (i + 1) * batchMs; null: none was made. Ends at the batch that failed. */
  readonly batches: readonly (SequentialRdd | null)[];
  /** The batch that failed, and why. */
  readonly error: { readonly atMs: number; readonly cause: unknown } | null;
  /** The slice that the case asks for. */
  readonly slice: readonly SequentialRdd[] | null;
}

/** An operation that the model doesn't know. */
export class NotModelled extends Error {}

const models = { ...statelessModels, ...windowModels, ...stateModels };

/** The inputs and operations of a program. */
export interface SequentialProgram {
  readonly batchMs: number;
  readonly inputs: readonly CaseInput[];
  readonly graph: readonly CaseOperation[];
}

/** The streams of a program. */
export class SequentialStreams {
  readonly #byId = new Map<string, SequentialStream>();
  readonly #queues = new Map<string, (readonly Value[])[]>();
  readonly #inputs: readonly CaseInput[];

  /** `given`: inputs that the caller has streams of. Throws where the graph is wrong; NotModelled. */
  constructor({ batchMs, inputs, graph }: SequentialProgram, options: SequentialOptions, given: ReadonlyMap<string, SequentialStream> = new Map()) {
    this.#inputs = inputs;
    for (const input of inputs) this.#byId.set(input.id, given.get(input.id) ?? this.#input(input, batchMs, options));
    for (const operation of graph) {
      const model = Object.hasOwn(models, operation.op) ? models[operation.op] : undefined;
      if (model === undefined) throw new NotModelled(`operation ${operation.op} is not modelled`);
      const parents = operation.of.map((id) => this.stream(id));
      this.#byId.set(operation.id, bounded(model(operation, parents, options), options.recordsMax));
    }
  }

  stream(id: string): SequentialStream {
    const stream = this.#byId.get(id);
    if (stream === undefined) throw new Error(`Expected a stream named '${id}', got none: known are ${[...this.#byId.keys()].join(', ')}.`);
    return stream;
  }

  /** What is pushed before batch `batch` (from 0). */
  push(batch: number): void {
    for (const input of this.#inputs) if (input.kind === 'queue') this.#queues.get(input.id)?.push(...pushesBefore(input, batch));
  }

  #input(input: CaseInput, batchMs: number, options: SequentialOptions): SequentialStream {
    if (input.kind === 'queue') {
      const queue: (readonly Value[])[] = [];
      this.#queues.set(input.id, queue);
      return sequentialStream(batchMs, async () => takeFromQueue(input, queue, options));
    }
    return sequentialStream(batchMs, async (time) => {
      const records = (input as BatchesInput).batches[time / batchMs - 1];
      return records === null ? null : sequentialMaker(options).parallelize(records ?? [], input.numPartitions);
    });
  }
}

/** Runs all batches of a case. Errors of batches come back in the result, errors of the graph are thrown. */
export async function runSequentially(testCase: ConformanceCase, options: SequentialOptions = defaultOptions): Promise<SequentialRun> {
  const streams = new SequentialStreams(testCase, options);
  const output = streams.stream(testCase.output);
  const batches: (SequentialRdd | null)[] = [];
  for (let batch = 0; batch < testCase.batchesToRun; batch += 1) {
    const time = (batch + 1) * testCase.batchMs;
    streams.push(batch);
    try {
      batches.push(await output.rddAt(time));
    } catch (cause) {
      return { batches, error: { atMs: time, cause }, slice: null };
    }
  }
  if (testCase.slice === undefined) return { batches, error: null, slice: null };
  const { of, fromMs, toMs } = testCase.slice;
  return { batches, error: null, slice: await rddsBetween(streams.stream(of), fromMs, toMs) };
}

function bounded(stream: SequentialStream, recordsMax: number | undefined): SequentialStream {
  if (recordsMax === undefined) return stream;
  return { ...stream, ...sequentialStream(stream.slideMs, (time) => stream.rddAt(time), recordsMax) };
}

function pushesBefore(input: QueueInput, batch: number): (readonly Value[])[] {
  return input.pushes.filter((push) => push.beforeBatch === batch).flatMap((push) => [...push.rdds]);
}

function takeFromQueue(input: QueueInput, queue: (readonly Value[])[], options: SequentialOptions): SequentialRdd {
  const maker = sequentialMaker(options);
  const taken = input.oneAtATime ? queue.splice(0, 1) : queue.splice(0);
  const [first, ...others] = taken.map((records) => maker.parallelize(records, input.numPartitions));
  if (first !== undefined) return first.union(...others);
  if (input.default === undefined) return maker.parallelize([], 1);
  return input.default === null ? maker.emptyRDD() : maker.parallelize(input.default, input.numPartitions);
}
