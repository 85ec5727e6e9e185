/**
 * Lines as bytes, cut into words: ids of a thread's dictionary, in the order of the text.
 *
 *   bytes   to be or\nnot to be\n
 *   ids     0  1  2   3   0  1          words: to be or not
 *
 * Where all that ends a word is no greater than a space, four bytes are looked at in one step: what is as small as that is found by one subtraction.
 *
 *   bytes       w  0  1  7          less 0x21 each, where the byte was below 0x80:
 *   top bits    0  0  0  0          no end among them: all four belong to the word
 *   bytes       3  _  w  0
 *   top bits    0  1  ?  ?          the lowest bit says where the first end is; those above it may be wrong, and are not looked at
 *
 * Invariant: a text is cut as a whole, however many portions it takes, and each portion has a bound. Texts end with a line end, so the scan needs no
 * other bound than what it looks for. Both scans make the same of a word: its first eight bytes as two numbers, its length, its hash.
 */
import { grown } from '../../base/grown.ts';
import { carriageReturn } from './cut.ts';
import type { Cut } from './cut.ts';
import type { WordDictionary } from './word-dictionary.ts';
import { placeField, placeShift, textOfBytes, unicodeSpace } from './word-dictionary.ts';

/** Words in a portion, beyond those of one run of bytes: it bounds what a thread keeps for a huge line. */
export const idsMax = 65_536;
const countsAtFirst = 1_024;
/** In each of four bytes: one more than a space; the top bit. */
const beyondSpaces = 0x21212121;
const topBits = 0x80808080 | 0;

/** Words of a text, as a loop gets them. */
export interface Words {
  /** An id of `words`, or -1 - i for `others[i]`, which the dictionary has not taken. */
  readonly ids: Int32Array;
  readonly count: number;
  readonly words: readonly string[];
  readonly others: readonly string[];
}

/** As the byte table gets them: `ids` has a word of the dictionary only where its count was 0, and an other one at each occurrence. */
export interface CountedWords extends Words {
  /** By id: occurrences since whoever reads them has set them to 0. */
  readonly counts: Int32Array;
  /** Words in the portion, counted ones too. */
  readonly found: number;
}

/** Cuts one text, portion by portion. */
export class Tokenizer implements CountedWords {
  ids: Int32Array = new Int32Array(0);
  count = 0;
  others: string[] = [];
  /** Line ends in the portion. */
  lines = 0;
  found = 0;
  counts: Int32Array = new Int32Array(0);
  readonly #dictionary: WordDictionary;
  readonly #cut: Cut;
  readonly #isCounting: boolean;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #end = 0;
  #at = 0;

  constructor(dictionary: WordDictionary, cut: Cut, isCounting = false) {
    this.#dictionary = dictionary;
    this.#cut = cut;
    this.#isCounting = isCounting;
  }

  get words(): readonly string[] {
    return this.#dictionary.words;
  }

