/** The dictionary of words and what cuts bytes into them: one id and one string for the same bytes, and bounds that hold. */
import t from 'tap';
import { cutAt, cutAtSpaces } from '../../../../lib/rdd/text/cut.ts';
import type { Cut } from '../../../../lib/rdd/text/cut.ts';
import { Tokenizer } from '../../../../lib/rdd/text/tokenizer.ts';
import { dictionaryWordsMax, wordBytesMax, WordDictionary } from '../../../../lib/rdd/text/word-dictionary.ts';
import { createPrng } from '../../../../lib/base/prng.ts';
import { StageMaker } from '../compute/stage.ts';

function cutText(dictionary: WordDictionary, text: string, cut: Cut): { ids: number[]; words: string[]; lines: number } {
  const tokenizer = new Tokenizer(dictionary, cut);
  const bytes = new TextEncoder().encode(text);
  tokenizer.begin(bytes, 0, bytes.length);
  const [ids, words]: [number[], string[]] = [[], []];
  let lines = 0;
  while (tokenizer.next()) {
    for (const id of tokenizer.ids.subarray(0, tokenizer.count)) {
      ids.push(id);
      words.push(id >= 0 ? tokenizer.words[id]! : tokenizer.others[-1 - id]!);
    }
    lines += tokenizer.lines;
  }
  return { ids, words, lines };
}

const atSpace = cutAt(' ', 'text')!;

t.test('the same bytes have one id, wherever they stand in lines of either end', async (t) => {
  const dictionary = new WordDictionary();
  const all = ['a', 'four', 'fives', 'eightyes', 'ninechars', 'sixteen-bytes-it'];
  const { ids, lines } = cutText(dictionary, all.map((word) => `${word} ${word}\r\n${word}\n${word} x\n`).join(''), atSpace);
  t.equal(new Set(ids).size, all.length + 1);
  t.equal(dictionary.words.length, all.length + 1);
  t.equal(lines, 18);
  const before = [...dictionary.words];
  t.strictSame(cutText(dictionary, `${all.join(' ')}\n`, cutAtSpaces('text')).words, all);
  t.strictSame(dictionary.words, before, 'whatever cuts them');
});

t.test('it grows as words come, and words that begin alike or differ in length alone are different', async (t) => {
  const dictionary = new WordDictionary();
  const words = Array.from({ length: 5_000 }, (_one, index) => `${'prefix-of-all-'.repeat(index % 4)}${index}`);
  const first = cutText(dictionary, `${words.join(' ')}\n`, atSpace);
  t.strictSame(first.words, words);
  t.strictSame(first.ids, words.map((_one, index) => index));
  t.strictSame(cutText(dictionary, `${words.join('\n')}\n`, atSpace).ids, first.ids);
  t.strictSame(cutText(dictionary, 'ab ab\0 ab\0\0 \0 \n', atSpace).words, ['ab', 'ab\0', 'ab\0\0', '\0', '']);
});

t.test('a full dictionary takes no more, keeps what it has, and begins anew when nobody is in it', async (t) => {
  const dictionary = new WordDictionary({ wordsMax: 2 });
  dictionary.enter();
  const full = cutText(dictionary, 'a b c a c\n', atSpace);
  t.strictSame(full.words, ['a', 'b', 'c', 'a', 'c']);
  t.strictSame(full.ids, [0, 1, -1, 0, -2]);
  t.ok(dictionary.full);
  dictionary.enter();
  t.strictSame(cutText(dictionary, 'c a b\n', atSpace).ids, [-1, 0, 1], 'somebody else is in it');
  dictionary.leave();
  dictionary.leave();
  dictionary.enter();
  t.notOk(dictionary.full);
  t.strictSame(cutText(dictionary, 'c d\n', atSpace).ids, [0, 1]);
  dictionary.leave();
});

t.test('long words, and words with whitespace beyond ASCII, are never taken', async (t) => {
  const dictionary = new WordDictionary();
  const long = 'x'.repeat(wordBytesMax + 1);
  t.strictSame(cutText(dictionary, `${long} ${long.slice(1)} \u3000a\u2003b\n`, atSpace).ids.map((id) => id < 0), [true, false, true]);
  t.notOk(dictionary.full);
  t.ok(dictionaryWordsMax >= 65_536);
});

