/** The simulator replays exactly, and under random crashes and deaths of hosts the trees stay whole. */
import t from 'tap';
import fc from 'fast-check';
import type { Behavior, ExitReason } from '../../../lib/actor/behavior.ts';
import type { ChildSpec, SupervisorSpec, ToSupervisor } from '../../../lib/actor/child-spec.ts';
import type { ActorRef } from '../../../lib/actor/ref.ts';
import { Simulator } from '../../../lib/actor/simulator.ts';
import type { SimulatorOptions } from '../../../lib/actor/simulator.ts';
import { asHostId } from '../../../protocol/ids.ts';
import { actor, registryOf } from './helpers.ts';

type ToChatter = { readonly type: 'talk'; readonly left: number } | { readonly type: 'worked'; readonly left: number };

/** Tells itself, works outside, sets timers: enough to have an order. */
const chatter: Behavior<null, ToChatter, { readonly async?: boolean }> = {
  name: 'chatter',
  init(turn) {
    turn.tell(turn.self, { type: 'talk', left: 5 });
    return null;
  },
  receive(state, message, turn) {
    if (message.left === 0) return state;
    if (message.type === 'worked') turn.tell(turn.self, { type: 'talk', left: message.left - 1 });
    else if (message.left % 2 === 0) turn.startTimer('t', 10 * message.left, { type: 'talk', left: message.left - 1 });
    else turn.perform('work', () => message.left, () => ({ type: 'worked', left: message.left }));
    return state;
  },
};

const threeHosts: SupervisorSpec = {
  strategy: 'rest_for_one', intensity: 1_000, periodMs: 1,
  children: [
    { id: 'a', behavior: 'chatter', args: {} },
    { id: 'b', behavior: 'chatter', args: {}, host: asHostId(2) },
    { id: 'inner', behavior: 'supervisor', args: { strategy: 'one_for_all', intensity: 1_000, children: [{ id: 'c', behavior: 'chatter', args: {}, host: asHostId(3) }, { id: 'd', behavior: 'chatter', args: {} }] } },
  ],
};

function traceOf(seed: number, options: Partial<SimulatorOptions> = {}): string[] {
  const sim = new Simulator({ seed, hosts: [1, 2, 3], registry: registryOf([chatter]), faults: { crashProbability: 0.05 }, ...options });
  sim.faults.byChance = false;
  sim.system(1).spawn('/s', 'supervisor', threeHosts);
  for (let count = 0; count < 60; count += 1) sim.step();
  sim.faults.byChance = true;
  sim.advanceSync(200);
  return sim.trace;
}

t.test('the same seed gives the identical trace, another seed another one', (t) => {
  const first = traceOf(7);
  t.ok(first.length > 100, `${first.length} lines`);
  t.ok(first.some((line) => line.includes('fault actor')), 'with faults in it');
  t.same(traceOf(7), first);
  t.notSame(traceOf(8), first);
  t.end();
});

t.test('a planned crash hits exactly its point: effects before it have happened, those behind it have not', (t) => {
  for (const [at, heard] of [['beforeTurn', []], [0, []], [1, ['one']], [2, ['one', 'two']]] as const) {
    const got: string[] = [];
    const sink = actor<string>((state, message) => { got.push(message); return state; }, { name: 'sink' });
    const sim = new Simulator({ seed: 1, registry: registryOf([sink]), faults: { plan: [{ path: '/twice', turn: 2, at }] } });
    const to = sim.system(1).spawn<string>('/sink', 'sink', undefined);
    let exit: ExitReason | null = null;
    const twice = sim.system(1).spawn<string>('/twice', actor<string>((state, _message, turn) => { turn.tell(to, 'one'); turn.tell(to, 'two'); return state; }), undefined, { onExit: (reason) => void (exit = reason) });
    sim.system(1).tell(twice, 'go');
    sim.runSync();
    t.same(got, heard, `crash at ${at}`);
    t.match(exit, { type: 'error', error: { name: 'SimulatedCrash' } });
  }
  t.end();
});

