/** OTP's rules, seen from outside: which children start and stop, in which order, and which do not. */
import t from 'tap';
import type { Behavior, ExitReason } from '../../../lib/actor/behavior.ts';
import type { ChildInfo, ChildSpec, SupervisorSpec, ToSupervisor } from '../../../lib/actor/child-spec.ts';
import type { ActorRef, ReplyTo } from '../../../lib/actor/ref.ts';
import type { MillraceError } from '../../../protocol/errors.ts';
import type { Bench } from './helpers.ts';
import { bench, shown } from './helpers.ts';

type ToChild = 'crash' | 'normal' | 'shutdown';

interface Tree extends Bench {
  readonly events: string[];
  readonly sup: ActorRef<ToSupervisor>;
  exit: ExitReason | null;
  started: boolean;
  send(id: string, message: ToChild): void;
  /** Runs, and gives what has happened since the last call. */
  happened(): string;
  ask<R>(make: (replyTo: ReplyTo<R>) => ToSupervisor): Promise<R>;
  which(): Promise<string>;
  failStarts: Map<string, number>;
}

type SomeSpec = Omit<Partial<SupervisorSpec>, 'children'> & { readonly children: readonly SomeChild[] };
type SomeChild = Partial<ChildSpec> & { readonly id: string };

/** A supervisor over children that say when they start and stop: `+a` and `-a`. A child with args 'slow' stops only when killed, with 'late' after 100 ms. */
function tree(spec: SomeSpec): Tree {
  const events: string[] = [];
  const failStarts = new Map<string, number>();
  const child: Behavior<string, ToChild | 'late', string | undefined> = {
    name: 'child',
    trapExit: true,
    init(turn, args) {
      const id = turn.self.path.split('/').at(-1)!;
      const left = failStarts.get(id) ?? 0;
      if (left > 0) {
        failStarts.set(id, left - 1);
        events.push(`!${id}`);
        throw new Error(`${id} can't start`);
      }
      events.push(`+${id}`);
      return args ?? '';
    },
    receive(state, message, turn) {
      if (message === 'crash') throw new Error('crashed');
      turn.stop({ type: message === 'normal' ? 'normal' : 'shutdown' });
      return state;
    },
    signal(state, signal, turn) {
      if (signal.type !== 'shutdownRequested' || state === 'slow') return state;
      if (state === 'late') turn.startTimer('late', 100, 'late');
      else turn.stop(signal.reason);
      return state;
    },
    stopped(_state, reason, turn) {
      events.push(`-${turn.self.path.split('/').at(-1)!}${reason.type === 'killed' ? ' killed' : ''}`);
    },
  };
  const made = bench([child]);
  const full: SupervisorSpec = { strategy: 'one_for_one', intensity: 10, periodMs: 1_000, ...spec, children: spec.children.map((one) => ({ behavior: 'child', args: undefined, ...one })) };
  const all: Tree = {
    ...made, events, failStarts, exit: null, started: false,
    sup: made.system.spawn('/sup', 'supervisor', full, { onStarted: () => void (all.started = true), onExit: (reason) => void (all.exit = reason) }),
    send: (id, message) => made.system.tell(made.system.find(`/sup/${id}`) as ActorRef<ToChild>, message),
    happened() {
      made.run();
      return events.splice(0).join(' ');
    },
    ask<R>(make: (replyTo: ReplyTo<R>) => ToSupervisor) {
      const outcome = made.system.ask<ToSupervisor, R>(all.sup, make, 1_000);
      made.run();
      return outcome;
    },
    async which() {
      const infos = await all.ask<readonly ChildInfo[]>((replyTo) => ({ type: 'whichChildren', replyTo }));
      return infos.map((info) => `${info.id} ${info.state} ${info.restarts}`).join(', ');
    },
  };
  return all;
}

const abc = (): SomeChild[] => ['a', 'b', 'c'].map((id) => ({ id }));

t.test('children start left to right and stop right to left', async (t) => {
  const sup = tree({ children: abc() });
  t.equal(sup.happened(), '+a +b +c');
  t.equal(sup.started, true);
  const ended = sup.system.stop(sup.sup, 1_000);
  t.equal(sup.happened(), '-c -b -a');
  t.equal((await ended).type, 'shutdown');
});

// The failure of b, by strategy: who stops, who starts, and by omission who does not.
for (const [strategy, happened] of [
  ['one_for_one', '-b +b'],
  ['one_for_all', '-b -c -a +a +b +c'],
  ['rest_for_one', '-b -c +b +c'],
] as const) {
  t.test(`${strategy}: a crash of b gives ${happened}`, async (t) => {
    const sup = tree({ strategy, children: abc() });
    sup.happened();
    sup.send('b', 'crash');
    t.equal(sup.happened(), happened);
  });
}

