/** What `npm start` runs: it ends by itself with counts that are right, and its own check can tell wrong ones. */
import t from 'tap';
import { CountChecker } from '../../examples/check-counts.ts';
import { text } from '../../examples/text-server.ts';
import { builtFile, printedCounts, startNode } from '../helpers/node-process.ts';

/** The counts of the text's lines from `from` on. */
function countsOf(from: number, lines: number): [string, number][] {
  const counts = new Map<string, number>();
  for (let line = from; line < from + lines; line += 1) {
    for (const word of (text[line % text.length] as string).split(' ')) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts];
}

t.test('with --batches N it ends by itself with 0, all that it served counted exactly', async (t) => {
  const child = startNode(t, [builtFile('examples/start.js'), '--batches', '2']);
  t.strictSame(await child.ended, { code: 0, signal: null });
  const [, batches, lines] = /^(\d+) batches, (\d+) lines, \d+ words: every count is right/m.exec(child.stderr) ?? [];
  t.ok(Number(batches) >= 2, child.stderr);
  t.ok(Number(lines) > 0 && Number(lines) % text.length === 0, 'whole rounds of the text');
  t.strictSame(printedCounts(child.stdout), Object.fromEntries(countsOf(0, Number(lines))));
});

t.test('Ctrl-C ends it with 0, and what was served is counted to the last line', async (t) => {
  const child = startNode(t, [builtFile('examples/start.js')]);
  await child.prints(/\(wheel,\d+\)/);
  child.kill('SIGINT');
  t.strictSame(await child.ended, { code: 0, signal: null });
  t.match(child.stderr, /every count is right/);
});

t.test('a number of batches that is none is refused', async (t) => {
  const child = startNode(t, [builtFile('examples/start.js'), '--batches', 'many']);
  t.strictSame(await child.ended, { code: 2, signal: null });
  t.match(child.stderr, /Expected --batches .* got many/);
});

t.test('the check follows the text from batch to batch, wherever batches are cut', (t) => {
  const checker = new CountChecker();
  for (const [from, lines] of [[0, 3], [3, 1], [4, 9], [13, 4]] as const) t.equal(checker.check(countsOf(from, lines)), null);
  t.equal(checker.lines, 17);
  t.end();
});

t.test('the check finds a lost line, a line counted twice, a word too many and a word put for another', (t) => {
  const fresh = (counts: [string, number][]): string | null => new CountChecker().check(counts);
  t.match(fresh(countsOf(1, 3)), /was counted|no whole lines/, 'the first line is missing');
  const twice = [...countsOf(0, 4)].map(([word, count]): [string, number] => [word, word === 'mill' ? count + 1 : count]);
  t.match(fresh(twice), /no whole lines|was counted/);
  const swapped = [...countsOf(0, 4)].map(([word, count]): [string, number] => [word === 'mill' ? 'bill' : word, count]);
  t.match(fresh(swapped), /"bill" was counted 1 times, and served 0 times/);
  t.end();
});
