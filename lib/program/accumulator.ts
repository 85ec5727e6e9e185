/**
 * An accumulator: what the tasks add up, for the app to read.
 *
 * Invariant: `add` inside of a task goes to the work that the running function does (see lib/rdd/function-scope.ts), which is
 * reported when the task has succeeded and dropped when it failed. The app's total grows by `absorb`, once for each piece of
 * work, however often it was done; who has counted already is the ledger's business.
 *
 *   worker: add, add, add --> scope --(with the task's report)--> driver --> app: ledger --> absorb / setAside --> value
 */
import type { RunningFunction } from '../rdd/function-scope.ts';
import { previewOf } from '../../protocol/errors.ts';
import { callError } from '../base/caller-place.ts';

const sum = (a: number, b: number): number => a + b;

/** A value that tasks add to and the app reads: each piece of work counts once, however often it is done. */
export class Accumulator<A> {
  /** Place among the program's accumulators. */
  readonly index: number;
  readonly name: string;
  readonly #merge: (a: A, b: A) => A;
  readonly #running: RunningFunction;
  readonly #sums: boolean;
  readonly #initial: A;
  #total: A;
  /** What the app itself has added: no log has it. */
  #own: A;
  /** Of work that was not done to its end, by the work's key: replaced when it has been. */
  readonly #aside = new Map<string, A>();

  /** Without `merge` numbers are added up, and `initial` is one. */
  constructor(index: number, name: string, initial: A, merge?: (a: A, b: A) => A, running: RunningFunction = { scope: null }) {
    this.index = index;
    this.name = name;
    this.#initial = initial;
    this.#total = initial;
    this.#own = initial;
    this.#sums = merge === undefined;
    this.#merge = merge ?? (sum as unknown as (a: A, b: A) => A);
    this.#running = running;
  }

  /** In a function that runs in a task: counted once, when the task has succeeded. On the app: counted at once. Throws InvalidArgument where a number is wanted and none came. */
  add(value: A): void {
    if (this.#sums && typeof value !== 'number') {
      throw callError('InvalidArgument', 'add', `add expects a number, as ${this.name} adds numbers up, and got ${previewOf(value)}. Give accumulator a function that merges two values of another kind.`);
    }
    const { scope } = this.#running;
    if (scope === null) {
      this.#total = this.#merge(this.#total, value);
      this.#own = this.#merge(this.#own, value);
      return;
    }
    const contribution = scope.sums[this.index];
    if (contribution === undefined) scope.sums[this.index] = { value };
    else contribution.value = this.#merge(contribution.value as A, value);
  }

  /** On the app: the total of all tasks that have succeeded so far. On a worker: the initial value. */
  get value(): A {
    let value = this.#total;
    for (const part of this.#aside.values()) value = this.#merge(value, part);
    return value;
  }

  /** By the runtime, on the driver: another one of the same kind, which has counted nothing yet. @internal */
  anew(): Accumulator<A> {
    return new Accumulator<A>(this.index, this.name, this.#initial, this.#sums ? undefined : this.#merge);
  }

  /** By the runtime, after a restart: what was counted before. @internal */
  restore(total: A): void {
    this.#total = total;
  }

  /** By the runtime, on the app, when another driver goes on: what tasks had counted by then (undefined: nothing), and what the app has added. @internal */
  startOver(total: A | undefined): void {
    this.#aside.clear();
    this.#total = this.#merge(total === undefined ? this.#initial : total, this.#own);
  }

  /** By the runtime, on the app: the contribution of work done to its end, in place of what was set aside for it. */
  absorb(key: string, value: A): void {
    this.#aside.delete(key);
    this.#total = this.#merge(this.#total, value);
  }

  /** By the runtime, on the app: the contribution of work of which only the beginning was wanted. */
  setAside(key: string, value: A): void {
    this.#aside.set(key, value);
  }

  /** By the runtime, on the app: nothing more comes of that work. */
  settle(key: string): void {
    const part = this.#aside.get(key);
    if (part !== undefined) this.absorb(key, part);
  }
}
