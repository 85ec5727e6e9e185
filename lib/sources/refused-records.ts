/**
 * How a source says that records could not be encoded.
 *
 * Invariant: one event for a cut, however many records were refused in it: a receiver that stores nothing else can't flood
 * the tracker.
 */
import { MillraceError, toWireError } from '../../protocol/errors.ts';
import type { Emit } from './source.ts';

export function reportRefused(emit: Emit): (records: number, first: unknown) => void {
  return (records, first) => {
    const said = first instanceof Error ? first.message : String(first);
    const error = new MillraceError('RecordNotSerializable', `${records} received ${records === 1 ? 'record' : 'records'} could not be encoded and ${records === 1 ? 'was' : 'were'} left out; the stream goes on. The first: ${said}`, { cause: first, details: { records } });
    emit({ type: 'reported', message: error.message, error: toWireError(error) });
  };
}
