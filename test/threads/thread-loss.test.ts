/** Io threads and the driver that die, and an app that blocks its own: what goes on, what is lost, what is said. */
import t from 'tap';
import type socketWords from '../fixtures/socket-words.ts';
import type twoSockets from '../fixtures/two-sockets.ts';
import { faults } from '../../lib/testing.ts';
import { nextEvent, silent, sorted, started, Totals } from '../helpers/running.ts';
import { textServer } from '../helpers/text-server.ts';

t.test('a receiver whose thread dies comes back on the new thread; the loss is told, blocks handed over are kept', async (t) => {
  const server = await textServer(t);
  const ssc = await started<typeof socketWords>(t, 'socket-words', { args: { port: server.port } });
  const totals = new Totals(ssc.exports.counts);
  await server.send('before\n'.repeat(1_000));
  await totals.reached(1_000);
  const told = [nextEvent(ssc, 'recordsLost'), nextEvent(ssc, 'threadLost'), nextEvent(ssc, 'receiverStarted')] as const;
  const connected = server.nextConnection();
  const killed = await faults(ssc).killThread('io', 0, 'exit');
  const [lost, thread, receiver] = await Promise.all(told);
  t.match(lost, { stream: receiver.stream, host: killed });
  t.same([thread.host, thread.role], [killed, 'io']);
  t.not(receiver.host, killed);
  await connected;
  await server.send('after\n'.repeat(1_000));
  await totals.reached(2_000);
  t.same(sorted(totals.counts), [['after', 1_000], ['before', 1_000]]);
});

t.test('with two io threads, the receiver of the other one goes on undisturbed', async (t) => {
  const [one, two] = [await textServer(t), await textServer(t)];
  const ssc = await started<typeof twoSockets>(t, 'two-sockets', { args: { ports: [one.port, two.port] }, ioThreads: 2 });
  const totals = new Totals(ssc.exports.counts);
  await Promise.all([one.send('x\n'), two.send('y\n')]);
  await totals.reached(2);
  const connected = one.nextConnection();
  await faults(ssc).killThread('io', 0);
  await connected;
  await Promise.all([one.send('x\n'), two.send('y\n')]);
  await totals.reached(4);
  t.same(sorted(totals.counts), [['x', 2], ['y', 2]]);
  t.equal(two.connections, 1, 'nobody connected anew there');
});

/** Blocks this thread: no timer, no message, no microtask of the app runs meanwhile. */
function block(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}

t.test('an app that blocks its thread for 2 s delays no batch whose outputs run on the workers, also when a worker dies meanwhile', async (t) => {
  const intervalMs = 100;
  const ssc = await started(t, 'workers-only', { batchInterval: intervalMs });
  const infos: { readonly batchTime: number; readonly processingEndTime: number | null; readonly outputs: readonly { readonly error: unknown }[] }[] = [];
  ssc.on('batchCompleted', (info) => void infos.push(info));
  await nextEvent(ssc, 'batchCompleted');
  await faults(ssc).killThread('worker', 0);
  // The order has left this thread when it comes back to its loop.
  await new Promise((resolve) => setImmediate(resolve));
  const from = Date.now();
  block(2_000);
  const until = Date.now();
  await nextEvent(ssc, 'batchCompleted', ({ batchTime }) => batchTime > until);
  const times = infos.map(({ batchTime }) => batchTime);
  const expected = Array.from({ length: times.length }, (_, index) => (times[0] as number) + index * intervalMs);
  t.same(times, expected, 'no batch is missing');
  const meanwhile = infos.filter(({ batchTime }) => batchTime > from && batchTime < until);
  t.ok(meanwhile.length >= 18, `${meanwhile.length} batches were due in these two seconds`);
  const late = meanwhile.filter(({ batchTime, processingEndTime }) => (processingEndTime as number) - batchTime > 1_000);
  t.same(late, [], 'each was complete within a second of its time');
  t.same(infos.flatMap(({ outputs }) => outputs.filter(({ error }) => error !== null)), []);
});

t.test('the driver\'s death ends the context, at once, for everybody who waits', async (t) => {
  const server = await textServer(t);
  const ssc = await started<typeof socketWords>(t, 'socket-words', { args: { port: server.port }, logger: silent });
  const totals = new Totals(ssc.exports.counts);
  await server.send('a\n');
  await totals.reached(1);
  const told = nextEvent(ssc, 'failed');
  const waiting = ssc.awaitTermination();
  await faults(ssc).killThread('driver', 0, 'exit');
  await t.rejects(waiting, { code: 'ContextFailed' });
  await t.rejects(ssc.awaitTermination(), { code: 'ContextFailed' }, 'each time it is called');
  t.match((await told).error, { code: 'ContextFailed' });
  await totals.ended;
  t.match(totals.end, { code: 'ContextFailed' }, 'a reader is not left waiting');
  t.equal(ssc.getState(), 'STOPPED');
  await t.rejects(ssc.sparkContext.hosts());
  await t.resolves(ssc.stop());
});
