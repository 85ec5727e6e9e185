/**
 * The options of methods that take a function on records.
 *
 * Invariant: they are checked at the call; what goes into nodes is a policy, or nothing where the task should fail.
 */
import type { RecordPolicy } from '../../protocol/rdd.ts';
import { MillraceError, previewOf } from '../../protocol/errors.ts';

/** What becomes of a record whose function throws. */
export type OnError = 'fail' | RecordPolicy;

/** What an operator is told beside its function. */
export interface RecordOptions {
  /**
   * `fail`: the task fails, and is tried again. `skip`: the record is left out, and counted in `BatchInfo.leftOut`.
   * `deadLetter`: left out, counted, and put into the program's dead-letter stream (`ssc.deadLetters()`). Default `fail`.
   */
  readonly onError?: OnError;
}

/** The policy, as a field of a node or a sink: no field for `fail`. Throws InvalidArgument. */
export function policyOf(method: string, options: RecordOptions | undefined): { readonly onError?: RecordPolicy } {
  if (options === undefined) return {};
  if (typeof options !== 'object' || options === null) throw new MillraceError('InvalidArgument', `${method} expects an object of options, as { onError: 'skip' }, and got ${previewOf(options)}.`);
  const unknown = Object.keys(options).find((name) => name !== 'onError');
  if (unknown !== undefined) throw new MillraceError('InvalidArgument', `${method} has the option onError alone, and got ${previewOf(unknown)}.`);
  const { onError = 'fail' } = options;
  switch (onError) {
    case 'fail': return {};
    case 'skip':
    case 'deadLetter': return { onError };
    default: throw new MillraceError('InvalidArgument', `${method} expects onError to be 'fail', 'skip' or 'deadLetter', and got ${previewOf(onError)}.`);
  }
}
