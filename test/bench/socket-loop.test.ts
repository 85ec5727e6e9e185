/** The bare loop that word-count-socket is held against: that it does what it is compared with, in both forms. */
import t from 'tap';
import { startLoadSource } from '../../bench/load/source.ts';
import { makeLineStrings, wordsPerLine } from '../../bench/load/zipf-lines.ts';
import { limit, millrace } from '../../bench/subjects.ts';

const lines = 30_000;
const distinctWords = new Set(makeLineStrings(lines).flatMap((line) => line.split(' '))).size;

for (const recognizeClosures of [true, false]) {
  for (const subject of [limit, millrace]) {
    t.test(`${subject.name}, closures ${recognizeClosures ? 'recognised' : 'called'}: every word of every line is counted once, and each batch has its top 10`, async (t) => {
      const source = await startLoadSource({ pace: [], lines, hold: true });
      t.after(() => source.stop());
      const measured = await subject.start({ program: 'socket', master: 'local[2]', batchMs: 200, port: source.port, recognizeClosures });
      t.after(() => measured.end(5_000));
      const counted = (): number => measured.outputs.reduce((sum, { words }) => sum + words, 0);
      const received = (): number => measured.batches.reduce((sum, { records }) => sum + records, 0);
      // A batch is told of behind its output.
      await measured.until('all words are counted', () => counted() >= lines * wordsPerLine && received() >= lines, 60_000);
      t.equal(counted(), lines * wordsPerLine);
      const full = measured.outputs.filter(({ words }) => words > 0);
      t.ok(full.every(({ top }) => top === 10));
      // One batch may have had all of them: then it knows just the words that there are.
      const most = Math.max(...full.map(({ keys }) => keys));
      t.ok(most <= distinctWords && (full.length > 1 || most === distinctWords), `${most} words in a batch, ${distinctWords} in all`);
      t.equal(received(), lines, 'and the batches say how many lines they had');
      t.equal(measured.failure, null);
    });
  }
}
