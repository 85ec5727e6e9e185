import t from 'tap';
import { meaningOfClosure, meaningOfText } from '../../../../lib/rdd/text/recognize.ts';

t.test('closures that say all that they do are recognised, however they are written', async (t) => {
  const split = { kind: 'split', separator: ' ' };
  const texts: readonly (readonly [string, unknown])[] = [
    ["(line) => line.split(' ')", split],
    ['l=>l.split(" ")', split],
    ["(line        )           => line.split(' ')", split],
    ["function (line) { return line.split(' '); }", split],
    ["function toWords(line) {\n  return line.split(' ')\n}", split],
    ["($_1) => { return $_1.split(' '); }", split],
    ["(l) => l.split('\\t')", { kind: 'split', separator: '\t' }],
    ["(l) => l.split('\\'')", { kind: 'split', separator: "'" }],
    ['(l) => l.split(", ")', { kind: 'split', separator: ', ' }],
    ['(w) => [w, 1]', { kind: 'pairWith', value: 1 }],
    ['w => [w, -0]', { kind: 'pairWith', value: -0 }],
    ['(w) => [w, 2.5e-3]', { kind: 'pairWith', value: 0.0025 }],
    ['(a, b) => a + b', { kind: 'add' }],
    ['function add(a, b) { return a + b; }', { kind: 'add' }],
    ['(x) => x', { kind: 'identity' }],
    ['(w) => w.trim()', { kind: 'pure', gives: 'string' }],
    ['(w) => w.trim().toLowerCase()', { kind: 'pure', gives: 'string' }],
    ['(w) => w.length > 0', { kind: 'pure', gives: 'other' }],
    ["(w) => w !== ''", { kind: 'pure', gives: 'other' }],
    ['(w) => w.trim().length >= 3', { kind: 'pure', gives: 'other' }],
    // A parameter may have any name, also one that means something elsewhere.
    ['(string) => string.trim()', { kind: 'pure', gives: 'string' }],
    ['(split) => split.split(",")', { kind: 'split', separator: ',' }],
    ['(q, p) => q + p', { kind: 'add' }],
  ];
  for (const [text, meaning] of texts) t.strictSame(meaningOfText(text), meaning, text);
  t.ok(Object.is((meaningOfText('w => [w, -0]') as { value: number }).value, -0));
});

t.test('whatever may do something else is not recognised', async (t) => {
  const texts = [
    // Captured variables, of whatever name.
    '(x) => p', '(x) => q', '(x) => string', '(x) => [x, one]', '(x) => [x, number]', '(line) => line.split(separator)', '(line) => text.split(" ")', '(a) => a + b', '(w) => length', '(w) => trim', '(w) => w.trim',
    // Other parameters.
    '() => 1', '(a, b, c) => a + b', '(a = 1, b) => a + b', '(...a) => a', '([a]) => a', '({ a }) => a', 'function (a, a) { return a + a; }',
    // Other kinds of functions.
    "async (line) => line.split(' ')", 'async x => x', "function* (line) { return line.split(' '); }", "split(line) { return line.split(' '); }", 'get x() { return 1; }', 'class A {}', 'function () { [native code] }', 'function split() { [native code] }',
    // Things in between that might count.
    "(line) => /* x */ line.split(' ')", "(line) => line.split(' ') // x", '(line) => line.split(` `)', '(line) => line.split(/ /)', '(x) => { seen += 1; return x; }', '(x) => (seen++, x)', '(x) => { return\nx; }', '(x) => { x; }', '(x) => { }',
    'function (x) { return this; }', '(x) => this', '(x) => arguments', '(x) => { "use strict"; return x; }',
    // Other operations.
    "(line) => line.split(' ', 2)", "(line) => line.split('')", '(line) => line.split()', "(line) => line?.split(' ')", "(line) => line['split'](' ')", '(a, b) => a - b', '(a, b) => b + a', '(a, b) => a + b + 1', '(x) => -x', '(x) => !x', '(x) => [x]', '(x) => [1, x]', '(x) => [x, 1, 2]', '(x) => [x, x]', "(x) => [x, 'a']",
    '(x) => [x, 1n]', '(x) => [x, 010]', '(x) => [x, 0x10]', '(x) => [x, 1_000]', '(x) => [x, 1.]', '(x) => [x, .5]', '(x) => [x, --1]', '(p) => p[0]', '(w) => w.trim(1)', '(w) => w.length.length', '(w) => w.slice()', '(w) => w > w', "(x) => 'a'", '(x) => 1', "(l) => l.split('\\u0020')", "(l) => l.split('\\\n')",
    `(x) => x${' '.repeat(300)}`,
  ];
  for (const text of texts) t.equal(meaningOfText(text), null, text);
});

t.test('a function is asked for its own text, and once', async (t) => {
  const liar = Object.assign((x: number) => x + Math.random(), { toString: () => '(x) => x' });
  t.equal(meaningOfClosure(liar as never), null);
  t.equal(meaningOfClosure(((x: unknown) => x).bind(null)), null);
  t.equal(meaningOfClosure(new Proxy((x: unknown) => x, {})), null);
  const identity = (x: unknown): unknown => x;
  t.equal(meaningOfClosure(identity), meaningOfClosure(identity));
  t.strictSame(meaningOfClosure(identity), { kind: 'identity' });
});
