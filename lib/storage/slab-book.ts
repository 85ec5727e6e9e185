/**
 * The slab pool's bookkeeping: one shared Int32Array, the only words that threads change together. No messages.
 *
 *   header  | magic | slabBytes | slabs | slabs of a buffer | entries of a slab | poison | lowest free (a hint) | free |
 *   slab i  | OWNER | STATE | GENERATION | HOLDS | RUN | USED |      6 words for each slab
 *   slab i  | one bit for each handle of the slab, 1 = alive        entriesMax / 32 words for each slab
 *
 * The states of a slab, and who may bring them about:
 *
 *            take (any thread, one CAS of OWNER)             seal (owner; reclaim)
 *     FREE ---------------------------------------> OPEN ------------------------> SEALED
 *      ^ \                                           ^ | `- add: bit and hold        |
 *      |  \  takeRun (CAS of each slab's OWNER)      `-'  rewind (no bit set:        |
 *      |   `-------------------> HEAD, TAIL, TAIL         generation + 1)            |
 *      |                            |                                                |
 *      `------- generation + 1 -----+--- FREEING <----- HOLDS came to 0 -------------'
 *
 * Invariants:
 * - OWNER is 0 for a free slab, else host + 1 of the thread that took it (or that is freeing it).
 * - HOLDS = bits set + 1 while OPEN. Whoever brings HOLDS to 0 frees the slab, and no other: from then until OWNER is 0
 *   again the slab is that thread's alone.
 * - Only the owner sets bits. Whoever clears a bit (the old value of one atomic AND tells) has released that handle, and no
 *   other: a second release is seen, and one that meets a reclaim is counted once.
 * - GENERATION grows whenever a slab is freed or rewound, so an old handle never fits again.
 *
 * A thread can be ended by `terminate()` at a call of a function and at a turn of a loop, but not between plain statements
 * with built-in calls. So what must not be torn (a bit and its hold) are neighbouring statements; a loop over a run's slabs
 * can be torn, and `reclaim` finishes it.
 */

/** What lies in one slab. */
export interface SlabUse {
  readonly handles: number;
  /** Its owner cuts more from it: empty, it is the owner's to use again, and not free. */
  readonly isOpen: boolean;
}

const HEADER_WORDS = 16;
const SLAB_BYTES = 1;
const SLABS = 2;
const SLABS_PER_BUFFER = 3;
const ENTRIES_MAX = 4;
const POISON = 5;
const LOWEST_FREE = 6;
const FREE_COUNT = 7;
const MAGIC = 0x51ab0001;
const poisonByte = 0xdb;

const SLAB_WORDS = 6;
const OWNER = 0;
const STATE = 1;
const GENERATION = 2;
const HOLDS = 3;
const RUN = 4;
const USED = 5;

const stateFree = 0;
const stateOpen = 1;
const stateSealed = 2;
const stateHead = 3;
const stateTail = 4;
const stateFreeing = 5;

export interface SlabBookShape {
  readonly slabBytes: number;
  readonly slabs: number;
  readonly slabsPerBuffer: number;
  /** Handles that a slab can have at a time: a multiple of 32. */
  readonly entriesMax: number;
  readonly poison: boolean;
}

export class SlabBook {
  readonly memory: SharedArrayBuffer;
  readonly shape: SlabBookShape;
  readonly #words: Int32Array;

  static create(shape: SlabBookShape): SlabBook {
    const bits = shape.entriesMax / 32;
    const words = new Int32Array(new SharedArrayBuffer((HEADER_WORDS + shape.slabs * (SLAB_WORDS + bits)) * 4));
    words[SLAB_BYTES] = shape.slabBytes;
    words[SLABS] = shape.slabs;
    words[SLABS_PER_BUFFER] = shape.slabsPerBuffer;
    words[ENTRIES_MAX] = shape.entriesMax;
    words[POISON] = shape.poison ? 1 : 0;
    words[FREE_COUNT] = shape.slabs;
    Atomics.store(words, 0, MAGIC);
    return new SlabBook(words.buffer as SharedArrayBuffer);
  }

