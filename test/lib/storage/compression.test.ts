/** Stored blocks made smaller, and as they were again. */
import t from 'tap';
import { deflate, inflate } from '../../../lib/storage/compression.ts';
import { decodeRecords, encodeRecords } from '../../../protocol/codec.ts';

t.test('records read from a compressed block are as they were, also where it lies in shared memory', (t) => {
  const records = Array.from({ length: 5_000 }, (_, index) => [`user-${index % 100}`, { index, at: new Date(index * 1_000) }]);
  const encoded = encodeRecords(records);
  const small = deflate(encoded);
  t.ok(small.length < encoded.length / 2, `${small.length} of ${encoded.length} bytes`);
  const shared = new Uint8Array(new SharedArrayBuffer(small.length));
  shared.set(small);
  t.same(decodeRecords(inflate(shared)), records);
  t.same(inflate(deflate(new Uint8Array(0))), new Uint8Array(0));
  t.end();
});

t.test('bytes that were not compressed are refused with a code', (t) => {
  t.throws(() => inflate(new Uint8Array([255, 255, 255, 255])), { code: 'RecordsUnreadable' });
  t.end();
});
