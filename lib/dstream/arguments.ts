/**
 * Checks of the arguments of DStream methods, at the door.
 *
 * Invariant: they throw InvalidArgument with the method, its place in the user's file, the argument, what was expected and what came;
 * else they return the value as it is.
 */
import { previewOf } from '../../protocol/errors.ts';
import { callError } from '../base/caller-place.ts';

export function checkFunction<F>(method: string, fn: F): F {
  if (typeof fn === 'function') return fn;
  throw callError('InvalidArgument', method, `${method} expects a function, and got ${previewOf(fn)}.`);
}

/** A whole number of 1 or more; undefined where it may be left out. */
export function checkCount<N extends number | undefined>(method: string, name: string, count: N): N {
  if (count === undefined || (Number.isSafeInteger(count) && count >= 1)) return count;
  throw callError('InvalidArgument', method, `${method} expects ${name} to be a whole number of 1 or more, and got ${previewOf(count)}.`);
}

/** A duration in whole milliseconds, more than 0. */
export function checkDuration(method: string, name: string, milliseconds: number): number {
  if (Number.isSafeInteger(milliseconds) && milliseconds > 0) return milliseconds;
  throw callError('InvalidArgument', method, `${method} expects ${name} to be a whole number of milliseconds, more than 0, and got ${previewOf(milliseconds)}.`);
}

/** Options, which may be left out. */
export function checkObject(method: string, name: string, given: unknown): void {
  if (given === undefined || (typeof given === 'object' && given !== null)) return;
  throw callError('InvalidArgument', method, `${method} expects ${name} as an object, and got ${previewOf(given)}.`);
}

export function checkText(method: string, name: string, text: string): string {
  if (typeof text === 'string' && text !== '') return text;
  throw callError('InvalidArgument', method, `${method} expects ${name} to be a text that is not empty, and got ${previewOf(text)}.`);
}

export function checkPort(method: string, port: number): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw callError('InvalidArgument', method, `${method} expects a port from 1 to 65535, and got ${previewOf(port)}.`);
}
