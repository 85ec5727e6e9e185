/**
 * How far back a book reaches into the files of its log.
 *
 * Invariant: what lies in segments before these numbers is read by nobody who starts from this book.
 */
import type { FilePlace } from '../../protocol/rdd.ts';
import type { RecoveryBook } from './book.ts';

export interface LogNeeds {
  readonly log: number;
  /** In the state's own log. */
  readonly state: number;
}

export function logNeedsOf(book: RecoveryBook): LogNeeds {
  let log = book.sequence + 1;
  for (const { place } of book.blocks.values()) log = Math.min(log, firstOf(place));
  let state = Infinity;
  for (const { versions } of book.states.values()) {
    for (const { links } of versions) {
      for (const link of links) {
        for (const part of [link?.pairs, link?.extra]) if (part?.place != null && 'file' in part.place) state = Math.min(state, firstOf(part.place));
      }
    }
  }
  return { log, state };
}

/** The first sequence number of the segment that it lies in: a file's name begins with it. */
function firstOf({ file }: FilePlace): number {
  return Number(/(\d{20})[^/]*$/.exec(file)?.[1] ?? 0);
}
