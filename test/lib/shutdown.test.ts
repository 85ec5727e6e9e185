/** What a signal means to contexts that asked for it, step by step: a process of the test's own, and a clock that stands still. */
import t from 'tap';
import { ManualClock } from '../../lib/base/clock.ts';
import { Shutdown } from '../../lib/shutdown.ts';
import type { ShutdownMember, SignalPort } from '../../lib/shutdown.ts';

function stage() {
  const handlers = new Map<string, Set<(signal: NodeJS.Signals) => void>>();
  const raised: string[] = [];
  const port: SignalPort = {
    pid: 7,
    on: (signal, handler) => handlers.set(signal, (handlers.get(signal) ?? new Set()).add(handler)),
    off: (signal, handler) => handlers.get(signal)?.delete(handler),
    listenerCount: (signal) => handlers.get(signal)?.size ?? 0,
    kill: (_pid, signal) => raised.push(signal),
  };
  const clock = new ManualClock();
  const shutdown = new Shutdown(port, clock);
  const calls: string[] = [];
  const member = (appName: string, until: Promise<void> = Promise.resolve()): ShutdownMember => ({
    appName,
    sparkContext: { internals: { logger: { log: (level, text) => void calls.push(`${level} ${text}`) } } },
    stop: async ({ graceful = false, stopSparkContext = true } = {}) => {
      calls.push(`${appName} ${graceful ? 'graceful' : 'plain'}${stopSparkContext ? ', threads too' : ''}`);
      if (graceful) await until;
    },
  });
  return {
    shutdown,
    raised,
    calls,
    clock,
    member,
    port,
    listening: (): number => port.listenerCount('SIGTERM') + port.listenerCount('SIGINT'),
    signal: (signal: NodeJS.Signals) => [...(handlers.get(signal) ?? [])].forEach((handler) => handler(signal)),
    settle: async () => {
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
      clock.advanceBy(0);
    },
  };
}

const started = Promise.resolve();

t.test('all contexts are stopped, then their threads, then the signal is raised again, without handlers', async (t) => {
  const s = stage();
  let release: () => void = () => {};
  s.shutdown.join(s.member('a', new Promise((resolve) => (release = resolve))), started);
  s.shutdown.join(s.member('b'), started);
  t.equal(s.listening(), 2);
  s.signal('SIGINT');
  await s.settle();
  t.strictSame([s.calls, s.raised], [['a graceful', 'b graceful'], []], 'no thread ends before all have stopped: they may share them');
  release();
  await s.settle();
  t.strictSame([s.calls.slice(2), s.raised, s.listening()], [['a plain, threads too', 'b plain, threads too'], ['SIGINT'], 0]);
});

t.test('a second signal goes on at once, as itself; one right behind the first is the same one', async (t) => {
  const s = stage();
  s.shutdown.join(s.member('a', new Promise(() => {})), started);
  s.signal('SIGINT');
  s.signal('SIGTERM');
  s.clock.advanceBy(399);
  s.signal('SIGTERM');
  t.strictSame([s.raised, s.listening()], [[], 2]);
  s.clock.advanceBy(1);
  s.signal('SIGTERM');
  t.strictSame([s.raised, s.listening()], [['SIGTERM'], 0]);
});

t.test('where somebody else listens for the signal, it is not raised again', async (t) => {
  const s = stage();
  s.port.on('SIGTERM', () => {});
  s.shutdown.join(s.member('a'), started);
  s.signal('SIGTERM');
  await s.settle();
  t.strictSame([s.calls.length, s.raised, s.listening()], [2, [], 1]);
});

t.test('a context that joins meanwhile is stopped, too; a stop that fails is logged, and holds up nothing', async (t) => {
  const s = stage();
  let release: () => void = () => {};
  s.shutdown.join(s.member('a', new Promise((_, reject) => (release = () => reject(new Error('too late'))))), started);
  s.signal('SIGTERM');
  await s.settle();
  s.shutdown.join(s.member('b'), Promise.reject(new Error('it never started')));
  release();
  await s.settle();
  t.strictSame(s.calls, ['a graceful', 'error a, stopped by SIGTERM: too late', 'b graceful', 'a plain, threads too', 'b plain, threads too']);
  t.strictSame(s.raised, ['SIGTERM']);
});

t.test('the handlers go with the last context, and come again with a later one', (t) => {
  const s = stage();
  const [a, b] = [s.member('a'), s.member('b')];
  s.shutdown.join(a, started);
  s.shutdown.join(b, started);
  s.shutdown.leave(a);
  s.shutdown.leave(a);
  t.equal(s.listening(), 2);
  s.shutdown.leave(b);
  t.equal(s.listening(), 0);
  s.shutdown.join(a, started);
  t.equal(s.listening(), 2);
  t.end();
});
