/**
 * What the end of a connection means to a receiver, in words and as an event.
 *
 * Invariant: an end that the other side made in good order is `closed`; anything else is `failed`, with its cause.
 */
import { clauseOf, MillraceError, toWireError } from '../../protocol/errors.ts';
import type { SourceEvent } from '../../protocol/receiver.ts';

export function connectionEnd(host: string, port: number, error: Error | null): SourceEvent {
  if (error === null) return { type: 'closed', message: `${host}:${port} has closed the connection` };
  const failure = new MillraceError('ConnectionFailed', `Expected a connection to ${host}:${port}; got ${clauseOf(error)}. It is tried again with back-off.`, {
    cause: error,
    details: { host, port },
  });
  return { type: 'failed', message: failure.message, error: toWireError(failure) };
}
