/**
 * A value that is there at once, or later: what generating a batch's RDDs yields.
 *
 * Invariant: nothing becomes a promise unless a user's transform function (or a listing of files) was async, so a batch
 * without these is generated in one turn. Steps keep their order in both cases: the next begins when the one before is done.
 */

/** A value, or a promise of it. */
export type Eventually<T> = T | Promise<T>;

export function isPromise<T>(value: Eventually<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/** Goes on with the value: at once where it is there. */
export function andThen<T, U>(value: Eventually<T>, next: (value: T) => Eventually<U>): Eventually<U> {
  return isPromise(value) ? value.then(next) : next(value);
}

/** Runs `step` on one item after another and gathers the results in the items' order. */
export function inOrder<T, U>(items: readonly T[], step: (item: T, index: number) => Eventually<U>): Eventually<U[]> {
  const results: U[] = [];
  const from = (start: number): Eventually<U[]> => {
    for (let index = start; index < items.length; index += 1) {
      const result = step(items[index] as T, index);
      if (isPromise(result)) {
        return result.then((value) => {
          results.push(value);
          return from(index + 1);
        });
      }
      results.push(result);
    }
    return results;
  };
  return from(0);
}

/** As try/catch/finally around a call that may be async: `mapError` sees the failure in both cases. */
export function guarded<T>(call: () => Eventually<T>, mapError: (thrown: unknown) => unknown, lastly: () => void = () => {}): Eventually<T> {
  let result: Eventually<T>;
  try {
    result = call();
  } catch (thrown) {
    lastly();
    throw mapError(thrown);
  }
  if (!isPromise(result)) {
    lastly();
    return result;
  }
  return result.then(
    (value) => {
      lastly();
      return value;
    },
    (thrown: unknown) => {
      lastly();
      throw mapError(thrown);
    },
  );
}
