/** Arbitrary keys. `smallKey` comes from a small domain, so that equal ones are frequent. */
import fc from 'fast-check';

const tiny = fc.constantFrom(0, -0, 1, 2);

const smallLeaf: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, undefined, true, false, 0, -0, 1, 1.5, NaN, 0n, 1n, 2n ** 70n, '', '0', '1', 'n1;', 's1:1', '\ud800'),
  tiny.map((ms) => new Date(ms)),
  fc.constantFrom(new Date(NaN), new Date(0)),
  fc.array(tiny, { maxLength: 2 }).chain((items) => fc.constantFrom<unknown>(
    Uint8Array.from(items), Buffer.from(items), Int16Array.from(items), Float32Array.from(items), Float64Array.from(items), BigInt64Array.from(items.map(BigInt)),
  )),
);

export const smallKey: fc.Arbitrary<unknown> = fc.oneof(smallLeaf, fc.array(fc.oneof(smallLeaf, fc.array(smallLeaf, { maxLength: 2 })), { maxLength: 3 }));

const leaf: fc.Arbitrary<unknown> = fc.oneof(
  smallLeaf, fc.integer(), fc.double(), fc.bigInt(), fc.string(), fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
  fc.date({ noInvalidDate: false }), fc.uint8Array(), fc.float32Array(), fc.bigUint64Array(),
);

export const anyKey: fc.Arbitrary<unknown> = fc.oneof(leaf, fc.array(fc.oneof(leaf, fc.array(leaf, { maxLength: 4 })), { maxLength: 4 }));
