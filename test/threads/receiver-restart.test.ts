/** Servers that refuse, close and reset: the receiver comes back, with back-off, and what came before is counted. */
import t from 'tap';
import type socketWords from '../fixtures/socket-words.ts';
import { faults } from '../../lib/testing.ts';
import { created, nextEvent, sorted, started, Totals } from '../helpers/running.ts';
import { freePort, textServer } from '../helpers/text-server.ts';

t.test('a port that refuses is an event with its code, and the stream begins when somebody listens', async (t) => {
  const port = await freePort();
  const ssc = await created<typeof socketWords>(t, 'socket-words', { args: { port } });
  const totals = new Totals(ssc.exports.counts);
  const refused: { readonly message: string; readonly error: Error | null; readonly willRestart: boolean; readonly operator: unknown }[] = [];
  ssc.on('receiverError', (info) => void refused.push(info));
  const second = nextEvent(ssc, 'receiverError', () => refused.length >= 2);
  await ssc.start();
  await second;
  t.match(refused[0], { message: new RegExp(`Expected a connection to 127.0.0.1:${port}; got connect ECONNREFUSED`), error: { code: 'ConnectionFailed', details: { host: '127.0.0.1', port } }, willRestart: true });
  const input = { name: 'socketTextStream', place: /socket-words\.[jt]s:\d+:\d+$/ };
  t.match(refused[0], { operator: { uid: /^socketTextStream-/, ...input }, error: { details: { operator: /^socketTextStream-/, ...input } } }, 'and says which input it is');
  const server = await textServer(t, port);
  await server.send('here now\n');
  await totals.reached(2);
  t.same(sorted(totals.counts), [['here', 1], ['now', 1]]);
});

t.test('a server that closes again and again loses nothing; a last line without an end is a line', async (t) => {
  const server = await textServer(t);
  const ssc = await started<typeof socketWords>(t, 'socket-words', { args: { port: server.port } });
  const totals = new Totals(ssc.exports.counts);
  const closed: string[] = [];
  ssc.on('receiverError', ({ message, willRestart }) => void (willRestart && closed.push(message)));
  for (let round = 0; round < 3; round += 1) {
    const socket = await server.connection();
    const next = server.nextConnection();
    socket.end('one two\nthree');
    await next;
  }
  await totals.reached(9);
  t.same(sorted(totals.counts), [['one', 3], ['three', 3], ['two', 3]]);
  t.equal(closed.length, 3);
  t.match(closed[0], /has closed the connection/);
});

t.test('a server that resets: the receiver connects anew and goes on', async (t) => {
  const server = await textServer(t);
  const ssc = await started<typeof socketWords>(t, 'socket-words', { args: { port: server.port } });
  const totals = new Totals(ssc.exports.counts);
  await server.send('before\n');
  await totals.reached(1);
  const error = nextEvent(ssc, 'receiverError');
  const next = server.nextConnection();
  (await server.connection()).resetAndDestroy();
  t.match((await error).error, { code: 'ConnectionFailed' });
  await next;
  await server.send('after\n');
  await totals.reached(2);
  t.same(sorted(totals.counts), [['after', 1], ['before', 1]]);
});

t.test('a line over recordBytesMax is told of with its length; its neighbours are counted', async (t) => {
  const server = await textServer(t);
  const ssc = await created<typeof socketWords>(t, 'socket-words', { args: { port: server.port }, recordBytesMax: 1_000 });
  const totals = new Totals(ssc.exports.counts);
  const told = nextEvent(ssc, 'receiverError');
  await ssc.start();
  await server.send(`a\n${'x'.repeat(5_000)}\nb\n`);
  t.match(await told, { willRestart: false, error: { code: 'RecordTooLarge', details: { bytes: 5_000, recordBytesMax: 1_000 } } });
  await totals.reached(2);
  t.same(sorted(totals.counts), [['a', 1], ['b', 1]]);
  t.equal(server.connections, 1, 'the connection stays');
});

t.test('an io thread over its own heap limit dies alone: the receiver starts again on the next one', async (t) => {
  const server = await textServer(t);
  const ssc = await started<typeof socketWords>(t, 'socket-words', { args: { port: server.port }, ioHeapMbMax: 48 });
  const totals = new Totals(ssc.exports.counts);
  await server.send('before\n');
  await totals.reached(1);
  const [lost, next] = [nextEvent(ssc, 'threadLost'), server.nextConnection()];
  const killed = await faults(ssc).killThread('io', 0, 'outOfMemory');
  const { host, role, error } = await lost;
  t.same([host, role], [killed, 'io']);
  t.match(error, { code: 'HostGone', cause: { message: /memory/i } });
  await next;
  await server.send('after\n');
  await totals.reached(2);
  t.same(sorted(totals.counts), [['after', 1], ['before', 1]]);
});
