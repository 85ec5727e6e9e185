/**
 * What windows mean: the parent's RDDs of several times as one, and, with an inverse function, a result made of the one before.
 *
 * Invariant: all that Spark defines by other operations is written as those here. With an inverse function and slides longer than
 * the window the documented meaning is given: the window's own records, reduced (Spark itself never subtracts those between).
 */
import { required } from '../conformance/case.ts';
import type { CaseOperation } from '../conformance/case.ts';
import { documentedOperations } from '../conformance/documented-case.ts';
import { keyOf, predicate, reduceFunction, valueOf } from '../conformance/functions.ts';
import type { Predicate, ReduceFunction } from '../conformance/functions.ts';
import type { Value } from '../conformance/values.ts';
import { groupedSorted, reduced, statelessModels } from './sequential-operations.ts';
import type { Model } from './sequential-operations.ts';
import { SequentialRdd, sequentialMaker } from './sequential-rdd.ts';
import type { SequentialOptions } from './sequential-rdd.ts';
import { derived, rddsBetween, sequentialStream } from './sequential-stream.ts';
import type { SequentialStream } from './sequential-stream.ts';

/** The filter removed a key whose values are still in the window. */
export class WindowInconsistent extends Error {}

interface Durations {
  readonly windowMs: number;
  readonly slideMs: number;
}

function windowed(parent: SequentialStream, { windowMs, slideMs }: Durations, options: SequentialOptions): SequentialStream {
  return sequentialStream(slideMs, async (time) => {
    const rdds = await rddsBetween(parent, time - windowMs + parent.slideMs, time);
    return sequentialMaker(options).emptyRDD().union(...rdds);
  });
}

interface Incremental extends Durations {
  readonly fn: ReduceFunction;
  readonly inverse: ReduceFunction;
  readonly filter: Predicate | null;
  readonly partitions: number;
}

/** result(t) = fn(inverse(result(t - slide), what has left since), what has entered since), key by key. */
function incremental(parent: SequentialStream, { fn, inverse, filter, partitions, windowMs, slideMs }: Incremental, options: SequentialOptions): SequentialStream {
  const perBatch = derived(parent, (rdd) => rdd.reduceByKey(fn, partitions));
  const stream: SequentialStream = sequentialStream(slideMs, async (time) => {
    const left = valuesByKey(await rddsBetween(perBatch, time - slideMs - windowMs + parent.slideMs, time - windowMs));
    const entered = valuesByKey(await rddsBetween(perBatch, time - slideMs + parent.slideMs, time));
    const before = valuesByKey([(await stream.rddAt(time - slideMs)) ?? new SequentialRdd([], options)]);
    const keys = new Map([...before, ...left, ...entered].map(([text, { key }]) => [text, key]));
    const results: Value[] = [];
    for (const [text, key] of keys) {
      const old = reduceAll(left.get(text)?.values ?? [], fn);
      const fresh = reduceAll(entered.get(text)?.values ?? [], fn);
      const [previous] = before.get(text)?.values ?? [];
      if (previous === undefined && fresh === undefined) throw new WindowInconsistent(`key ${text} at ${time} ms`);
      const kept = previous === undefined || old === undefined ? previous : inverse(previous, old);
      const value = kept === undefined ? fresh : fresh === undefined ? kept : fn(kept, fresh);
      if (filter === null || filter([key, value as Value])) results.push([key, value as Value]);
    }
    return new SequentialRdd([results], options).partitionedByKey(partitions);
  });
  return stream;
}

function valuesByKey(rdds: readonly SequentialRdd[]): Map<string, { readonly key: Value; readonly values: Value[] }> {
  const byKey = new Map<string, { readonly key: Value; readonly values: Value[] }>();
  for (const pair of rdds.flatMap((rdd) => rdd.records)) {
    const text = JSON.stringify(keyOf(pair));
    const entry = byKey.get(text) ?? { key: keyOf(pair), values: [] };
    entry.values.push(valueOf(pair));
    byKey.set(text, entry);
  }
  return byKey;
}

/** Undefined of nothing. */
function reduceAll(values: readonly Value[], fn: ReduceFunction): Value | undefined {
  return values.length === 0 ? undefined : values.reduce((a, b) => fn(a, b));
}

