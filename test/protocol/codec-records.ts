/** Arbitrary records, and when two of them are the same: for the property tests of codec and keys. */
import fc from 'fast-check';

/** Strings of any UTF-16 units, so with lone surrogates too. */
export const unitsText = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }).map((units) => String.fromCharCode(...units));

const text = fc.oneof(fc.string({ maxLength: 30 }), fc.string({ unit: 'grapheme', maxLength: 10 }), unitsText, fc.constantFrom('', '__proto__', 'constructor', 'toJSON', '\u0000\u0001esc'));

const number = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 2 ** 31, -(2 ** 31), 2 ** 32, Number.MAX_SAFE_INTEGER, 5e-324));

const bigint = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n) - 2n, max: 2n ** 64n + 2n }),
  fc.bigInt({ min: -(2n ** 600n), max: 2n ** 600n }),
  fc.constantFrom(0n, -1n, 2n ** 63n, -(2n ** 63n), 2n ** 63n - 1n, 2n ** 64n),
);

const typedArray: fc.Arbitrary<object> = fc.oneof(
  fc.uint8Array(), fc.int8Array(), fc.uint8ClampedArray(), fc.int16Array(), fc.uint16Array(), fc.int32Array(), fc.uint32Array(),
  fc.float32Array(), fc.float64Array(), fc.bigInt64Array(), fc.bigUint64Array(), fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  // A view into the middle of something larger.
  fc.int32Array({ minLength: 3 }).map((array) => array.subarray(1, 2)),
);

export const leaf = fc.oneof(
  fc.constantFrom(null, undefined, true, false), number, bigint, text, fc.date({ noInvalidDate: false }), typedArray,
);

/** Any record value, nested. */
export const record: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.array(fc.tuple(text, tie('value')), { maxLength: 5 }).map(objectOf),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => new Set(items)),
  ),
})).value;

/** Lists whose records are alike, as those of real streams are: they take the quick columns. */
const alike: fc.Arbitrary<unknown[]> = fc.oneof(
  ...[fc.integer(), number, text, fc.string(), fc.boolean(), bigint, fc.constant(null), fc.constant(undefined), fc.constant(1)].map(listOf),
  ...[fc.tuple(text, number), fc.tuple(fc.integer(), fc.tuple(number, text)), fc.tuple(leaf, record), fc.tuple(text), fc.tuple(text, text, fc.integer())].map(listOf),
  listOf(fc.record({ id: fc.integer(), name: text, more: record }, { noNullPrototype: true })),
  listOf(fc.record({ a: fc.integer(), b: fc.record({ c: fc.string() }, { noNullPrototype: true }) }, { requiredKeys: [], noNullPrototype: true })),
);

export const recordList: fc.Arbitrary<unknown[]> = fc.oneof(fc.array(record, { maxLength: 12 }), alike);

function listOf(item: fc.Arbitrary<unknown>): fc.Arbitrary<unknown[]> {
  return fc.array(item, { maxLength: 20 });
}

function objectOf(entries: readonly (readonly [string, unknown])[]): object {
  const object = {};
  for (const [key, value] of entries) Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  return object;
}

/** The same value to the last bit: -0 is not 0, order counts in Maps, Sets and objects, types of arrays are exact. */
export function sameRecord(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b);
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime());
  if (ArrayBuffer.isView(a)) return sameList(Array.from(a as Uint8Array), Array.from(b as Uint8Array));
  if (Array.isArray(a)) return sameList(a, b as unknown[]);
  if (a instanceof Map) return sameList([...a].flat(1), [...(b as Map<unknown, unknown>)].flat(1));
  if (a instanceof Set) return sameList([...a], [...(b as Set<unknown>)]);
  const keys = Object.keys(a);
  const [objectA, objectB] = [a as Record<string, unknown>, b as Record<string, unknown>];
  return sameList(keys, Object.keys(b)) && keys.every((key) => sameRecord(fieldOf(objectA, key), fieldOf(objectB, key)));
}

function sameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, index) => sameRecord(item, b[index]));
}

function fieldOf(object: Record<string, unknown>, key: string): unknown {
  return Object.getOwnPropertyDescriptor(object, key)?.value;
}
