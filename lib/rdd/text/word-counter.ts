/**
 * The byte table: words, each paired with one number and summed up by word, counted by their ids.
 *
 *   tokenizer: counts[id] += 1, and the id only where that was 0        slots   0 -> 1, 1 -> 2, 2 -> out (a filter refuses it)
 *   end:       values[slots[id]] += value, so many times                no pair, no string, no call of a function for a word
 *
 * A word that is met for the first time goes once through what stands between the words and the pairs (filters and maps that depend on the word
 * alone), and becomes a key of the task's table: so keys are in the order in which they were first met, whatever else puts pairs into that table.
 *
 * Invariant: a sum is what the function would have made, to the last bit: all that is added to a key is one number, again and again, from the table's own value
 * on, so it is the same whichever words it came for. Only where no addition rounds is it a multiplication. A value of the table that is no number
 * is left to the function. The table has the sums after `end`.
 */
import { grown } from '../../base/grown.ts';
import type { KeyTable } from '../../base/key-table.ts';
import type { Op } from '../fuse.ts';
import type { CountedWords } from './tokenizer.ts';

const notMet = 0;
const dropped = -1;
/** Words after which the counts are given to the table: they are 32 bits. A portion has far fewer. */
const countedMax = 1 << 30;

export class WordCounter {
  readonly #table: KeyTable<unknown>;
  readonly #between: readonly Op[];
  readonly #value: number;
  readonly #merge: (key: unknown, value: unknown) => unknown;
  /** By id: 1 + the slot of its key, or `notMet`, or `dropped`. */
  #slots = new Int32Array(1_024);
  /** By id: 1 where the table has the word's first occurrence already. */
  #taken = new Uint8Array(1_024);
  /** Ids that are not `notMet`, in the order in which they were met. */
  #met: number[] = [];
  /** Who counts. */
  #words: CountedWords | null = null;
  #counted = 0;

  /** `between`: filters and maps whose functions are pure on strings. `merge`: (key, the table's value) with the pairs' number, where that value is no number. */
  constructor(table: KeyTable<unknown>, between: readonly Op[], value: number, merge: (key: unknown, value: unknown) => unknown) {
    this.#table = table;
    this.#between = between;
    this.#value = value;
    this.#merge = merge;
  }

  /** Of counted words. */
  add(counted: CountedWords): void {
    const { ids, count, found, words, others } = counted;
    this.#words = counted;
    for (let index = 0; index < count; index += 1) {
      const id = ids[index]!;
      if (id >= 0) this.#meet(id, words[id]!);
      else this.#count(others[-1 - id]!);
    }
    this.#counted += found;
    if (this.#counted > countedMax) this.end();
  }

  /** Gives the sums to the table. */
  end(): void {
    if (this.#words === null) return;
    const { counts } = this.#words;
    const { keys, values } = this.#table;
    for (const id of this.#met) {
      const slot = this.#slots[id]! - 1;
      if (slot >= 0) values[slot] = this.#added(keys[slot], values[slot], counts[id]! - this.#taken[id]!);
      counts[id] = 0;
      this.#slots[id] = notMet;
    }
    this.#met = [];
    this.#counted = 0;
  }

  /** A word of the dictionary, which the tokenizer counts from here on. */
  #meet(id: number, word: string): void {
    if (id >= this.#slots.length) {
      const length = Math.max(id + 1, this.#slots.length * 2);
      this.#slots = grown(this.#slots, length);
      this.#taken = grown(this.#taken, length);
    }
    const { size, keys, values } = this.#table;
    const slot = this.#slotOf(word);
    this.#slots[id] = slot < 0 ? dropped : slot + 1;
    this.#taken[id] = slot === size ? 1 : 0;
    this.#met.push(id);
    if (slot < 0 || typeof values[slot] === 'number') return;
    // At once, so that of several values which the function can't take the first is the one that is named.
    values[slot] = this.#merge(keys[slot], values[slot]);
    this.#taken[id] = 1;
  }

  /** An occurrence of a word that is not in the dictionary. */
  #count(word: string): void {
    const { size, keys, values } = this.#table;
    const slot = this.#slotOf(word);
    if (slot >= 0 && slot < size) values[slot] = this.#added(keys[slot], values[slot], 1);
  }

  /** Of the word's key; one that is new has the pairs' number. -1: a filter refuses it. */
  #slotOf(word: string): number {
    let key: unknown = word;
    for (const { kind, fn } of this.#between) {
      const result = fn!(key);
      if (kind === 'map') key = result;
      else if (!result) return -1;
    }
    const table = this.#table;
    const { size } = table;
    const slot = table.slotOf(key);
    if (slot === size) table.values[slot] = this.#value;
    return slot;
  }

  /** What the function makes of a key's value and so many of the pairs' numbers. */
  #added(key: unknown, known: unknown, times: number): unknown {
    const value = this.#value;
    let left = times;
    let sum = known;
    for (; left > 0 && typeof sum !== 'number'; left -= 1) sum = this.#merge(key, sum);
    if (left <= 0 || typeof sum !== 'number') return sum;
    const more = left * value;
    if (value !== 0 && [sum, value, more, sum + more].every(Number.isSafeInteger)) return sum + more;
    for (; left > 0; left -= 1) sum += value;
    return sum;
  }
}
