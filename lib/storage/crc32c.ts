/**
 * The checksum of everything durable: CRC-32C (Castagnoli), as iSCSI, ext4 and LevelDB have it. Check value: `crc32c("123456789")` is 0xe3069283.
 *
 * Invariant: this is the only file that knows @node-rs/crc32. Checksums of formats on disk never change.
 */
import { createRequire } from 'node:module';

/** Native code: loaded with the first checksum, since most threads never make one. */
let crc32cOf: typeof import('@node-rs/crc32').crc32c | null = null;

/** Of the parts as if they were one, going on from `state`, a checksum itself. Views of shared memory are read where they lie. */
export function crc32c(parts: readonly Uint8Array[], state = 0): number {
  crc32cOf ??= (createRequire(import.meta.url)('@node-rs/crc32') as typeof import('@node-rs/crc32')).crc32c;
  let crc = state;
  for (const part of parts) crc = crc32cOf(part, crc);
  return crc;
}
