/**
 * Stored blocks made smaller: raw deflate at its quickest, Node's own.
 *
 * Invariant: what `inflate` gives is what `deflate` was given. Quickest, since it is done for each partition that is stored and
 * again for each time it is read.
 */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { clauseOf, MillraceError } from '../../protocol/errors.ts';

export function deflate(bytes: Uint8Array): Uint8Array {
  return deflateRawSync(bytes, { level: constants.Z_BEST_SPEED });
}

/** Throws RecordsUnreadable. */
export function inflate(bytes: Uint8Array): Uint8Array {
  try {
    return inflateRawSync(bytes);
  } catch (cause) {
    throw new MillraceError('RecordsUnreadable', `Expected ${bytes.length} bytes of a compressed block; they can't be inflated: ${clauseOf(cause)}.`, { cause });
  }
}
