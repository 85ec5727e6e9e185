/** The text receiver's source: on a network that the test plays, and on a real one. */
import t from 'tap';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { nodeNet } from '../../../lib/sources/node-net.ts';
import { SocketTextSource } from '../../../lib/sources/socket-text-source.ts';
import type { NetPort, SourceBlock } from '../../../lib/sources/source.ts';
import type { SourceEvent, SourceReport } from '../../../protocol/receiver.ts';
import type { SharedHandle } from '../../../protocol/rdd.ts';
import { BlockMemory } from '../../helpers/block-memory.ts';
import { FakeNet } from '../../helpers/fake-net.ts';

function bench(net: NetPort, { memory = new BlockMemory(), port = 9_999, blockBytesMax = 1_000_000, onEvent = () => {}, ...more }: { memory?: BlockMemory; mayReadAhead?: () => boolean; isShort?: () => boolean; port?: number; blockBytesMax?: number; onEvent?: (event: SourceEvent | SourceReport) => void } = {}) {
  const events: (SourceEvent | SourceReport)[] = [];
  const emit = (event: SourceEvent | SourceReport): void => {
    events.push(event);
    onEvent(event);
  };
  const source = new SocketTextSource({ host: 'localhost', port, recordBytesMax: 1_000, blockBytesMax, net, open: memory.open, emit, ...more });
  const lines = (blocks: readonly SourceBlock[]): string[] => memory.lines(blocks.map(({ place, records }) => ({ handle: place as SharedHandle, records })));
  return { source, events, memory, cut: () => lines(source.cut()), end: () => lines(source.end()), types: () => events.map(({ type }) => type) };
}

t.test('lines come out as they are cut, and the connection\'s end is told once', (t) => {
  const net = new FakeNet();
  const { source, cut, end, types, events } = bench(net);
  source.start();
  net.accept();
  net.send('one\ntw');
  net.send('o\nthree');
  t.same(cut(), ['one', 'two']);
  net.close();
  t.same(types(), ['connected', 'closed']);
  t.match(events[1], { message: /localhost:9999 has closed/ });
  t.same(end(), ['three']);
  t.end();
});

t.test('a connection that fails is an error with host, port and what to expect', (t) => {
  const net = new FakeNet();
  const { source, events } = bench(net);
  source.start();
  net.close(new Error('connect ECONNREFUSED'));
  t.match(events, [{ type: 'failed', message: /Expected a connection to localhost:9999; got connect ECONNREFUSED/, error: { code: 'ConnectionFailed', fields: { details: { port: 9_999 } } } }]);
  t.end();
});

t.test('a line over the bound is told of, and the stream goes on', (t) => {
  const net = new FakeNet();
  const { source, cut, events } = bench(net);
  source.start();
  net.send(`a\n${'x'.repeat(1_500)}\nb\n`);
  t.same(cut(), ['a', 'b']);
  t.match(events, [{ type: 'recordTooLarge', bytes: 1_500 }]);
  t.end();
});

t.test('a full block is told of once until it is cut', (t) => {
  const net = new FakeNet();
  const { source, cut, types } = bench(net, { blockBytesMax: 10 });
  source.start();
  for (const line of ['0123456789\n', 'abc\n', 'def\n']) net.send(line);
  t.same(types(), ['blockFull']);
  cut();
  net.send('0123456789\n');
  t.same(types(), ['blockFull', 'blockFull']);
  t.end();
});

t.test('where memory runs out nothing is read, nothing is lost, and reading goes on when there is memory again', (t) => {
  const net = new FakeNet();
  const memory = new BlockMemory({ slabBytes: 8_192, slabsMax: 1 });
  const { source, cut, end } = bench(net, { memory });
  source.start();
  const lines = Array.from({ length: 3_000 }, (_, index) => `line number ${index}`);
  for (const line of lines) net.send(`${line}\n`);
  t.ok(net.paused);
  t.ok(net.unreadBytes > 0, 'the sender feels it');
  const got = cut();
  t.ok(net.paused, 'still no memory');
  let rounds = 0;
  while (net.unreadBytes > 0 || net.paused) {
    memory.slabsMax += 1;
    got.push(...cut());
    if ((rounds += 1) > 100) return t.fail('reading does not go on');
  }
  got.push(...end());
  t.same(got, lines);
  t.equal(memory.opened, memory.closed);
  t.end();
});