// Restart types x exits, under one_for_one: what happens to b, and what is left of its spec.
for (const [restart, message, happened, left] of [
  ['permanent', 'crash', '-b +b', 'b running 1'],
  ['permanent', 'normal', '-b +b', 'b running 1'],
  ['permanent', 'shutdown', '-b +b', 'b running 1'],
  ['transient', 'crash', '-b +b', 'b running 1'],
  ['transient', 'normal', '-b', 'b stopped 0'],
  ['transient', 'shutdown', '-b', 'b stopped 0'],
  ['temporary', 'crash', '-b', ''],
  ['temporary', 'normal', '-b', ''],
  ['temporary', 'shutdown', '-b', ''],
] as const) {
  t.test(`a ${restart} child that ends by ${message} is ${happened.includes('+') ? 'restarted' : left === '' ? 'forgotten' : 'kept, not restarted'}`, async (t) => {
    const sup = tree({ children: [{ id: 'a' }, { id: 'b', restart }, { id: 'c' }] });
    sup.happened();
    sup.send('b', message);
    t.equal(sup.happened(), happened);
    t.equal(await sup.which(), ['a running 0', left, 'c running 0'].filter((text) => text !== '').join(', '));
  });
}

t.test('one_for_all restarts also a transient sibling, but not a temporary one', async (t) => {
  const sup = tree({ strategy: 'one_for_all', children: [{ id: 'a', restart: 'transient' }, { id: 'b', restart: 'temporary' }, { id: 'c' }] });
  sup.happened();
  sup.send('c', 'crash');
  t.equal(sup.happened(), '-c -b -a +a +c');
  t.equal(await sup.which(), 'a running 1, c running 1');
});

t.test('one_for_all starts a transient sibling that had ended normally, as OTP does', (t) => {
  const sup = tree({ strategy: 'one_for_all', children: [{ id: 'a', restart: 'transient' }, { id: 'b' }] });
  sup.happened();
  sup.send('a', 'normal');
  t.equal(sup.happened(), '-a');
  sup.send('b', 'crash');
  t.equal(sup.happened(), '-b +a +b');
  t.end();
});

t.test('two siblings that crash at once under one_for_all are one restart', async (t) => {
  const sup = tree({ strategy: 'one_for_all', intensity: 1, children: abc() });
  sup.happened();
  sup.send('a', 'crash');
  sup.send('b', 'crash');
  t.equal(sup.happened(), '-a -b -c +a +b +c');
  t.equal(sup.exit, null);
});

t.test('more restarts than the intensity allows end the supervisor and all its children', (t) => {
  const sup = tree({ intensity: 2, periodMs: 1_000, children: abc() });
  sup.happened();
  for (let count = 0; count < 2; count += 1) {
    sup.send('b', 'crash');
    t.equal(sup.happened(), '-b +b');
  }
  sup.send('b', 'crash');
  t.equal(sup.happened(), '-b -c -a');
  t.equal(shown(sup.exit!), 'shutdown: RestartIntensityReached');
  t.equal((sup.exit as { error: { cause: { message: string } } }).error.cause.message, 'crashed');
  t.end();
});

t.test('restarts that are further apart than the period do not add up', (t) => {
  const sup = tree({ intensity: 1, periodMs: 1_000, children: [{ id: 'a' }] });
  sup.happened();
  for (let count = 0; count < 4; count += 1) {
    sup.send('a', 'crash');
    t.equal(sup.happened(), '-a +a');
    sup.advance(1_001);
  }
  t.equal(sup.exit, null);
  t.end();
});

t.test('the default intensity is 1 restart in 5 seconds, as in OTP', (t) => {
  const made = bench([{ name: 'child', init: () => null, receive: () => { throw new Error('crashed'); } }]);
  let exit: ExitReason | null = null;
  made.system.spawn('/sup', 'supervisor', { strategy: 'one_for_one', children: [{ id: 'a', behavior: 'child', args: null }] }, { onExit: (reason) => void (exit = reason) });
  made.run();
  const child = made.system.find('/sup/a') as ActorRef<string>;
  made.system.tell(child, 'x');
  made.advance(5_000);
  t.equal(exit, null);
  made.system.tell(child, 'x');
  made.run();
  t.equal(shown(exit!), 'shutdown: RestartIntensityReached', 'the second failure at exactly 5,000 ms still counts');
  t.end();
});

