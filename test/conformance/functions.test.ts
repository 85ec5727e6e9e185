import t from 'tap';
import {
  combiner, combiners, flatMapFunction, flatMapFunctions, mapFunction, mapFunctions, parseFunctionText, partitionFunction, partitionFunctions,
  predicate, predicates, reduceFunction, reduceFunctions,
} from './functions.ts';
import type { Value } from './values.ts';

// function text, argument, result. Every function of the library has at least one row in one of the tables.
const mapRows: readonly [string, Value, Value][] = [
  ['identity', [1, 'a'], [1, 'a']],
  ['pairWithOne', 'w', ['w', 1]],
  ['pairWithLength', 'a😀', ['a😀', 3]],
  ['pairSelf', 4, [4, 4]],
  ['inc', -1, 0],
  ['double', 2.5, 5],
  ['negate', 0, 0],
  ['square', -3, 9],
  ['half', 7, 3.5],
  ['lengthOf', 'four', 4],
  ['lengthOf', [1, 2, 3], 3],
  ['toUpper', 'mixed Case', 'MIXED CASE'],
  ['firstChar', 'xyz', 'x'],
  ['firstChar', '', ''],
  ['toStr', -12, '-12'],
  ['addConst(-3)', 1, -2],
  ['mod(3)', -4, 2],
  ['modKey(3)', -3, [0, -3]],
  ['constKey(k)', 1, ['k', 1]],
  ['constKey(007)', 1, ['007', 1]],
  ['keyByFirstChar', 'ab', ['a', 'ab']],
  ['keyByLength', 'ab', [2, 'ab']],
  ['swap', ['k', 1], [1, 'k']],
  ['keyOf', ['k', 1], 'k'],
  ['valueOf', ['k', [1]], [1]],
  ['addKeyValue', [2, 3], 5],
  ['nullIfOdd', -3, null],
  ['nullIfOdd', 4, 4],
  ['orZero', null, 0],
  ['orZero', 'x', 'x'],
  ['wrap', null, [null]],
  ['sumList', [], 0],
  ['sumList', [1, 2.5], 3.5],
  ['maxList', [], null],
  ['maxList', ['b', 9, [0]], [0]],
  ['sortList', [[1], 'a', 10, 9, true, null], [null, true, 9, 10, 'a', [1]]],
  ['addNullable', [null, 4], 4],
  ['addNullable', [3, null], 3],
  ['cogroupSizes', [[1, 2], []], [2, 0]],
  ['cogroupSums', [[1, 2], []], [3, 0]],
  ['describe', null, [null, 'null']],
  ['describe', 0, [0, 'some']],
];

const flatMapRows: readonly [string, Value, Value][] = [
  ['splitWords', '  a b\tc  ', ['a', 'b\tc']],
  ['chars', 'ab', ['a', 'b']],
  ['rangeTo', 3, [0, 1, 2]],
  ['rangeTo', -3, []],
  ['repeat(2)', 'x', ['x', 'x']],
  ['repeat(0)', 'x', []],
  ['nothing', 1, []],
  ['dupIfEven', -2, [-2, -2]],
  ['dupIfEven', 3, []],
  ['elements', [1, [2]], [1, [2]]],
  ['wordPairs', 'a  b', [['a', 1], ['b', 1]]],
  ['single', null, [null]],
];

const predicateRows: readonly [string, Value, boolean][] = [
  ['isEven', -2, true],
  ['isOdd', -3, true],
  ['isOdd', 2, false],
  ['keepPositive', 0, false],
  ['greaterThan(2)', 3, true],
  ['longerThan(3)', 'abc', false],
  ['startsWith(ab)', 'abc', true],
  ['startsWith(1)', '1st', true],
  ['valuePositive', ['k', -1], false],
  ['valueNonZero', ['k', 0], false],
  ['valueNonZero', ['k', 'x'], true],
  ['valueGreaterThan(1)', ['k', 2], true],
  ['keyIs(5)', [5, 0], true],
  ['keyIs(5)', ['5', 0], true],
  ['keyIs(a)', ['b', 0], false],
  ['keyIsNot(a)', ['b', 0], true],
  ['valueNotNull', ['k', null], false],
  ['notNull', 0, true],
  ['always', null, true],
  ['never', null, false],
];

const reduceRows: readonly [string, Value, Value, Value][] = [
  ['add', 1, 2.5, 3.5],
  ['sub', 1, 3, -2],
  ['mul', -1, 0, 0],
  ['maxInt', -5, -7, -5],
  ['minInt', -5, -7, -7],
  ['xor', 6, 3, 5],
  ['gcd', -12, 18, 6],
  ['gcd', 0, -4, 4],
  ['maxStr', 'b', 'a', 'b'],
  ['concatSorted', 'cb', 'a', 'abc'],
  ['mergeSorted', [1, 3], [2], [1, 2, 3]],
  ['removeSorted', [1, 1, 2, 3], [1, 3, 9], [1, 2]],
  ['addLists', [1, 2], [3, -4], [4, -2]],
  ['subLists', [1, 2], [3, -4], [-2, 6]],
];

