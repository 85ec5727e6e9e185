/**
 * An index key -> slot for keys that two numbers can stand for: int32s, and strings of at most eight characters of Latin-1.
 *
 * A native Map has to hash each string that was just made, and goes from its bucket to an entry, from there to the key, and compares it by a call:
 * memory that lies apart each time. Here all of it is in one place of 16 bytes.
 *
 *   'spark'  -->  | 's' 'p' 'a' 'r' |      'k'        | length 5 | slot + 1 |
 *   -7       -->  |       -7        |       0         |   none   | slot + 1 |      slot + 1 is 0: nobody has been here; below 0: the key was removed
 *
 *   a key is at the place that its hash says, or a few behind it
 *
 * Invariant: a place keeps its key until all places are laid out anew, so the way to a key is never broken. A key that has no place within `probesMax`
 * of its own is refused, so that no choice of keys makes a look-up long; so is any when there are as many places as there may be. Who is refused,
 * or is no such key, is to be looked for `elsewhere`.
 */
const probesMax = 128;
const placesAtFirst = 64;
const placesMaxDefault = 1 << 25;
const charactersMax = 8;
const latin1Max = 0xff;
/** In the place of a length. */
const integer = charactersMax + 1;

/** A place has 1 << fieldBits numbers: the key's first, then these. */
const fieldBits = 2;
const secondField = 1;
const kindField = 2;
const slotField = 3;

/** Where a look-up ended that came to no place: the key is none of those that may be here; all of its places are taken. */
const nowhere = -1;
const noRoom = -2;

/** The key is not here. */
export const absent = -1;
/** The key may be known to whoever keeps those that are refused. */
export const elsewhere = -2;

/** False: a key of that kind or length is never here. */
export function mayBePacked(key: unknown): key is string | number {
  return typeof key === 'string' ? key.length <= charactersMax : typeof key === 'number' && (key | 0) === key;
}

export class PackedIndex {
  readonly #refused: (slot: number) => void;
  readonly #placesMax: number;
  #places: Int32Array;
  #mask: number;
  /** Places that are taken, those of removed keys too. At most half of all. */
  #taken = 0;
  #removed = 0;
  /** What a look-up says that comes to a free place. */
  #missing: typeof absent | typeof elsewhere = absent;
  // What the last look-up has found out, for who changes something: where it ended, and with what.
  #at = nowhere;
  #first = 0;
  #second = 0;
  #kind = 0;

  /** `refused`: a key that was here has found no place any more. `keys`: how many will come. `placesMax`: a test makes it small. */
  constructor(refused: (slot: number) => void, keys = 0, placesMax = placesMaxDefault) {
    this.#refused = refused;
    this.#placesMax = placesMax;
    const places = Math.min(placesMax, Math.max(placesAtFirst, powerOf2(2 * keys)));
    this.#places = new Int32Array(places << fieldBits);
    this.#mask = places - 1;
  }

  /** The key's slot, `absent`, or `elsewhere`. */
  find(key: string | number): number {
    let first = 0;
    let second = 0;
    let kind = integer;
    this.#at = nowhere;
    if (typeof key === 'string') {
      kind = key.length;
      if (kind > charactersMax) return elsewhere;
      let all = 0;
      let index = 0;
      for (const end = kind < 4 ? kind : 4; index < end; index += 1) {
        const code = key.charCodeAt(index);
        all |= code;
        first = (first << 8) | code;
      }
      for (; index < kind; index += 1) {
        const code = key.charCodeAt(index);
        all |= code;
        second = (second << 8) | code;
      }
      if (all > latin1Max) return elsewhere;
    } else {
      first = key | 0;
      // -0 is 0, as it is for a Map.
      if (first !== key) return elsewhere;
    }
    const places = this.#places;
    const mask = this.#mask;
    const hash = hashOf(first, second);
    for (let probe = 0; probe < probesMax; probe += 1) {
      const at = ((hash + probe) & mask) << fieldBits;
      const entry = places[at + slotField]!;
      if (entry === 0) {
        this.#at = at;
        this.#first = first;
        this.#second = second;
        this.#kind = kind;
        return this.#missing;
      }
      if (places[at] !== first || places[at + secondField] !== second || places[at + kindField] !== kind) continue;
      this.#at = at;
      return entry > 0 ? entry - 1 : this.#missing;
    }
    this.#at = noRoom;
    return elsewhere;
  }

  /** For a key that is nowhere, or was removed. False: it is refused. */
  add(key: string | number, slot: number): boolean {
    this.find(key);
    if (this.#at >= 0 && this.#places[this.#at + slotField] === 0 && 2 * (this.#taken + 1) > this.#mask + 1) {
      if (!this.#layOutAnew()) this.#at = noRoom;
      else this.find(key);
    }
    const at = this.#at;
    if (at === noRoom) this.#missing = elsewhere;
    if (at < 0) return false;
    const places = this.#places;
    if (places[at + slotField] !== 0) {
      this.#removed -= 1;
    } else {
      this.#taken += 1;
      places[at] = this.#first;
      places[at + secondField] = this.#second;
      places[at + kindField] = this.#kind;
    }
    places[at + slotField] = slot + 1;
    return true;
  }

  /** The key is not found any more. False: it is not here. */
  remove(key: string | number): boolean {
    const slot = this.find(key);
    if (slot < 0) return false;
    this.#places[this.#at + slotField] = -(slot + 1);
    this.#removed += 1;
    return true;
  }

  /** Room for more keys, without what was removed. False: there are as many places as there may be. */
  #layOutAnew(): boolean {
    const live = this.#taken - this.#removed;
    const count = Math.min(this.#placesMax, powerOf2(3 * (live + 1)));
    if (2 * (live + 1) > count) return false;
    const before = this.#places;
    const places = new Int32Array(count << fieldBits);
    this.#places = places;
    this.#mask = count - 1;
    this.#taken = 0;
    this.#removed = 0;
    for (let from = 0; from < before.length; from += 1 << fieldBits) {
      const entry = before[from + slotField]!;
      if (entry <= 0) continue;
      const at = this.#freePlace(hashOf(before[from]!, before[from + secondField]!));
      if (at === noRoom) {
        this.#missing = elsewhere;
        this.#refused(entry - 1);
        continue;
      }
      this.#taken += 1;
      places[at] = before[from]!;
      places[at + secondField] = before[from + secondField]!;
      places[at + kindField] = before[from + kindField]!;
      places[at + slotField] = entry;
    }
    return true;
  }

  #freePlace(hash: number): number {
    for (let probe = 0; probe < probesMax; probe += 1) {
      const at = ((hash + probe) & this.#mask) << fieldBits;
      if (this.#places[at + slotField] === 0) return at;
    }
    return noRoom;
  }
}

function hashOf(first: number, second: number): number {
  const hash = Math.imul(Math.imul(first, 0x9e3779b1) ^ second, 0x85ebca6b);
  return hash ^ (hash >>> 15);
}

function powerOf2(least: number): number {
  return 2 ** Math.ceil(Math.log2(least + 2));
}