t.test('escalation: the parent restarts a supervisor that gave up, and only that', (t) => {
  const inner: SupervisorSpec = { strategy: 'one_for_one', intensity: 0, children: [{ id: 'a', behavior: 'child', args: undefined }, { id: 'b', behavior: 'child', args: undefined }] };
  const sup = tree({ children: [{ id: 'inner', behavior: 'supervisor', args: inner }, { id: 'z' }] });
  t.equal(sup.happened(), '+a +b +z');
  sup.system.tell(sup.system.find('/sup/inner/a') as ActorRef<ToChild>, 'crash');
  t.equal(sup.happened(), '-a -b +a +b');
  t.equal(sup.exit, null);
  t.end();
});

t.test('a child that can\'t start at the beginning ends the start: what has started is stopped, and what comes after it never starts', (t) => {
  const sup = tree({ children: abc() });
  sup.failStarts.set('b', 1);
  t.equal(sup.happened(), '+a !b -a');
  t.equal(sup.started, false);
  t.equal(shown(sup.exit!), 'shutdown: ActorGone');
  t.end();
});

t.test('a restart that fails is tried again, and each try counts', (t) => {
  const sup = tree({ intensity: 3, children: [{ id: 'a' }, { id: 'b' }] });
  sup.happened();
  sup.failStarts.set('b', 2);
  sup.send('b', 'crash');
  t.equal(sup.happened(), '-b !b !b +b');
  sup.failStarts.set('b', 5);
  sup.send('b', 'crash');
  t.equal(sup.happened(), '-b -a');
  t.equal(shown(sup.exit!), 'shutdown: RestartIntensityReached');
  t.end();
});

t.test('one_for_all: a failed start within a restart stops those that had started again, and tries anew', (t) => {
  const sup = tree({ strategy: 'one_for_all', children: abc() });
  sup.happened();
  sup.failStarts.set('b', 1);
  sup.send('c', 'crash');
  t.equal(sup.happened(), '-c -b -a +a !b -a +a +b +c');
  t.end();
});

t.test('a child that does not stop in time is killed, and only then the next one is stopped', (t) => {
  const sup = tree({ children: [{ id: 'a' }, { id: 'b', args: 'slow', shutdown: 500 }, { id: 'c' }] });
  sup.happened();
  void sup.system.stop(sup.sup, 10_000);
  t.equal(sup.happened(), '-c');
  sup.advance(499);
  t.equal(sup.happened(), '');
  sup.advance(1);
  t.equal(sup.happened(), '-b killed -a');
  t.equal(sup.exit!.type, 'shutdown');
  t.end();
});

t.test('a child that stops within its time is waited for and not killed', (t) => {
  const sup = tree({ children: [{ id: 'a' }, { id: 'b', args: 'late', shutdown: 'infinity' }] });
  sup.happened();
  void sup.system.stop(sup.sup, 10_000);
  t.equal(sup.happened(), '');
  sup.advance(100);
  t.equal(sup.happened(), '-b -a');
  t.end();
});

t.test('brutalKill does not ask', (t) => {
  const sup = tree({ children: [{ id: 'a', args: 'slow', shutdown: 'brutalKill' }] });
  sup.happened();
  void sup.system.stop(sup.sup, 10_000);
  t.equal(sup.happened(), '-a killed');
  t.end();
});

t.test('back-off: the delay doubles up to its maximum, and falls back once a life has lasted', (t) => {
  const sup = tree({ intensity: 100, children: [{ id: 'a', backoff: { minMs: 100, maxMs: 400, jitter: 0, resetAfterMs: 1_000 } }, { id: 'b' }] });
  sup.happened();
  for (const delayMs of [100, 200, 400, 400]) {
    sup.send('a', 'crash');
    t.equal(sup.happened(), '-a', 'not at once');
    sup.advance(delayMs - 1);
    t.equal(sup.happened(), '', `not before ${delayMs} ms`);
    sup.advance(1);
    t.equal(sup.happened(), '+a', `after ${delayMs} ms`);
  }
  sup.advance(1_000);
  sup.send('a', 'crash');
  sup.advance(100);
  t.equal(sup.happened(), '-a +a', 'after a life of 1,000 ms the first delay is due again');
  t.end();
});

t.test('a child in back-off can be terminated, and is not started afterwards', async (t) => {
  const sup = tree({ children: [{ id: 'a', backoff: { minMs: 100, maxMs: 400, jitter: 0, resetAfterMs: 1_000 } }] });
  sup.happened();
  sup.send('a', 'crash');
  sup.happened();
  t.equal(await sup.which(), 'a restarting 0');
  await sup.ask<null>((replyTo) => ({ type: 'terminateChild', id: 'a', replyTo }));
  sup.advance(1_000);
  t.equal(sup.happened(), '');
  t.equal(await sup.which(), 'a stopped 0');
});

