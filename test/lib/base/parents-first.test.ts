/** Depth first, parents before children, each once. */
import t from 'tap';
import { parentsFirst } from '../../../lib/base/parents-first.ts';

const parents: Readonly<Record<string, readonly string[]>> = { a: [], b: ['a'], c: ['a', 'b'], d: ['c', 'b'], e: [] };

function walked(starts: readonly string[], without: readonly string[] = []): string[] {
  const entered = new Set(without);
  const told: string[] = [];
  parentsFirst(
    starts,
    (name) => {
      if (entered.has(name)) return null;
      entered.add(name);
      return parents[name] ?? [];
    },
    (name, of) => void told.push(`${name}(${of.join('')})`),
  );
  return told;
}

t.test('parents are told before children, in their order, and each once', (t) => {
  t.same(walked(['d', 'e', 'b']), ['a()', 'b(a)', 'c(ab)', 'd(cb)', 'e()']);
  t.same(walked(['d'], ['c']), ['a()', 'b(a)', 'd(cb)'], 'what is not entered is not told');
  t.same(walked([]), []);
  t.end();
});

t.test('lineage may be longer than the stack is deep', (t) => {
  let told = 0;
  parentsFirst([0], (n) => (n < 200_000 ? [n + 1] : []), () => (told += 1));
  t.equal(told, 200_001);
  t.end();
});
