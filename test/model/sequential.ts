/**
 * A sequential model of streams: what a case's output must be, computed by plain recursion over plain arrays.
 *
 * Invariant: a stream's RDD of a time is computed at most once (queues are taken from then), and nothing else is
 * remembered. Stateless operations only: a case with another one throws `NotModelled`.
 */
import { required } from '../conformance/case.ts';
import type { BatchesInput, CaseInput, CaseOperation, ConformanceCase, QueueInput } from '../conformance/case.ts';
import { combiner, flatMapFunction, keyOf, mapFunction, partitionFunction, predicate, reduceFunction, valueOf } from '../conformance/functions.ts';
import { transformFunction, transformManyFunction, transformWithFunction } from '../conformance/rdd-functions.ts';
import { sortedValues } from '../conformance/values.ts';
import type { Value } from '../conformance/values.ts';
import { SequentialRdd, defaultOptions, sequentialMaker } from './sequential-rdd.ts';
import type { SequentialOptions } from './sequential-rdd.ts';

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
/** An operation met a time at which a parent that it can't do without has no RDD. */
export class NoRdd extends Error {}

/** Runs all batches of a case. Errors of batches come back in the result, errors of the graph are thrown. */
export async function runSequentially(testCase: ConformanceCase, options: SequentialOptions = defaultOptions): Promise<SequentialRun> {
  const streams = buildStreams(testCase, options);
  streamOf(streams, testCase.output);
  const batches: (SequentialRdd | null)[] = [];
  const rddAt = (id: string, time: number): Promise<SequentialRdd | null> => streamOf(streams, id)(time);
  for (let batch = 0; batch < testCase.batchesToRun; batch += 1) {
    const time = (batch + 1) * testCase.batchMs;
    for (const input of testCase.inputs) if (input.kind === 'queue') streams.queues.get(input.id)?.push(...pushesBefore(input, batch));
    try {
      batches.push(await rddAt(testCase.output, time));
    } catch (cause) {
      return { batches, error: { atMs: time, cause }, slice: null };
    }
  }
  if (testCase.slice === undefined) return { batches, error: null, slice: null };
  const slice: SequentialRdd[] = [];
  const floor = (ms: number): number => Math.floor(ms / testCase.batchMs) * testCase.batchMs;
  for (let time = floor(testCase.slice.fromMs); time <= floor(testCase.slice.toMs); time += testCase.batchMs) {
    const rdd = time > 0 ? await rddAt(testCase.slice.of, time) : null;
    if (rdd !== null) slice.push(rdd);
  }
  return { batches, error: null, slice };
}

type Stream = (time: number) => Promise<SequentialRdd | null>;
interface Streams {
  readonly byId: Map<string, Stream>;
  readonly queues: Map<string, (readonly Value[])[]>;
}

function buildStreams(testCase: ConformanceCase, options: SequentialOptions): Streams {
  const streams: Streams = { byId: new Map(), queues: new Map() };
  for (const input of testCase.inputs) {
    if (input.kind === 'queue') streams.queues.set(input.id, []);
    streams.byId.set(input.id, remembered(inputStream(input, testCase.batchMs, streams, options)));
  }
  for (const operation of testCase.graph) {
    const parents = operation.of.map((id) => streamOf(streams, id));
    streams.byId.set(operation.id, remembered(operationStream(operation, parents, options)));
  }
  return streams;
}

function streamOf(streams: Streams, id: string): Stream {
  const stream = streams.byId.get(id);
  if (stream === undefined) throw new Error(`Expected a stream named '${id}', got none: known are ${[...streams.byId.keys()].join(', ')}.`);
  return stream;
}

function remembered(compute: Stream): Stream {
  const made = new Map<number, Promise<SequentialRdd | null>>();
  return (time) => {
    const rdd = made.get(time) ?? compute(time);
    made.set(time, rdd);
    return rdd;
  };
}

