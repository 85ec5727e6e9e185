/**
 * Lines as bytes, cut into words: ids of a thread's dictionary, in the order of the text.
 *
 *   bytes   to be or\nnot to be\n
 *   ids     0  1  2   3   0  1          words: to be or not
 *
 * A cut says by the class of each byte what it is: a part of a word, a separator, or the end of a line. Only bytes of ASCII are separators,
 * and these are no part of any other character in utf8, not even where the bytes around them are no utf8: so cutting bytes and decoding the parts
 * gives what decoding all and cutting the text gives.
 *
 * Invariant: a text is cut as a whole, however many portions it takes, and each portion has a bound. Texts end with a line end, so the scan needs no
 * other bound than what it looks for.
 */
import type { WordDictionary } from './word-dictionary.ts';
import { textOfBytes, unicodeSpace } from './word-dictionary.ts';

/** Words in a portion, beyond those of one run of bytes: it bounds what a thread keeps for a huge line. */
export const idsMax = 65_536;

/** How lines are cut. */
export interface Cut {
  /** By byte: see `byteClass`. */
  readonly classes: Uint8Array;
  /** The byte that ends a line. */
  readonly lineEnd: number;
  /** A \r before a line's end is no part of the line. */
  readonly stripsReturn: boolean;
  /** What lies between two separators is a word though it is empty, as with `split`; else words are what is not empty. */
  readonly keepsEmpty: boolean;
  /** Whitespace beyond ASCII is looked for in what is no ASCII. */
  readonly unicodeSpaces: boolean;
}

const byteClass = { word: 0, separator: 1, lineEnd: 2 } as const;
const newline = 0x0a;
const carriageReturn = 0x0d;

/** Where lines come from. Texts: they end with \n or \r\n. Strings: with a byte that ends nothing else, since a string may hold anything. */
export type LineSource = 'text' | 'strings';

/** Ends a string's bytes. Strings that have it in them are not cut as bytes. */
export const stringEnd = '\0';

/** As `line.split(separator)`; null for a separator that can't be found byte by byte: a `\r` may be a part of a line's end. */
export function cutAt(separator: string, source: LineSource): Cut | null {
  const code = separator.charCodeAt(0);
  const lineEnd = lineEndOf(source);
  if (separator.length !== 1 || code > 0x7f || code === lineEnd || (source === 'text' && code === carriageReturn)) return null;
  const classes = new Uint8Array(256);
  classes[code] = byteClass.separator;
  classes[lineEnd] = byteClass.lineEnd;
  return { classes, lineEnd, stripsReturn: source === 'text', keepsEmpty: true, unicodeSpaces: false };
}

/** As `line.match(/\S+/g) ?? []`. */
export function cutAtSpaces(source: LineSource): Cut {
  const classes = new Uint8Array(256);
  const lineEnd = lineEndOf(source);
  for (const space of [0x09, newline, 0x0b, 0x0c, carriageReturn, 0x20]) classes[space] = byteClass.separator;
  classes[lineEnd] = byteClass.lineEnd;
  return { classes, lineEnd, stripsReturn: false, keepsEmpty: false, unicodeSpaces: true };
}

function lineEndOf(source: LineSource): number {
  return source === 'text' ? newline : stringEnd.charCodeAt(0);
}

/** Words of a text, as a loop gets them. */
export interface Words {
  /** An id of `words`, or -1 - i for `others[i]`, which the dictionary has not taken. */
  readonly ids: Int32Array;
  readonly count: number;
  readonly words: readonly string[];
  readonly others: readonly string[];
}

/** Cuts one text, portion by portion. */
export class Tokenizer implements Words {
  ids: Int32Array = new Int32Array(0);
  count = 0;
  others: string[] = [];
  /** Line ends in the portion. */
  lines = 0;
  readonly #dictionary: WordDictionary;
  readonly #cut: Cut;
  #bytes: Uint8Array = new Uint8Array(0);
  #end = 0;
  #at = 0;

  constructor(dictionary: WordDictionary, cut: Cut) {
    this.#dictionary = dictionary;
    this.#cut = cut;
  }

  get words(): readonly string[] {
    return this.#dictionary.words;
  }

  /** Begins with the bytes from `start` to `end`, the last of which ends a line. */
  begin(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#end = end;
    this.#at = start;
    const idsNeeded = Math.min(end - start, idsMax);
    if (this.ids.length < idsNeeded) this.ids = new Int32Array(idsNeeded);
  }

  /** The next words. False: there was no more text. */
  next(): boolean {
    this.count = 0;
    this.lines = 0;
    if (this.others.length > 0) this.others = [];
    if (this.#at >= this.#end) return false;
    this.#fill();
    return true;
  }

  #fill(): void {
    const { classes, lineEnd, stripsReturn, keepsEmpty } = this.#cut;
    const bytes = this.#bytes;
    const end = this.#end;
    const dictionary = this.#dictionary;
    let { ids } = this;
    let { slots, lengths, firstFours, nextFours, tailStarts, tails } = dictionary;
    let mask = slots.length - 1;
    let count = 0;
    let lines = 0;
    let at = this.#at;
    SCAN: while (at < end && count < ids.length) {
      // The scan packs and hashes on its way, so that bytes are read once.
      const start = at;
      const fourth = at + 4;
      let byte = 0;
      let shift = 0;
      let firstFour = 0;
      while (at < fourth && classes[(byte = bytes[at]!)] === 0) {
        firstFour |= byte << shift;
        shift += 8;
        at += 1;
      }
      let nextFour = 0;
      let hash = Math.imul(firstFour, 0x9e3779b1);
      if (at === fourth) {
        const eighth = at + 4;
        shift = 0;
        while (at < eighth && classes[(byte = bytes[at]!)] === 0) {
          nextFour |= byte << shift;
          shift += 8;
          at += 1;
        }
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
      let id = -1;
      for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
        const found = slots[slot]! - 1;
        if (found < 0) {
          count += this.#miss(start, length, hash, slot, firstFour, nextFour, count);
          ({ ids } = this);
          ({ slots, lengths, firstFours, nextFours, tailStarts, tails } = dictionary);
          mask = slots.length - 1;
          continue SCAN;
        }
        if (firstFours[found] !== firstFour || nextFours[found] !== nextFour || lengths[found] !== length) continue;
        if (length > 8) {
          const tail = tailStarts[found]! - 8;
          let index = 8;
          while (index < length && tails[tail + index] === bytes[start + index]) index += 1;
          if (index < length) continue;
        }
        id = found;
        break;
      }
      ids[count] = id;
      count += 1;
    }
    this.#at = at;
    this.count = count;
    this.lines = lines;
  }

  /** Puts a word that is not known at `count` of the ids, or the words that it turns out to be, if any. Says how many. */
  #miss(start: number, length: number, hash: number, slot: number, firstFour: number, nextFour: number, count: number): number {
    const id = this.#dictionary.add(this.#bytes, start, length, hash, slot, firstFour, nextFour);
    if (id >= 0) {
      this.ids[count] = id;
      return 1;
    }
    const text = textOfBytes(this.#bytes, start, start + length);
    return this.#putOthers(this.#cut.unicodeSpaces && unicodeSpace.test(text) ? (text.match(/\S+/g) ?? []) : [text], count);
  }

  #putOthers(texts: readonly string[], count: number): number {
    if (count + texts.length > this.ids.length) {
      const larger = new Int32Array(count + texts.length);
      larger.set(this.ids);
      this.ids = larger;
    }
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
