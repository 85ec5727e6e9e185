/**
 * The state of one key, as the function of mapWithState sees it. Spark's `State`.
 *
 * Invariant: it is one object for all keys of a task, told of a new key before each call: not to be kept. What is asked of it in the
 * wrong moment is refused with InvalidStateCall, and the task fails.
 */
import { MillraceError } from '../../../protocol/errors.ts';

/** The state of one key, during a call of mapWithState's function. Not to be kept beyond it. */
export interface State<S> {
  /** True where the key has a state. */
  exists(): boolean;
  /** Throws InvalidStateCall where the key has no state. */
  get(): S;
  /** The state, or undefined where the key has none. */
  getOption(): S | undefined;
  /** Sets the state. Throws InvalidStateCall after `remove`, and while the key is timing out. */
  update(state: S): void;
  /** Ends the state. Throws InvalidStateCall after `remove`, and while the key is timing out, since it is removed then anyway. */
  remove(): void;
  /** True in the last call for a key that was idle for longer than the timeout. */
  isTimingOut(): boolean;
}

export class KeyedState implements State<unknown> {
  #state: unknown = undefined;
  #exists = false;
  #timingOut = false;
  #updated = false;
  #removed = false;

  /** Before each call. */
  wrap(exists: boolean, state: unknown, timingOut: boolean): void {
    this.#exists = exists;
    this.#state = state;
    this.#timingOut = timingOut;
    this.#updated = false;
    this.#removed = false;
  }

  get isUpdated(): boolean {
    return this.#updated;
  }

  get isRemoved(): boolean {
    return this.#removed;
  }

  exists(): boolean {
    return this.#exists;
  }

  get(): unknown {
    if (this.#exists) return this.#state;
    throw new MillraceError('InvalidStateCall', 'get() was called for a key that has no state. Ask exists() first, or use getOption().');
  }

  getOption(): unknown {
    return this.#exists ? this.#state : undefined;
  }

  update(state: unknown): void {
    this.#check('update');
    this.#state = state;
    this.#exists = true;
    this.#updated = true;
  }

  remove(): void {
    this.#check('remove');
    this.#state = undefined;
    this.#exists = false;
    this.#updated = false;
    this.#removed = true;
  }

  isTimingOut(): boolean {
    return this.#timingOut;
  }

  #check(call: string): void {
    if (this.#timingOut) throw new MillraceError('InvalidStateCall', `${call}() was called for a key that is timing out: its state is removed after this call. Ask isTimingOut() first.`);
    if (this.#removed) throw new MillraceError('InvalidStateCall', `${call}() was called after remove(), in the same call of the function.`);
  }
}
