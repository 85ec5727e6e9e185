/**
 * How many line ends lie in a part of some memory, four bytes at a time.
 *
 * Invariant: the same number as a loop over the bytes gives, for every part of it, wherever in its buffer the memory begins: `\n` alone
 * counts. Only bytes of the part itself decide; its first and last ones that make no whole word are looked at one by one.
 *
 *   the memory:  | 0 to 3 bytes | word 0 | word 1 | ... | 0 to 3 bytes |        a word: four bytes at a multiple of four in the buffer
 *                  #shift
 */
const newline = 10;
const newlines = 0x0a0a0a0a;
const lowBits = 0x7f7f7f7f;
/** Each byte of a sum has room for so many ones. */
const wordsSummedMax = 255;

export class LineEndCounter {
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  /** Where in the memory its first whole word begins. */
  readonly #shift: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#shift = -bytes.byteOffset & 3;
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset + this.#shift, Math.max(0, bytes.length - this.#shift) >> 2);
  }

  /** From the byte `from` on, up to `to` without it. */
  count(from: number, to: number): number {
    const shift = this.#shift;
    const firstWord = Math.max(0, (from - shift + 3) >> 2);
    const endWord = (to - shift) >> 2;
    if (endWord <= firstWord) return this.#countBytes(from, to);
    return this.#countBytes(from, shift + firstWord * 4) + this.#countWords(firstWord, endWord) + this.#countBytes(shift + endWord * 4, to);
  }

  #countBytes(from: number, to: number): number {
    const bytes = this.#bytes;
    let count = 0;
    for (let at = from; at < to; at += 1) if (bytes[at] === newline) count += 1;
    return count;
  }

  #countWords(from: number, to: number): number {
    const words = this.#words;
    let count = 0;
    for (let at = from; at < to; ) {
      const stop = Math.min(to, at + wordsSummedMax);
      // A sum for each of a word's four bytes, side by side.
      let sums = 0;
      for (; at < stop; at += 1) {
        const other = words[at]! ^ newlines;
        // The top bit of a byte of `~(...)` is set exactly where that byte of `other` is 0: adding carries into it from any of the seven below, and into no other byte.
        sums = (sums + ((~(((other & lowBits) + lowBits) | other) >>> 7) & 0x01010101)) | 0;
      }
      count += (sums & 0xff) + ((sums >>> 8) & 0xff) + ((sums >>> 16) & 0xff) + (sums >>> 24);
    }
    return count;
  }
}
