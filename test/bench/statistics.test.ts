/** Percentiles, slopes and rounding. */
import t from 'tap';
import { median, percentile, significant, slope, weightedPercentile } from '../../bench/statistics.ts';

t.test('the median of an even number of values is between the two middle ones', async (t) => {
  t.equal(median([4, 1, 3, 2]), 2.5);
  t.equal(median([9, 1, 5]), 5);
  t.ok(Number.isNaN(median([])));
});

t.test('a percentile is a value that was measured, by nearest rank', async (t) => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  t.equal(percentile(values, 0.99), 99);
  t.equal(percentile(values, 0.5), 50);
  t.equal(percentile(values, 1), 100);
  t.equal(percentile(values, 0), 1);
  t.equal(percentile([7], 0.99), 7);
  t.ok(Number.isNaN(percentile([], 0.5)));
});

t.test('sorting for a percentile leaves the input as it was', async (t) => {
  const values = [3, 1, 2];
  percentile(values, 0.5);
  median(values);
  t.same(values, [3, 1, 2]);
});

t.test('a weighted percentile is that of the values written out', async (t) => {
  const weighted = [{ value: 30, count: 1 }, { value: 10, count: 98 }, { value: 20, count: 1 }];
  const plain = weighted.flatMap(({ value, count }) => Array.from({ length: count }, () => value));
  for (const fraction of [0, 0.5, 0.98, 0.99, 1]) t.equal(weightedPercentile(weighted, fraction), percentile(plain, fraction), `at ${fraction}`);
  t.ok(Number.isNaN(weightedPercentile([], 0.5)));
});

t.test('the slope is that of the least-squares line', async (t) => {
  t.equal(slope([[0, 1], [1, 3], [2, 5]]), 2);
  t.equal(slope([[0, 5], [1, 5], [2, 5]]), 0);
  t.equal(slope([[0, 0], [1, 2], [2, 1]]), 0.5);
  t.equal(slope([[3, 3]]), 0);
  t.equal(slope([[1, 0], [1, 9]]), 0, 'points above one another have none');
});

t.test('rounding keeps significant digits, not decimals', async (t) => {
  t.equal(significant(123_456.7), 123_500);
  t.equal(significant(0.0123456), 0.01235);
  t.ok(Number.isNaN(significant(Number.NaN)));
});
