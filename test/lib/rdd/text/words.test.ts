/**
 * Text operators and recognised closures against the closures as they are: over any text, in both forms of loops, the same results in the same order.
 */
import t from 'tap';
import fc from 'fast-check';
import { createPrng } from '../../../../lib/base/prng.ts';
import { freezeDeep } from '../../../../lib/rdd/freeze.ts';
import { WordDictionary } from '../../../../lib/rdd/text/word-dictionary.ts';
import type { FunctionRef } from '../../../../protocol/rdd.ts';
import type { RddId } from '../../../../protocol/ids.ts';
import { encodeRecord } from '../../../../protocol/codec.ts';
import { loopForms, StageMaker, thrownBy } from '../compute/stage.ts';

type AnyFunction = (...args: never[]) => unknown;

/** Lines with all that may go wrong in them: separators side by side, ends of both kinds, what is no ASCII, what no utf8 can hold. */
const piece = fc.constantFrom('', 'a', 'to', 'four', 'fiver', 'eightyes', 'ninechars', 'a word that is long'.replaceAll(' ', '-'), 'é', '日本', '😀', '\u{feff}', '\u00a0', '\u3000', ' ', '  ', ',', '\t', ', ', '\r', '\0', '\v', 'x'.repeat(130));
const line = fc.array(piece, { maxLength: 8 }).map((parts) => parts.join(''));
const lines = fc.array(line, { maxLength: 12 });
const end = fc.constantFrom('\n', '\r\n');
const text = fc.tuple(lines, end, fc.boolean()).map(([all, lineEnd, open]) => (all.length === 0 ? '' : `${all.join(lineEnd)}${open ? '' : lineEnd}`));
/** Bytes that are no utf8 among ones that are. */
const noUtf8 = fc.array(fc.constantFrom(0x20, 0x2c, 0x0a, 0x0d, 0x61, 0x62, 0xff, 0xc3, 0xa9, 0xe2, 0x80, 0x80, 0xf0, 0x9f, 0xc2, 0xa0), { maxLength: 20 }).map((bytes) => Uint8Array.from(bytes));
/** The usual one, which all share; and ones that are full at once. */
const sharedDictionary = new WordDictionary();
const dictionary = fc.constantFrom(null, { wordsMax: 0 }, { wordsMax: 3 }, { tailBytesMax: 4 }).map((limits) => (limits === null ? sharedDictionary : new WordDictionary(limits)));
/** Also halves of surrogate pairs and ends of lines, which records may have that never were a text. */
const strings = fc.array(fc.oneof(line, fc.array(fc.constantFrom('a', ' ', '\ud800', '\udc00', '\n', 'bc'), { maxLength: 5 }).map((parts) => parts.join(''))), { maxLength: 12 });

const separators = [' ', ',', ', ', '\t', 'é', '\r', '\n', '\0', 'ab', '日'];

function same(actual: unknown, expected: unknown, what: string): void {
  const [a, e] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== e) throw new Error(`${what}: expected ${e}, got ${a}`);
}

const builtin = (name: string, separator?: string): FunctionRef => (separator === undefined ? { kind: 'builtin', name } : { kind: 'builtin', name, over: [], value: encodeRecord(separator) });

