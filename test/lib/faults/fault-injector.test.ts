/** Which events a rule strikes: by number, by chance from the seed, over several threads; and what is recorded of it. */
import t from 'tap';
import type { FaultRule } from '../../../protocol/fault.ts';
import { FaultInjector } from '../../../lib/faults/fault-injector.ts';
import { FaultMemory } from '../../../lib/faults/fault-memory.ts';
import { ManualClock } from '../../../lib/base/clock.ts';
import { MessageFaults } from '../../../lib/faults/message-faults.ts';
import { isActorNamed } from '../../../lib/faults/actor-names.ts';

function planOf(seed: number, rules: readonly FaultRule[]) {
  const memory = new FaultMemory();
  for (const rule of rules) memory.add(rule);
  const share = { seed, memory: memory.buffer };
  const on = (host: number) => new FaultInjector(share, { host, role: 'worker', index: host });
  return { memory, on };
}

/** The numbers of the events, of 100, that were struck; dealt out to two threads in turn, or all on one. */
function struck(seed: number, rule: FaultRule, threads = 1): number[] {
  const { on } = planOf(seed, [rule]);
  const injectors = Array.from({ length: threads }, (_, host) => on(host));
  return Array.from({ length: 100 }, (_, index) => (injectors[index % threads]!.strike('message', () => true) === null ? 0 : index + 1)).filter((number) => number > 0);
}

t.test('a rule strikes the nth event, and as many behind it as it says', (t) => {
  t.same(struck(1, { fault: 'message', do: 'drop' }), [1]);
  t.same(struck(1, { fault: 'message', do: 'drop', nth: 7 }), [7]);
  t.same(struck(1, { fault: 'message', do: 'drop', nth: 7, times: 3 }), [7, 8, 9]);
  t.end();
});

t.test('by chance, the seed alone says which events are struck, however many threads they are on', (t) => {
  const rule: FaultRule = { fault: 'message', do: 'drop', nth: 10, probability: 0.2 };
  const first = struck(5, rule);
  t.ok(first.length > 8 && first.length < 30 && first[0]! >= 10, `${first}`);
  t.same(struck(5, rule), first);
  t.same(struck(5, rule, 2), first);
  t.not(`${struck(6, rule)}`, `${first}`);
  t.same(struck(5, { ...rule, times: 4 }), first.slice(0, 4));
  t.end();
});

t.test('each rule counts what it looks at by itself; where two would strike the same event, the first does', (t) => {
  const { memory, on } = planOf(1, [
    { fault: 'message', to: 'receiver', do: 'drop', nth: 2 },
    { fault: 'message', do: 'delay', nth: 3, times: 2 },
    { fault: 'kill', actor: 'receiver' },
  ]);
  const injector = on(4);
  const doing = ['receiver', 'receiver-tracker', 'receiver', 'receiver'].map((to) => injector.strike('message', (rule) => rule.to === undefined || rule.to === to)?.rule.do ?? null);
  t.same(doing, [null, null, 'drop', 'delay']);
  t.same(memory.strikes, [{ rule: 0, nth: 2, host: 4, role: 'worker', index: 4 }, { rule: 1, nth: 4, host: 4, role: 'worker', index: 4 }]);
  t.end();
});

t.test('what a strike leaves to chance follows from the seed, too', (t) => {
  const drawn = (seed: number): number | undefined => planOf(seed, [{ fault: 'disk', do: 'bitFlip' }]).on(1).strike('disk', () => true)?.prng.next();
  t.equal(drawn(3), drawn(3));
  t.not(drawn(3), drawn(4));
  t.end();
});

t.test('a rule that is added is seen by all threads; who waits for strikes is woken', async (t) => {
  const { memory, on } = planOf(1, []);
  const injector = on(1);
  t.equal(injector.strike('network', () => true), null);
  const waiting = memory.reached(1);
  memory.add({ fault: 'network', do: 'cut' });
  t.match(injector.strike('network', () => true), { rule: { fault: 'network', do: 'cut' } });
  await waiting;
  await memory.reached(0);
  t.equal(memory.struck, 1);
});

t.test('a plan that is full refuses the next rule', (t) => {
  const memory = new FaultMemory();
  t.throws(() => {
    for (let rule = 0; rule < 1_000; rule += 1) memory.add({ fault: 'network', do: 'cut' });
  }, { code: 'InvalidArgument', message: /at most 256 rules/ });
  t.equal(memory.rules.length, 256);
  t.end();
});

t.test('a name is the end of a path, at a slash; with a slash before it, all of it; a star is anything but a slash', (t) => {
  const path = '/driver/programs/streaming-0/receivers/receiver-0/receiver';
  for (const name of ['receiver', 'receiver-0/receiver', 'receiver-*/receiver', '*', 'streaming-*/receivers/*/receiver', path]) t.ok(isActorNamed(name, path), name);
  for (const name of ['receiver-0', 'ceiver', '/receiver', 'receivers/*', 'receiver.', '/driver/*/receiver']) t.notOk(isActorNamed(name, path), name);
  t.ok(isActorNamed(undefined, ''));
  t.end();
});

for (const [rule, now, later] of [
  [{ do: 'drop', nth: 2 }, 'acde', 'acde'],
  [{ do: 'duplicate', nth: 2 }, 'abbcde', 'abbcde'],
  [{ do: 'reorder', nth: 2 }, 'acbde', 'acbde'],
  [{ do: 'reorder', nth: 5 }, 'abcd', 'abcde'],
  [{ do: 'reorder', nth: 2, times: 2 }, 'acbde', 'acbde'],
  [{ do: 'delay', nth: 2 }, 'a', 'abcde'],
  [{ do: 'delay', nth: 2, times: 2 }, 'a', 'abcde'],
] as const) {
  t.test(`${rule.do} of message ${rule.nth}, ${'times' in rule ? rule.times : 1} of them: between two actors comes what it says, and nothing else; others are not concerned`, (t) => {
    const clock = new ManualClock();
    const { on } = planOf(1, [{ fault: 'message', to: '/b', ...rule }]);
    const messages = new MessageFaults(on(1), clock);
    let came = '';
    let others = '';
    for (const letter of 'abcde') {
      messages.pass('/a', '/b', 'letter', () => void (came += letter));
      messages.pass('/a', '/c', 'letter', () => void (others += letter));
    }
    t.equal(came, now);
    clock.advanceBy(100);
    t.equal(came, later);
    t.equal(others, 'abcde');
    messages.pass('/a', '/b', 'letter', () => void (came += 'f'));
    t.equal(came, `${later}f`);
    t.end();
  });
}