t.test('a real server, a pool that runs out again and again, and every line comes once, in order', async (t) => {
  const lines = Array.from({ length: 40_000 }, (_, index) => `${index} grüße 𝄞`);
  const server = createServer((socket) => {
    const bytes = Buffer.from(lines.join('\n'));
    // Odd lengths: reads end inside of characters and lines.
    for (let at = 0; at < bytes.length; at += 7_777) socket.write(bytes.subarray(at, at + 7_777));
    socket.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const memory = new BlockMemory({ slabBytes: 65_536, slabsMax: 2 });
  let ended = (): void => {};
  const closed = new Promise<void>((resolve) => (ended = resolve));
  const { source, cut, end, types } = bench(nodeNet, { memory, port: (server.address() as AddressInfo).port, onEvent: ({ type }) => type === 'closed' && ended() });
  source.start();
  const got: string[] = [];
  const cutting = setInterval(() => {
    memory.slabsMax += 1;
    got.push(...cut());
  }, 5);
  await closed;
  clearInterval(cutting);
  got.push(...end());
  t.equal(got.length, lines.length);
  t.equal(got.join('\n'), lines.join('\n'));
  t.same(types(), ['connected', 'closed']);
});

t.test('a real server that resets the connection: what came before is kept, and the end is told once', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('one\ntwo\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const memory = new BlockMemory();
  let told = (_event: SourceEvent | SourceReport): void => {};
  const closed = new Promise<SourceEvent | SourceReport>((resolve) => (told = resolve));
  const got: string[] = [];
  // The reset comes once the lines have been read, so that it can't overtake them.
  const net: NetPort = {
    connect: (options) => nodeNet.connect({
      ...options,
      onRead: (bytes, buffer) => {
        const more = options.onRead(bytes, buffer);
        got.push(...cut());
        if (got.length === 2) sockets.forEach((socket) => void socket.resetAndDestroy());
        return more;
      },
    }),
  };
  const sockets: { resetAndDestroy(): unknown }[] = [];
  server.on('connection', (socket) => void sockets.push(socket));
  const { source, cut, end } = bench(net, { memory, port: (server.address() as AddressInfo).port, onEvent: (event) => event.type !== 'connected' && told(event) });
  source.start();
  const event = await closed;
  t.match(event, { type: 'failed', error: { code: 'ConnectionFailed' } });
  t.same([...got, ...end()], ['one', 'two']);
});

t.test('where memory is short it goes round: nothing is held by a source that waits, and no byte is lost', (t) => {
  const net = new FakeNet();
  let short = true;
  const { source, memory, cut, end } = bench(net, { isShort: () => short, mayReadAhead: () => !short });
  source.start();
  net.accept();
  t.equal(memory.opened, 0, 'an idle source has none');
  net.send('one\ntw');
  t.same([memory.opened, memory.closed], [1, 0]);
  t.same(cut(), ['one']);
  t.same([memory.opened, memory.closed], [1, 1]);
  net.send('o\nthree\nfo');
  t.same(cut(), ['two', 'three']);
  t.same([memory.opened, memory.closed], [2, 2]);
  short = false;
  net.send('ur\n');
  short = true;
  t.same(cut(), ['four'], 'the next read has its place already');
  t.same([memory.opened, memory.closed], [3, 2], 'so this slab can\'t go');
  net.send('five\nsi');
  t.same(cut(), ['five']);
  t.same([memory.opened, memory.closed], [3, 3]);
  t.same(end(), ['si']);
  t.equal(memory.opened, memory.closed);
  t.end();
});

t.test('what a source ends with borrows memory that is not for receivers', (t) => {
  const net = new FakeNet();
  const memory = new BlockMemory();
  const asked: boolean[] = [];
  const open = (last: boolean) => {
    asked.push(last);
    return last ? memory.open() : null;
  };
  const source = new SocketTextSource({ host: 'localhost', port: 1, recordBytesMax: 1_000, blockBytesMax: 1_000_000, net, open, emit: () => {} });
  source.start();
  net.accept();
  net.send('one\ntwo');
  t.same(source.cut(), []);
  t.same(memory.lines(source.end().map(({ place, records }) => ({ handle: place as SharedHandle, records }))), ['one', 'two']);
  t.same([asked.at(-1), memory.opened, memory.closed], [true, 1, 1]);
  t.end();
});
