/**
 * Bytes copied from shared memory into a file, one place after another.
 *
 * Invariant: afterwards the file holds all of them, or there is no such file. The memory stays as it is.
 */
import type { SharedHandle } from '../../protocol/rdd.ts';
import type { SyncFiles } from './node-files.ts';
import type { SlabPool } from './slab-pool.ts';

/** Throws StaleHandle, FileFailed. */
export function spill(pool: SlabPool, files: SyncFiles, places: readonly SharedHandle[], file: string): void {
  try {
    files.writeScratch(file, bytesOf(pool, places));
    // Given back meanwhile, what was written may be of the slab's next user.
    for (const place of places) pool.view(place);
  } catch (thrown) {
    files.remove([file]);
    throw thrown;
  }
}

/** Where each of the places lies in the file. */
export function placesInFile(places: readonly SharedHandle[], file: string): { readonly file: string; readonly offset: number; readonly bytes: number }[] {
  let offset = 0;
  return places.map(({ bytes }) => {
    const place = { file, offset, bytes };
    offset += bytes;
    return place;
  });
}

function bytesOf(pool: SlabPool, places: readonly SharedHandle[]): Uint8Array {
  if (places.length === 1) return pool.view(places[0] as SharedHandle);
  const all = new Uint8Array(places.reduce((sum, { bytes }) => sum + bytes, 0));
  for (const [index, { offset, bytes }] of placesInFile(places, '').entries()) all.set(pool.view(places[index] as SharedHandle).subarray(0, bytes), offset);
  return all;
}
