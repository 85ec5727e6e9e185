import t from 'tap';
import { textOf } from '../../../../lib/rdd/text-of.ts';

class Money {
  toString(): string {
    return '5 EUR';
  }
}

const cases: readonly (readonly [unknown, string])[] = [
  ['a b', 'a b'], ['', ''], [5, '5'], [-3.5, '-3.5'], [-0, '-0'], [NaN, 'NaN'], [12n, '12'], [true, 'true'], [null, 'null'], [undefined, 'undefined'],
  [['a', 1], '(a,1)'], [['k', ['v', null]], '(k,(v,null))'], [[], '[]'], [[1], '[1]'], [[1, 2, 3], '[1, 2, 3]'], [['k', [1, 2, 3]], '(k,[1, 2, 3])'],
  [new Date(0), '1970-01-01T00:00:00.000Z'], [new Date(NaN), 'Invalid Date'], [new Map([['a', [1, 2]]]), 'Map(a -> (1,2))'], [new Set([1, 'x']), 'Set(1, x)'],
  [new Float64Array([1, 2]), '[1, 2]'], [{ a: 1, b: ['x', 2] }, '{a: 1, b: (x,2)}'], [Object.create(null), '{}'], [new Money(), '5 EUR'],
];

for (const [record, text] of cases) {
  t.test(`shows as ${text}`, async (t) => {
    t.equal(textOf(record), text);
  });
}

t.test('a record that holds itself ends somewhere', async (t) => {
  const loop: unknown[] = [];
  loop.push(loop);
  t.match(textOf(loop), /^\[\[\[.*…/);
});
