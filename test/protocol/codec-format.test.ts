/**
 * The bytes of format 1, as literals: checkpoints and files written once must be readable for good. A new kind of column or
 * a new version adds cases; the ones here never change.
 */
import t from 'tap';
import { decodeRecords, encodeRecords } from '../../protocol/codec.ts';
import { sameRecord } from './codec-records.ts';

const cases: readonly (readonly [string, readonly unknown[], string])[] = [
  ['null', [null, null],
    'TVIBAAIAAAAYAAAAAAAAAAEAAAAAAAAA'],
  ['undefined', [undefined],
    'TVIBAAEAAAAYAAAAAAAAAAIAAAAAAAAA'],
  ['true', [true, true, true],
    'TVIBAAMAAAAYAAAAAAAAAAMAAAAAAAAA'],
  ['false', [false],
    'TVIBAAEAAAAYAAAAAAAAAAQAAAAAAAAA'],
  ['number', [1.5, 1.5],
    'TVIBAAIAAAAgAAAAAAAAAAUAAAAIAAAAAAAAAAAA+D8='],
  ['int32', [1, -2, 2 ** 31 - 1],
    'TVIBAAMAAAAoAAAAAAAAAAYAAAAMAAAAAQAAAP7///////9/AAAAAA=='],
  ['float64', [0.5, -0, NaN],
    'TVIBAAMAAAAwAAAAAAAAAAcAAAAYAAAAAAAAAAAA4D8AAAAAAAAAgAAAAAAAAPh/'],
  ['booleans', [true, false, true],
    'TVIBAAMAAAAgAAAAAAAAAAgAAAADAAAAAQABAAAAAAA='],
  ['latin1', ['to', '', 'b\u00e9'],
    'TVIBAAMAAAAoAAAAAAAAAAkBAAAMAAAAAgACAAAAAAB0b2LpAAAAAA=='],
  ['latin1 with long texts', ['x'.repeat(300), 'y'],
    'TVIBAAIAAABQAQAAAAAAAAkEAAA1AQAALAEAAAEAAAB4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4'
      + 'eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4'
      + 'eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4'
      + 'eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh5AAAA'],
  ['utf16', ['\u20ac', '\ud800', 'a'],
    'TVIBAAMAAAAoAAAAAAAAAAoBAAAOAAAAAQEBAAAAAACsIADYYQAAAA=='],
  ['pairs', [['a', 1], ['b', 2]],
    'TVIBAAIAAABAAAAAAAAAAAsAAgAoAAAACQEAAAoAAAABAQAAAAAAAGFiAAAAAAAABgAAAAgAAAABAAAAAgAAAA=='],
  ['tuple of tuples', [['a', [1, 0.5]], ['b', [2, -0]]],
    'TVIBAAIAAABgAAAAAAAAAAsAAgBIAAAACQEAAAoAAAABAQAAAAAAAGFiAAAAAAAACwACACgAAAAGAAAACAAAAAEAAAACAAAABwAAABAAAAAAAAAAAADgPwAA'
      + 'AAAAAACA'],
  ['object', [{ id: 1, name: 'a' }, { id: 2, name: 'b' }],
    'TVIBAAIAAABYAAAAAAAAAAwAAgBAAAAACQAAAAAAAACSomlkpG5hbWUAAAAAAAAABgAAAAgAAAABAAAAAgAAAAkBAAAKAAAAAQEAAAAAAABhYgAAAAAAAA=='],
  ['packed', [1, 'a', null, [1, [2n]], { a: { b: true } }, undefined],
    'TVIBAAYAAAA4AAAAAAAAAA0AAAAbAAAAlgGhYcCSAZHTAAAAAAAAAAKBoWGBoWLD1AAAAAAAAAA='],
  ['escapes', [-0, '\udfff', -(2n ** 70n), new Date(5), new Date(NaN), new Map<unknown, unknown>([[1, 'a']]), new Set([-0]), ['\u0000\u0001esc', 1], JSON.parse('{"__proto__":1}')],
    'TVIBAAkAAACgAAAAAAAAAA4AAACBAAAAmZKlAAFlc2MBk6UAAWVzYwLEAv/fk6UAAWVzYwOzLTQwMDAwMDAwMDAwMDAwMDAwMJOlAAFlc2MEBZOlAAFlc2ME'
      + 'y3/4AAAAAAAAlKUAAWVzYwUBoWGTpQABZXNjBgCUpQABZXNjAKUAAWVzYwGUpQABZXNjCKlfX3Byb3RvX18BAAAAAAAAAA=='],
  ['typed arrays', [Int8Array.of(-1), Uint8Array.of(1), Uint8ClampedArray.of(2), Int16Array.of(-3), Uint16Array.of(4), Int32Array.of(-5), Uint32Array.of(6), Float32Array.of(0.5), Float64Array.of(-0), BigInt64Array.of(-1n), BigUint64Array.of(1n), Buffer.from([7])],
    'TVIBAAwAAADQAAAAAAAAAA4AAACxAAAAnJSlAAFlc2MHAMQB/5SlAAFlc2MHAcQBAZSlAAFlc2MHAsQBApSlAAFlc2MHA8QC/f+UpQABZXNjBwTEAgQAlKUA'
      + 'AWVzYwcFxAT7////lKUAAWVzYwcGxAQGAAAAlKUAAWVzYwcHxAQAAAA/lKUAAWVzYwcIxAgAAAAAAAAAgJSlAAFlc2MHCcQI//////////+UpQABZXNjBwrE'
      + 'CAEAAAAAAAAAlKUAAWVzYwcLxAEHAAAAAAAAAA=='],
];

t.test('bytes of format 1 are read as what they were', async (t) => {
  for (const [name, records, base64] of cases) t.ok(sameRecord(decodeRecords(Buffer.from(base64, 'base64')), records), name);
});

t.test('records are written as the bytes of format 1', async (t) => {
  for (const [name, records, base64] of cases) t.equal(Buffer.from(encodeRecords(records)).toString('base64'), base64, name);
});
