/**
 * A bit that the disk has changed while nothing ran.
 *
 * Invariant: it lies where it can be told from a write that did not come to its end: in a checkpoint, or in a segment of a log
 * that is not the last of it.
 */
import type { Prng } from '../../lib/base/prng.ts';
import type { SimulatedDisk } from '../../lib/storage/simulated-disk.ts';

export interface Damage {
  readonly text: string;
  /** As it was before, where nobody has replaced it meanwhile. */
  mend(): void;
}

/** Null: there is nothing yet that could be damaged. */
export function damageOne(disk: SimulatedDisk, prng: Prng): Damage | null {
  const files = disk.filesBelow('').filter((path) => path.startsWith('/checkpoints/') && !path.endsWith('.writing'));
  const logs = ['/checkpoints/log/', '/checkpoints/state/'].flatMap((folder) => files.filter((path) => path.startsWith(folder)).slice(0, -1));
  const candidates = [...files.filter((path) => path.startsWith('/checkpoints/checkpoint-')), ...logs].filter((path) => disk.files.size(path) > 0);
  if (candidates.length === 0) return null;
  const path = prng.pick(candidates);
  const offset = prng.int(disk.files.size(path));
  const bit = prng.int(8);
  disk.flipBit(path, offset, bit);
  const bytes = (): Buffer => Buffer.from(disk.files.readRange(path, 0, disk.files.size(path)));
  const damaged = bytes();
  return {
    text: `bit ${bit} of byte ${offset} of ${path} changed`,
    mend() {
      if (disk.filesBelow('').includes(path) && bytes().equals(damaged)) disk.flipBit(path, offset, bit);
    },
  };
}
