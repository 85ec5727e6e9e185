/**
 * Building a program: calling its function, once on every thread.
 *
 * Invariant: the function returns synchronously; what it throws is reported as the program's own (ProgramThrew), with the
 * cause as it was thrown. After it has returned, the graph and the function table are sealed.
 */
import { MillraceError } from '../../protocol/errors.ts';
import { placeOfError } from '../base/caller-place.ts';
import { isPromise } from '../dstream/generated.ts';
import { checkExports } from './exports.ts';
import type { ProgramBuilder } from './program-builder.ts';

/** A program: gets the context to build on, and its arguments. */
export type Program<Context = never, Args = never, Exports = unknown> = (ssc: Context, args: Args) => Exports;

/** `ssc`: the object that the program is given; `builder` is its building side (they may be the same). Returns the exports. */
export function buildProgram(program: Function, ssc: object, builder: ProgramBuilder, args: unknown): Readonly<Record<string, unknown>> {
  let returned: unknown;
  try {
    returned = (program as (ssc: object, args: unknown) => unknown)(ssc, args);
  } catch (thrown) {
    const said = thrown instanceof Error ? thrown.message : String(thrown);
    throw new MillraceError('ProgramThrew', `The program's function threw while the graph was built: ${said}`, { cause: thrown, details: placeOfError(thrown) });
  }
  if (isPromise(returned)) {
    // Whatever comes of the promise is not looked at; without this its failure would be an unhandled rejection.
    returned.catch(() => {});
    throw new MillraceError('ProgramAsync', 'The program\'s function returned a promise. It must build the graph synchronously: give what must be awaited as a factory, or through args.');
  }
  const exports = checkExports(returned);
  builder.seal();
  return exports;
}
