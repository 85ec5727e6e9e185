/**
 * A table of keys by value: key -> slot, where slots are 0, 1, 2, ... in the order of insertion.
 *
 * Invariant: `find(key)` is the slot of the first key that was put in and is equal to `key`. A composite key (array, Date, typed array)
 * goes by its text, and the first such object stays the key.
 *
 *   'to', 7        --> packed: key as two numbers -> slot ----------------.
 *   'a long word', 0.5, null  -----> primitives: Map key  -> slot --------->--> keys[slot], values[slot]
 *   [2026, 'de'] --> 'a2:n2026;s2:de' --> texts: Map text -> slot --------'
 *
 * A table that is made of lists has their primitive keys in an index of its own (slot-index.ts) where one of them can't be packed, and in the others
 * what comes later.
 *
 * A Map of V8 ends at 2^24 entries, so each side is a chain of Maps: a full one is kept for reading, and a new one is filled.
 */
import { invalidKey, keyTextOf } from './key-kind.ts';
import { absent, mayBePacked, PackedIndex } from './packed-index.ts';
import { SlotIndex } from './slot-index.ts';

export class KeyTable<V> {
  /** By slot. Read only for others. */
  readonly keys: unknown[];
  /** By slot: set by the user of the table, for each new slot. */
  readonly values: V[];
  readonly #packed: PackedIndex;
  readonly #primitives: SlotMap;
  readonly #texts: SlotMap;

  /** `mapEntriesMax`: entries of one native Map, `placesMax`: places of keys that are packed; a test makes them small. */
  constructor(mapEntriesMax = 1 << 23, keys: unknown[] = [], values: V[] = [], placesMax?: number) {
    this.keys = keys;
    this.values = values;
    this.#packed = new PackedIndex((slot) => this.#primitives.add(this.keys[slot], slot), keys.length, placesMax);
    this.#primitives = new SlotMap(mapEntriesMax);
    this.#texts = new SlotMap(mapEntriesMax);
  }

  /** Of keys that are different, each at the slot of its place. The lists become the table's own. */
  static of<V>(keys: unknown[], values: V[]): KeyTable<V> {
    const table = new KeyTable<V>(undefined, keys, values);
    if (keys.every(mayBePacked)) {
      for (let slot = 0; slot < keys.length; slot += 1) table.#addPrimitive(keys[slot], slot);
      return table;
    }
    const index = new SlotIndex(keys);
    for (const slot of index.refused) {
      const key = keys[slot];
      if (typeof key === 'object' && key !== null) table.#texts.add(keyTextOf(key), slot);
      else table.#primitives.add(key, slot);
    }
    table.#primitives.index = index;
    return table;
  }

  get size(): number {
    return this.keys.length;
  }

  /** The key's slot, or -1. Throws `InvalidKey`. */
  find(key: unknown): number {
    if (typeof key === 'string' || typeof key === 'number') {
      const slot = this.#packed.find(key);
      return slot >= 0 ? slot : this.#findUnpacked(key, slot);
    }
    if (typeof key === 'object' && key !== null) return this.#texts.get(keyTextOf(key));
    const slot = this.#primitives.get(key);
    if (slot < 0) checkPrimitive(key);
    return slot;
  }

  /** The key's slot, a new one where it has none. Throws `InvalidKey`. */
  slotOf(key: unknown): number {
    if (typeof key === 'object' && key !== null) {
      const text = keyTextOf(key);
      const known = this.#texts.get(text);
      if (known >= 0) return known;
      this.#texts.add(text, this.keys.length);
    } else {
      const known = this.find(key);
      if (known >= 0) return known;
      this.#addPrimitive(key, this.keys.length);
    }
    return this.keys.push(key) - 1;
  }

  // Removing, for tables that live on: a removed key leaves its slot behind, and gets a new one where it comes again.

  /** The key at the slot can no longer be found. Its slot stays. */
  remove(slot: number): void {
    const key = this.keys[slot];
    if (typeof key === 'object' && key !== null) this.#texts.delete(keyTextOf(key));
    else if (!mayBePacked(key) || !this.#packed.remove(key)) this.#primitives.delete(key);
  }

  /** A removed key is found at its old slot again. It must have no other. */
  restore(slot: number): void {
    const key = this.keys[slot];
    if (typeof key === 'object' && key !== null) this.#texts.add(keyTextOf(key), slot);
    else if (!this.#primitives.restore(key, slot)) this.#addPrimitive(key, slot);
  }

  /** `found`: what the index of packed keys has said. */
  #findUnpacked(key: string | number, found: number): number {
    if (found !== absent) return this.#primitives.get(key);
    const { index } = this.#primitives;
    return index === null ? -1 : index.get(key);
  }

  #addPrimitive(key: unknown, slot: number): void {
    if (!mayBePacked(key) || !this.#packed.add(key, slot)) this.#primitives.add(key, slot);
  }
}

/** A chain of native Maps from an entry to its slot, and behind it an index over those that were there from the beginning. */
class SlotMap {
  index: SlotIndex | null = null;
  readonly #entriesMax: number;
  #filling = new Map<unknown, number>();
  #full: Map<unknown, number>[] = [];

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  get(entry: unknown): number {
    const slot = this.#filling.get(entry);
    if (slot !== undefined) return slot;
    const later = this.#full.length === 0 ? -1 : this.#findInFull(entry);
    return later >= 0 || this.index === null ? later : this.index.get(entry);
  }

  /** The entry must be new, or have been removed. */
  add(entry: unknown, slot: number): void {
    if (this.#filling.size >= this.#entriesMax) {
      this.#full.push(this.#filling);
      this.#filling = new Map();
    }
    this.#filling.set(entry, slot);
  }

  /** Where it was before it was deleted. False: that was in a Map, or never. */
  restore(entry: unknown, slot: number): boolean {
    return this.index !== null && this.index.restore(entry, slot);
  }

  delete(entry: unknown): void {
    if (this.#filling.delete(entry)) return;
    for (const map of this.#full) if (map.delete(entry)) return;
    this.index?.remove(entry);
  }

  #findInFull(entry: unknown): number {
    for (const map of this.#full) {
      const slot = map.get(entry);
      if (slot !== undefined) return slot;
    }
    return -1;
  }
}

function checkPrimitive(key: unknown): void {
  if (typeof key === 'function' || typeof key === 'symbol') throw invalidKey(key);
}