t.test('messages are cloned on one host, too; one that can\'t be ends its sender', (t) => {
  const sim = new Simulator({ seed: 1, registry: new Map() });
  const sent = { deep: [1] };
  let got: unknown = null;
  let exit: ExitReason | null = null;
  const sink = sim.system(1).spawn<unknown>('/sink', actor<unknown>((state, message) => { got = message; return state; }), undefined);
  const source = sim.system(1).spawn<string>('/source', actor<string>((state, message, turn) => { turn.tell(sink, message === 'good' ? sent : () => 1); return state; }), undefined, { onExit: (reason) => void (exit = reason) });
  sim.system(1).tell(source, 'good');
  sim.runSync();
  t.same(got, sent);
  t.not(got, sent, 'another object');
  sim.system(1).tell(source, 'bad');
  sim.runSync();
  t.match(exit, { type: 'error', error: { code: 'MessageNotSerializable' } });
  t.end();
});

t.test('promises of performs settle between steps, in the same order each time', async (t) => {
  const run = async (): Promise<string[]> => {
    const sim = new Simulator({ seed: 3, registry: new Map() });
    const got: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      const ref = sim.system(1).spawn<string>(`/${name}`, actor<string>((state, message, turn) => {
        if (message === 'go') turn.perform('wait', async () => { await null; return name; }, (outcome) => (outcome.ok ? outcome.value : 'failed'));
        else got.push(message);
        return state;
      }), undefined);
      sim.system(1).tell(ref, 'go');
    }
    await sim.runUntilIdle();
    t.same([...got].sort(), ['a', 'b', 'c']);
    return sim.trace;
  };
  t.same(await run(), await run());
});

t.test('a dead host\'s children wait in `restarting`, and start on the host that takes its place: one failure', (t) => {
  const starts: string[] = [];
  const child = actor<'crash'>(() => { throw new Error('x'); }, { name: 'child', init: (turn) => { starts.push(`${turn.self.path} on ${turn.self.host} life ${turn.incarnation}`); return null; } });
  const on = (id: string, host: number): ChildSpec => ({ id, behavior: 'child', args: null, host: asHostId(host) });
  const sim = new Simulator({ seed: 1, hosts: [1, 2, 3], registry: registryOf([child]) });
  let exit: ExitReason | null = null;
  const sup = sim.system(1).spawn<ToSupervisor>('/s', 'supervisor', { strategy: 'one_for_one', intensity: 1, children: [on('a', 2), on('b', 3), on('c', 2)] }, { onExit: (reason) => void (exit = reason) });
  sim.runSync();
  starts.length = 0;
  sim.killHost(2);
  sim.runSync();
  t.same(starts, [], 'nothing starts on a dead host');
  sim.addHost(4);
  sim.system(1).tell(sup, { type: 'replaceHost', from: asHostId(2), to: asHostId(4) });
  sim.runSync();
  t.same(starts, ['/s/a on 4 life 1', '/s/c on 4 life 1'], 'b has not restarted');
  t.equal(exit, null, 'two children of one dead host are one failure: the intensity of 1 holds');
  sim.system(1).tell(sup, { type: 'replaceHost', from: asHostId(2), to: asHostId(4) });
  sim.runSync();
  t.equal(starts.length, 2, 'told twice, it happens once');
  t.end();
});

