/**
 * The checksum of everything durable: CRC-32C (Castagnoli), as iSCSI, ext4 and LevelDB have it. Check value: `crc32c("123456789")` is 0xe3069283.
 *
 * Invariant: this is the only file that knows @node-rs/crc32. Checksums of formats on disk never change.
 */
import { crc32c as crc32cOf } from '@node-rs/crc32';

/** Of the parts as if they were one, going on from `state`, a checksum itself. Views of shared memory are read where they lie. */
export function crc32c(parts: readonly Uint8Array[], state = 0): number {
  let crc = state;
  for (const part of parts) crc = crc32cOf(part, crc);
  return crc;
}
