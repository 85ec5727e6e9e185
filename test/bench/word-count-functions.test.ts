/** The top 10 that every side of the benchmark takes. */
import t from 'tap';
import fc from 'fast-check';
import { topWords } from '../../bench/programs/word-count-functions.ts';
import type { WordCount } from '../../bench/programs/word-count-functions.ts';

t.test('the heap finds the same counts as sorting everything', async () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1_000)), fc.integer({ min: 1, max: 12 }), (sums, size) => {
      const counts = sums.map((sum, index): WordCount => [`w${index}`, sum]);
      const expected = [...sums].sort((a, b) => b - a).slice(0, size);
      return JSON.stringify(topWords(counts, size).map(([, sum]) => sum)) === JSON.stringify(expected);
    }),
    { seed: 42 },
  );
});

t.test('stamps are no words', async (t) => {
  t.same(topWords([['t1700000000002000', 99], ['w0001', 2], ['w0002', 3]]), [['w0002', 3], ['w0001', 2]]);
});
