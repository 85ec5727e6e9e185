/**
 * The three most used hashtags of a sliding window, and whether they are.
 *
 *   node dist/examples/top-hashtags.js                  until Ctrl-C
 *   node dist/examples/top-hashtags.js --batches 8      ends by itself after so many windows
 *
 * The window slides by two batches, so there is a result in every second batch only.
 */
import { Milliseconds, StreamingContext } from 'millrace';
import { batchesAsked, feed, lineOf } from './feed.js';
import type topHashtags from './programs/top-hashtags.js';

const top = 3;
const ssc = await StreamingContext.create<typeof topHashtags>(new URL('./programs/top-hashtags.js', import.meta.url), {
  master: 'local[2]',
  appName: 'TopHashtags',
  batchInterval: Milliseconds(200),
  args: { top },
});

/** Every word of a few lines as a hashtag. */
const postsOf = (k: number): string[] => [k, 2 * k, 3 * k].map((n) => `${k}: ${lineOf(n).replace(/\w+/g, '#$&')}`);
const batchesInWindow = 10;
/** Of the windows that the first inputs can be in, the one that this is. Unknown until the first result. */
let offset: number | null = null;

function topOfWindow(last: number): [string, number][] {
  const counts = new Map<string, number>();
  for (let k = Math.max(0, last - batchesInWindow + 1); k <= last; k += 1) {
    for (const post of postsOf(k)) for (const tag of post.match(/#\w+/g) ?? []) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  }
  return [...counts].sort(([tagA, a], [tagB, b]) => b - a || (tagA < tagB ? -1 : 1)).slice(0, top);
}

const textOf = (pairs: readonly (readonly [string, number])[]): string => pairs.map(([tag, count]) => `${tag} ${count}`).join(', ');

await feed(ssc, {
  queue: ssc.exports.posts,
  output: ssc.exports.trending,
  batches: batchesAsked(),
  inputsPerBatch: 2,
  inputOf: postsOf,
  onBatch: (trending, k) => {
    const found = textOf(trending);
    console.log(`window ${k + 1}: ${found}`);
    // The first window ends with input 0 or with input 1, as the batch that took input 0 fell.
    offset ??= [0, 1].find((last) => textOf(topOfWindow(last)) === found) ?? null;
    if (offset === null) return `the first window holds ${found}`;
    const expected = textOf(topOfWindow(offset + 2 * k));
    return found === expected ? null : `expected ${expected} in window ${k + 1}`;
  },
});
