/** Frames and decoders: what bytes of a connection become, however they are cut. */
import t from 'tap';
import fc from 'fast-check';
import { DecoderSink, FrameSink } from '../../../lib/sources/byte-sinks.ts';
import { decodeRecords, encodeRecords } from '../../../protocol/codec.ts';
import { MillraceError } from '../../../protocol/errors.ts';
import { BlockMemory } from '../../helpers/block-memory.ts';

function frame(records: readonly unknown[]): Uint8Array {
  return frameOf(encodeRecords(records));
}

function frameOf(body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + body.length);
  new DataView(bytes.buffer).setUint32(0, body.length);
  bytes.set(body, 4);
  return bytes;
}

function codeOf(act: () => unknown): string {
  try {
    act();
    return 'none';
  } catch (thrown) {
    return thrown instanceof MillraceError ? thrown.code : String(thrown);
  }
}

const countRecords = (block: Uint8Array): number => decodeRecords(block).length;

t.test('frames that are cut anywhere give the same blocks, in order', (t) => {
  const records = fc.array(fc.oneof(fc.string(), fc.integer(), fc.record({ a: fc.integer() })), { maxLength: 20 });
  fc.assert(
    fc.property(fc.array(records, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }), (blocks, lengths) => {
      const bytes = Buffer.concat(blocks.map(frame));
      const memory = new BlockMemory();
      const sink = new FrameSink(memory.allocate, 100_000, countRecords);
      const got: unknown[][] = [];
      for (let at = 0, index = 0; at < bytes.length; index += 1) {
        const length = lengths[index % lengths.length] as number;
        if (!sink.push(bytes.subarray(at, at + length))) return false;
        at += length;
        if (index % 3 === 0) got.push(...memory.records(sink.cut()));
      }
      const last = sink.cut();
      got.push(...memory.records(last));
      return JSON.stringify(got) === JSON.stringify(blocks.filter(({ length }) => length > 0)) && last.every(({ records: count, place }) => count > 0 && place !== null);
    }),
    { numRuns: 200 },
  );
  t.end();
});

t.test('a large frame in small reads is copied once, not once a read', (t) => {
  const body = encodeRecords(['x'.repeat(8_000_000)]);
  const bytes = frameOf(body);
  const memory = new BlockMemory();
  const sink = new FrameSink(memory.allocate, 100_000_000, countRecords);
  const startedAt = process.cpuUsage();
  for (let at = 0; at < bytes.length; at += 1_024) sink.push(bytes.subarray(at, at + 1_024));
  t.equal(memory.records(sink.cut()).flat().length, 1);
  // Joined at each read it would be 32 GB of copies: many seconds. This leaves a slow machine a factor of 50.
  t.ok(process.cpuUsage(startedAt).user < 3_000_000, 'the time grows with the bytes, not with their square');
  t.end();
});

t.test('a frame over the bound is refused before it has come', (t) => {
  const sink = new FrameSink(new BlockMemory().allocate, 1_000, countRecords);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, 1_001);
  t.equal(codeOf(() => sink.push(bytes)), 'RecordTooLarge');
  t.end();
});

t.test('a frame that holds no records is an error; the frames before it are kept', (t) => {
  const memory = new BlockMemory();
  const sink = new FrameSink(memory.allocate, 1_000, countRecords);
  t.equal(codeOf(() => sink.push(Buffer.concat([frame([1, 2]), frameOf(new Uint8Array(24).fill(7)), frame([3])]))), 'RecordsUnreadable');
  t.same(memory.records(sink.cut()), [[1, 2]]);
  t.end();
});

t.test('where memory runs out, frames wait and none is lost', (t) => {
  const memory = new BlockMemory({ slabsMax: 1 });
  const sink = new FrameSink(memory.allocate, 1_000, countRecords);
  t.equal(sink.push(Buffer.concat([frame([1]), frame([2]), frame([3])])), false);
  t.same(memory.records(sink.cut()), [[1]]);
  t.equal(sink.ready(), false);
  memory.slabsMax = 3;
  t.equal(sink.ready(), true);
  t.same(memory.records(sink.cut()), [[2], [3]]);
  t.end();
});

t.test('half a frame at the end of a connection is no block, and spoils no later one', (t) => {
  const memory = new BlockMemory();
  const sink = new FrameSink(memory.allocate, 1_000, countRecords);
  sink.push(frame([1, 2, 3]).subarray(0, 9));
  sink.finish();
  t.same(sink.cut(), []);
  sink.push(frame([4]));
  t.same(memory.records(sink.cut()), [[4]]);
  t.end();
});

t.test('a decoder sees every byte in order, and its last word counts', (t) => {
  const memory = new BlockMemory();
  let rest = '';
  const decoder = {
    *decode(bytes: Uint8Array) {
      const parts = (rest + new TextDecoder().decode(bytes)).split(',');
      rest = parts.pop() ?? '';
      yield* parts;
    },
    end: () => (rest === '' ? [] : [rest]),
  };
  const sink = new DecoderSink(decoder, { allocate: memory.allocate, blockBytesMax: 1_000_000, recordBytesMax: 1_000_000, recordsMax: 3, onRefused: () => t.fail('none is refused') });
  t.equal(sink.push(Buffer.from('a,b,c')), true);
  t.equal(sink.push(Buffer.from('c,d')), false, 'three records fill the block');
  t.same(memory.records(sink.cut()), [['a', 'b', 'cc']]);
  sink.finish();
  t.same(memory.records(sink.cut()), [['d']]);
  t.end();
});
