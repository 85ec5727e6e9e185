/**
 * Knows whether this thread is one of the runtime's own, where programs are built but no contexts are made.
 *
 * Invariant: set once, at the start of a thread; the mark is on the thread's global object, so that two copies of the
 * package on one thread agree.
 */
const mark = Symbol.for('millrace.host');

export function markAsHost(): void {
  Object.defineProperty(globalThis, mark, { value: true });
}

export function isInsideHost(): boolean {
  return mark in globalThis;
}
