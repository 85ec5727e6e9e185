/**
 * Records that can't be changed, for the test kit: a function that changes what it was given fails there, at once and by name.
 *
 * Records are frozen by contract: an operator may hand one object to several others, and may compute it anew for each, so what a
 * changed record does depends on where and how often it is computed. Here the contract is made to hold.
 *
 * Invariant: arrays and plain objects are frozen all the way down; nothing else is touched. A typed array can't be frozen, and
 * Map, Set, Date and instances of classes are left as they are: freezing would not keep their contents from being changed.
 */
import { recordDepthMax } from '../../protocol/plain-form.ts';
import type { SinkForm, UserFunction } from './fuse.ts';

/** What is frozen already is taken to be so all the way down. */
export function freezeDeep(value: unknown, depth = 0): void {
  if (typeof value !== 'object' || value === null || depth > recordDepthMax || Object.isFrozen(value)) return;
  if (Array.isArray(value)) {
    Object.freeze(value);
    for (let index = 0; index < value.length; index += 1) freezeDeep(value[index], depth + 1);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return;
  Object.freeze(value);
  // By descriptor: a getter is not called for this.
  for (const key of Object.keys(value)) freezeDeep(Object.getOwnPropertyDescriptor(value, key)?.value, depth + 1);
}

/**
 * The function with its record frozen: mostly its last argument, since a combiner before it may be its own to change; of `foreach` the first,
 * before the context.
 */
export function onFrozen(fn: UserFunction, freeze: (record: unknown) => void, record: 'first' | 'last' = 'last'): UserFunction {
  return (...args) => {
    freeze(args[record === 'first' ? 0 : args.length - 1]);
    return fn(...args);
  };
}

/** True where an argument of the sink's functions is a record. In a merge it is a combiner, which nobody else has. */
export function takesRecords(sink: SinkForm): boolean {
  return sink !== 'merge';
}
