/**
 * Windowed and stateful operations of cases, by the names and argument orders of Spark's methods.
 *
 * Invariant: what is called is a public method, with the arguments that the case names and no more.
 */
import { required } from './case.ts';
import type { CaseOperation } from './case.ts';
import { predicate, reduceFunction } from './functions.ts';
import { mapWithStateFunction, updateFunction } from './state-functions.ts';
import { onOne, sortValues } from './stream-like.ts';
import type { Build, ContextLike, StreamLike } from './stream-like.ts';
import type { Value } from './values.ts';

type Method = (...given: readonly unknown[]) => StreamLike;

/** Calls the method `name`, without the undefined arguments at the end. */
function call(stream: StreamLike, operation: CaseOperation, name: string, ...given: readonly unknown[]): StreamLike {
  const method = (stream as unknown as Record<string, Method | undefined>)[name];
  if (typeof method !== 'function') throw new Error(`Expected a method of a stream, got '${name}' (${operation.id}).`);
  return method.apply(stream, given.slice(0, given.findLastIndex((argument) => argument !== undefined) + 1));
}

function onStream(build: (stream: StreamLike, operation: CaseOperation, ssc: ContextLike) => StreamLike): Build {
  return onOne((stream, operation, ssc) => {
    const made = build(stream, operation, ssc);
    return operation.checkpointMs === undefined ? made : call(made, operation, 'checkpoint', operation.checkpointMs);
  });
}

const optional = <F>(text: string | undefined, make: (text: string) => F): F | undefined => (text === undefined ? undefined : make(text));

export const stateOperations: Readonly<Record<string, Build>> = {
  window: onStream((stream, op) => call(stream, op, 'window', required(op, 'windowMs'), op.slideMs)),
  countByWindow: onStream((stream, op) => call(stream, op, 'countByWindow', required(op, 'windowMs'), required(op, 'slideMs'))),
  reduceByWindow: onStream((stream, op) => {
    const durations = [required(op, 'windowMs'), required(op, 'slideMs')];
    const fn = reduceFunction(required(op, 'fn'));
    const inverse = optional(op.invFn, reduceFunction);
    return inverse === undefined ? call(stream, op, 'reduceByWindow', fn, ...durations) : call(stream, op, 'reduceByWindow', fn, inverse, ...durations);
  }),
  reduceByKeyAndWindow: onStream((stream, op) => {
    const tail = [required(op, 'windowMs'), op.slideMs, op.numPartitions];
    const fn = reduceFunction(required(op, 'fn'));
    const inverse = optional(op.invFn, reduceFunction);
    if (inverse === undefined) return call(stream, op, 'reduceByKeyAndWindow', fn, ...tail);
    return call(stream, op, 'reduceByKeyAndWindow', fn, inverse, ...tail, optional(op.filterFn, predicate));
  }),
  countByValueAndWindow: onStream((stream, op) => call(stream, op, 'countByValueAndWindow', required(op, 'windowMs'), required(op, 'slideMs'), op.numPartitions)),
  groupByKeyAndWindow: onStream((stream, op) => sortValues(call(stream, op, 'groupByKeyAndWindow', required(op, 'windowMs'), op.slideMs, op.numPartitions))),
  updateStateByKey: onStream((stream, op, ssc) => {
    const update = updateFunction(required(op, 'fn'));
    return call(stream, op, 'updateStateByKey', updateForm(update, op), { partitions: op.numPartitions, initial: initialOf(op, ssc), variant: op.variant, rememberPartitioner: op.rememberPartitioner });
  }),
  mapWithState: onStream((stream, op, ssc) => {
    const spec = { fn: mapWithStateFunction(required(op, 'fn')), partitions: op.numPartitions, timeoutMs: op.timeoutMs, initial: initialOf(op, ssc) };
    return call(stream, op, 'mapWithState', spec);
  }),
  stateSnapshots: onStream((stream, op) => call(stream, op, 'stateSnapshots')),
};

type Update = ReturnType<typeof updateFunction>;
type KeyedState = readonly [Value, readonly Value[], Value | undefined];

/** The three forms of Spark's method; the function is the same in all of them. */
function updateForm(update: Update, operation: CaseOperation): (...given: never[]) => unknown {
  if (operation.variant === 'time') return update;
  if (operation.variant !== 'iterator') return (values: readonly Value[], state: Value | undefined) => update(0, null, values, state);
  return function* updateEach(keys: Iterable<KeyedState>): Iterable<readonly [Value, Value]> {
    for (const [key, values, state] of keys) {
      const next = update(0, key, values, state);
      if (next !== undefined) yield [key, next];
    }
  };
}

function initialOf(operation: CaseOperation, ssc: ContextLike): unknown {
  return operation.initial === undefined ? undefined : ssc.sc.parallelize(operation.initial, operation.initialPartitions);
}
