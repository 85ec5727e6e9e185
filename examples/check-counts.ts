/**
 * Checks word counts against the text that was served: each batch must hold exactly the next lines of it, no more and no less.
 *
 *   served   l0 l1 l2 l3 l0 l1 l2 l3 l0 ...
 *            `---v---' `----v----' `-v- ...     a batch is a run of lines: its number of words says where it ends,
 *             batch 1    batch 2   batch 3      and then every single count is known
 */
import { text } from './text-server.js';

export class CountChecker {
  /** Lines that the batches so far have counted. */
  lines = 0;
  words = 0;

  /** Null where all counts of the batch are right; else what is wrong. */
  check(counts: readonly (readonly [string, number])[]): string | null {
    const total = counts.reduce((sum, [, count]) => sum + count, 0);
    const expected = new Map<string, number>();
    let words = 0;
    while (words < total) {
      for (const word of wordsOf(this.lines)) {
        expected.set(word, (expected.get(word) ?? 0) + 1);
        words += 1;
      }
      this.lines += 1;
    }
    this.words += words;
    if (words !== total) return `its ${total} words are no whole lines of the text: the line that they end in makes them ${words}`;
    const wrong = counts.find(([word, count]) => expected.get(word) !== count);
    if (wrong !== undefined) return `${JSON.stringify(wrong[0])} was counted ${wrong[1]} times, and served ${expected.get(wrong[0]) ?? 0} times`;
    return expected.size === counts.length ? null : `${expected.size} different words were served, and ${counts.length} were counted`;
  }
}

function wordsOf(line: number): string[] {
  return (text[line % text.length] as string).split(' ');
}