for (const [form, makeLoops] of loopForms) {
  t.test(`${form}: words, splitBy and fields give what the closures they stand for give, on texts and on strings`, async () => {
    const loops = makeLoops();
    fc.assert(
      fc.property(fc.array(fc.oneof(text, noUtf8), { maxLength: 3 }), strings, fc.nat(separators.length), fc.nat(6), dictionary, (texts, records, at, limit, words) => {
        const separator = separators[at];
        const plain: (line: string) => string[] = separator === undefined ? (one) => one.match(/\S+/g) ?? [] : (one) => one.split(separator);
        const ref = separator === undefined ? builtin('words') : builtin('split', separator);
        for (const source of [(stage: StageMaker) => stage.text(...texts), (stage: StageMaker) => stage.source(records)]) {
          const [ours, theirs] = [new StageMaker({ loops, chunkBytes: 24, words }), new StageMaker({ loops, recognizeClosures: false })];
          const cut = ours.node({ kind: 'flatMap', fn: ref }, [source(ours)]);
          const expected = theirs.op('flatMap', source(theirs), plain);
          same(ours.collect(cut), theirs.collect(expected), 'words');
          same(ours.collect(cut, 0, {}, limit), theirs.collect(expected, 0, {}, limit), 'the first words');
          same(ours.collect(ours.op('map', cut, (word: string) => [word, word.length])), theirs.collect(theirs.op('map', expected, (word: string) => [word, word.length])), 'words in a closure');
          same(ours.collect(ours.node({ kind: 'map', fn: ref }, [source(ours)])), theirs.collect(theirs.op('map', source(theirs), plain)), 'fields');
        }
      }),
      { seed: 21, numRuns: 300 },
    );
  });

  // Programs out of closures of all sorts, behind one another: what is recognised and what isn't must be the same.
  const maps: readonly AnyFunction[] = [(w: string) => w.trim(), (w: string) => w.toLowerCase(), (w: string) => w, (w: string) => `${w}!`, (w: string) => w.toUpperCase().trim()];
  const filters: readonly AnyFunction[] = [(w: string) => w.length > 0, (w: string) => w !== 'to', (w: string) => w, (w: string) => w.length % 2 === 0, (w: string) => w.trim() != ''];
  const splits: readonly AnyFunction[] = [(l: string) => l.split(' '), (l: string) => l.split(','), (l: string) => l.split(', '), (l: string) => l.split(/\s+/), (l: string) => l.split('\0')];
  const pairs: readonly AnyFunction[] = [(w: string) => [w, 1], (w: string) => [w, 0.1], (w: string) => [w, -0], (w: string) => [w, 9007199254740993], (w: string) => [w, w.length], (w: string) => [w, NaN]];
  const merges: readonly AnyFunction[] = [(a: number, b: number) => a + b, (a: number, b: number) => a * 2 + b, (a: number, b: number) => Math.max(a, b)];

  t.test(`${form}: random programs of closures give the same recognised and as they are: values to the last bit, keys in the order first met`, async () => {
    const step = fc.oneof(fc.tuple(fc.constant('map' as const), fc.nat(maps.length - 1)), fc.tuple(fc.constant('filter' as const), fc.nat(filters.length - 1)));
    const others = fc.array(fc.tuple(fc.constantFrom('a', 'to', 'x', 'é', 'A'), fc.oneof(fc.constantFrom(0.5, -0, NaN, 2 ** 53, Infinity), fc.constantFrom('text', true, null, undefined))), { maxLength: 4 });
    const loops = makeLoops();
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.oneof(text, noUtf8).map((value) => ({ text: value })), strings.map((value) => ({ strings: value })), others.map((value) => ({ pairs: value }))), { minLength: 1, maxLength: 4 }), fc.nat(splits.length - 1), fc.array(step, { maxLength: 3 }), fc.nat(pairs.length - 1), fc.nat(merges.length - 1), fc.boolean(), dictionary, (parts, split, steps, pair, merge, freeze, words) => {
        const run = (recognizeClosures: boolean) => {
          const stage = new StageMaker({ loops, recognizeClosures, chunkBytes: 24, words, ...(freeze ? { freeze: freezeDeep } : {}) });
          const members = parts.map((part): RddId => {
            if ('pairs' in part) return stage.source(part.pairs);
            let rdd = stage.op('flatMap', 'text' in part ? stage.text(part.text) : stage.source(part.strings), splits[split]!);
            for (const [kind, at] of steps) rdd = stage.op(kind, rdd, kind === 'map' ? maps[at]! : filters[at]!);
            return stage.op('map', rdd, pairs[pair]!);
          });
          const union = stage.node({ kind: 'union' }, members, { partitions: members.length });
          const all = stage.node({ kind: 'coalesce', groups: [members.map((_one, partition) => partition)] }, [union]);
          const ref = stage.env.fn(merges[merge]!);
          const combine = { createCombiner: { kind: 'builtin', name: 'identity' }, mergeValue: ref, mergeCombiners: ref } as const;
          const { output } = stage.run(all, { kind: 'shuffle', shuffle: 16 as never, spec: { kind: 'hash', partitions: 2 }, combine, keyed: true });
          if (output.kind !== 'shuffle') throw new Error(output.kind);
          return output.buckets.map((bucket) => stage.env.pairsOf(bucket)).map((bucket) => bucket.map((one) => (one as unknown[]).map(exact)));
        };
        same(run(true), run(false), 'combined');
      }),
      { seed: 23, numRuns: 400 },
    );
  });

  t.test(`${form}: what fails behind the words is named as it is without them`, async (t) => {
    const outcomes = [true, false].map((recognizeClosures) => {
      const stage = new StageMaker({ loops: makeLoops(), recognizeClosures });
      const words = stage.op('flatMap', stage.text('to be\nor not\n'), (one: string) => one.split(' '));
      const failing = stage.op('map', words, (word: string) => { if (word === 'not') throw new Error('no'); return word; });
      return thrownBy(() => stage.collect(failing)).details;
    });
    t.strictSame(outcomes[0], outcomes[1]);
    t.match(outcomes[0], { name: 'map', record: /not/ });
  });

  t.test(`${form}: a record that is no string fails in the closure, or does what it does there`, async (t) => {
    for (const recognizeClosures of [true, false]) {
      const stage = new StageMaker({ loops: makeLoops(), recognizeClosures });
      const split = (one: string): string[] => one.split(' ');
      t.strictSame(stage.collect(stage.op('flatMap', stage.op('map', stage.source(['a b']), (one: string) => ({ split: (separator: string) => [one, separator] })), split)), ['a b', ' ']);
      t.match(thrownBy(() => stage.collect(stage.op('flatMap', stage.source(['a b', 7, 'c']), split))), { code: 'UserFunctionFailed', details: { name: 'flatMap', record: '7' } });
    }
  });

  t.test(`${form}: a sum that meets a value which is no number is left to the function, and what it throws is named`, async (t) => {
    const outcomes = [true, false].map((recognizeClosures) => {
      const stage = new StageMaker({ loops: makeLoops(), recognizeClosures });
      const ones = stage.op('map', stage.op('flatMap', stage.text('a b a\n'), (one: string) => one.split(' ')), (word: string) => [word, 1]);
      const union = stage.node({ kind: 'union' }, [stage.source([['a', 10n]]), ones], { partitions: 2 });
      const ref = stage.env.fn((a: number, b: number) => a + b);
      const combine = { createCombiner: { kind: 'builtin', name: 'identity' }, mergeValue: ref, mergeCombiners: ref } as const;
      const all = stage.node({ kind: 'coalesce', groups: [[0, 1]] }, [union]);
      return thrownBy(() => stage.run(all, { kind: 'shuffle', shuffle: 16 as never, spec: { kind: 'hash', partitions: 1 }, combine, keyed: true }));
    });
    t.equal(outcomes[0]!.code, 'UserFunctionFailed');
    t.equal(outcomes[0]!.message, outcomes[1]!.message);
    t.strictSame(outcomes[0]!.details, outcomes[1]!.details);
  });
}