const partitionRows: readonly [string, Value[], Value[]][] = [
  ['partSum', [], [0]],
  ['partSum', [1, 2], [3]],
  ['partCount', ['a', null], [2]],
  ['partIdentity', [3, 1], [3, 1]],
  ['partFirst', [3, 1], [3]],
  ['partFirst', [], []],
  ['partReverse', [1, 2], [2, 1]],
  ['partDistinct', [[1], 'a', [1], 'a', 1], [[1], 'a', 1]],
  ['partRunningSum', [1, 2, 3], [1, 3, 6]],
  ['partNothing', [1], []],
];

t.test('every record function gives what its description says, as the same value with the same kind of zero', async (t) => {
  for (const [text, x, wanted] of mapRows) t.strictSame(mapFunction(text)(x), wanted, text);
  for (const [text, x, wanted] of flatMapRows) t.strictSame(flatMapFunction(text)(x), wanted, text);
  for (const [text, x, wanted] of predicateRows) t.equal(predicate(text)(x), wanted, text);
  for (const [text, a, b, wanted] of reduceRows) t.strictSame(reduceFunction(text)(a, b), wanted, text);
  for (const [text, records, wanted] of partitionRows) t.strictSame(partitionFunction(text)(records), wanted, text);
  t.ok(Object.is(reduceFunction('mul')(-1, 0), 0), 'a product of integers is never -0');
  t.ok(Object.is(mapFunction('negate')(0), 0), 'nor is a negated zero');
});

t.test('every function of the library is in a table above', async (t) => {
  const tested = (rows: readonly (readonly [string, ...unknown[]])[]): string[] => [...new Set(rows.map(([text]) => parseFunctionText(text).name))].sort();
  t.strictSame(tested(mapRows), Object.keys(mapFunctions).sort());
  t.strictSame(tested(flatMapRows), Object.keys(flatMapFunctions).sort());
  t.strictSame(tested(predicateRows), Object.keys(predicates).sort());
  t.strictSame(tested(reduceRows), Object.keys(reduceFunctions).sort());
  t.strictSame(tested(partitionRows), Object.keys(partitionFunctions).sort());
});

t.test('a combiner gives the same however its values are spread over partitions', async (t) => {
  const values = [3, 1, 3, 2];
  const wanted: Record<string, Value> = { sumCount: [9, 4], collectSorted: [1, 2, 3, 3], minMax: [1, 3], countOnly: 4, distinctSorted: [1, 2, 3] };
  t.strictSame(Object.keys(wanted).sort(), Object.keys(combiners).sort(), 'each has a row');
  for (const [name, result] of Object.entries(wanted)) {
    const { createCombiner, mergeValue, mergeCombiners } = combiner(name);
    const combine = ([first, ...others]: readonly Value[]): Value => others.reduce(mergeValue, createCombiner(first as Value));
    for (let cut = 1; cut <= values.length; cut += 1) {
      const parts = [values.slice(0, cut), values.slice(cut)].filter((part) => part.length > 0).map(combine);
      t.strictSame(parts.reduce(mergeCombiners), result, `${name}, cut at ${cut}`);
    }
  }
});

t.test('functions do not change their arguments', async (t) => {
  const frozen = Object.freeze([3, 1, 2]) as readonly Value[];
  t.strictSame(mapFunction('sortList')(frozen), [1, 2, 3]);
  t.strictSame(reduceFunction('mergeSorted')(frozen, frozen), [1, 1, 2, 2, 3, 3]);
  t.strictSame(reduceFunction('removeSorted')(frozen, [3]), [1, 2]);
  t.strictSame(partitionFunction('partReverse')(frozen), [2, 1, 3]);
  t.strictSame(frozen, [3, 1, 2]);
});

t.test('a value of the wrong kind is refused, as a cast is in Java', async (t) => {
  t.throws(() => mapFunction('toUpper')(5), { message: 'Expected a string, got 5.' });
  t.throws(() => mapFunction('inc')('5'), { message: 'Expected a number, got "5".' });
  t.throws(() => reduceFunction('add')(1, null), TypeError);
  t.throws(() => mapFunction('keyOf')([1, 2, 3]), { message: 'Expected a pair, got [1,2,3].' });
});

t.test('an unknown function or a missing argument is named', async (t) => {
  t.throws(() => mapFunction('add'), /Expected a map function, got 'add'/);
  t.throws(() => mapFunction('constructor'), /Expected a map function/);
  t.throws(() => mapFunction('no name'), /Expected a function as name or name\(argument\)/);
  t.throws(() => mapFunction('addConst')(1), /Expected an integer/);
  t.throws(() => mapFunction('addConst(x)')(1), /Expected an integer/);
});

t.test('a function text is a name, and perhaps an integer or a bare string', async (t) => {
  t.strictSame(parseFunctionText('map'), { name: 'map', argument: null });
  t.strictSame(parseFunctionText('mod(-3)'), { name: 'mod', argument: -3 });
  t.strictSame(parseFunctionText('keyIs(a b)'), { name: 'keyIs', argument: 'a b' });
  t.strictSame(parseFunctionText('keyIs()'), { name: 'keyIs', argument: '' });
});
