/**
 * The options of methods that take a function on records.
 *
 * Invariant: they are checked at the call; what goes into nodes is a policy, or nothing where the task should fail.
 */
import type { RecordPolicy } from '../../protocol/rdd.ts';
import { MillraceError, previewOf } from '../../protocol/errors.ts';
import { callError } from '../base/caller-place.ts';

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

/** Why a policy has no meaning, by method. */
const combined = 'its function sees values that were made of many records, none of which could be left out';
const wholePartition = 'its function is called for a whole partition, of which no single record could be left out';
const noRecords = 'its function is called once a batch, and sees no record';
const keys = 'each record needs its key: map the records to pairs under a policy first';
const methodsWithoutPolicy: Readonly<Record<string, string>> = {
  mapPartitions: wholePartition, mapPartitionsWithIndex: wholePartition, foreachPartition: wholePartition, 'updateStateByKey of the variant iterator': wholePartition,
  reduce: combined, fold: combined, aggregate: combined, foldByKey: combined, aggregateByKey: combined, reduceByWindow: combined, reduceByKeyAndWindow: combined,
  transform: noRecords, transformWith: noRecords, foreachRDD: noRecords,
  keyBy: keys, groupBy: keys, sortBy: keys,
};

/**
 * Of a method for which a policy has no meaning: `given` are its arguments, with those that the compiler would refuse. Only what stands
 * behind its functions is options: before them there may be a record, with whatever fields. Throws InvalidArgument.
 */
export function refusePolicy(method: string, given: ArrayLike<unknown>): void {
  for (let index = given.length - 1; index >= 0; index -= 1) {
    const argument = given[index];
    if (typeof argument === 'function') return;
    if (typeof argument !== 'object' || argument === null || !Object.hasOwn(argument, 'onError')) continue;
    const { onError } = argument as { readonly onError: unknown };
    const text = `${method} has no option onError, and got ${previewOf(onError)}: ${methodsWithoutPolicy[method]}. Leave it out, and put the policy on an operator before it that works record by record, such as map or filter.`;
    throw callError('InvalidArgument', method, text, { option: 'onError' });
  }
}

/** As `refusePolicy`, for actions: a promise that rejects, or null. */
export function refusedPolicy(method: string, given: ArrayLike<unknown>): Promise<never> | null {
  try {
    refusePolicy(method, given);
    return null;
  } catch (error) {
    return Promise.reject(error);
  }
}
