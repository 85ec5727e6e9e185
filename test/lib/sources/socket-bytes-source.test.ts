/** A decoder at the end of a connection: what it throws, and when it must wait. */
import t from 'tap';
import { DecoderSink, FrameSink } from '../../../lib/sources/byte-sinks.ts';
import { SocketBytesSource } from '../../../lib/sources/socket-bytes-source.ts';
import { encodeRecords } from '../../../protocol/codec.ts';
import type { SourceEvent, SourceReport } from '../../../protocol/receiver.ts';
import { BlockMemory } from '../../helpers/block-memory.ts';
import { FakeNet } from '../../helpers/fake-net.ts';

/** One record for each byte; a zero is an error. */
const bytesDecoder = {
  *decode(bytes: Uint8Array) {
    for (const byte of bytes) {
      if (byte === 0) throw new Error('A zero is no record.');
      yield byte;
    }
  },
};

function bench(memory: BlockMemory, recordsMax = 100) {
  const net = new FakeNet();
  const events: (SourceEvent | SourceReport)[] = [];
  const emit = (event: SourceEvent | SourceReport): void => void events.push(event);
  const sink = new DecoderSink(bytesDecoder, { allocate: memory.allocate, blockBytesMax: 1_000_000, recordBytesMax: 1_000_000, recordsMax, onRefused: () => {} });
  const source = new SocketBytesSource({ host: 'localhost', port: 1, net, sink, emit });
  source.start();
  return { net, events, source };
}

t.test('what a decoder throws closes the connection, is told once, and keeps the records before it', (t) => {
  const memory = new BlockMemory();
  const { net, events, source } = bench(memory);
  net.send(Uint8Array.of(1, 2));
  net.send(Uint8Array.of(3, 0, 4));
  net.send(Uint8Array.of(5));
  t.ok(net.destroyed);
  t.match(events, [{ type: 'failed', error: { code: 'ReceiverFailed', cause: { message: 'A zero is no record.' } } }]);
  t.equal(events.length, 1);
  t.same(memory.records(source.end()), [[1, 2, 3]]);
  t.end();
});

t.test('the bytes given to a decoder stay as they are when more are read', (t) => {
  const seen: Uint8Array[] = [];
  const net = new FakeNet();
  const decoder = { decode: (bytes: Uint8Array) => (seen.push(bytes), []) };
  const sink = new DecoderSink(decoder, { allocate: new BlockMemory().allocate, blockBytesMax: 1_000_000, recordBytesMax: 1_000_000, recordsMax: 10, onRefused: () => {} });
  new SocketBytesSource({ host: 'localhost', port: 1, net, sink, emit: () => {} }).start();
  net.send(Uint8Array.of(1, 2));
  net.send(Uint8Array.of(3, 4));
  t.same(seen.map((bytes) => [...bytes]), [[1, 2], [3, 4]]);
  t.end();
});

t.test('a full block stops reading until it has been cut', (t) => {
  const memory = new BlockMemory();
  const { net, events, source } = bench(memory, 2);
  net.send(Uint8Array.of(1, 2));
  net.send(Uint8Array.of(3));
  t.ok(net.paused);
  t.match(events, [{ type: 'blockFull' }]);
  t.same(memory.records(source.cut()), [[1, 2]]);
  t.notOk(net.paused);
  t.same(memory.records(source.cut()), [[3]]);
  t.end();
});

t.test('an exhausted pool stops reading until a cut has found memory', (t) => {
  const memory = new BlockMemory({ slabsMax: 0 });
  const { net, source } = bench(memory);
  net.send(Uint8Array.of(1));
  t.same(source.cut(), []);
  net.send(Uint8Array.of(2));
  t.ok(net.paused);
  net.send(Uint8Array.of(3));
  t.same(source.cut(), []);
  memory.slabsMax = 2;
  t.same(memory.records(source.cut()), [[1, 2]]);
  t.same(memory.records(source.cut()), [[3]]);
  t.end();
});

/** Bug: a damaged frame behind frames that waited for memory threw out of `cut`, and the blocks just cut were lost with it. */
t.test('a damaged frame that had to wait for memory loses none of the blocks before it', (t) => {
  const frame = (body: Uint8Array): Uint8Array => {
    const bytes = Buffer.alloc(4 + body.length);
    bytes.writeUInt32BE(body.length);
    bytes.set(body, 4);
    return bytes;
  };
  const memory = new BlockMemory({ slabsMax: 1 });
  const net = new FakeNet();
  const events: (SourceEvent | SourceReport)[] = [];
  const sink = new FrameSink(memory.allocate, 1_000, (block) => {
    if (block[0] === 9) throw new Error('damaged');
    return 1;
  });
  const source = new SocketBytesSource({ host: 'localhost', port: 1, net, sink, emit: (event) => void events.push(event) });
  source.start();
  net.send(Buffer.concat([frame(encodeRecords([1])), frame(encodeRecords([2])), frame(Uint8Array.of(9))]));
  memory.slabsMax = 10;
  t.same(memory.records(source.cut()), [[1]]);
  t.match(events, [{ type: 'blockFull' }, { type: 'failed', error: { cause: { message: 'damaged' } } }]);
  t.same(memory.records(source.end()), [[2]]);
  t.end();
});
