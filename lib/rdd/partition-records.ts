/**
 * A partition as a user's function sees it: an iterable that can be gone through any number of times, and is not changed by that.
 *
 * Invariant: the function never gets the array or the columns themselves: it may be a persisted partition or a state, which others read too.
 */
import type { Feed, PairColumns, SourceForm } from './fuse.ts';
import type { Piece } from './piece.ts';
import type { TaskRun } from './task-run.ts';

/** Records that lie in an array. */
export class PartitionRecords implements Iterable<unknown> {
  readonly #records: readonly unknown[];

  constructor(records: readonly unknown[]) {
    this.#records = records;
  }

  [Symbol.iterator](): Iterator<unknown> {
    return this.#records[Symbol.iterator]();
  }
}

/**
 * Pairs that lie in columns, each made when it is asked for. An array of all of them would be the largest thing on the worker's heap where they are a
 * state: copied twice by the garbage collector, and dropped when the function has returned.
 */
export class PairRecords implements Iterable<[unknown, unknown]> {
  readonly #parts: readonly PairColumns[];

  constructor(parts: readonly PairColumns[]) {
    this.#parts = parts;
  }

  *[Symbol.iterator](): Iterator<[unknown, unknown]> {
    for (const { keys, values } of this.#parts) {
      for (let index = 0; index < keys.length; index += 1) yield [keys[index], values[index]];
    }
  }
}

/** For as long as the task runs: columns may be those of a table that the next task changes. */
export function partitionRecords(run: TaskRun, pieces: readonly Piece[]): Iterable<unknown> {
  // Pairs that are to be frozen must be the same ones each time.
  const columns = run.env.freeze === undefined ? feedsOf<PairColumns>(pieces, 'pairs') : null;
  return columns === null ? new PartitionRecords(run.frozen(arrayOf(run, pieces))) : new PairRecords(columns);
}

/** The records of the pieces as an array; not copied where they lie in one already. */
export function arrayOf(run: TaskRun, pieces: readonly Piece[]): readonly unknown[] {
  const arrays = feedsOf<readonly unknown[]>(pieces, 'array');
  if (arrays === null) return run.collect(pieces);
  return arrays.length === 1 ? arrays[0]! : arrays.flat();
}

/** Null: the pieces are not one of that form, without an operator on the way. */
function feedsOf<F extends Feed>(pieces: readonly Piece[], form: SourceForm): F[] | null {
  const [only] = pieces;
  if (pieces.length !== 1 || only?.form !== form || only.ops.length > 0) return null;
  const feeds: F[] = [];
  only.feed((feed) => {
    feeds.push(feed as F);
    return false;
  });
  return feeds;
}
