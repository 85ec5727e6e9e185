/**
 * Seeded random numbers: back-off jitter, choices of the simulator, ids in tests.
 *
 * Invariant: the same seed gives the same numbers on every machine and in every version: changing the algorithm makes
 * every recorded seed worthless. Not for secrets.
 */
export interface Prng {
  /** A number in [0, 1), with 32 random bits. */
  next(): number;
  /** A whole number in [0, n). `n` from 1 to 2^32. */
  int(n: number): number;
  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T;
  /** A new array with the items in random order. */
  shuffle<T>(items: readonly T[]): T[];
  /** A generator of its own, that depends only on this one's seed and the label: how much was drawn from this one plays no part. */
  fork(label: string): Prng;
}

/** xoshiro128** (Blackman and Vigna), its state filled from the seed by splitmix32. */
export function createPrng(seed: number | string): Prng {
  return new Xoshiro128(typeof seed === 'number' ? hashText(`n${seed}`) : hashText(`s${seed}`));
}

class Xoshiro128 implements Prng {
  readonly #seed: number;
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    this.#seed = seed;
    const draw = splitmix32(seed);
    this.#a = draw();
    this.#b = draw();
    this.#c = draw();
    // A state of all zeros would stay there for ever.
    this.#d = draw() | 1;
  }

  next(): number {
    return this.#bits() / 0x1_0000_0000;
  }

  int(n: number): number {
    return Math.floor(this.next() * n);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(items.length)]!;
  }

  shuffle<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let end = shuffled.length - 1; end > 0; end -= 1) {
      const other = this.int(end + 1);
      const kept = shuffled[end]!;
      shuffled[end] = shuffled[other]!;
      shuffled[other] = kept;
    }
    return shuffled;
  }

  fork(label: string): Prng {
    return new Xoshiro128(hashText(`${this.#seed}/${label}`));
  }

  #bits(): number {
    const product = Math.imul(this.#b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }
}

function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e37_79b9) | 0;
    let bits = state ^ (state >>> 16);
    bits = Math.imul(bits, 0x21f0_aaad);
    bits ^= bits >>> 15;
    bits = Math.imul(bits, 0x735a_2d97);
    return (bits ^ (bits >>> 15)) | 0;
  };
}

/** FNV-1a over UTF-16 units, mixed once more at the end. */
function hashText(text: string): number {
  let hash = 0x811c_9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85eb_ca6b);
  return hash ^ (hash >>> 13);
}
