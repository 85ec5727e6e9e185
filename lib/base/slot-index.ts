/**
 * An index over many primitive keys at once: key -> slot, in typed memory. For tables that are put together from bytes.
 *
 * A native Map takes longest of all that is to be done for a restored state: it moves all entries at each doubling, and the garbage collector looks at
 * them again and again. Here a key is two numbers, in one piece of memory whose size is known before, and nothing that is collected.
 *
 *   places   hash | slot + 1     0: nobody has been here; below 0: its key was removed
 *            ...                 a key is at the place that its hash says, or a few behind it
 *
 * Invariant: a key that has no place within `probesMax` of its own is refused, so that no choice of keys makes a look-up long: the table puts
 * it into its Map.
 */
import { keyHash } from './key.ts';

const probesMax = 32;

export class SlotIndex {
  /** By slot. The table's own. */
  readonly #keys: readonly unknown[];
  readonly #places: Int32Array;
  readonly #mask: number;

  /** For so many keys. */
  constructor(keys: readonly unknown[], count: number) {
    // Half of the places at least stay free.
    const places = 2 ** Math.ceil(Math.log2(2 * count + 2));
    this.#keys = keys;
    this.#mask = places - 1;
    this.#places = new Int32Array(2 * places);
  }

  /** The key of the slot must be primitive, and in no other slot. False: there is no place for it. */
  add(slot: number): boolean {
    const places = this.#places;
    const hash = keyHash(this.#keys[slot]) | 0;
    for (let probe = 0; probe < probesMax; probe += 1) {
      const at = ((hash + probe) & this.#mask) << 1;
      if (places[at + 1] !== 0) continue;
      places[at] = hash;
      places[at + 1] = slot + 1;
      return true;
    }
    return false;
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

  /** Where the key's slot stands, whether it was removed or not; -1: nowhere. */
  #placeOf(key: unknown): number {
    const places = this.#places;
    const hash = keyHash(key) | 0;
    for (let probe = 0; probe < probesMax; probe += 1) {
      const at = ((hash + probe) & this.#mask) << 1;
      const entry = places[at + 1] as number;
      if (entry === 0) return -1;
      if (places[at] !== hash) continue;
      const known = this.#keys[Math.abs(entry) - 1];
      // NaN is a key, too.
      if (known === key || (key !== key && known !== known)) return at + 1;
    }
    return -1;
  }
}
