import fc from 'fast-check';
import t from 'tap';
import { KeyTable } from '../../../../lib/base/key-table.ts';
import { ValueLists } from '../../../../lib/rdd/value-lists.ts';

t.test('each key has its values in their order, of each side its own, however many are gathered before they are put into lists', async () => {
  const pair = fc.tuple(fc.constantFrom<unknown>('a', 'b', 1, 0.5, null, [1, 'x'], 'a long key'), fc.oneof(fc.integer(), fc.double(), fc.constantFrom(-0, 'text', undefined)));
  fc.assert(fc.property(fc.array(fc.array(pair, { maxLength: 40 }), { maxLength: 3 }), fc.integer({ min: 1, max: 50 }), (sides, gatheredMax) => {
    const table = new KeyTable<unknown>();
    const names: string[] = [];
    const expected = sides.map((pairs) => {
      const lists = new Map<string, unknown[]>();
      for (const [key, value] of pairs) {
        const name = JSON.stringify(key);
        if (!names.includes(name)) names.push(name);
        lists.set(name, [...(lists.get(name) ?? []), value]);
      }
      return lists;
    });
    const filled = sides.map((pairs) => {
      const lists = new ValueLists(table, gatheredMax);
      for (const [key, value] of pairs) lists.put(key, value);
      return lists;
    });
    const found = filled.map((lists) => lists.end());
    return table.keys.every((key, slot) => JSON.stringify(key) === names[slot]) && names.length === table.size
      && expected.every((lists, side) => found[side]!.length === names.length && names.every((name, slot) => isSame(found[side]![slot]!, lists.get(name) ?? [])));
  }), { seed: 20_261_125, numRuns: 500 });
});

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((value, index) => Object.is(value, b[index]));
}
