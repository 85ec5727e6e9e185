/**
 * How a source says that records could not be encoded, or were too large.
 *
 * Invariant: one event for a cut, however many records could not be encoded in it: a receiver that stores nothing else can't
 * flood the tracker. One that is too large for the memory is told by itself.
 */
import { MillraceError, toWireError } from '../../protocol/errors.ts';
import type { Emit } from './source.ts';

export function reportRefused(emit: Emit): (records: number, first: unknown) => void {
  return (records, first) => {
    if (first instanceof MillraceError && first.code === 'RecordTooLarge') {
      emit({ type: 'reported', message: first.message, error: toWireError(first) });
      return;
    }
    const said = first instanceof Error ? first.message : String(first);
    const error = new MillraceError('RecordNotSerializable', `${records} received ${records === 1 ? 'record' : 'records'} could not be encoded and ${records === 1 ? 'was' : 'were'} left out; the stream goes on. The first: ${said}`, { cause: first, details: { records } });
    emit({ type: 'reported', message: error.message, error: toWireError(error) });
  };
}
