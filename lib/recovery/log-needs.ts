/**
 * How far back a book reaches into the files of its log.
 *
 * Invariant: what lies in segments before these numbers is read by nobody who starts from this book.
 */
import type { RecoveryBook } from './book.ts';

export interface LogNeeds {
  readonly log: number;
  /** In the state's own log. */
  readonly state: number;
}

export function logNeedsOf(book: RecoveryBook): LogNeeds {
  let log = book.sequence + 1;
  for (const { place } of book.blocks.values()) log = Math.min(log, firstSequenceOf(place.file));
  let state = Infinity;
  for (const { versions } of book.states.values()) {
    for (const { links } of versions) {
      for (const link of links) {
        for (const part of [link?.pairs, link?.extra]) if (part?.place != null && 'file' in part.place) state = Math.min(state, firstSequenceOf(part.place.file));
      }
    }
  }
  return { log, state };
}

/** The first sequence number of a segment: its file's name begins with it. */
export function firstSequenceOf(file: string): number {
  return Number(/(\d{20})[^/]*$/.exec(file)?.[1] ?? 0);
}
