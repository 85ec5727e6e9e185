/**
 * The values of each key as a list: what groupByKey, cogroup and the joins are made of.
 *
 *   pairs    a 1   b 2   a 3   c 4           slots   0 1 0 2          told of as they come
 *   counts   2 1 1  -->  each key's place    1 3 | 2 | 4              put in their order, then cut
 *
 * A list that grows value by value is copied again and again, and each of its values is one more look at memory far away. So the pairs are gathered
 * first, and sorted by counting.
 *
 * Invariant: lists are by slot of the table, and values in a list in the order in which they came. At most `gatheredMax` values wait to be put
 * into lists: what comes behind them is appended.
 */
import { grown } from '../base/grown.ts';
import type { KeyTable } from '../base/key-table.ts';

const gatheredMaxDefault = 1 << 23;
const slotsAtFirst = 1_024;

export class ValueLists {
  readonly #table: KeyTable<unknown>;
  readonly #gatheredMax: number;
  /** Where the lists are; undefined: no value yet. */
  readonly #lists: (unknown[] | undefined)[] = [];
  #slots = new Int32Array(slotsAtFirst);
  #values: unknown[] = [];

  /** `gatheredMax`: a test makes it small. */
  constructor(table: KeyTable<unknown>, gatheredMax = gatheredMaxDefault) {
    this.#table = table;
    this.#gatheredMax = gatheredMax;
  }

  /** Throws `InvalidKey`. */
  put(key: unknown, value: unknown): void {
    const slot = this.#table.slotOf(key);
    const count = this.#values.length;
    if (count === this.#slots.length) this.#slots = grown(this.#slots, count * 2);
    this.#slots[count] = slot;
    this.#values.push(value);
    if (count + 1 >= this.#gatheredMax) this.#putIntoLists();
  }

  /** One for each key of the table, empty where no value has come. They are the caller's. */
  end(): unknown[][] {
    this.#putIntoLists();
    const { size } = this.#table;
    const lists: unknown[][] = [];
    for (let slot = 0; slot < size; slot += 1) lists.push(this.#lists[slot] ?? []);
    return lists;
  }

  #putIntoLists(): void {
    const [slots, values, lists] = [this.#slots, this.#values, this.#lists];
    const { size } = this.#table;
    while (lists.length < size) lists.push(undefined);
    // By slot: how many; then where the first of the next slot lies; then, as they are put there, where the slot's own end is.
    const ends = new Int32Array(size + 1);
    for (let index = 0; index < values.length; index += 1) ends[slots[index]! + 1]! += 1;
    for (let slot = 1; slot <= size; slot += 1) ends[slot]! += ends[slot - 1]!;
    // A copy has the same form as the values (all small integers, say), and so have its parts.
    const inOrder = values.slice();
    for (let index = 0; index < values.length; index += 1) {
      const slot = slots[index]!;
      inOrder[ends[slot]!] = values[index];
      ends[slot]! += 1;
    }
    for (let slot = 0, start = 0; slot < size; slot += 1) {
      const end = ends[slot]!;
      if (end === start) continue;
      const known = lists[slot];
      if (known === undefined) lists[slot] = inOrder.slice(start, end);
      else for (let index = start; index < end; index += 1) known.push(inOrder[index]);
      start = end;
    }
    this.#values = [];
  }
}
