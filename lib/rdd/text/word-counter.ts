/**
 * The byte table: words, each paired with one number and summed up by word, counted by their ids.
 *
 *   ids of a portion   0  1  2  0          slots   0 -> 1, 1 -> 2, 2 -> out (a filter refuses it)
 *                      |  |     |          sums    [1]: 2, [2]: 1
 *                      '--'-----'--> sums[slots[id]] += value: no pair, no string, no call of a function
 *
 * A word that is met for the first time goes once through what stands between the words and the pairs (filters and maps that depend on the word
 * alone), and becomes a key of the task's table: so keys are in the order in which they were first met, whatever else puts pairs into that table.
 *
 * Invariant: a sum is added up one value at a time and from the table's own value on, as the function would: so it is the same number, to the last
 * bit. A value of the table that is no number is left to the function. The table has the sums after `end`.
 */
import type { KeyTable } from '../../base/key-table.ts';
import type { Op } from '../fuse.ts';
import type { Words } from './tokenizer.ts';

const notMet = 0;
const dropped = -1;

export class WordCounter {
  readonly #table: KeyTable<unknown>;
  readonly #between: readonly Op[];
  readonly #value: number;
  readonly #merge: (key: unknown, value: unknown) => unknown;
  /** By id: 1 + the slot of its key, or `notMet`, or `dropped`. */
  #slots = new Int32Array(1_024);
  /** By 1 + slot. Counts where `#owned` is 1. */
  #sums = new Float64Array(1_024);
  #owned = new Uint8Array(1_024);

  /** `between`: filters and maps whose functions are pure on strings. `merge`: (key, the table's value) with the pairs' number, where that value is no number. */
  constructor(table: KeyTable<unknown>, between: readonly Op[], value: number, merge: (key: unknown, value: unknown) => unknown) {
    this.#table = table;
    this.#between = between;
    this.#value = value;
    this.#merge = merge;
  }

  add({ ids, count, words, others }: Words): void {
    if (words.length > this.#slots.length) this.#slots = larger(this.#slots, new Int32Array(Math.max(words.length, this.#slots.length * 2)));
    const slots = this.#slots;
    const value = this.#value;
    let sums = this.#sums;
    for (let index = 0; index < count; index += 1) {
      const id = ids[index]!;
      if (id < 0) {
        this.#meet(others[-1 - id]!);
        sums = this.#sums;
        continue;
      }
      const slot = slots[id]!;
      if (slot > 0) {
        sums[slot]! += value;
      } else if (slot === notMet) {
        slots[id] = this.#meet(words[id]!);
        sums = this.#sums;
      }
    }
  }

  /** Gives the sums to the table. */
  end(): void {
    const { values, size } = this.#table;
    const end = Math.min(size, this.#owned.length - 1);
    for (let slot = 0; slot < end; slot += 1) if (this.#owned[slot + 1] === 1) values[slot] = this.#sums[slot + 1]!;
    this.#owned.fill(0);
    this.#slots.fill(notMet);
  }

  /** Counts an occurrence of a word that has no slot, and gives what it has from now on. */
  #meet(word: string): number {
    let key: unknown = word;
    for (const { kind, fn } of this.#between) {
      const result = fn!(key);
      if (kind === 'map') key = result;
      else if (!result) return dropped;
    }
    const table = this.#table;
    const before = table.size;
    const slot = table.slotOf(key);
    if (slot === before) table.values[slot] = this.#value;
    if (slot + 1 >= this.#sums.length) this.#grow(slot + 2);
    if (this.#owned[slot + 1] === 1) {
      this.#sums[slot + 1]! += this.#value;
      return slot + 1;
    }
    const known = table.values[slot];
    if (typeof known !== 'number') {
      table.values[slot] = this.#merge(key, known);
      return notMet;
    }
    this.#owned[slot + 1] = 1;
    this.#sums[slot + 1] = slot === before ? this.#value : known + this.#value;
    return slot + 1;
  }

  #grow(least: number): void {
    const length = Math.max(least, this.#sums.length * 2);
    this.#sums = larger(this.#sums, new Float64Array(length));
    this.#owned = larger(this.#owned, new Uint8Array(length));
  }
}

function larger<A extends Int32Array | Float64Array | Uint8Array>(from: A, to: A): A {
  to.set(from);
  return to;
}