function durationsOf(operation: CaseOperation, parent: SequentialStream): Durations {
  const { windowMs = 0, slideMs = parent.slideMs } = operation;
  if (windowMs % parent.slideMs !== 0 || slideMs % parent.slideMs !== 0) throw new Error(`window of ${windowMs} ms, slide ${slideMs} ms, of a parent of ${parent.slideMs} ms`);
  return { windowMs, slideMs };
}

function onWindow(build: (parent: SequentialStream, durations: Durations, operation: CaseOperation, options: SequentialOptions) => SequentialStream): Model {
  return (operation, [parent], options) => build(parent as SequentialStream, durationsOf(operation, parent as SequentialStream), operation, options);
}

/** As `onWindow`; the incremental forms by what is documented of them where windows leave gaps. */
function onOverlapping(build: (parent: SequentialStream, durations: Durations, operation: CaseOperation, options: SequentialOptions) => SequentialStream): Model {
  return (operation, parents, options) => {
    const parent = parents[0] as SequentialStream;
    const durations = durationsOf(operation, parent);
    const isPlain = operation.op.startsWith('reduce') && operation.invFn === undefined;
    if (isPlain || durations.slideMs <= durations.windowMs) return build(parent, durations, operation, options);
    return documentedOperations(operation).reduce((stream, step) => ((statelessModels[step.op] ?? windowModels[step.op]) as Model)(step, [stream], options), parent);
  };
}

const add = reduceFunction('add');
const subtract = reduceFunction('sub');

function incrementalUnkeyed(parent: SequentialStream, fn: ReduceFunction, inverse: ReduceFunction, durations: Durations, options: SequentialOptions): SequentialStream {
  const keyed = derived(parent, (rdd) => rdd.map((x) => [null, x]));
  return derived(incremental(keyed, { ...durations, fn, inverse, filter: null, partitions: 1 }, options), (rdd) => rdd.map(valueOf));
}

export const windowModels: Readonly<Record<string, Model>> = {
  window: onWindow((parent, durations, _op, options) => windowed(parent, durations, options)),
  reduceByWindow: onOverlapping((parent, durations, op, options) => {
    const fn = reduceFunction(required(op, 'fn'));
    if (op.invFn !== undefined) return incrementalUnkeyed(parent, fn, reduceFunction(op.invFn), durations, options);
    return reducedByWindow(parent, fn, durations, options);
  }),
  reduceByKeyAndWindow: onOverlapping((parent, durations, op, options) => {
    const fn = reduceFunction(required(op, 'fn'));
    if (op.invFn === undefined) return reducedByKeyAndWindow(parent, fn, durations, op.numPartitions, options);
    const filter = op.filterFn === undefined ? null : predicate(op.filterFn);
    return incremental(parent, { ...durations, fn, inverse: reduceFunction(op.invFn), filter, partitions: op.numPartitions ?? options.defaultParallelism }, options);
  }),
  groupByKeyAndWindow: onWindow((parent, durations, op, options) => derived(windowed(parent, durations, options), (rdd) => groupedSorted(rdd, op.numPartitions))),
  countByWindow: onOverlapping((parent, durations, _op, options) => incrementalUnkeyed(derived(parent, (rdd) => rdd.map(() => 1)), add, subtract, durations, options)),
  countByValueAndWindow: onOverlapping((parent, durations, op, options) => {
    const ones = derived(parent, (rdd) => rdd.map((x) => [x, 1]));
    return incremental(ones, { ...durations, fn: add, inverse: subtract, filter: predicate('valueNonZero'), partitions: op.numPartitions ?? options.defaultParallelism }, options);
  }),
};

function reducedByWindow(parent: SequentialStream, fn: ReduceFunction, durations: Durations, options: SequentialOptions): SequentialStream {
  return derived(windowed(derived(parent, (rdd) => reduced(rdd, fn)), durations, options), (rdd) => reduced(rdd, fn));
}

function reducedByKeyAndWindow(parent: SequentialStream, fn: ReduceFunction, durations: Durations, partitions: number | undefined, options: SequentialOptions): SequentialStream {
  return derived(windowed(parent, durations, options), (rdd) => rdd.reduceByKey(fn, partitions));
}
