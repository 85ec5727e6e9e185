/** Workers that die in mid-stream: the counts stay exact, and the pool becomes whole again. */
import t from 'tap';
import type socketWords from '../fixtures/socket-words.ts';
import { faults } from '../../lib/testing.ts';
import type { ThreadDeath } from '../../lib/spark-context.ts';
import { knownText, nextEvent, sorted, started, Totals } from '../helpers/running.ts';
import { textServer } from '../helpers/text-server.ts';

for (const how of ['terminate', 'throw', 'exit', 'rejection', 'outOfMemory'] satisfies ThreadDeath[]) {
  t.test(`a worker that dies (${how}) takes no count with it`, async (t) => {
    const server = await textServer(t);
    const heap = how === 'outOfMemory' ? { workerHeapMbMax: 48 } : {};
    const ssc = await started<typeof socketWords>(t, 'socket-words', { args: { port: server.port }, ...heap });
    const totals = new Totals(ssc.exports.counts);
    const failures: Error[] = [];
    ssc.on('failed', ({ error }) => void failures.push(error));
    const { text, counts } = knownText(4_000);
    const half = text.indexOf('\n', text.length / 2) + 1;
    await server.send(text.slice(0, half));
    await totals.reached(1);
    const [lost, back] = [nextEvent(ssc, 'threadLost'), nextEvent(ssc, 'threadStarted')];
    const killed = await faults(ssc).killThread('worker', 1, how);
    await server.send(text.slice(half));
    const { host, role, error } = await lost;
    t.same([host, role], [killed, 'worker']);
    t.match(error, { code: 'HostGone' });
    t.not((await back).host, killed, 'a host number is not used again');
    await totals.reached(16_000);
    t.same(sorted(totals.counts), sorted(counts));
    t.same(failures, []);
    const hosts = await ssc.sparkContext.hosts();
    t.same(hosts.map(({ role: name, index, up }) => [name, index, up]).sort(), [['driver', 0, true], ['io', 0, true], ['worker', 0, true], ['worker', 1, true]], 'the pool is whole again');
  });
}

t.test('both workers at once: batches wait for new ones, and no count is lost', async (t) => {
  const server = await textServer(t);
  const ssc = await started<typeof socketWords>(t, 'socket-words', { args: { port: server.port } });
  const totals = new Totals(ssc.exports.counts);
  await server.send('a b\n'.repeat(1_000));
  await totals.reached(1);
  await faults(ssc).killThread('worker', 0);
  await faults(ssc).killThread('worker', 1);
  await server.send('b c\n'.repeat(1_000));
  await totals.reached(4_000);
  t.same(sorted(totals.counts), [['a', 1_000], ['b', 2_000], ['c', 1_000]]);
});