t.test('words are the same wherever they lie in memory, with bytes below a space in them or not, up to the last byte', async (t) => {
  const random = createPrng(9);
  const parts = ['\0', '\x01', '\x1f', ' ', '\t', '\n', '\r\n', '!', 'a', 'é', '\x7f', '\xff', 'four', 'sevenin', 'eightyes', 'ninechars'];
  const dictionary = new WordDictionary();
  for (const [separator, cut] of [[' ', atSpace], ['\t', cutAt('\t', 'text')!], ['!', cutAt('!', 'text')!], [/[\t-\r ]/, cutAtSpaces('text')]] as const) {
    for (let round = 0; round < 400; round += 1) {
      const text = `${Array.from({ length: random.int(24) }, () => random.pick(parts)).join('')}\n`;
      const isSpaces = typeof separator !== 'string';
      const expected = text.split('\n').slice(0, -1).flatMap((line) => (isSpaces ? line : line.replace(/\r$/, '')).split(separator)).filter((word) => !isSpaces || word !== '');
      const encoded = new TextEncoder().encode(text);
      const before = random.int(8);
      // What lies behind the text is no part of it.
      const bytes = new Uint8Array(before + encoded.length + random.int(9)).fill(0x61);
      bytes.set(encoded, before);
      const tokenizer = new Tokenizer(dictionary, cut);
      tokenizer.begin(bytes, before, before + encoded.length);
      const words: string[] = [];
      while (tokenizer.next()) for (const id of tokenizer.ids.subarray(0, tokenizer.count)) words.push(tokenizer.words[id]!);
      if (JSON.stringify(words) !== JSON.stringify(expected)) t.strictSame(words, expected, JSON.stringify(text));
    }
  }
  t.equal(new Set(dictionary.words).size, dictionary.words.length, 'and none has two ids');
});

t.test('counted words are given where their count was 0, and words that the dictionary has not taken at each occurrence', async (t) => {
  const dictionary = new WordDictionary({ wordsMax: 3 });
  const tokenizer = new Tokenizer(dictionary, atSpace, true);
  const cut = (text: string): number[] => {
    const bytes = new TextEncoder().encode(text);
    tokenizer.begin(bytes, 0, bytes.length);
    t.ok(tokenizer.next());
    return [...tokenizer.ids.subarray(0, tokenizer.count)];
  };
  t.strictSame(cut('a b a\na\n'), [0, 1]);
  t.equal(tokenizer.found, 4);
  t.strictSame(cut('b x c x a c\n'), [2, -1, -2]);
  t.strictSame(tokenizer.others, ['c', 'c']);
  t.equal(tokenizer.found, 6);
  t.strictSame([...tokenizer.counts.subarray(0, 3)], [4, 2, 2]);
  tokenizer.counts[0] = 0;
  t.strictSame(cut('b a a\n'), [0]);
  t.equal(tokenizer.counts[0], 2);
});

t.test('what can\'t be found byte by byte is no cut', async (t) => {
  for (const separator of ['', 'ab', 'é', '\n', '\r']) t.equal(cutAt(separator, 'text'), null, JSON.stringify(separator));
  for (const separator of ['', 'ab', 'é', '\0']) t.equal(cutAt(separator, 'strings'), null, JSON.stringify(separator));
});

t.test('a function between the words and their sum that is not known is called for each record', async (t) => {
  const stage = new StageMaker();
  let calls = 0;
  const counting = (word: string): string => {
    calls += 1;
    return word;
  };
  const pairs = stage.op('map', stage.op('map', stage.op('flatMap', stage.text('a b a\n'), (line: string) => line.split(' ')), counting), (word: string) => [word, 1]);
  const ref = stage.env.fn((a: number, b: number) => a + b);
  const combine = { createCombiner: { kind: 'builtin', name: 'identity' }, mergeValue: ref, mergeCombiners: ref } as const;
  const { output } = stage.run(pairs, { kind: 'shuffle', shuffle: 16 as never, spec: { kind: 'hash', partitions: 1 }, combine, keyed: true });
  t.strictSame(stage.env.pairsOf(output.kind === 'shuffle' ? output.buckets[0]! : null), [['a', 2], ['b', 1]]);
  t.equal(calls, 3);
});
