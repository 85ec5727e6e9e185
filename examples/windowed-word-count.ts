/**
 * Counts the words of a sliding window, and checks each window against a plain count of its five batches.
 *
 *   node dist/examples/windowed-word-count.js                   until Ctrl-C
 *   node dist/examples/windowed-word-count.js --batches 10      ends by itself
 *
 * A window with an inverse function builds on its own results, so it needs a checkpoint directory, as in Spark. Nothing is written
 * there yet: checkpoints are still to come.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Milliseconds, StreamingContext } from 'millrace';
import { batchesAsked, countWords, differenceOf, feed, lineOf, topOf } from './feed.js';
import type windowedWordCount from './programs/windowed-word-count.js';

const ssc = await StreamingContext.create<typeof windowedWordCount>(new URL('./programs/windowed-word-count.js', import.meta.url), {
  master: 'local[2]',
  appName: 'WindowedWordCount',
  batchInterval: Milliseconds(200),
  // A directory belongs to one run; to go on from an earlier one, give its directory to StreamingContext.getOrCreate.
  checkpointDirectory: mkdtempSync(join(tmpdir(), 'millrace-windowed-word-count-')),
});

const batchesInWindow = 5;

await feed(ssc, {
  queue: ssc.exports.lines,
  output: ssc.exports.counts,
  batches: batchesAsked(),
  inputOf: (k) => [lineOf(k)],
  onBatch: (counts, k) => {
    console.log(`window ${k + 1}: ${topOf(counts, 3)}`);
    const first = Math.max(0, k - batchesInWindow + 1);
    return differenceOf(counts, countWords(Array.from({ length: k - first + 1 }, (_, index) => lineOf(first + index))));
  },
});
