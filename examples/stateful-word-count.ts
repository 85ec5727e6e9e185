/**
 * Counts words over all batches with updateStateByKey; a word that has not come for more than three batches is forgotten, and starts anew.
 *
 *   node dist/examples/stateful-word-count.js                   until Ctrl-C
 *   node dist/examples/stateful-word-count.js --batches 10      ends by itself
 *
 * State needs a checkpoint directory, as in Spark. This program begins with an empty one each time it is started; one that is to go on with its
 * counts keeps the directory, and asks StreamingContext.getOrCreate for its context.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Milliseconds, StreamingContext } from 'millrace';
import { batchesAsked, countWords, differenceOf, feed, lineOf, topOf } from './feed.js';
import type statefulWordCount from './programs/stateful-word-count.js';

const idleMax = 3;
const ssc = await StreamingContext.create<typeof statefulWordCount>(new URL('./programs/stateful-word-count.js', import.meta.url), {
  master: 'local[2]',
  appName: 'StatefulWordCount',
  batchInterval: Milliseconds(200),
  // A directory belongs to one run; to go on from an earlier one, give its directory to StreamingContext.getOrCreate.
  checkpointDirectory: mkdtempSync(join(tmpdir(), 'millrace-stateful-word-count-')),
  args: { idleMax },
});

/** The same by hand: word -> count and the batch in which it came last. */
const expected = new Map<string, { count: number; last: number }>();

await feed(ssc, {
  queue: ssc.exports.lines,
  output: ssc.exports.counts,
  batches: batchesAsked(),
  inputOf: (k) => [lineOf(k)],
  onBatch: (counts, k) => {
    for (const [word, count] of countWords([lineOf(k)])) expected.set(word, { count: (expected.get(word)?.count ?? 0) + count, last: k });
    for (const [word, { last }] of expected) if (k - last > idleMax) expected.delete(word);
    console.log(`after batch ${k + 1}: ${counts.length} words, most often ${topOf(counts, 3)}`);
    return differenceOf(counts, new Map([...expected].map(([word, { count }]) => [word, count])));
  },
});
