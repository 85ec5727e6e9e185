/** Line ends counted by words, against a loop over the bytes. */
import t from 'tap';
import fc from 'fast-check';
import { LineEndCounter } from '../../../lib/sources/line-end-counter.ts';

function countPlainly(bytes: Uint8Array, from: number, to: number): number {
  return bytes.subarray(from, to).filter((byte) => byte === 10).length;
}

t.test('any part of any memory, wherever that begins in its buffer', (t) => {
  // Line ends, and what differs from one by a bit, by a carry, or in its sign.
  const byte = fc.oneof(fc.constantFrom(10, 10, 13, 0, 9, 11, 0x0a ^ 0x80, 0x0a ^ 0x01, 0x7f, 0x80, 0xff), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 200 }), fc.integer({ min: 0, max: 7 }), fc.nat(), fc.nat(), (list, offset, one, other) => {
      const bytes = new Uint8Array(new SharedArrayBuffer(offset + list.length + 3), offset, list.length);
      bytes.set(list);
      const [from, to] = [one % (list.length + 1), other % (list.length + 1)].sort((a, b) => a - b) as [number, number];
      return new LineEndCounter(bytes).count(from, to) === countPlainly(bytes, from, to);
    }),
    { seed: 42, numRuns: 2_000 },
  );
  t.end();
});

t.test('what stands before and behind a part does not count', (t) => {
  const bytes = new Uint8Array(40).fill(10);
  const counter = new LineEndCounter(bytes);
  for (let from = 0; from <= 40; from += 1) for (let to = from; to <= 40; to += 1) t.equal(counter.count(from, to), to - from);
  t.end();
});

t.test('more line ends than the sums of single bytes hold', (t) => {
  const bytes = new Uint8Array(10_000).fill(10);
  t.equal(new LineEndCounter(bytes).count(0, 10_000), 10_000);
  t.equal(new LineEndCounter(bytes.subarray(1)).count(3, 9_998), 9_995);
  t.equal(new LineEndCounter(bytes.fill(0x8a)).count(0, 10_000), 0);
  t.end();
});
