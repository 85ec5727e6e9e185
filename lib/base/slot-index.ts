/**
 * An index over many primitive keys at once: key -> slot, in typed memory. For tables that are put together from bytes.
 *
 * A native Map takes longest of all that is to be done for a restored state: it moves all entries at each doubling, and the garbage collector looks at
 * them again and again. Here a key is two numbers, in memory whose size is known before, and nothing that is collected.
 *
 *   hashes   by slot
 *   places   slot + 1     0: nobody has been here; below 0: its key was removed
 *            ...          a key is at the place that its hash says, or a few behind it
 *
 * Invariant: a key that has no place within `probesMax` of its own is refused, so that no choice of keys makes a look-up long: the table puts
 * it into its Map.
 */
import { keyHash } from './key.ts';

const probesMax = 32;

export class SlotIndex {
  /** Slots of keys that are not in here: there was no place for them, or they are no primitives. */
  readonly refused: readonly number[];
  /** By slot. The table's own, which goes on growing. */
  readonly #keys: readonly unknown[];
  readonly #hashes: Int32Array;
  readonly #places: Int32Array;
  readonly #mask: number;

  /** `keys`: all different. `placesMin`: a test makes it small. */
  constructor(keys: readonly unknown[], placesMin = 2 * keys.length) {
    this.#keys = keys;
    // Half of the places at least stay free.
    this.#places = new Int32Array(2 ** Math.ceil(Math.log2(placesMin + 2)));
    this.#mask = this.#places.length - 1;
    this.#hashes = new Int32Array(keys.length);
    const refused: number[] = [];
    for (let slot = 0; slot < keys.length; slot += 1) {
      const key = keys[slot];
      if (typeof key === 'object' && key !== null) refused.push(slot);
      else this.#hashes[slot] = keyHash(key);
    }
    this.#fill(refused, refused.length > 0);
    this.refused = refused;
  }

  /** The key's slot, or -1. Throws `InvalidKey`. */
  get(key: unknown): number {
    const at = this.#placeOf(key);
    return at < 0 ? -1 : Math.max(-1, (this.#places[at] as number) - 1);
  }

  /** The key is not found any more. False: it is not here. */
  remove(key: unknown): boolean {
    const at = this.#placeOf(key);
    if (at < 0) return false;
    this.#places[at] = -Math.abs(this.#places[at] as number);
    return true;
  }

  /** A key that was removed is found at its old slot again. False: that is none of those here. */
  restore(key: unknown, slot: number): boolean {
    const at = this.#placeOf(key);
    if (at < 0 || Math.abs(this.#places[at] as number) - 1 !== slot) return false;
    this.#places[at] = slot + 1;
    return true;
  }

  /** A loop of its own behind that of the hashes: what it does next depends on nothing it waits for, so the processor fetches many places at a time. */
  #fill(refused: number[], hasComposites: boolean): void {
    const [places, hashes, mask, keys] = [this.#places, this.#hashes, this.#mask, this.#keys];
    for (let slot = 0; slot < hashes.length; slot += 1) {
      if (hasComposites && typeof keys[slot] === 'object' && keys[slot] !== null) continue;
      let at = (hashes[slot] as number) & mask;
      let probe = 1;
      for (; places[at] !== 0 && probe < probesMax; probe += 1) at = (at + 1) & mask;
      if (places[at] === 0) places[at] = slot + 1;
      else refused.push(slot);
    }
  }

  /** Where the key's slot stands, whether it was removed or not; -1: nowhere. */
  #placeOf(key: unknown): number {
    const places = this.#places;
    const hash = keyHash(key) | 0;
    for (let probe = 0; probe < probesMax; probe += 1) {
      const at = (hash + probe) & this.#mask;
      const entry = places[at] as number;
      if (entry === 0) return -1;
      const slot = Math.abs(entry) - 1;
      if (this.#hashes[slot] !== hash) continue;
      const known = this.#keys[slot];
      // NaN is a key, too.
      if (known === key || (key !== key && known !== known)) return at;
    }
    return -1;
  }
}
