/**
 * A first-in first-out queue in one array that is used as a ring. It grows by doubling and never shrinks below its first
 * capacity; `clear` gives the memory of a grown ring back.
 *
 *            head            head + length
 *             v                   v
 *   [ vacant | a | b | c | d | e | vacant | vacant ]      capacity 8, mask 7
 *
 *   after more pushes than fit at the end, it goes on at the start:
 *
 *    head + length    head
 *             v        v
 *   [ g | h | vacant | c | d | e | f | ... ]
 *
 * Invariant: `length <= capacity`, capacity is a power of two, and a vacant slot holds `vacant`, so that the queue keeps no
 * value alive that was taken out. With a bound, `push` refuses instead of growing beyond it.
 */
export class RingQueue<T> {
  readonly #vacant: T;
  readonly #lengthMax: number;
  readonly #capacityMin: number;
  #slots: T[];
  #head = 0;
  #length = 0;

  /** `vacant` fills empty slots: give 0 to a queue of numbers, so that the engine keeps it as an array of plain numbers. */
  constructor(options: { readonly capacity?: number; readonly lengthMax?: number; readonly vacant?: T } = {}) {
    this.#vacant = options.vacant as T;
    this.#lengthMax = options.lengthMax ?? Infinity;
    this.#capacityMin = powerOfTwoFrom(options.capacity ?? 16);
    this.#slots = new Array<T>(this.#capacityMin).fill(this.#vacant);
  }

  get length(): number {
    return this.#length;
  }

  /** Adds at the end. False, and nothing changed, where the bound is reached. */
  push(value: T): boolean {
    if (this.#length >= this.#lengthMax) return false;
    if (this.#length === this.#slots.length) this.#resize(this.#slots.length * 2);
    this.#slots[(this.#head + this.#length) & (this.#slots.length - 1)] = value;
    this.#length += 1;
    return true;
  }

  /** Adds at the front: it is taken next. Not subject to the bound, since what comes back was in the queue before. */
  unshift(value: T): void {
    if (this.#length === this.#slots.length) this.#resize(this.#slots.length * 2);
    this.#head = (this.#head - 1) & (this.#slots.length - 1);
    this.#slots[this.#head] = value;
    this.#length += 1;
  }

  /** Takes the first; `undefined` where the queue is empty. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const slots = this.#slots;
    const value = slots[this.#head]!;
    slots[this.#head] = this.#vacant;
    this.#head = (this.#head + 1) & (slots.length - 1);
    this.#length -= 1;
    return value;
  }

  /** The value at `index` from the front, or `undefined` beyond the end. */
  at(index: number): T | undefined {
    if (index < 0 || index >= this.#length) return undefined;
    return this.#slots[(this.#head + index) & (this.#slots.length - 1)];
  }

  clear(): void {
    this.#head = 0;
    this.#length = 0;
    this.#slots = new Array<T>(this.#capacityMin).fill(this.#vacant);
  }

  /** From front to end. The queue must not change meanwhile. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let index = 0; index < this.#length; index += 1) yield this.at(index)!;
  }

  #resize(capacity: number): void {
    const slots = new Array<T>(capacity).fill(this.#vacant);
    for (let index = 0; index < this.#length; index += 1) slots[index] = this.#slots[(this.#head + index) & (this.#slots.length - 1)]!;
    this.#slots = slots;
    this.#head = 0;
  }
}

function powerOfTwoFrom(capacity: number): number {
  let power = 2;
  while (power < capacity) power *= 2;
  return power;
}
