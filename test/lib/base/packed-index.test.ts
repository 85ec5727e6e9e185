import fc from 'fast-check';
import t from 'tap';
import { absent, elsewhere, PackedIndex } from '../../../lib/base/packed-index.ts';
import { KeyTable } from '../../../lib/base/key-table.ts';

const shortKey = fc.oneof(fc.integer(), fc.integer({ min: -3, max: 3 }), fc.constant(-0), fc.string({ unit: fc.constantFrom('a', 'b', '\0', 'é', 'ÿ'), maxLength: 9 }));
const otherKey = fc.constantFrom('漢', 'aĀ', 'ninechars', 0.5, NaN, 2 ** 31, -(2 ** 31) - 1, Infinity);

t.test('an index of any size, with keys taken out and put back, does as a Map: what it has not is absent, or elsewhere', async () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.constantFrom('add', 'remove', 'find'), fc.oneof({ weight: 5, arbitrary: shortKey }, { weight: 1, arbitrary: otherKey })), { maxLength: 300 }), fc.constantFrom(2, 8, 64, 1 << 20), (steps, placesMax) => {
    const refused = new Map<string | number, number>();
    const model = new Map<string | number, number>();
    const keys: (string | number)[] = [];
    const index = new PackedIndex((slot) => refused.set(keys[slot]!, slot), 0, placesMax);
    for (const [step, key] of steps) {
      const found = index.find(key);
      const known = found === elsewhere ? (refused.get(key) ?? -1) : found === absent ? -1 : found;
      if (known !== (model.get(key) ?? -1)) return false;
      if (step === 'add' && known < 0) {
        const slot = keys.push(key) - 1;
        if (!index.add(key, slot)) refused.set(key, slot);
        model.set(key, slot);
      } else if (step === 'remove') {
        if (index.remove(key) === (known < 0 || refused.has(key))) return false;
        refused.delete(key);
        model.delete(key);
      }
    }
    return true;
  }), { seed: 20_261_125, numRuns: 1_000 });
});

t.test('int32s and strings of eight Latin-1 characters are taken, and no others', async (t) => {
  const index = new PackedIndex(() => t.fail('nothing is refused'));
  const taken = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), '', '\0', '\0\0', '0', '1', 'a', 'abcd', 'abcde', 'abcdefgh', 'ÿÿÿÿÿÿÿÿ', '\0abcd', 'abcd\0'];
  for (const [slot, key] of taken.entries()) t.ok(index.add(key, slot), String(key));
  for (const [slot, key] of taken.entries()) t.equal(index.find(key), slot);
  t.equal(index.find(-0), 0);
  t.equal(index.find('abc'), absent);
  for (const key of [0.5, NaN, 2 ** 31, Infinity, 'abcdefghi', 'Ā']) {
    t.equal(index.find(key), elsewhere);
    t.notOk(index.add(key, 99));
  }
  t.equal(index.find('abc'), absent, 'and what was none of its keys changes nothing for the others');
});

/** Keys whose places are the same, however many there are. */
function sameHash(count: number): string[] {
  // By their first four characters and the next four, as PackedIndex makes numbers of them: imul(first, a) ^ second is the same for all.
  const keys: string[] = [];
  for (let first = 0x61616161; keys.length < count; first += 1) {
    const second = Math.imul(first, 0x9e3779b1);
    const bytes = [first >>> 24, (first >>> 16) & 0xff, (first >>> 8) & 0xff, first & 0xff, second >>> 24, (second >>> 16) & 0xff, (second >>> 8) & 0xff, second & 0xff];
    keys.push(String.fromCharCode(...bytes));
  }
  return keys;
}

t.test('keys of one hash are refused from some number on, and a table finds them all the same, from slot to slot and back', async (t) => {
  const keys = sameHash(1_000);
  const index = new PackedIndex(() => undefined);
  const taken = keys.filter((key, slot) => index.add(key, slot));
  t.ok(taken.length > 0 && taken.length <= 128, `${taken.length} of them are taken`);
  const table = new KeyTable<number>();
  const others = Array.from({ length: 3_000 }, (_, number) => number);
  for (const key of [...keys, ...others]) table.slotOf(key);
  for (const [slot, key] of [...keys, ...others].entries()) {
    if (table.find(key) !== slot) t.equal(table.find(key), slot);
    if (slot % 3 === 0) table.remove(slot);
  }
  for (const [slot, key] of [...keys, ...others].entries()) {
    const found = table.find(key);
    if (found !== (slot % 3 === 0 ? -1 : slot)) t.equal(found, slot, String(key));
  }
  t.equal(table.find('new'), -1);
});

t.test('keys that come and go leave no more places than the live ones need', async (t) => {
  const index = new PackedIndex(() => t.fail('none is refused'), 0, 128);
  // Far more than 64, which is what 128 places have room for: those of removed keys are given up.
  for (let key = 0; key < 10_000; key += 1) {
    if (!index.add(key, key) || (key >= 20 && !index.remove(key - 20))) t.fail(`key ${key}`);
  }
  t.equal(index.find(9_999), 9_999);
  t.equal(index.find(9_000), absent);
});
