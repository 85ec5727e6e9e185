import fc from 'fast-check';
import t from 'tap';
import { keyEquals } from '../../../lib/base/key.ts';
import { KeyTable } from '../../../lib/base/key-table.ts';
import { MillraceError } from '../../../protocol/errors.ts';
import { smallKey } from './key-values.ts';

t.test('a table does as a list that is searched with keyEquals, also when its maps are full', async () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.boolean(), smallKey), { maxLength: 60 }), fc.integer({ min: 1, max: 100 }), fc.constantFrom(2, 8, 64), (steps, mapEntriesMax, placesMax) => {
    const table = new KeyTable<number>(mapEntriesMax, [], [], placesMax);
    const model: unknown[] = [];
    for (const [add, key] of steps) {
      let expected = model.findIndex((known) => keyEquals(known, key));
      if (add && expected < 0) expected = model.push(key) - 1;
      const slot = add ? table.slotOf(key) : table.find(key);
      if (slot !== expected || table.size !== model.length) return false;
      if (add) table.values[slot] = (table.values[slot] ?? 0) + 1;
    }
    return table.keys.length === model.length && table.keys.every((key, slot) => Object.is(key, model[slot]));
  }), { seed: 20_261_123, numRuns: 1_000 });
});

t.test('the first of equal keys stays the key', async (t) => {
  const table = new KeyTable<string>();
  const first = [1, 'a'];
  t.equal(table.slotOf(first), 0);
  t.equal(table.slotOf([1, 'a']), 0);
  t.equal(table.keys[0], first);
  t.equal(table.slotOf(-0), 1);
  t.equal(table.slotOf(0), 1);
  t.ok(Object.is(table.keys[1], -0));
  t.equal(table.size, 2);
});

t.test('a text that looks like a composite key is another key', async (t) => {
  const table = new KeyTable<number>();
  const keys: unknown[] = [[1], 'a1:n1;', ['1'], ['n1;'], [1, 2], ['1;n2'], [[1], 2], [[1, 2]], new Date(1), 'd1;', [new Date(1)], ['a', 'bsc'], ['asb', 'c'], ['as1:b', 'c'], ['a', 'bs1:c']];
  for (const [index, key] of keys.entries()) t.equal(table.slotOf(key), index);
});

t.test('a key that is refused leaves the table as it was', async (t) => {
  const table = new KeyTable<number>();
  table.slotOf('a');
  for (const key of [{}, new Map(), Symbol('s'), () => 1, [{}]]) {
    for (const call of [() => table.slotOf(key), () => table.find(key)]) {
      t.throws(call, MillraceError);
      t.throws(call, { code: 'InvalidKey' });
    }
  }
  t.strictSame(table.keys, ['a']);
  t.equal(table.find('b'), -1);
});

t.test('a table that is made of lists, changed and changed back, does as one that was filled key by key', async () => {
  fc.assert(fc.property(fc.uniqueArray(smallKey, { comparator: keyEquals, maxLength: 40 }), fc.array(fc.tuple(fc.boolean(), smallKey), { maxLength: 60 }), (keys, steps) => {
    const filled = new KeyTable<number>();
    for (const key of keys) filled.values[filled.slotOf(key)] = 1;
    const made = KeyTable.of([...keys], keys.map(() => 1));
    const undo: number[] = [];
    for (const [add, key] of steps) {
      const slot = filled.find(key);
      if (made.find(key) !== slot) return false;
      if (add) {
        if (filled.slotOf(key) !== made.slotOf(key)) return false;
      } else if (slot >= 0) {
        filled.remove(slot);
        made.remove(slot);
        if (slot < keys.length) undo.push(slot);
      }
    }
    // Only what has not come again may be restored.
    for (const slot of undo) {
      if (filled.find(filled.keys[slot]) >= 0) continue;
      filled.restore(slot);
      made.restore(slot);
    }
    return [...keys, ...steps.map(([, key]) => key)].every((key) => filled.find(key) === made.find(key));
  }), { seed: 20_261_125, numRuns: 1_000 });
});

t.test('a table that is made of lists at once finds what one finds that was filled key by key', async (t) => {
  for (const keys of [['a', 1, null, -1.5, undefined, 2n], ['a', [1, 'b'], new Date(5), 7], []]) {
    const filled = new KeyTable<number>();
    for (const key of keys) filled.values[filled.slotOf(key)] = 1;
    const made = KeyTable.of([...keys], keys.map(() => 1));
    for (const key of [...keys, 'z', [1], 8]) t.equal(made.find(key), filled.find(key));
    t.equal(made.slotOf('new'), keys.length, 'and goes on from there');
    made.remove(0);
    if (keys.length > 0) t.equal(made.find(keys[0]), -1);
  }
});
