import t from 'tap';
import { collected, differenceOf, differenceOfCalls } from './compare.ts';
import type { Observed } from './compare.ts';
import type { ConformanceCase } from './case.ts';
import { compareValues, equalValues, previewValue } from './values.ts';

const base: ConformanceCase = { name: 'x', batchMs: 1000, inputs: [], graph: [], output: 'a', collect: 'multiset', batchesToRun: 2, expected: [[2, 1], null], expectedTimes: [1000] };
const observed = (...calls: Observed['calls']): Observed => ({ calls });

t.test('a multiset is compared without regard to order and partitions', async (t) => {
  t.equal(differenceOf(base, observed({ timeMs: 1000, partitions: [[1], [2]] })), null);
  t.equal(differenceOf(base, observed({ timeMs: 1000, partitions: [[1], [2, 2]] })), 'batch 1000 ms: expected [1,2], got [1,2,2]');
});

t.test('no RDD is not the same as an RDD without records', async (t) => {
  t.equal(differenceOf(base, observed({ timeMs: 1000, partitions: [[1, 2]] }, { timeMs: 2000, partitions: [[]] })), 'batch 2000 ms: expected nothing, got []');
  t.equal(differenceOf(base, observed()), 'batch 1000 ms: expected [1,2], got nothing');
});

t.test('a call that came twice or off the grid is seen', async (t) => {
  const call = { timeMs: 1000, partitions: [[1, 2]] };
  t.equal(differenceOf(base, observed(call, call)), 'output times: expected [1000], got [1000,1000]');
  t.equal(differenceOf(base, observed(call, { timeMs: 1500, partitions: [[]] })), 'output times: expected [1000], got [1000,1500]');
});

t.test('the collect modes see order, partitions and their number', async (t) => {
  const partitions = [[3], [], [2, 1]];
  t.strictSame(collected('multiset', partitions), [1, 2, 3]);
  t.strictSame(collected('ordered', partitions), [3, 2, 1]);
  t.strictSame(collected('perPartition', partitions), partitions);
  t.strictSame(collected('partitionCount', partitions), [3]);
  t.strictSame(collected('partitionCount', []), [0]);
});

t.test('text, files and slices are compared where a case expects them', async (t) => {
  const { expected: _expected, expectedTimes: _times, ...bare } = base;
  t.match(differenceOf({ ...bare, expectedText: 'abc' }, { calls: [], text: 'abd' }), /differs at character 2/);
  t.equal(differenceOf({ ...bare, expectedText: 'abc' }, { calls: [], text: 'abc' }), null);
  t.equal(differenceOf({ ...bare, expectedFiles: { 'd-1': ['x\n'] } }, { calls: [], files: { 'd-1': ['x\n'] } }), null);
  t.equal(differenceOf({ ...bare, expectedFiles: { 'd-1': ['x\n'] } }, { calls: [], files: { 'd-1': ['x\n'], 'd-2': [''] } }), 'directory d-2: expected nothing, got [""]');
  t.equal(differenceOf({ ...bare, expectedSlice: [[2, 1]] }, { calls: [], slice: [[1, 2]] }), null);
  t.match(differenceOf({ ...bare, expectedSlice: [[2, 1]] }, { calls: [], slice: [[1, 2], []] }), /^slice: expected/);
});

t.test('calls of a recovered run are compared in their order', async (t) => {
  const calls = [{ timeMs: 1000, partitions: [[2, 1]] }, { timeMs: 1000, partitions: [[2, 1]] }];
  t.equal(differenceOfCalls('multiset', [[1000, [1, 2]], [1000, [1, 2]]], calls), null);
  t.equal(differenceOfCalls('multiset', [[1000, [1, 2]]], calls), 'call 2: expected none, got [1000,[1,2]]');
  t.equal(differenceOfCalls('multiset', [[1000, [1, 2]], [2000, []]], calls), 'call 2: expected [2000,[]], got [1000,[1,2]]');
});

t.test('values are ordered by kind, then by value; arrays element by element', async (t) => {
  const ordered = [null, false, true, -1, 2, 10, '', '10', '2', 'a', [], [null], [1], [1, 2], [2]];
  const shuffled = [...ordered].reverse();
  t.strictSame(shuffled.sort(compareValues), ordered);
  t.notOk(equalValues(1, '1'));
  t.notOk(equalValues(null, undefined));
  t.notOk(equalValues([], null));
  t.ok(equalValues([1, ['a', null]], [1, ['a', null]]));
  t.equal(previewValue(new Array(100).fill(7), 10), '[7,7,7,7,7...');
});