  constructor(memory: SharedArrayBuffer) {
    const words = new Int32Array(memory);
    if (words[0] !== MAGIC) throw new Error(`Expected the bookkeeping of a slab pool (magic ${MAGIC}), got ${words[0]}.`);
    this.memory = memory;
    this.#words = words;
    this.shape = {
      slabBytes: words[SLAB_BYTES]!,
      slabs: words[SLABS]!,
      slabsPerBuffer: words[SLABS_PER_BUFFER]!,
      entriesMax: words[ENTRIES_MAX]!,
      poison: words[POISON] === 1,
    };
  }

  generation(slab: number): number {
    return Atomics.load(this.#words, this.#at(slab) + GENERATION);
  }

  isAlive(slab: number, entry: number): boolean {
    return (Atomics.load(this.#words, this.#bitWord(slab, entry)) & (1 << (entry & 31))) !== 0;
  }

  /** An open slab for `host`, the lowest one that is free: memory that has been touched is used again first. -1: none. */
  take(host: number): number {
    const words = this.#words;
    if (Atomics.load(words, FREE_COUNT) <= 0) return -1;
    const { slabs } = this.shape;
    const from = Math.min(Atomics.load(words, LOWEST_FREE), slabs);
    for (let step = 0; step < slabs; step++) {
      const slab = from + step < slabs ? from + step : from + step - slabs;
      const at = this.#at(slab);
      if (Atomics.load(words, at + OWNER) !== 0 || Atomics.compareExchange(words, at + OWNER, 0, host + 1) !== 0) continue;
      Atomics.store(words, at + USED, 0);
      Atomics.store(words, at + RUN, 1);
      Atomics.store(words, at + HOLDS, 1);
      Atomics.store(words, at + STATE, stateOpen);
      Atomics.sub(words, FREE_COUNT, 1);
      Atomics.store(words, LOWEST_FREE, slab + 1);
      return slab;
    }
    return -1;
  }

  /**
   * `run` slabs in a row, within one buffer, that hold one handle: entry 0 of the first slab. Looked for from the top, away
   * from the single slabs. -1: none.
   */
  takeRun(host: number, run: number, usedBytes: number): number {
    const words = this.#words;
    const { slabs, slabsPerBuffer } = this.shape;
    let start = slabs - run;
    while (start >= 0) {
      const lastBufferStart = Math.floor((start + run - 1) / slabsPerBuffer) * slabsPerBuffer;
      if (start < lastBufferStart) {
        start = lastBufferStart - run;
        continue;
      }
      const blocked = this.#claimAll(host, start, run);
      if (blocked >= 0) {
        start = blocked - run;
        continue;
      }
      const at = this.#at(start);
      Atomics.store(words, at + USED, usedBytes);
      Atomics.store(words, at + RUN, run);
      Atomics.store(words, at + HOLDS, 1);
      Atomics.store(words, this.#bitWord(start, 0), 1);
      Atomics.store(words, at + STATE, stateHead);
      for (let step = 1; step < run; step++) Atomics.store(words, this.#at(start + step) + STATE, stateTail);
      return start;
    }
    return -1;
  }

  /** A handle comes to life. Owner only, in an open slab. */
  add(slab: number, entry: number, usedBytes: number): void {
    const words = this.#words;
    const at = this.#at(slab);
    const bits = this.#bitWord(slab, entry);
    Atomics.store(words, at + USED, usedBytes);
    Atomics.add(words, at + HOLDS, 1);
    Atomics.or(words, bits, 1 << (entry & 31));
  }

  /**
   * A handle's end. False where it had ended before; then nothing was changed. `poison`: its bytes, filled while they are
   * still nobody else's.
   */
  release(slab: number, entry: number, host: number, poison: Uint8Array | null): boolean {
    const words = this.#words;
    const at = this.#at(slab);
    const bits = this.#bitWord(slab, entry);
    const bit = 1 << (entry & 31);
    // No call of ours and no loop from here to FREEING.
    if ((Atomics.and(words, bits, ~bit) & bit) === 0) return false;
    if (poison !== null) poison.fill(poisonByte);
    if (Atomics.sub(words, at + HOLDS, 1) === 1) {
      Atomics.store(words, at + OWNER, host + 1);
      Atomics.store(words, at + STATE, stateFreeing);
      this.#freeSlab(slab, at);
    }
    return true;
  }

  /** No further handles: the owner's own hold ends. */
  seal(slab: number, host: number): void {
    const words = this.#words;
    const at = this.#at(slab);
    Atomics.store(words, at + STATE, stateSealed);
    if (Atomics.sub(words, at + HOLDS, 1) === 1) {
      Atomics.store(words, at + OWNER, host + 1);
      Atomics.store(words, at + STATE, stateFreeing);
      this.#freeSlab(slab, at);
    }
  }

  /** Owner only: where none of its handles is alive, an open slab begins anew. False where one is. */
  rewind(slab: number): boolean {
    const words = this.#words;
    const at = this.#at(slab);
    // Only the owner adds holds, and it is here: a 1 can't become more.
    if (Atomics.load(words, at + HOLDS) !== 1) return false;
    Atomics.store(words, at + GENERATION, (Atomics.load(words, at + GENERATION) + 1) & 0x7fffffff);
    Atomics.store(words, at + USED, 0);
    return true;
  }

  /** An entry of the slab that is not in use, from `from` on; -1: none. Owner only. */
  clearEntry(slab: number, from: number): number {
    const { entriesMax } = this.shape;
    for (let step = 0; step < entriesMax; step++) {
      const entry = (from + step) % entriesMax;
      if (!this.isAlive(slab, entry)) return entry;
    }
    return -1;
  }

  /** After the death of `deadHost`: `isNamed(slab, entry)` says which handles stay. Others may release handles meanwhile. */
  reclaim(deadHost: number, host: number, isNamed: (slab: number, entry: number) => boolean): void {
    const words = this.#words;
    for (let slab = 0; slab < this.shape.slabs; slab++) {
      const at = this.#at(slab);
      // STATE before OWNER: one who frees the slab says so in the other order, so FREE or FREEING seen here is the dead host's own.
      const state = Atomics.load(words, at + STATE);
      if (Atomics.load(words, at + OWNER) !== deadHost + 1) continue;
      // It died while it took a run: nobody else knows of this slab.
      if (state === stateFree) this.#giveBack(at, slab);
      else if (state === stateFreeing) this.#freeSlab(slab, at);
      else if (state !== stateTail) this.#reclaimSlab(slab, deadHost, host, isNamed);
    }
  }

  /** How many slabs are free just now: one look, unlike `count`. */
  get free(): number {
    return Math.max(0, Atomics.load(this.#words, FREE_COUNT));
  }

  /** What lies in a slab just now: a look that is old at once, but for handles that only its looker can end. */
  use(slab: number): SlabUse {
    const at = this.#at(slab);
    const state = Atomics.load(this.#words, at + STATE);
    if (Atomics.load(this.#words, at + OWNER) === 0) return { handles: 0, isOpen: false };
    const isOpen = state === stateOpen;
    return { handles: Math.max(0, Atomics.load(this.#words, at + HOLDS) - (isOpen ? 1 : 0)), isOpen };
  }

  /** A snapshot word by word: exact only while nothing changes. */
  count(): { free: number; liveHandles: number; usedBytes: number } {
    const words = this.#words;
    let free = 0;
    let liveHandles = 0;
    let usedBytes = 0;
    for (let slab = 0; slab < this.shape.slabs; slab++) {
      const at = this.#at(slab);
      const state = Atomics.load(words, at + STATE);
      if (Atomics.load(words, at + OWNER) === 0) free += 1;
      else if (state === stateOpen || state === stateSealed || state === stateHead) {
        liveHandles += Math.max(0, Atomics.load(words, at + HOLDS) - (state === stateOpen ? 1 : 0));
        usedBytes += Atomics.load(words, at + USED);
      }
    }
    return { free, liveHandles, usedBytes };
  }

  /** -1 where all were taken for `host`, else the slab that was not free; then none is taken. */
  #claimAll(host: number, start: number, run: number): number {
    const words = this.#words;
    for (let step = run - 1; step >= 0; step--) {
      if (Atomics.load(words, this.#at(start + step) + OWNER) !== 0) return start + step;
    }
    for (let step = run - 1; step >= 0; step--) {
      if (Atomics.compareExchange(words, this.#at(start + step) + OWNER, 0, host + 1) === 0) {
        Atomics.sub(words, FREE_COUNT, 1);
        continue;
      }
      for (let taken = step + 1; taken < run; taken++) this.#giveBack(this.#at(start + taken), start + taken);
      return start + step;
    }
    return -1;
  }

  #reclaimSlab(slab: number, deadHost: number, host: number, isNamed: (slab: number, entry: number) => boolean): void {
    const words = this.#words;
    const at = this.#at(slab);
    // A hold of our own first: with it nobody can free the slab and take it anew while its bits are looked at.
    let holds = Atomics.load(words, at + HOLDS);
    while (holds > 0) {
      const seen = Atomics.compareExchange(words, at + HOLDS, holds, holds + 1);
      if (seen === holds) break;
      holds = seen;
    }
    if (holds <= 0) return;
    let ended = 1;
    if (Atomics.load(words, at + OWNER) === deadHost + 1) {
      ended += this.#clearUnnamed(slab, isNamed);
      // The dead owner's own hold.
      if (Atomics.compareExchange(words, at + STATE, stateOpen, stateSealed) === stateOpen) ended += 1;
    }
    if (Atomics.sub(words, at + HOLDS, ended) === ended) {
      Atomics.store(words, at + OWNER, host + 1);
      Atomics.store(words, at + STATE, stateFreeing);
      this.#freeSlab(slab, at);
    }
  }

  /** How many handles it ended. */
  #clearUnnamed(slab: number, isNamed: (slab: number, entry: number) => boolean): number {
    const words = this.#words;
    let cleared = 0;
    const first = this.#bitWord(slab, 0);
    for (let word = 0; word < this.shape.entriesMax / 32; word++) {
      const set = Atomics.load(words, first + word);
      if (set === 0) continue;
      let named = 0;
      for (let bit = 0; bit < 32; bit++) {
        if ((set & (1 << bit)) !== 0 && isNamed(slab, word * 32 + bit)) named |= 1 << bit;
      }
      cleared += bitsSet(Atomics.and(words, first + word, named) & ~named);
    }
    return cleared;
  }

  /** HOLDS is 0, this thread brought it there and has said so in OWNER and STATE. Torn, it is finished by reclaim. */
  #freeSlab(slab: number, at: number): void {
    const words = this.#words;
    for (let left = Atomics.load(words, at + RUN) - 1; left > 0; left--) {
      this.#giveBack(this.#at(slab + left), slab + left);
      Atomics.store(words, at + RUN, left);
    }
    this.#giveBack(at, slab);
  }

  #giveBack(at: number, slab: number): void {
    const words = this.#words;
    Atomics.store(words, at + GENERATION, (Atomics.load(words, at + GENERATION) + 1) & 0x7fffffff);
    Atomics.store(words, at + STATE, stateFree);
    Atomics.add(words, FREE_COUNT, 1);
    if (slab < Atomics.load(words, LOWEST_FREE)) Atomics.store(words, LOWEST_FREE, slab);
    Atomics.store(words, at + OWNER, 0);
  }

  #at(slab: number): number {
    return HEADER_WORDS + slab * SLAB_WORDS;
  }

  #bitWord(slab: number, entry: number): number {
    return HEADER_WORDS + this.shape.slabs * SLAB_WORDS + slab * (this.shape.entriesMax >>> 5) + (entry >>> 5);
  }
}

function bitsSet(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
