/**
 * What a program returns: its public face, as `ssc.exports` on the app.
 *
 * Invariant: an export is a published stream, a queue, a broadcast variable, an accumulator, a stream (for `slice`), or an
 * object of exports; anything else is refused when the program is built, on every thread.
 */
import { MillraceError, previewOf } from '../../protocol/errors.ts';
import { DStream } from '../dstream/dstream.ts';
import { PublishedStream } from '../dstream/published-stream.ts';
import { RddQueue } from '../dstream/rdd-queue.ts';
import { Accumulator } from './accumulator.ts';
import { Broadcast } from './broadcast.ts';

/** The type of `ssc.exports`: what the program's function returns. A program that returns nothing has none. */
export type ExportsOf<Program> = Program extends (...args: never[]) => infer Returned ? (Returned extends object ? Returned : Readonly<Record<never, never>>) : never;

/** The type of the program's second argument. */
export type ArgsOf<Program> = Program extends (ssc: never, args: infer Args) => unknown ? (0 extends 1 & Args ? unknown : unknown extends Args ? undefined : Args) : never;

/** Throws InvalidArgument where something is no export. */
export function checkExports(returned: unknown): Readonly<Record<string, unknown>> {
  if (returned === undefined || returned === null) return {};
  if (!isPlainObject(returned)) throw new MillraceError('InvalidArgument', `A program returns an object of exports, or nothing, and this one returned ${previewOf(returned)}.`);
  checkEach(returned, '');
  return returned;
}

function checkEach(group: Readonly<Record<string, unknown>>, path: string): void {
  for (const [name, value] of Object.entries(group)) {
    if (value instanceof PublishedStream || value instanceof RddQueue || value instanceof Broadcast || value instanceof Accumulator || value instanceof DStream) continue;
    if (isPlainObject(value)) {
      checkEach(value, `${path}${name}.`);
      continue;
    }
    throw new MillraceError('InvalidArgument', `A program's exports are published streams, queues, broadcast variables, accumulators, streams (for slice), and objects of these; ${path}${name} is ${previewOf(value)}.`);
  }
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null);
}