// Bug: who waits was told by the host of its last life. A child whose host was replaced by one that was dead, too, was forgotten, and so was
// one whose host died during its back-off. Found by the property below. Plan: two deaths before any start; then a death within a back-off.
t.test('a child finds its way through several replaced hosts, also out of a back-off', (t) => {
  const starts: string[] = [];
  const child = actor<'crash'>(() => { throw new Error('x'); }, { name: 'child', init: (turn) => { starts.push(`${turn.self.path} on ${turn.self.host}`); return null; } });
  const on = (id: string, host: number, rest: Partial<ChildSpec> = {}): ChildSpec => ({ id, behavior: 'child', args: null, host: asHostId(host), ...rest });
  const sim = new Simulator({ seed: 1, hosts: [1, 2, 3, 4], registry: registryOf([child]) });
  const sup = sim.system(1).spawn<ToSupervisor>('/s', 'supervisor', { strategy: 'one_for_one', intensity: 10, children: [on('a', 2), on('b', 4, { backoff: { minMs: 100, maxMs: 100, jitter: 0, resetAfterMs: 1 } })] });
  const replace = (from: number, to: number): void => {
    sim.system(1).tell(sup, { type: 'replaceHost', from: asHostId(from), to: asHostId(to) });
    sim.runSync();
  };
  sim.runSync();
  starts.length = 0;
  sim.killHost(2);
  sim.killHost(3);
  sim.runSync();
  replace(2, 3);
  t.same(starts, []);
  sim.addHost(5);
  replace(3, 5);
  t.same(starts.splice(0), ['/s/a on 5']);

  sim.system(4).tell(sim.system(4).find('/s/b') as ActorRef<'crash'>, 'crash');
  sim.runSync();
  sim.killHost(4);
  sim.advanceSync(200);
  t.same(starts, []);
  sim.addHost(6);
  replace(4, 6);
  t.same(starts, ['/s/b on 6']);
  t.end();
});

t.test('a first start on a dead host waits for its replacement; it does not give up, and what comes behind it waits too', (t) => {
  const starts: string[] = [];
  const child = actor<never>((state) => state, { name: 'child', init: (turn) => { starts.push(`${turn.self.path} on ${turn.self.host}`); return null; } });
  const sim = new Simulator({ seed: 1, hosts: [1, 2], registry: registryOf([child]) });
  sim.killHost(2);
  sim.runSync();
  let started = false;
  const inner: SupervisorSpec = { strategy: 'one_for_one', children: [{ id: 'a', behavior: 'child', args: null, host: asHostId(2) }, { id: 'b', behavior: 'child', args: null }] };
  const sup = sim.system(1).spawn<ToSupervisor>('/s', 'supervisor', { strategy: 'one_for_one', children: [{ id: 'inner', behavior: 'supervisor', args: inner }, { id: 'c', behavior: 'child', args: null }] }, { onStarted: () => void (started = true) });
  sim.runSync();
  t.same(starts, []);
  sim.addHost(3);
  sim.system(1).tell(sup, { type: 'replaceHost', from: asHostId(2), to: asHostId(3) });
  sim.runSync();
  t.same(starts, ['/s/inner/a on 3', '/s/inner/b on 1', '/s/c on 1']);
  t.equal(started, true);
  t.end();
});

t.test('one_for_all: when a host dies the others stop at once, and all start again when it is replaced', (t) => {
  const events: string[] = [];
  const child = actor<never>((state) => state, {
    name: 'child', init: (turn) => { events.push(`+${turn.self.path}`); return null; }, stopped: (_state, _reason, turn) => void events.push(`-${turn.self.path}`),
  });
  const sim = new Simulator({ seed: 1, hosts: [1, 2], registry: registryOf([child]) });
  const sup = sim.system(1).spawn<ToSupervisor>('/s', 'supervisor', { strategy: 'one_for_all', children: ['a', 'b', 'c'].map((id) => ({ id, behavior: 'child', args: null, ...(id === 'b' ? { host: asHostId(2) } : {}) })) });
  sim.runSync();
  events.length = 0;
  sim.killHost(2);
  sim.runSync();
  t.same(events.splice(0), ['-/s/c', '-/s/a']);
  sim.addHost(3);
  sim.system(1).tell(sup, { type: 'replaceHost', from: asHostId(2), to: asHostId(3) });
  sim.runSync();
  t.same(events, ['+/s/a', '+/s/b', '+/s/c']);
  t.end();
});

// The property: whatever crashes, at whatever point, in the end each actor has a living parent, each supervisor has all the children
// that its spec demands, and no child was started before the siblings on its left, or stopped before those on its right.
const strategies = ['one_for_one', 'one_for_all', 'rest_for_one'] as const;

