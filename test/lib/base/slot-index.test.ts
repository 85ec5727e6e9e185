/** The index over the keys of a table that was put together from bytes. */
import t from 'tap';
import { SlotIndex } from '../../../lib/base/slot-index.ts';
import { MillraceError } from '../../../protocol/errors.ts';

t.test('every key is found at its slot, and no other', (t) => {
  const keys = [...Array.from({ length: 5_000 }, (_, number) => `key ${number}`), ...Array.from({ length: 5_000 }, (_, number) => number - 2_500), null, undefined, true, 1n, NaN, 0.5, Infinity];
  const index = new SlotIndex(keys);
  t.ok(index.refused.length < 10, 'of keys that nobody chose for it, hardly one is refused');
  t.strictSame([...keys.keys()].filter((slot) => index.get(keys[slot]) !== slot), index.refused);
  t.equal(index.get(-0), index.get(0), '-0 is 0');
  for (const other of ['key', 'key 5000', 2_500, -2_501, '1', 2n, false]) t.equal(index.get(other), -1);
  t.throws(() => index.get(Symbol('s')), MillraceError);
  t.end();
});

t.test('keys that all want the same places are refused before they make each other slow', (t) => {
  const keys = Array.from({ length: 100 }, (_, number) => number);
  // Room for one: four places, of which each key tries all.
  const index = new SlotIndex(keys, 2);
  t.strictSame(index.refused, keys.slice(4));
  t.strictSame(keys.filter((key) => index.get(key) >= 0), [0, 1, 2, 3]);
  t.end();
});

t.test('composite keys are refused, and stand in nobody\'s way', (t) => {
  const keys = [['a'], 'b', new Date(5), 'c', null];
  const index = new SlotIndex(keys);
  t.strictSame(index.refused, [0, 2]);
  t.strictSame(['b', 'c', null, 'd'].map((key) => index.get(key)), [1, 3, 4, -1]);
  t.end();
});

t.test('a removed key is not found, and is found again at its old slot alone', (t) => {
  const keys = ['a', 'b', 'c'];
  const index = new SlotIndex(keys);
  t.equal(index.remove('b'), true);
  t.equal(index.remove('z'), false);
  t.strictSame(keys.map((key) => index.get(key)), [0, -1, 2], 'others are still found behind it');
  t.equal(index.restore('b', 7), false, 'a slot that was given to it later is not of this index');
  t.equal(index.get('b'), -1);
  t.equal(index.restore('b', 1), true);
  t.equal(index.get('b'), 1);
  t.end();
});
