/**
 * An accumulator: what the tasks add up, for the app to read.
 *
 * Invariant: `add` on a worker goes into the running task's own sum, which the runtime takes (`take`) when the task has
 * succeeded and drops when it failed; the app's total grows by `absorb`, once for each (accumulator, operator, batch time,
 * partition), however often the work was done.
 *
 *   worker: add, add, add -> take() --(with the task's report)--> driver, once per key --> app: absorb() -> value
 */
import { previewOf } from '../../protocol/errors.ts';
import { callError } from '../base/caller-place.ts';

const sum = (a: number, b: number): number => a + b;

export class Accumulator<A> {
  /** Place among the program's accumulators. */
  readonly index: number;
  readonly name: string;
  readonly #merge: (a: A, b: A) => A;
  readonly #sums: boolean;
  #total: A;
  #pending: { value: A } | null = null;

  /** Without `merge` numbers are added up, and `initial` is one. */
  constructor(index: number, name: string, initial: A, merge?: (a: A, b: A) => A) {
    this.index = index;
    this.name = name;
    this.#total = initial;
    this.#sums = merge === undefined;
    this.#merge = merge ?? (sum as unknown as (a: A, b: A) => A);
  }

  /** On a worker: counted once, when its task has succeeded. On the app: counted at once. Throws InvalidArgument where a number is wanted and none came. */
  add(value: A): void {
    if (this.#sums && typeof value !== 'number') {
      throw callError('InvalidArgument', 'add', `add expects a number, as ${this.name} adds numbers up, and got ${previewOf(value)}. Give accumulator a function that merges two values of another kind.`);
    }
    if (this.#pending === null) this.#pending = { value };
    else this.#pending.value = this.#merge(this.#pending.value, value);
  }

  /** On the app: the total of all tasks that have succeeded so far. On a worker: the initial value. */
  get value(): A {
    return this.#pending === null ? this.#total : this.#merge(this.#total, this.#pending.value);
  }

  /** By the runtime, on a worker: what was added since the last call, or null. */
  take(): { readonly value: A } | null {
    const taken = this.#pending;
    this.#pending = null;
    return taken;
  }

  /** By the runtime, on the app: a task's contribution. */
  absorb(value: A): void {
    this.#total = this.#merge(this.#total, value);
  }
}