t.test('sums that round are added up one by one, and those that do not are the same multiplied', async (t) => {
  const values: readonly AnyFunction[] = [(w: string) => [w, 0.1], (w: string) => [w, 3], (w: string) => [w, -2], (w: string) => [w, 4503599627370496], (w: string) => [w, 4503599627370497], (w: string) => [w, 9007199254740991], (w: string) => [w, 0], (w: string) => [w, -0]];
  for (const value of values) {
    for (const first of [null, 0.7, -0, 9007199254740990, -9007199254740991, 1e300, NaN, 'text', true]) {
      const [ours, theirs] = [true, false].map((recognizeClosures) => {
        const stage = new StageMaker({ recognizeClosures });
        const words = stage.op('map', stage.op('flatMap', stage.text('a b a a\na c a a a\n'), (one: string) => one.split(' ')), value);
        const union = stage.node({ kind: 'union' }, [stage.source(first === null ? [] : [['a', first]]), words], { partitions: 2 });
        const all = stage.node({ kind: 'coalesce', groups: [[0, 1]] }, [union]);
        const ref = stage.env.fn((a: number, b: number) => a + b);
        const combine = { createCombiner: { kind: 'builtin', name: 'identity' }, mergeValue: ref, mergeCombiners: ref } as const;
        const { output } = stage.run(all, { kind: 'shuffle', shuffle: 16 as never, spec: { kind: 'hash', partitions: 1 }, combine, keyed: true });
        return stage.env.pairsOf(output.kind === 'shuffle' ? output.buckets[0]! : null).map((one) => (one as unknown[]).map(exact));
      });
      same(ours, theirs, `${String(value)} from ${String(first)}`);
    }
  }
});

