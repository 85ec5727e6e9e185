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

/** As `checkCount`, where it may not be left out. */
export function requireCount(method: string, name: string, count: number): number {
  checkCount(method, name, (count as number | undefined) ?? Number.NaN);
  return count;
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

/** Options, of which those that the method does not have are refused: a name that is misspelt would be left out silently. */
export function checkOptions(method: string, known: readonly string[], given: object): void {
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) throw callError('InvalidArgument', method, `${method} has the options ${known.join(', ')}, and got ${previewOf(unknown)}.`);
}

/** Streams, as an array of any length. */
export function checkStreams(method: string, streams: readonly unknown[]): void {
  if (!Array.isArray(streams)) throw callError('InvalidArgument', method, `${method} expects an array of streams, and got ${previewOf(streams)}.`);
  const wrong = streams.findIndex((stream) => typeof stream !== 'object' || stream === null || !('operatorUid' in stream && 'slideMs' in stream));
  if (wrong >= 0) throw callError('InvalidArgument', method, `${method} expects streams, and got ${previewOf(streams[wrong])}.`);
}

export function checkText(method: string, name: string, text: string): string {
  if (typeof text === 'string' && text !== '') return text;
  throw callError('InvalidArgument', method, `${method} expects ${name} to be a text that is not empty, and got ${previewOf(text)}.`);
}

export function checkPort(method: string, port: number): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw callError('InvalidArgument', method, `${method} expects a port from 1 to 65535, and got ${previewOf(port)}.`);
}

/** Of the directories that a method writes: a suffix may be left out, or be empty. */
export function checkFiles(method: string, prefix: string, suffix: string | undefined): { readonly prefix: string; readonly suffix: string | null } {
  checkText(method, 'prefix', prefix);
  if (suffix !== undefined && typeof suffix !== 'string') throw callError('InvalidArgument', method, `${method} expects suffix to be a text, and got ${previewOf(suffix)}.`);
  return { prefix, suffix: suffix ?? null };
}
