/**
 * The bare byte table: words of lines counted without a string for any of them, the least that a program in this language does for that result
 * when it knows what the functions do. For text that is words and single spaces, as zipf-lines.ts makes it; nothing else is looked for.
 *
 *   bytes of a word --packed into two numbers on the way--> slots[hash] --> entry: where it was first met, its length, its count
 *
 * Invariant: it shares no code with lib/, which it is the measure of.
 */
const space = 0x20;
const newline = 0x0a;

export interface WordCounts {
  readonly words: readonly string[];
  readonly counts: Float64Array;
}

/** Of at most `wordsMax` different words. */
export function countBytes(bytes: Uint8Array, wordsMax = 1 << 16): WordCounts {
  const mask = wordsMax * 2 - 1;
  const slots = new Int32Array(wordsMax * 2);
  const starts = new Int32Array(wordsMax);
  const lengths = new Int32Array(wordsMax);
  const firsts = new Int32Array(wordsMax);
  const seconds = new Int32Array(wordsMax);
  const counts = new Float64Array(wordsMax);
  const end = bytes.length;
  let words = 0;
  for (let at = 0; at < end; at += 1) {
    const start = at;
    const fourth = start + 4;
    let [first, second, shift, byte] = [0, 0, 0, 0];
    while (at < fourth && (byte = bytes[at]!) !== space && byte !== newline) {
      first |= byte << shift;
      shift += 8;
      at += 1;
    }
    let hash = Math.imul(first, 0x9e3779b1);
    if (at === fourth) {
      const eighth = start + 8;
      shift = 0;
      while (at < eighth && (byte = bytes[at]!) !== space && byte !== newline) {
        second |= byte << shift;
        shift += 8;
        at += 1;
      }
      hash = Math.imul(hash ^ second, 0x85ebca6b) ^ (hash >>> 15);
      if (at === eighth) {
        while ((byte = bytes[at]!) !== space && byte !== newline) {
          hash = Math.imul(hash ^ byte, 0x01000193);
          at += 1;
        }
      }
    }
    const length = at - start;
    hash ^= hash >>> 16;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot]! - 1;
      if (entry < 0) {
        slots[slot] = words + 1;
        starts[words] = start;
        lengths[words] = length;
        firsts[words] = first;
        seconds[words] = second;
        counts[words] = 1;
        words += 1;
        break;
      }
      if (firsts[entry] !== first || seconds[entry] !== second || lengths[entry] !== length) continue;
      const known = starts[entry]!;
      let index = 8;
      while (index < length && bytes[known + index] === bytes[start + index]) index += 1;
      if (index < length) continue;
      counts[entry]! += 1;
      break;
    }
  }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { words: Array.from({ length: words }, (_one, entry) => text.toString('latin1', starts[entry]!, starts[entry]! + lengths[entry]!)), counts: counts.subarray(0, words) };
}
