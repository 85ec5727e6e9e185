/**
 * The text that every word count benchmark reads.
 *
 * Invariant: a line is 10 words, each `w` and four digits, joined by one space and ended by `\n`: exactly 60 bytes. The
 * same seed gives the same bytes on every machine: numbers are Zipf(1.0) over 0..9999, by inverse CDF from xorshift64*.
 *
 *   w0003 w0000 w0417 w0001 w5120 w0000 w0038 w0002 w0009 w1733\n
 */
export const lineBytes = 60;
export const wordsPerLine = 10;
export const vocabularyWords = 10_000;
export const poolLines = 200_000;
export const defaultSeed = 42;

const wordBytes = lineBytes / wordsPerLine;

/** `lines` lines one after another. In shared memory where `allocate` says so. */
export function makeLines(lines: number, seed = defaultSeed, allocate: (bytes: number) => Uint8Array = Buffer.alloc): Uint8Array {
  const bytes = allocate(lines * lineBytes);
  const drawWord = zipfSource(seed);
  for (let at = 0; at < bytes.length; at += wordBytes) {
    const word = drawWord();
    bytes[at] = 0x77;
    bytes[at + 1] = 0x30 + Math.trunc(word / 1_000);
    bytes[at + 2] = 0x30 + (Math.trunc(word / 100) % 10);
    bytes[at + 3] = 0x30 + (Math.trunc(word / 10) % 10);
    bytes[at + 4] = 0x30 + (word % 10);
    bytes[at + 5] = (at + wordBytes) % lineBytes === 0 ? 0x0a : 0x20;
  }
  return bytes;
}

/** The same lines as strings, without their ends. */
export function makeLineStrings(lines: number, seed = defaultSeed): string[] {
  const text = Buffer.from(makeLines(lines, seed).buffer).toString('latin1');
  const strings = text.split('\n');
  strings.pop();
  return strings;
}

/** Draws word numbers, most often the smallest. */
function zipfSource(seed: number): () => number {
  const cumulative = new Float64Array(vocabularyWords);
  let total = 0;
  for (let word = 0; word < vocabularyWords; word += 1) {
    total += 1 / (word + 1);
    cumulative[word] = total;
  }
  const random = xorshift64Star(seed);
  return () => {
    const drawn = random() * total;
    let low = 0;
    let high = vocabularyWords - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle]! >= drawn) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}

/** Numbers in [0, 1) with 53 random bits. 64-bit words are two halves here: a bigint for each draw would take a second for a pool. */
function xorshift64Star(seed: number): () => number {
  const start = BigInt.asUintN(64, BigInt(seed) * 0x9e3779b97f4a7c15n + 1n);
  let high = Number(start >> 32n);
  let low = Number(start & 0xffff_ffffn);
  const multiplierHigh = 0x2545f491;
  const multiplierLow = 0x4f6cdd1d;
  return () => {
    // x ^= x >> 12; x ^= x << 25; x ^= x >> 27.
    low ^= (low >>> 12) | (high << 20);
    high ^= high >>> 12;
    high ^= (high << 25) | (low >>> 7);
    low ^= low << 25;
    low ^= (low >>> 27) | (high << 5);
    high ^= high >>> 27;
    // The low 64 bits of x times the multiplier, its lower half by 16-bit parts.
    const a = low >>> 16;
    const b = low & 0xffff;
    const c = multiplierLow >>> 16;
    const d = multiplierLow & 0xffff;
    const bottom = b * d;
    const middle = a * d + b * c + Math.floor(bottom / 65_536);
    const productLow = (((middle & 0xffff) << 16) | (bottom & 0xffff)) >>> 0;
    const productHigh = (a * c + Math.floor(middle / 65_536) + Math.imul(high, multiplierLow) + Math.imul(low, multiplierHigh)) >>> 0;
    return (productHigh * 2 ** 21 + (productLow >>> 11)) / 2 ** 53;
  };
}
