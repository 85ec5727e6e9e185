/** Every record value comes back as it was, over every path that bytes take. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import t from 'tap';
import { decodePairs, decodeRecord, decodeRecords, encodePairs, encodeRecord, encodeRecords } from '../../protocol/codec.ts';
import { record, recordList, sameRecord } from './codec-records.ts';

const seed = 20_261_123;

t.test('any records come back the same within a thread', async () => {
  fc.assert(fc.property(recordList, (records) => sameRecord(decodeRecords(encodeRecords(records)), records)), { seed, numRuns: 600 });
});

t.test('any records come back the same from shared memory that held something else, at any offset', async () => {
  const memory = new SharedArrayBuffer(1 << 20);
  fc.assert(fc.property(recordList, fc.nat({ max: 70 }), (records, offset) => {
    new Uint8Array(memory).fill(0xdb, 0, 4096);
    let asked = 0;
    const bytes = encodeRecords(records, (size) => {
      asked += 1;
      return new Uint8Array(memory, offset, size);
    });
    const decoded = decodeRecords(bytes);
    // What was decoded must not look at the memory any more.
    new Uint8Array(memory, 0, bytes.length + offset).fill(0xdb);
    return asked === 1 && bytes.buffer === memory && sameRecord(decoded, records);
  }), { seed, numRuns: 300 });
});

t.test('equal records are equal bytes, whatever the memory held before', async () => {
  fc.assert(fc.property(recordList, (records) => {
    const clean = encodeRecords(records);
    const dirty = encodeRecords(records, (size) => new Uint8Array(size).fill(0xdb));
    return Buffer.compare(clean, dirty) === 0;
  }), { seed, numRuns: 200 });
});

t.test('any records come back the same from a file', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'codec-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'records');
  fc.assert(fc.property(recordList, (records) => {
    writeFileSync(file, encodeRecords(records));
    return sameRecord(decodeRecords(readFileSync(file)), records);
  }), { seed, numRuns: 100 });
});

t.test('any records come back the same from another thread', async (t) => {
  const worker = new Worker(new URL('./codec-echo-worker.js', import.meta.url));
  t.teardown(() => worker.terminate());
  await fc.assert(fc.asyncProperty(recordList, async (records) => {
    const answer = once(worker, 'message') as Promise<[Uint8Array]>;
    worker.postMessage(encodeRecords(records));
    return sameRecord(decodeRecords((await answer)[0]), records);
  }), { seed, numRuns: 150 });
});

t.test('pairs are the records [key, value], whichever way they are written and read', async () => {
  fc.assert(fc.property(fc.array(fc.tuple(record, record), { maxLength: 12 }), (pairs) => {
    const keys = pairs.map(([key]) => key);
    const values = pairs.map(([, value]) => value);
    const asPairs = encodePairs(keys, values);
    return sameRecord(decodeRecords(asPairs), pairs)
      && sameRecord(decodePairs(asPairs), { keys, values })
      && sameRecord(decodePairs(encodeRecords(pairs)), { keys, values });
  }), { seed, numRuns: 300 });
});

t.test('one value comes back the same', async () => {
  fc.assert(fc.property(record, (value) => sameRecord(decodeRecord(encodeRecord(value)), value)), { seed, numRuns: 300 });
});