function inputStream(input: CaseInput, batchMs: number, streams: Streams, options: SequentialOptions): Stream {
  const maker = sequentialMaker(options);
  if (input.kind === 'queue') return async () => takeFromQueue(input, streams.queues.get(input.id) ?? [], options);
  return async (time) => {
    const records = (input as BatchesInput).batches[time / batchMs - 1];
    return records === null ? null : maker.parallelize(records ?? [], input.numPartitions);
  };
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

function operationStream(operation: CaseOperation, parents: readonly Stream[], options: SequentialOptions): Stream {
  const build = Object.hasOwn(operations, operation.op) ? operations[operation.op] : undefined;
  if (build === undefined) throw new NotModelled(`operation ${operation.op} is not modelled`);
  const combine = build.make(operation, options);
  return async (time) => {
    const rdds: SequentialRdd[] = [];
    for (const parent of parents) {
      const rdd = await parent(time);
      if (rdd === null && build.needsRdd) throw new NoRdd(`Couldn't generate RDD from parent at time ${time} ms`);
      if (rdd === null) return null;
      rdds.push(rdd);
    }
    return combine(rdds, time);
  };
}

type Combine = (rdds: readonly SequentialRdd[], time: number) => SequentialRdd | Promise<SequentialRdd>;
interface OperationModel {
  /** A parent without RDD fails the batch; else it gives none itself. */
  readonly needsRdd: boolean;
  readonly make: (operation: CaseOperation, options: SequentialOptions) => Combine;
}

function narrow(make: (operation: CaseOperation) => (rdd: SequentialRdd) => SequentialRdd): OperationModel {
  return {
    needsRdd: false,
    make: (operation) => {
      const run = make(operation);
      return ([rdd]) => run(rdd as SequentialRdd);
    },
  };
}

function strict(make: (operation: CaseOperation, options: SequentialOptions) => Combine): OperationModel {
  return { needsRdd: true, make };
}

function binary(run: (left: SequentialRdd, right: SequentialRdd, operation: CaseOperation) => SequentialRdd): OperationModel {
  return strict((operation) => ([left, right]) => run(left as SequentialRdd, right as SequentialRdd, operation));
}

const sortLists = (lists: Value): Value => (lists as readonly (readonly Value[])[]).map((list) => sortedValues(list));
const mapValue = (fn: (value: Value) => Value) => (pair: Value): Value => [keyOf(pair), fn(valueOf(pair))];

const operations: Readonly<Record<string, OperationModel>> = {
  map: narrow((op) => { const fn = mapFunction(required(op, 'fn')); return (rdd) => rdd.map(fn); }),
  flatMap: narrow((op) => { const fn = flatMapFunction(required(op, 'fn')); return (rdd) => rdd.flatMap(fn); }),
  filter: narrow((op) => { const fn = predicate(required(op, 'fn')); return (rdd) => rdd.filter(fn); }),
  mapPartitions: narrow((op) => { const fn = partitionFunction(required(op, 'fn')); return (rdd) => rdd.mapPartitions(fn); }),
  glom: narrow(() => (rdd) => rdd.glom()),
  cache: narrow(() => (rdd) => rdd),
  reduce: narrow((op) => {
    const fn = reduceFunction(required(op, 'fn'));
    return (rdd) => rdd.map((x) => [null, x]).reduceByKey(fn, 1).map(valueOf);
  }),
  countByValue: narrow((op) => (rdd) => rdd.map((x) => [x, 1]).reduceByKey(reduceFunction('add'), op.numPartitions)),
  groupByKey: narrow((op) => (rdd) => rdd.groupByKey(op.numPartitions).map(mapValue((values) => sortedValues(values as readonly Value[])))),
  reduceByKey: narrow((op) => { const fn = reduceFunction(required(op, 'fn')); return (rdd) => rdd.reduceByKey(fn, op.numPartitions); }),
  combineByKey: narrow((op) => { const fn = combiner(required(op, 'fn')); return (rdd) => rdd.combineByKey(fn, op.numPartitions ?? 2, op.mapSideCombine ?? true); }),
  mapValues: narrow((op) => { const fn = mapFunction(required(op, 'fn')); return (rdd) => rdd.map(mapValue(fn)); }),
  flatMapValues: narrow((op) => {
    const fn = flatMapFunction(required(op, 'fn'));
    return (rdd) => rdd.flatMap((pair) => fn(valueOf(pair)).map((value): Value => [keyOf(pair), value]));
  }),
  repartition: strict((op) => ([rdd]) => (rdd as SequentialRdd).repartition(required(op, 'numPartitions'))),
  count: strict((op, options) => ([rdd]) => {
    // The zero is in one partition more, so that an empty batch has a record too.
    const zero = sequentialMaker(options).parallelize([[null, 0]], 1);
    return (rdd as SequentialRdd).map(() => [null, 1]).union(zero).reduceByKey(reduceFunction('add'), op.numPartitions).map(valueOf);
  }),
  union: binary((left, right) => left.union(right)),
  unionAll: strict((op) => {
    if (op.of.length === 0) throw new Error('union of no streams');
    return ([first, ...others]) => (first as SequentialRdd).union(...others);
  }),
  join: binary((left, right, op) => left.join(right, op.numPartitions)),
  leftOuterJoin: binary((left, right, op) => left.leftOuterJoin(right, op.numPartitions)),
  rightOuterJoin: binary((left, right, op) => left.rightOuterJoin(right, op.numPartitions)),
  fullOuterJoin: binary((left, right, op) => left.fullOuterJoin(right, op.numPartitions)),
  cogroup: binary((left, right, op) => left.cogroup([right], op.numPartitions).map(mapValue(sortLists))),
  transform: strict((op, options) => {
    const maker = sequentialMaker(options);
    const fn = transformFunction(required(op, 'fn'), maker, op.data === undefined ? null : maker.parallelize(op.data, op.dataPartitions ?? 1));
    return async ([rdd], time) => given(await fn(rdd as SequentialRdd, time));
  }),
  transformWith: strict((op, options) => {
    const fn = transformWithFunction(required(op, 'fn'), sequentialMaker(options));
    return async ([left, right], time) => given(await fn(left as SequentialRdd, right as SequentialRdd, time));
  }),
  transformMany: strict((op, options) => {
    const fn = transformManyFunction(required(op, 'fn'), sequentialMaker(options));
    if (op.of.length === 0) throw new Error('transform of no streams');
    return async (rdds, time) => given(await fn(rdds, time));
  }),
};

function given(rdd: unknown): SequentialRdd {
  if (rdd === null) throw new Error('Transform function must not return null.');
  return rdd as SequentialRdd;
}