/** As JSON can tell them apart. */
function exact(value: unknown): unknown {
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : `n${value}`;
  return value === undefined ? 'undefined' : value;
}

t.test('lines are counted as signs of life, whichever way they run', async (t) => {
  const counts = [true, false].map((recognizeClosures) => {
    let records = 0;
    const stage = new StageMaker({ recognizeClosures, onAlive: (more) => void (records += more) });
    stage.collect(stage.op('flatMap', stage.text('a b\n'.repeat(5_000)), (one: string) => one.split(' ')));
    return records;
  });
  t.equal(counts[0], 4_096);
  t.equal(counts[0], counts[1]);
});

t.test('a cancelled task ends among the words', async (t) => {
  const stage = new StageMaker({ onAlive: () => { throw new Error('cancelled'); } });
  const rdd = stage.op('map', stage.op('flatMap', stage.text('a b\n'.repeat(5_000)), (one: string) => one.split(' ')), (word: string) => [word, 1]);
  t.throws(() => stage.collect(rdd), /cancelled/);
});

t.test('while a built-in of strings is not the engine\'s own, closures run as they are', async (t) => {
  const { split } = String.prototype;
  t.teardown(() => void (String.prototype.split = split));
  String.prototype.split = function patched(this: string) { return [`patched ${this}`]; } as typeof split;
  const stage = new StageMaker();
  t.strictSame(stage.collect(stage.op('flatMap', stage.text('a b\n'), (one: string) => one.split(' '))), ['patched a b']);
  t.strictSame(stage.collect(stage.op('flatMap', stage.source(['a b']), (one: string) => one.split(' '))), ['patched a b']);
  String.prototype.split = split;
  t.strictSame(stage.collect(stage.op('flatMap', stage.text('a b\n'), (one: string) => one.split(' '))), ['a', 'b']);
  Object.defineProperty(String.prototype, Symbol.split, { configurable: true, value: () => ['by symbol'] });
  t.teardown(() => void delete (String.prototype as { [Symbol.split]?: unknown })[Symbol.split]);
  const byClosure = stage.collect(stage.op('flatMap', stage.text('a b\n'), (one: string) => one.split(' ')));
  t.strictSame(byClosure, 'a b'.split(' '));
});

t.test('long texts are cut in chunks, and huge lines in portions, with nothing lost at the seams', async (t) => {
  // Bytes that come again only after long, so that seams lie everywhere in lines and words.
  const random = createPrng(5);
  const words = Array.from({ length: 3_000 }, (_one, index) => `${'é'.repeat(index % 3)}w${index}`);
  const bodies = [
    Array.from({ length: 20_000 }, () => Array.from({ length: random.int(9) }, () => random.pick(words)).join(' ')).join('\r\n'),
    ' '.repeat(200_000),
    `${'a b '.repeat(60_000)}\n${'long'.repeat(50_000)}\nend `,
  ];
  for (const body of bodies) {
    const [ours, theirs] = [true, false].map((recognizeClosures) => {
      const stage = new StageMaker({ recognizeClosures });
      return stage.collect(stage.op('flatMap', stage.text(body, 'x y'), (one: string) => one.split(' ')));
    });
    t.equal(ours!.length, theirs!.length);
    t.equal(ours!.findIndex((word, index) => word !== theirs![index]), -1);
  }
});
