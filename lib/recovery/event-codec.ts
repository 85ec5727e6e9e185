/**
 * Events as bodies of the log's frames.
 *
 *   event                    blockAdded                                state
 *   ├─ event, encoded ─┤     ├─ 4: bytes ─┼─ event, encoded ─┼─ data ─┤     ├─ bytes of one part of a step ─┤
 *
 * Invariant: the types' numbers and the form of their bodies never change; a new form is a new type.
 */
import { decodeRecord, encodeRecord } from '../../protocol/codec.ts';
import { MillraceError } from '../../protocol/errors.ts';
import type { RecoveryEvent } from '../../protocol/recovery.ts';

/** Of frames. 0 is the log's own. */
export const frameTypes = { event: 1, block: 2, state: 3 } as const;

const lengthBytes = 4;

export function encodeEvent(event: Exclude<RecoveryEvent, { type: 'blockAdded' }>): Uint8Array[] {
  return [encodeRecord(event)];
}

/** The data as it lies in memory: it is not copied. `dataOffset`: where it begins in the body. */
export function encodeBlock(event: Extract<RecoveryEvent, { type: 'blockAdded' }>, data: Uint8Array): { readonly parts: Uint8Array[]; readonly dataOffset: number } {
  const encoded = encodeRecord(event);
  const length = new Uint8Array(lengthBytes);
  new DataView(length.buffer).setUint32(0, encoded.length, true);
  return { parts: [length, encoded, data], dataOffset: lengthBytes + encoded.length };
}

export interface DecodedEvent {
  readonly event: RecoveryEvent;
  /** Where its data begins in the body, for those that have any. */
  readonly dataOffset: number | null;
}

/** Null: a frame that is no event. Throws FormatUnknown. */
export function decodeEvent(type: number, body: Uint8Array): DecodedEvent | null {
  switch (type) {
    case frameTypes.event:
      return { event: decodeRecord(body) as RecoveryEvent, dataOffset: null };
    case frameTypes.block: {
      const dataOffset = lengthBytes + new DataView(body.buffer, body.byteOffset).getUint32(0, true);
      return { event: decodeRecord(body.subarray(lengthBytes, dataOffset)) as RecoveryEvent, dataOffset };
    }
    case frameTypes.state:
      return null;
    default:
      throw new MillraceError('FormatUnknown', `Expected a frame of the log to be of type 1 to 3; got type ${type}. Use the release that wrote it, or a newer one.`, { details: { type } });
  }
}
