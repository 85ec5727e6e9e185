/**
 * Which input of the program a receiver is of, in words and in the details of its errors.
 *
 * Invariant: pure. A receiver knows its stream's number only; what the user knows it by is added here.
 */
import type { WireError } from '../protocol/errors.ts';
import type { ReceiverOf } from '../protocol/listener.ts';
import type { OperatorPlace } from '../protocol/rdd.ts';

export function nameOf({ stream, operator }: ReceiverOf): string {
  if (operator === null) return `stream ${stream}`;
  return `stream ${stream}, ${operator.place === '' ? operator.name : `${operator.name} at ${operator.place}`}`;
}

/** Which operator it is of, the error's details say from here on. */
export function withInput(error: WireError, operator: OperatorPlace | null): WireError {
  if (operator === null || error.name !== 'MillraceError') return error;
  const { details } = error.fields;
  const given = typeof details === 'object' && details !== null ? details : {};
  return { ...error, fields: { ...error.fields, details: { operator: operator.uid, name: operator.name, place: operator.place, ...given } } };
}