const treeArbitrary = fc.letrec<{ node: ChildSpec; supervisor: ChildSpec; worker: ChildSpec }>((tie) => ({
  node: fc.oneof({ maxDepth: 2 }, tie('worker'), tie('supervisor')),
  worker: fc.record({ host: fc.constantFrom(1, 2, 3) }).map(({ host }): ChildSpec => ({ id: '', behavior: 'worker', args: null, host: asHostId(host) })),
  supervisor: fc.record({ host: fc.constantFrom(1, 2, 3), strategy: fc.constantFrom(...strategies), children: fc.array(tie('node'), { minLength: 1, maxLength: 3 }) }).map(
    ({ host, strategy, children }): ChildSpec => ({
      id: '', behavior: 'supervisor', host: asHostId(host),
      args: { strategy, intensity: 1_000_000, periodMs: 1, children: children.map((child, index) => ({ ...(child as ChildSpec), id: `n${index}` })) } satisfies SupervisorSpec,
    }),
  ),
})).supervisor;

function expectedPaths(spec: SupervisorSpec, path: string): string[] {
  return [path, ...spec.children.flatMap((child) => (child.behavior === 'supervisor' ? expectedPaths(child.args as SupervisorSpec, `${path}/${child.id}`) : [`${path}/${child.id}`]))];
}

t.test('random trees under random crashes and deaths of hosts come back whole, with no orphan', (t) => {
  let faultsHit = 0;
  fc.assert(
    fc.property(treeArbitrary, fc.integer(), fc.boolean(), (tree, seed, hostsDie) => {
      const spec = tree.args as SupervisorSpec;
      let nextHost = 10;
      const replacements: (readonly [number, number])[] = [];
      // Ticks for ever, so that there are turns to crash in.
      const worker = actor<number>((state, _message, turn) => { turn.startTimer('tick', 3, 1); return state; }, { name: 'worker', init: (turn) => { turn.startTimer('tick', 3, 1); return null; } });
      const sim: Simulator = new Simulator({
        seed, hosts: [1, 2, 3], registry: registryOf([worker]), stepsMax: 50_000,
        faults: { crashProbability: 0.05, killHostProbability: hostsDie ? 0.01 : 0, faultsMax: 12, mayKill: (host) => host !== 1 },
        onHostKilled: (host) => void replacements.push([host, nextHost++]),
      });
      let rootStarted = false;
      // A crash before the first start is over would end the root, as in OTP, and there would be nothing to look at.
      sim.faults.byChance = false;
      const root: ActorRef<ToSupervisor> = sim.system(1).spawn('/s', 'supervisor', spec, { onStarted: () => void (rootStarted = true) });
      while (!rootStarted && sim.step());
      sim.faults.byChance = true;
      for (let round = 0; round < 30; round += 1) {
        sim.runSync();
        for (const [from, to] of replacements.splice(0)) {
          sim.addHost(to);
          sim.system(1).tell(root, { type: 'replaceHost', from: asHostId(from), to: asHostId(to) });
        }
        sim.advanceSync(10);
        if (round === 15) sim.faults.byChance = false;
      }
      const living = sim.hosts.flatMap((host) => sim.system(host).metrics().map(({ ref }) => ref.path as string));
      const expected = expectedPaths(spec, '/s');
      faultsHit += sim.trace.filter((line) => line.includes(' fault ')).length;
      const whole = JSON.stringify(living.sort()) === JSON.stringify(expected.sort());
      if (!whole) throw new Error(`seed ${seed}: living ${living.join(' ')}, expected ${expected.join(' ')}\n${sim.trace.slice(-40).join('\n')}`);
      return true;
    }),
    { numRuns: 100, seed: 20_260_101 },
  );
  t.ok(faultsHit > 500, `${faultsHit} faults in all`);
  t.end();
});

