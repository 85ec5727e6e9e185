/** The word count over a real connection, on real threads: its totals are exact. */
import t from 'tap';
import type socketWords from '../fixtures/socket-words.ts';
import type storingReceiver from '../fixtures/storing-receiver.ts';
import type twoSockets from '../fixtures/two-sockets.ts';
import { created, knownText, nextEvent, sorted, started, Totals } from '../helpers/running.ts';
import { textServer } from '../helpers/text-server.ts';

t.test('the sum of all batches is what was sent, however the bytes were cut', async (t) => {
  const server = await textServer(t);
  const ssc = await started<typeof socketWords>(t, 'socket-words', { args: { port: server.port } });
  const totals = new Totals(ssc.exports.counts);
  const { text, counts } = knownText(30_000);
  const bytes = Buffer.from(text);
  // Odd lengths: reads end inside of characters and lines.
  for (let at = 0; at < bytes.length; at += 50_021) await server.send(bytes.subarray(at, at + 50_021));
  await totals.reached(120_000);
  t.same(sorted(totals.counts), sorted(counts));
  t.equal(totals.sum, 120_000);
  const grid = totals.times.map((time) => time % 50);
  t.same(grid.filter((off) => off !== 0), [], 'batch times are multiples of the interval');
  t.same(totals.times, [...totals.times].sort((a, b) => a - b), 'batches come in order');
  t.equal(new Set(totals.times).size, totals.times.length, 'each once');
});

/**
 * Bug: a receiver keeps a slab open to read into. With as many as there are slabs for receivers the others never read anything, and with
 * all of those full none could take the next one before it gave its own back: the context stood still.
 * Conditions: more receivers than slabs, each with more to say than one slab holds.
 * Plan: the smallest pool that there may be, twenty servers, and the exact counts of all.
 */
t.test('more receivers than slabs are all counted whole', async (t) => {
  const servers = await Promise.all(Array.from({ length: 20 }, () => textServer(t)));
  const slabBytes = 65_536;
  const ssc = await started<typeof twoSockets>(t, 'two-sockets', { args: { ports: servers.map(({ port }) => port) }, slabBytes, blockMemoryBytesMax: 16 * slabBytes });
  const totals = new Totals(ssc.exports.counts);
  await Promise.all(servers.map((server, index) => server.send(`w${index} all\n`.repeat(20_000))));
  await totals.reached(2 * 20 * 20_000);
  t.same(sorted(totals.counts), sorted(new Map([...servers.map((_server, index): [string, number] => [`w${index}`, 20_000]), ['all', 400_000]])));
});

t.test('two receivers, one slower than the other, are both counted whole', async (t) => {
  const [one, two] = [await textServer(t), await textServer(t)];
  const ssc = await started<typeof twoSockets>(t, 'two-sockets', { args: { ports: [one.port, two.port] }, ioThreads: 2 });
  const totals = new Totals(ssc.exports.counts);
  await one.send('a b\n'.repeat(1_000));
  await totals.reached(2_000);
  await two.send('a c\n'.repeat(500));
  await one.send('b\n');
  await totals.reached(3_001);
  t.same(sorted(totals.counts), [['a', 1_500], ['b', 1_001], ['c', 500]]);
});

/**
 * Bug: the receiver ended itself when it was asked to end intake, and the one who asked was answered by its end, before its last
 * block had come: the block was then in no batch.
 */
t.test('a graceful stop processes everything that was received', async (t) => {
  // No batch is due for ten seconds: without the last batch of a graceful stop nothing would come out.
  const ssc = await created<typeof storingReceiver>(t, 'storing-receiver', { args: { records: 10_000 }, batchInterval: 10_000 });
  const totals = new Totals(ssc.exports.counts);
  const stored = nextEvent(ssc, 'receiverError', ({ message }) => message === 'all stored');
  await ssc.start();
  await stored;
  await ssc.stop({ graceful: true, timeoutMs: 20_000 });
  await totals.ended;
  t.equal(totals.end, null, 'the published stream ends in good order');
  t.equal(totals.sum, 10_000);
  t.equal(ssc.getState(), 'STOPPED');
});