t.test('a restarted child keeps its address', (t) => {
  const sup = tree({ children: [{ id: 'a' }] });
  sup.happened();
  const before = sup.system.find('/sup/a');
  sup.send('a', 'crash');
  sup.happened();
  t.same(sup.system.find('/sup/a'), before);
  t.equal(sup.system.metrics().find(({ ref }) => ref.path === '/sup/a')!.restarts, 1);
  t.end();
});

t.test('dynamic children: start, terminate, restart, delete, each refused in the wrong state', async (t) => {
  const sup = tree({ children: [{ id: 'a' }] });
  sup.happened();
  const start = (id: string, rest: Partial<ChildSpec> = {}): Promise<ActorRef<never>> =>
    sup.ask((replyTo) => ({ type: 'startChild', spec: { id, behavior: 'child', args: undefined, ...rest }, replyTo }));
  const refused = async (what: Promise<unknown>): Promise<string> => what.then(() => 'accepted', (error: MillraceError) => `${error.code} ${error.message}`);

  t.equal((await start('d')).path, '/sup/d');
  t.equal(sup.happened(), '+d');
  t.match(await refused(start('d')), /UnknownChild .*started already/);
  t.match(await refused(sup.ask((replyTo) => ({ type: 'restartChild', id: 'd', replyTo }))), /is running/);
  t.match(await refused(sup.ask((replyTo) => ({ type: 'deleteChild', id: 'd', replyTo }))), /is running/);
  await sup.ask((replyTo) => ({ type: 'terminateChild', id: 'd', replyTo }));
  t.equal(sup.happened(), '-d');
  t.match(await refused(start('d')), /present already/);
  t.equal(((await sup.ask((replyTo) => ({ type: 'restartChild', id: 'd', replyTo }))) as ActorRef<never>).path, '/sup/d');
  t.equal(sup.happened(), '+d');
  await sup.ask((replyTo) => ({ type: 'terminateChild', id: 'd', replyTo }));
  await sup.ask((replyTo) => ({ type: 'deleteChild', id: 'd', replyTo }));
  t.match(await refused(sup.ask((replyTo) => ({ type: 'deleteChild', id: 'd', replyTo }))), /is unknown/);
  sup.failStarts.set('e', 1);
  t.match(await refused(start('e')), /failed to start.*can't start/);
  t.equal(sup.happened(), '-d !e');
  t.equal(await sup.which(), 'a running 0', 'a dynamic child that failed to start leaves no spec');
  t.match(await refused(start('bad/id')), /InvalidArgument/);
  await start('f', { restart: 'temporary' });
  await sup.ask((replyTo) => ({ type: 'terminateChild', id: 'f', replyTo }));
  t.equal(await sup.which(), 'a running 0', 'a temporary child that is terminated leaves no spec');
});

t.test('a supervisor that is killed leaves no orphan: its workers end with it', (t) => {
  const inner: SupervisorSpec = { strategy: 'one_for_one', children: [{ id: 'a', behavior: 'child', args: undefined }, { id: 'b', behavior: 'child', args: undefined }] };
  const sup = tree({ children: [{ id: 'inner', behavior: 'supervisor', args: inner }] });
  sup.happened();
  sup.system.kill(sup.system.find('/sup/inner')!);
  t.match(sup.happened(), /-b -a/, 'the old children end');
  t.same(sup.system.metrics().map(({ ref }) => ref.path).sort(), ['/sup', '/sup/inner', '/sup/inner/a', '/sup/inner/b']);
  t.end();
});

t.test('the request to end overtakes a start that takes long', (t) => {
  const inner: SupervisorSpec = { strategy: 'one_for_one', children: [{ id: 'late', behavior: 'child', args: 'late' }] };
  const sup = tree({ children: [{ id: 'a' }, { id: 'inner', behavior: 'supervisor', args: inner }, { id: 'c' }] });
  void sup.system.stop(sup.sup, 10_000);
  sup.run();
  sup.advance(200);
  t.notMatch(sup.happened(), /\+c/);
  t.same(sup.system.metrics(), []);
  t.end();
});

t.test('specs that make no sense are refused when the supervisor starts', (t) => {
  for (const [spec, text] of [
    [{ children: [{ id: 'a' }, { id: 'a' }] }, /ids that differ/],
    [{ children: [{ id: 'a', restart: 'sometimes' as 'permanent' }] }, /permanent, transient or temporary/],
    [{ children: [{ id: 'a', shutdown: -1 }] }, /milliseconds, brutalKill or infinity/],
    [{ intensity: -1, children: [] }, /whole number/],
    [{ children: [{ id: 'a', behavior: 'nobody' }] }, /knows no behaviour/],
  ] as readonly [SomeSpec, RegExp][]) {
    const sup = tree(spec);
    t.equal(sup.happened(), '');
    t.match((sup.exit as { error: { message: string } }).error.message, text);
  }
  t.end();
});