  /** Begins with the bytes from `start` to `end`, the last of which ends a line. */
  begin(bytes: Uint8Array, start: number, end: number): void {
    if (bytes !== this.#bytes) this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#bytes = bytes;
    this.#end = end;
    this.#at = start;
    // Other tasks of this thread may have added words.
    if (this.#isCounting) this.#makeRoomToCount();
    const idsNeeded = Math.min(end - start, idsMax);
    if (this.ids.length < idsNeeded) this.ids = new Int32Array(idsNeeded);
  }

  /** The next words. False: there was no more text. */
  next(): boolean {
    this.count = 0;
    this.lines = 0;
    this.found = 0;
    if (this.others.length > 0) this.others = [];
    if (this.#at >= this.#end) return false;
    this.#fill();
    return true;
  }

  #fill(): void {
    const { classes, lineEnd, stripsReturn, keepsEmpty, isLow } = this.#cut;
    const bytes = this.#bytes;
    const view = this.#view;
    const end = this.#end;
    const dictionary = this.#dictionary;
    const isCounting = this.#isCounting;
    // Locals: what a module imports V8 reads anew each time.
    const shift = placeShift;
    const { nextFour: nextFourAt, length: lengthAt, id: idAt } = placeField;
    // From here on there are fewer than eight bytes to look at, and some may be nobody's.
    const eightsEnd = isLow ? bytes.length - 8 : -1;
    let { ids, counts } = this;
    let { places, tailStarts, tails } = dictionary;
    let mask = (places.length >> shift) - 1;
    let count = 0;
    let found = 0;
    let lines = 0;
    let at = this.#at;
    SCAN: while (at < end && count < ids.length) {
      // The scan packs and hashes on its way, so that bytes are read once.
      const start = at;
      const fourth = start + 4;
      const eighth = start + 8;
      let byte = 0;
      let firstFour = 0;
      let nextFour = 0;
      let isWhole = false;
      if (start <= eightsEnd) {
        firstFour = view.getInt32(start, true);
        let ends = (firstFour - beyondSpaces) & ~firstFour & topBits;
        if (ends !== 0) {
          const bits = 24 - Math.clz32(ends & (0 - ends));
          firstFour &= (1 << bits) - 1;
          at = start + (bits >> 3);
          isWhole = true;
        } else {
          nextFour = view.getInt32(fourth, true);
          ends = (nextFour - beyondSpaces) & ~nextFour & topBits;
          if (ends !== 0) {
            const bits = 24 - Math.clz32(ends & (0 - ends));
            nextFour &= (1 << bits) - 1;
            at = fourth + (bits >> 3);
            isWhole = true;
          } else {
            at = eighth;
          }
        }
        // It may be as low as a space, and end nothing.
        if (isWhole && classes[(byte = bytes[at]!)] === 0) {
          isWhole = false;
          at = start;
          firstFour = 0;
          nextFour = 0;
        }
      }
      if (!isWhole && at < eighth) {
        let bits = 0;
        while (at < fourth && classes[(byte = bytes[at]!)] === 0) {
          firstFour |= byte << bits;
          bits += 8;
          at += 1;
        }
        if (at === fourth) {
          bits = 0;
          while (at < eighth && classes[(byte = bytes[at]!)] === 0) {
            nextFour |= byte << bits;
            bits += 8;
            at += 1;
          }
        }
      }
      let hash = Math.imul(firstFour, 0x9e3779b1);
      if (at >= fourth) {
        hash = Math.imul(hash ^ nextFour, 0x85ebca6b) ^ (hash >>> 15);
        if (at === eighth) {
          while (classes[(byte = bytes[at]!)] === 0) {
            hash = Math.imul(hash ^ byte, 0x01000193);
            at += 1;
          }
        }
      }
      let length = at - start;
      at += 1;
      if (byte === lineEnd) {
        lines += 1;
        if (stripsReturn && length > 0 && bytes[start + length - 1] === carriageReturn) {
          length -= 1;
          [firstFour, nextFour, hash] = packed(bytes, start, length);
        }
      }
      if (length === 0 && !keepsEmpty) continue;
      hash ^= hash >>> 16;
      found += 1;
      let id = -1;
      for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
        const place = slot << shift;
        id = places[place + idAt]! - 1;
        if (id < 0) {
          count += this.#miss(start, length, hash, slot, firstFour, nextFour, count);
          ({ ids, counts } = this);
          ({ places, tailStarts, tails } = dictionary);
          mask = (places.length >> shift) - 1;
          continue SCAN;
        }
        if (places[place] !== firstFour || places[place + nextFourAt] !== nextFour || places[place + lengthAt] !== length) continue;
        if (length > 8) {
          const tail = tailStarts[id]! - 8;
          let index = 8;
          while (index < length && tails[tail + index] === bytes[start + index]) index += 1;
          if (index < length) continue;
        }
        break;
      }
      if (isCounting) {
        const known = counts[id]!;
        counts[id] = known + 1;
        if (known !== 0) continue;
      }
      ids[count] = id;
      count += 1;
    }
    this.#at = at;
    this.count = count;
    this.found = found;
    this.lines = lines;
  }

  /** Puts a word that is not known at `count` of the ids, or the words that it turns out to be, if any. Says how many. */
  #miss(start: number, length: number, hash: number, slot: number, firstFour: number, nextFour: number, count: number): number {
    const id = this.#dictionary.add(this.#bytes, start, length, hash, slot, firstFour, nextFour);
    if (id >= 0) {
      this.ids[count] = id;
      if (this.#isCounting) {
        this.#makeRoomToCount();
        this.counts[id] = 1;
      }
      return 1;
    }
    const text = textOfBytes(this.#bytes, start, start + length);
    return this.#putOthers(this.#cut.unicodeSpaces && unicodeSpace.test(text) ? (text.match(/\S+/g) ?? []) : [text], count);
  }

  #makeRoomToCount(): void {
    const { length } = this.#dictionary.words;
    if (length > this.counts.length) this.counts = grown(this.counts, Math.max(length, this.counts.length * 2, countsAtFirst));
  }

  #putOthers(texts: readonly string[], count: number): number {
    if (count + texts.length > this.ids.length) this.ids = grown(this.ids, count + texts.length);
    for (const text of texts) this.ids[count++] = -this.others.push(text);
    return texts.length;
  }
}

/** What the scan makes of bytes: for a word that is one byte shorter than it was scanned. */
function packed(bytes: Uint8Array, start: number, length: number): readonly [number, number, number] {
  let [firstFour, nextFour] = [0, 0];
  for (let index = 0; index < length && index < 4; index += 1) firstFour |= bytes[start + index]! << (index * 8);
  for (let index = 4; index < length && index < 8; index += 1) nextFour |= bytes[start + index]! << (index * 8 - 32);
  let hash = Math.imul(firstFour, 0x9e3779b1);
  if (length >= 4) hash = Math.imul(hash ^ nextFour, 0x85ebca6b) ^ (hash >>> 15);
  for (let index = 8; index < length; index += 1) hash = Math.imul(hash ^ bytes[start + index]!, 0x01000193);
  return [firstFour, nextFour, hash];
}
