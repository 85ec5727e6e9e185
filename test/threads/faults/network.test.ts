/** Connections that break, stand still or fall silent, on real sockets: what docs/FAULTS.md says of each. */
import t from 'tap';
import type socketWords from '../../fixtures/socket-words.ts';
import { faultPlan } from '../../../lib/testing.ts';
import type { NetworkRule } from '../../../lib/testing.ts';
import { nextEvent, sorted, started, Totals } from '../../helpers/running.ts';
import { textServer } from '../../helpers/text-server.ts';
import type { TextServer } from '../../helpers/text-server.ts';

t.setTimeout(60_000);

async function counting(t: { after(fn: () => unknown): void }, rule: (server: TextServer) => NetworkRule) {
  const server = await textServer(t);
  const plan = faultPlan({ seed: 1, rules: [rule(server)] });
  const ssc = await started<typeof socketWords>(t, 'socket-words', { args: { port: server.port }, faults: plan });
  return { server, plan, ssc, totals: new Totals(ssc.exports.counts as never) };
}

t.test('a connection that is cut is made again; what was under way on it is lost, as a socket acknowledges nothing, and nothing else', async (t) => {
  const { server, plan, ssc, totals } = await counting(t, ({ port }) => ({ fault: 'network', port, do: 'cut', nth: 2 }));
  await server.send('one\n');
  await totals.reached(1);
  const told = nextEvent(ssc, 'receiverError');
  const again = server.nextConnection();
  await server.send('two\n');
  t.match(await told, { error: { code: 'ConnectionFailed', cause: { code: 'ECONNRESET' } } });
  await again;
  await server.send('three\n');
  await totals.reached(2);
  t.match(plan.injected, [{ rule: { do: 'cut' }, nth: 2, role: 'io', index: 0 }]);
  t.same(sorted(totals.counts), [['one', 1], ['three', 1]]);
});

t.test('a connection that stalls holds its sender back, and loses nothing', async (t) => {
  const { server, plan, totals } = await counting(t, () => ({ fault: 'network', do: 'stall', forMs: 150, afterBytes: 4 }));
  const words = 200_000;
  await server.send('one\n');
  await server.send('word\n'.repeat(words));
  await totals.reached(words + 1);
  t.equal(plan.injected.length, 1);
  t.same(sorted(totals.counts), [['one', 1], ['word', words]]);
  t.equal(server.connections, 1);
});

t.test('a connection that is half-open is noticed by nobody: batches go on without its records, until it breaks', async (t) => {
  const { server, plan, ssc, totals } = await counting(t, () => ({ fault: 'network', do: 'halfOpen', nth: 2, forMs: 400 }));
  await server.send('one\n');
  await totals.reached(1);
  const told = nextEvent(ssc, 'receiverError');
  const again = server.nextConnection();
  await server.send('two\n');
  await plan.reached(1);
  for (let batch = 0; batch < 3; batch += 1) t.match(await nextEvent(ssc, 'batchCompleted'), { outputs: [{ error: null }] });
  t.equal(server.connections, 1);
  t.match(await told, { error: { code: 'ConnectionFailed', cause: { code: 'ETIMEDOUT' } } });
  await again;
  await server.send('three\n');
  await totals.reached(2);
  t.same(sorted(totals.counts), [['one', 1], ['three', 1]]);
});
