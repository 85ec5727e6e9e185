/**
 * Closures by number, for a cluster whose threads are all this one (`master: 'inline'`): nothing has to be found again
 * elsewhere, so any function will do, whenever it was made.
 *
 * Invariant: a number is never used again. An entry lives until `forget`, which is called when no RDD that could run it is
 * left (see `ProgramRdds.sweep`).
 */
import { MillraceError } from '../../protocol/errors.ts';
import type { FunctionRef } from '../../protocol/rdd.ts';
import type { AnyFunction } from './function-table.ts';

export class LocalFunctions {
  readonly #functions = new Map<number, AnyFunction>();
  readonly #numbers = new Map<AnyFunction, number>();
  #next = 0;

  refOf(fn: AnyFunction): FunctionRef {
    let index = this.#numbers.get(fn);
    if (index === undefined) {
      index = this.#next;
      this.#next += 1;
      this.#functions.set(index, fn);
      this.#numbers.set(fn, index);
    }
    return { kind: 'local', index };
  }

  resolve(index: number): AnyFunction {
    const fn = this.#functions.get(index);
    if (fn !== undefined) return fn;
    throw new MillraceError('RddReleased', `Function ${index} of this thread was asked for after the batch that made it was over.`);
  }

  forget(index: number): void {
    const fn = this.#functions.get(index);
    if (fn === undefined) return;
    this.#functions.delete(index);
    this.#numbers.delete(fn);
  }

  get size(): number {
    return this.#functions.size;
  }
}
