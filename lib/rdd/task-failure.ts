/**
 * The errors that a task can end with, and the words in them.
 *
 * Invariant: whatever a user's function throws leaves a task as one `UserFunctionFailed` that says which operator, where in
 * the user's source, in which batch, partition and attempt, and on which record; our own errors pass, with the operator added.
 */
import type { OperatorPlace } from '../../protocol/rdd.ts';
import type { RddId, ShuffleId } from '../../protocol/ids.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import { MillraceError, previewOf } from '../../protocol/errors.ts';
import type { TaskContext } from './task-context.ts';

/** An input of the task is gone and must be made again by the task that made it. Internal: the worker reports `missing`. */
export class MissingInput extends MillraceError {
  readonly missing: MissingName;

  constructor(missing: MissingName, cause: unknown) {
    const what = 'state' in missing
      ? `The state of RDD ${missing.state}, partition ${missing.partition},`
      : 'shuffle' in missing
      ? `The output of map partition ${missing.mapPartition} for shuffle ${missing.shuffle}`
      : `The persisted partition ${missing.partition} of RDD ${missing.rdd}`;
    super('BlockMissing', `${what} is no longer held. It is computed again.`, { cause, details: { ...missing } });
    this.missing = missing;
  }
}

export type MissingName =
  | { readonly shuffle: ShuffleId; readonly mapPartition: number }
  | { readonly rdd: RddId; readonly partition: number }
  | { readonly state: RddId; readonly partition: number };

/** How a read fails whose bytes are gone: from memory, from the books, or (spilled) from the disk. */
const goneCodes: ReadonlySet<ErrorCode> = new Set(['StaleHandle', 'BlockMissing', 'FileFailed']);

/** Runs a read of an input; where its bytes are gone, throws `MissingInput` with that name. */
export function orMissing<T>(name: () => MissingName, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof MillraceError && goneCodes.has(error.code)) throw new MissingInput(name(), error);
    throw error;
  }
}

/** Errors that our own code throws on a record's behalf: they keep their code, and get the operator where they lack it. */
const recordErrors: ReadonlySet<ErrorCode> = new Set(['InvalidKey', 'NotAPair', 'AsyncRecordFunction', 'RecordNotSerializable', 'RecordTooLarge', 'InvalidArgument', 'InvalidStateCall', 'InverseWindowInconsistent']);
/** Errors that have nothing to do with a record: they pass as they are. */
const passingErrors: ReadonlySet<ErrorCode> = new Set(['UserFunctionFailed', 'TaskCancelled', 'BlockMemoryExhausted', 'BlockMissing', 'StaleHandle', 'FileFailed', 'FileExists']);

/** Stands for the record where a function works on a whole partition, or the failure is of many records. */
export const noRecord = Symbol('no record');

/** What is to be thrown for `thrown`, which came out of `operator` while it had `record`. */
export function taskFailure(thrown: unknown, operator: OperatorPlace | null, record: unknown, context: TaskContext): Error {
  if (thrown instanceof MillraceError) {
    if (passingErrors.has(thrown.code) || thrown.details['operator'] !== undefined) return thrown;
    if (recordErrors.has(thrown.code)) {
      return new MillraceError(thrown.code, `${thrown.message} (${whereOf(operator, context)}${record === noRecord ? '' : `, record ${previewOf(record)}`})`, {
        ...(thrown.cause === undefined ? {} : { cause: thrown.cause }),
        details: { ...thrown.details, ...detailsOf(operator, context), ...recordDetails(record) },
      });
    }
  }
  const reason = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : previewOf(thrown);
  return new MillraceError('UserFunctionFailed', `The function of ${whereOf(operator, context)} threw${record === noRecord ? '' : ` on record ${previewOf(record)}`}: ${reason}`, {
    cause: thrown,
    details: { ...detailsOf(operator, context), ...recordDetails(record) },
  });
}

/** The error for a function on records that gave a promise; the promise's own failure is heard here, not as an unhandled rejection. */
export function asyncFailure(result: unknown, operator: OperatorPlace | null, context: TaskContext): MillraceError {
  const then = (result as { then?: unknown }).then;
  if (typeof then === 'function') then.call(result, undefined, () => undefined);
  return new MillraceError(
    'AsyncRecordFunction',
    `The function of ${whereOf(operator, context)} must return its result, but returned ${typeof then === 'function' ? 'a promise' : 'an async iterable'}. `
      + 'Return the value itself; for async work use foreachPartition.',
    { details: detailsOf(operator, context) },
  );
}

export function notAPairFailure(record: unknown, operator: OperatorPlace | null, context: TaskContext): MillraceError {
  return new MillraceError(
    'NotAPair',
    `${whereOf(operator, context)} expected a pair [key, value], but came upon ${previewOf(record)}. Map the records to [key, value] first.`,
    { details: { ...detailsOf(operator, context), record: previewOf(record) } },
  );
}

/** The error for a function that must return an iterable and returned something else. */
export function notIterableFailure(result: unknown, operator: OperatorPlace | null, context: TaskContext): MillraceError {
  return new MillraceError(
    'InvalidArgument',
    `The function of ${whereOf(operator, context)} must return an array or another iterable, but returned ${previewOf(result)}. Return [] for no records.`,
    { details: { ...detailsOf(operator, context), result: previewOf(result) } },
  );
}

/** True for what an async function, or an async generator, returns. */
export function isAsyncResult(result: unknown): boolean {
  if (result === null || (typeof result !== 'object' && typeof result !== 'function')) return false;
  if (typeof (result as { then?: unknown }).then === 'function') return true;
  return Symbol.asyncIterator in result && !(Symbol.iterator in result);
}

/** `flatMap at word-count.ts:3:5, batch 1000, partition 2, attempt 0`. */
function whereOf(operator: OperatorPlace | null, context: TaskContext): string {
  const name = operator === null ? 'an operator' : operator.place === '' ? operator.name : `${operator.name} at ${operator.place}`;
  const batch = context.batchTime === null ? '' : `, batch ${context.batchTime}`;
  return `${name}${batch}, partition ${context.partition}, attempt ${context.attempt}`;
}

function recordDetails(record: unknown): Record<string, unknown> {
  return record === noRecord ? {} : { record: previewOf(record) };
}

function detailsOf(operator: OperatorPlace | null, context: TaskContext): Record<string, unknown> {
  return {
    operator: operator?.uid ?? '',
    name: operator?.name ?? '',
    place: operator?.place ?? '',
    batchTime: context.batchTime,
    partition: context.partition,
    attempt: context.attempt,
    stage: context.stageId,
  };
}
