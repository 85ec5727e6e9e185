/**
 * The words that a thread has met in texts: the same bytes give the same string object each time.
 *
 * A string that is made anew for each occurrence of a word costs its making, and the first look-up of it in a Map hashes it. A string that
 * comes again is in the cache, and V8 keeps its hash in it.
 *
 *   bytes of a word --hash--> place: | first four bytes | next four | length | id + 1 |  --all the same?--> words[id]
 *                                                                             0: not known
 *
 * A place is 16 bytes side by side, so that most words are found with one look at memory. What is longer than eight bytes lies in `tails`.
 *
 * Invariant: an id means the same bytes, and the same string, for as long as anybody is between `enter` and `leave`. Words are never taken out
 * one by one: a dictionary that is full takes no more, and begins anew when a task enters that finds it so and nobody else in it.
 *
 * Two ids may have equal strings: bytes that are no utf8 become U+FFFD. A word with whitespace beyond ASCII in it is not taken: what cuts at
 * whitespace would find it, and its bytes hold more than one word.
 */
import { isAscii } from 'node:buffer';
import { textBufferOf } from '../../../protocol/text-buffer.ts';
import { grown } from '../../base/grown.ts';

/** Words kept by a thread. */
export const dictionaryWordsMax = 65_536;
/** The longest word that is kept, in bytes. Longer ones hardly come twice. */
export const wordBytesMax = 128;
/** Bytes of kept words beyond their eighth. */
export const dictionaryTailBytesMax = 2 * 1024 * 1024;

const wordsAtFirst = 1_024;

/** A place has 1 << placeShift numbers: the first four bytes, then these. */
export const placeShift = 2;
export const placeField = { nextFour: 1, length: 2, id: 3 } as const;
/** Places for each word that there may be before they grow: short ways from a hash to its word. */
const placesPerWord = 4;

export interface DictionaryLimits {
  readonly wordsMax?: number;
  readonly tailBytesMax?: number;
}

export class WordDictionary {
  /** By id. Read only for others, as all fields here. */
  words: string[] = [];
  places: Int32Array = new Int32Array((wordsAtFirst * placesPerWord) << placeShift);
  hashes: Int32Array = new Int32Array(wordsAtFirst);
  tailStarts: Int32Array = new Int32Array(wordsAtFirst);
  tails: Uint8Array = new Uint8Array(wordsAtFirst);
  readonly #wordsMax: number;
  readonly #tailBytesMax: number;
  #tailBytes = 0;
  #inside = 0;
  #full = false;

  constructor({ wordsMax = dictionaryWordsMax, tailBytesMax = dictionaryTailBytesMax }: DictionaryLimits = {}) {
    this.#wordsMax = wordsMax;
    this.#tailBytesMax = tailBytesMax;
  }

  /** True once a word was refused for want of room. */
  get full(): boolean {
    return this.#full;
  }

  /** From here to `leave` ids keep their meaning. */
  enter(): void {
    if (this.#full && this.#inside === 0) this.#clear();
    this.#inside += 1;
  }

  leave(): void {
    this.#inside -= 1;
  }

  /**
   * Takes a word that is not known, at the slot where the search for it has ended, and gives its id; -1 where it is not taken. The arrays
   * may be others afterwards.
   */
  add(bytes: Uint8Array, start: number, length: number, hash: number, slot: number, firstFour: number, nextFour: number): number {
    if (length > wordBytesMax) return -1;
    const id = this.words.length;
    const tail = Math.max(0, length - 8);
    if (id >= this.#wordsMax || this.#tailBytes + tail > this.#tailBytesMax) {
      this.#full = true;
      return -1;
    }
    const word = textOfBytes(bytes, start, start + length);
    if (unicodeSpace.test(word)) return -1;
    if (id === this.hashes.length) {
      this.#grow();
      slot = this.#freeSlot(hash);
    }
    this.hashes[id] = hash;
    const place = slot << placeShift;
    this.places[place] = firstFour;
    this.places[place + placeField.nextFour] = nextFour;
    this.places[place + placeField.length] = length;
    this.places[place + placeField.id] = id + 1;
    this.tailStarts[id] = this.#tailBytes;
    if (tail > 0) this.#addTail(bytes.subarray(start + 8, start + length));
    this.words.push(word);
    return id;
  }

  #addTail(tail: Uint8Array): void {
    const end = this.#tailBytes + tail.length;
    if (end > this.tails.length) this.tails = grown(this.tails, Math.max(end, this.tails.length * 2));
    this.tails.set(tail, this.#tailBytes);
    this.#tailBytes = end;
  }

  #grow(): void {
    this.hashes = grown(this.hashes, this.hashes.length * 2);
    this.tailStarts = grown(this.tailStarts, this.tailStarts.length * 2);
    const before = this.places;
    this.places = new Int32Array(before.length * 2);
    for (let from = 0; from < before.length; from += 1 << placeShift) {
      const id = before[from + placeField.id]! - 1;
      if (id >= 0) this.places.set(before.subarray(from, from + (1 << placeShift)), this.#freeSlot(this.hashes[id]!) << placeShift);
    }
  }

  #freeSlot(hash: number): number {
    const mask = (this.places.length >> placeShift) - 1;
    let slot = hash & mask;
    while (this.places[(slot << placeShift) + placeField.id] !== 0) slot = (slot + 1) & mask;
    return slot;
  }

  /** Keeps the arrays at their size: what was full once will be so again. */
  #clear(): void {
    this.words = [];
    this.places.fill(0);
    this.#tailBytes = 0;
    this.#full = false;
  }
}

/** Whitespace as `\s` has it, beyond ASCII. */
export const unicodeSpace = /[^\S\0-\x7f]/;

/** Bytes as text, those that are no utf8 as U+FFFD. */
export function textOfBytes(bytes: Uint8Array, start: number, end: number): string {
  const buffer = textBufferOf(bytes);
  return isAscii(buffer.subarray(start, end)) ? buffer.latin1Slice(start, end) : buffer.utf8Slice(start, end);
}

/** The dictionary of this thread. */
export const sharedWords = new WordDictionary();
