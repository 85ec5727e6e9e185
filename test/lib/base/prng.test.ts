/** The generator: fixed numbers for fixed seeds, evenly spread, forks that don't touch each other. */
import t from 'tap';
import { createPrng } from '../../../lib/base/prng.ts';

t.test('a seed gives these numbers, for ever: recorded seeds depend on them', (t) => {
  const prng = createPrng(1);
  t.same(Array.from({ length: 5 }, () => prng.int(1_000)), [690, 123, 517, 957, 912]);
  const text = createPrng('1');
  t.notSame(Array.from({ length: 5 }, () => text.int(1_000)), [690, 123, 517, 957, 912], 'a text is another seed than the number');
  t.end();
});

t.test('numbers lie in [0, 1) and are spread evenly', (t) => {
  const prng = createPrng('spread');
  const buckets = new Array<number>(10).fill(0);
  for (let count = 0; count < 100_000; count += 1) {
    const value = prng.next();
    if (!(value >= 0 && value < 1)) t.fail(`${value}`);
    buckets[Math.floor(value * 10)]! += 1;
  }
  t.ok(buckets.every((count) => count > 9_500 && count < 10_500), buckets.join(' '));
  t.end();
});

t.test('shuffle and pick use what they are given, and change nothing', (t) => {
  const prng = createPrng(5);
  const items = [1, 2, 3, 4, 5, 6, 7, 8];
  const shuffled = prng.shuffle(items);
  t.same(items, [1, 2, 3, 4, 5, 6, 7, 8]);
  t.notSame(shuffled, items);
  t.same([...shuffled].sort(), items);
  t.ok(items.includes(prng.pick(items)));
  t.end();
});

t.test('a fork depends on the seed and its label alone', (t) => {
  const fresh = createPrng(9).fork('a');
  const used = createPrng(9);
  for (let count = 0; count < 10; count += 1) used.next();
  t.equal(used.fork('a').next(), fresh.next());
  t.not(createPrng(9).fork('a').next(), createPrng(9).fork('b').next());
  t.end();
});