t.test('siblings start left to right and stop right to left, whatever crashes', (t) => {
  let crashes = 0;
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom(...strategies), (seed, strategy) => {
      const alive = new Set<number>();
      const wrong: string[] = [];
      let started = false;
      let stopping = false;
      const numberOf = (path: string): number => Number(path.at(-1));
      const worker = actor<number>((state, left, turn) => { if (left > 0) turn.tell(turn.self, left - 1); return state; }, {
        name: 'worker',
        init(turn) {
          const number = numberOf(turn.self.path);
          // Under the two strategies that tie siblings together nothing on the right may live when one starts.
          if (strategy !== 'one_for_one') for (const other of alive) if (other > number) wrong.push(`${number} starts while ${other} lives`);
          alive.add(number);
          turn.tell(turn.self, 20);
          return null;
        },
        stopped(_state, reason, turn) {
          const number = numberOf(turn.self.path);
          alive.delete(number);
          if (stopping && reason.type === 'shutdown') for (const other of alive) if (other > number) wrong.push(`${number} is stopped while ${other} lives`);
        },
      });
      const sim = new Simulator({ seed, hosts: [1, 2], registry: registryOf([worker]), faults: { crashProbability: 0.05, faultsMax: 8, mayCrash: (cell) => started && cell.behavior.name === 'worker' } });
      const children = [0, 1, 2, 3].map((number) => ({ id: `w${number}`, behavior: 'worker', args: null, host: asHostId(1 + (number % 2)) }));
      const root = sim.system(1).spawn('/s', 'supervisor', { strategy, intensity: 1_000, periodMs: 1, children }, { onStarted: () => void (started = true) });
      sim.runSync();
      sim.faults.byChance = false;
      crashes += sim.trace.filter((line) => line.includes(' fault ')).length;
      stopping = true;
      void sim.system(1).stop(root, 100_000);
      sim.runSync();
      if (wrong.length > 0 || alive.size > 0) throw new Error(`seed ${seed} ${strategy}: ${wrong.join('; ')}, alive ${[...alive].join(' ')}`);
    }),
    { numRuns: 100, seed: 20_260_102 },
  );
  t.ok(crashes > 300, `${crashes} crashes in all`);
  t.end();
});

t.test('a process that crashes is gone at its crash point, between two effects of a turn too, and takes no further step', (t) => {
  const seen: string[] = [];
  const teller = actor<string>((state, message, turn) => {
    turn.perform('note', () => void seen.push(`${message} 1`), () => null);
    turn.perform('note', () => void seen.push(`${message} 2`), () => null);
    return state;
  }, { name: 'teller' });
  const points = (crashAt: number | null): Simulator => {
    seen.length = 0;
    const sim = new Simulator({ seed: 4, hosts: [1, 2], registry: registryOf([teller]) });
    const ref = sim.system(1).spawn<string>('/teller', 'teller', null);
    sim.runSync();
    sim.crashIn(crashAt);
    for (const message of ['a', 'b']) sim.system(1).tell(ref, message);
    sim.runSync();
    return sim;
  };
  t.notOk(points(null).crashed);
  t.strictSame(seen, ['a 1', 'a 2', 'b 1', 'b 2'], 'the performs of an actor begin in their order');
  const lengths = new Set<number>();
  let crashAt = 1;
  for (; points(crashAt).crashed; crashAt += 1) {
    lengths.add(seen.length);
    t.strictSame(seen, ['a 1', 'a 2', 'b 1', 'b 2'].slice(0, seen.length));
    t.notOk(points(crashAt).step(), 'nothing happens any more');
  }
  t.ok(crashAt > 10 && lengths.size >= 4, `${crashAt} crash points, ${lengths.size} different ends`);
  t.end();
});

t.test('work that no actor does is done in a step of its own, and not any more after a crash', (t) => {
  const sim = new Simulator({ seed: 1, hosts: [1] });
  const done: string[] = [];
  sim.outside('disk sync', () => void done.push('first'));
  t.strictSame(done, []);
  sim.runSync();
  t.strictSame(done, ['first']);
  t.match(sim.trace.at(-1), /disk sync/);
  sim.outside('disk sync', () => void done.push('second'));
  sim.crash();
  sim.outside('disk sync', () => void done.push('third'));
  sim.runSync();
  t.strictSame(done, ['first']);
  t.end();
});
