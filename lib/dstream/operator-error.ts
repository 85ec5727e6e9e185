/**
 * What goes wrong while a batch's RDDs are made, with the operator that did it.
 *
 * Invariant: an error is wrapped once, by the operator nearest to its cause, and keeps its code; what a user's own function
 * threw becomes UserFunctionFailed with the thrown value as its cause.
 */
import { MillraceError } from '../../protocol/errors.ts';
import type { OperatorPlace } from '../../protocol/rdd.ts';
import type { BatchTime } from '../../protocol/time.ts';

export function operatorError(thrown: unknown, operator: OperatorPlace, time: BatchTime): MillraceError {
  if (thrown instanceof MillraceError && 'operator' in thrown.details) return thrown;
  const details = { operator: operator.uid, name: operator.name, place: operator.place, batchTime: time };
  const where = operator.place === '' ? operator.name : `${operator.name} at ${operator.place}`;
  if (thrown instanceof MillraceError) {
    return new MillraceError(thrown.code, `${thrown.message} (${where}, batch ${time} ms)`, { cause: thrown, details: { ...thrown.details, ...details } });
  }
  const said = thrown instanceof Error ? thrown.message : String(thrown);
  return new MillraceError('UserFunctionFailed', `The function given to ${where} threw for the batch at ${time} ms: ${said}`, { cause: thrown, details });
}
