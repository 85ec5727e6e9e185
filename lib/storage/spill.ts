/**
 * A block's bytes, copied from shared memory into a file.
 *
 * Invariant: afterwards the file holds all of them, or there is no such file. The memory stays as it is.
 */
import type { SharedHandle } from '../../protocol/rdd.ts';
import type { SyncFiles } from './node-files.ts';
import type { SlabPool } from './slab-pool.ts';

/** Throws StaleHandle, FileFailed. */
export function spill(pool: SlabPool, files: SyncFiles, place: SharedHandle, file: string): void {
  try {
    files.writeScratch(file, pool.view(place));
    // Given back meanwhile, what was written may be of the slab's next user.
    pool.view(place);
  } catch (thrown) {
    files.remove([file]);
    throw thrown;
  }
}
