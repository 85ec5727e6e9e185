/**
 * The program of examples/stateful-word-count.ts: how often each word has come so far, over all batches.
 *
 * The function is called in every batch for every word that has a state, also where the batch has none of it: so a word can be let
 * go. Undefined ends its state. A state is never changed in place: a new one is returned.
 */
import type { StreamingContext } from 'millrace';

interface Seen {
  readonly count: number;
  /** Batches since the word came last. */
  readonly idle: number;
}

export default function statefulWordCount(ssc: StreamingContext, args: { readonly idleMax: number }) {
  const lines = ssc.queue<string>();
  const seen = ssc
    .queueStream(lines)
    .flatMap((line) => line.split(' '))
    .map((word) => [word, 1])
    .updateStateByKey((ones, state: Seen | undefined): Seen | undefined => {
      if (ones.length > 0) return { count: (state?.count ?? 0) + ones.length, idle: 0 };
      if (state === undefined || state.idle >= args.idleMax) return undefined;
      return { count: state.count, idle: state.idle + 1 };
    });
  return { lines, counts: seen.mapValues(({ count }) => count).publish() };
}
