/** One actor at a time: turns, effects, asks, stash, timers, performs, watches. */
import t from 'tap';
import type { Behavior, ExitReason, Outcome, Turn } from '../../../lib/actor/behavior.ts';
import type { ActorRef, ReplyTo } from '../../../lib/actor/ref.ts';
import type { MillraceError } from '../../../protocol/errors.ts';
import { toWireError } from '../../../protocol/errors.ts';
import { asHostId } from '../../../protocol/ids.ts';
import { actor, bench, shown } from './helpers.ts';

type Ask = { readonly replyTo: ReplyTo<number> };

function probe(): { readonly got: unknown[]; readonly behavior: Behavior<null, unknown> } {
  const got: unknown[] = [];
  return { got, behavior: actor<unknown>((state, message) => { got.push(message); return state; }, { signal: (state, signal) => { got.push(signal.type === 'terminated' ? `terminated ${signal.ref.path} ${shown(signal.reason)}` : signal.type); return state; } }) };
}

t.test('messages of one sender are handled in the order of their sending', (t) => {
  const { system, run } = bench();
  const { got, behavior } = probe();
  const ref = system.spawn<number>('/a', behavior, undefined);
  for (let number = 0; number < 200; number += 1) system.tell(ref, number);
  run();
  t.same(got, Array.from({ length: 200 }, (_, number) => number), 'also beyond one turn batch of 64');
  t.end();
});

t.test('effects happen in order after the handler, and none where it threw', (t) => {
  const { system, run } = bench();
  const { got, behavior } = probe();
  const sink = system.spawn<string>('/sink', behavior, undefined);
  let inHandler = 0;
  const sender = system.spawn<string>('/sender', actor<string>((state, message, turn) => {
    turn.tell(sink, `${message} 1`);
    turn.perform('note', () => { inHandler = got.length; return 0; }, () => 'back');
    turn.tell(sink, `${message} 2`);
    if (message === 'throw') throw new Error('no');
    return state;
  }), undefined);
  system.tell(sender, 'good');
  system.tell(sender, 'throw');
  run();
  t.same(got.slice(0, 2), ['good 1', 'good 2']);
  t.equal(inHandler, 0);
  t.notOk(got.some((text) => String(text).startsWith('throw')), 'the throwing turn told nobody');
  t.end();
});

t.test('an actor that throws ends; stopped sees the state before that turn, and the rest of its mailbox are dead letters', (t) => {
  const { system, run } = bench();
  let last: unknown = null;
  let exit: ExitReason | null = null;
  const counter: Behavior<number, string> = {
    name: 'counter', init: () => 0,
    receive: (state, message) => { if (message === 'throw') throw new Error('boom'); return state + 1; },
    stopped: (state, reason) => { last = [state, shown(reason)]; },
  };
  const ref = system.spawn<string>('/c', counter, undefined, { onExit: (reason) => void (exit = reason) });
  for (const message of ['one', 'two', 'throw', 'three', 'four']) system.tell(ref, message);
  run();
  t.same(last, [2, 'error: boom']);
  t.equal(shown(exit!), 'error: boom');
  t.same(system.deadLetters.recent().map(({ message, reason }) => `${String(message)} ${reason}`), ['three ended', 'four ended']);
  system.tell(ref, 'five');
  run();
  t.equal(system.deadLetters.count, 3);
  t.equal(system.deadLetters.recent().at(-1)!.reason, 'noActor');
  t.end();
});

t.test('stopped may tell and reply; timers and asks of it come to nothing', (t) => {
  const { system, run, advance } = bench();
  const { got, behavior } = probe();
  const sink = system.spawn<string>('/sink', behavior, undefined);
  const ref = system.spawn<string>('/a', actor<string>((state) => state, {
    stopped: (_state, reason, turn) => { turn.tell(sink, `bye ${reason.type}`); turn.startTimer('late', 1, 'late'); },
  }), undefined);
  run();
  void system.stop(ref, 100);
  run();
  advance(10);
  t.same(got, ['bye shutdown']);
  t.end();
});

t.test('a turn that is kept and used later throws', (t) => {
  const { system, run } = bench();
  let kept: Turn<string> | null = null;
  const ref = system.spawn<string>('/a', actor<string>((state, _message, turn) => { kept = turn; return state; }), undefined);
  system.tell(ref, 'x');
  run();
  t.throws(() => kept!.tell(ref, 'late'), /of no use after its handler has returned/);
  t.end();
});

t.test('ask from outside: exactly one of reply, error reply, AskTimeout, ActorGone, HostGone', async (t) => {
  const { system, run, advance } = bench();
  const answering = (answer: (turn: Turn<Ask>, replyTo: ReplyTo<number>) => void): ActorRef<Ask> =>
    system.spawn<Ask>('/answering', actor<Ask>((state, message, turn) => { answer(turn, message.replyTo); return state; }), undefined);
  const outcome = (ref: ActorRef<Ask>): Promise<unknown> => system.ask<Ask, number>(ref, (replyTo) => ({ replyTo }), 100).catch((error: MillraceError) => error.code);

  const replies = outcome(answering((turn, replyTo) => { turn.reply(replyTo, 7); turn.reply(replyTo, 8); }));
  const refuses = outcome(answering((turn, replyTo) => turn.replyError(replyTo as ReplyTo<never>, toWireError(Object.assign(new Error('no'), { code: 'ENO' })))));
  const silent = outcome(answering(() => undefined));
  const late = outcome(answering((turn, replyTo) => turn.perform('later', () => new Promise<never>(() => void replyTo), () => ({ replyTo }))));
  const dying = outcome(answering((turn) => turn.stop()));
  const crashing = outcome(answering(() => { throw new Error('crash'); }));
  const nobody = outcome({ host: asHostId(0), cell: 77, path: '/nobody' as never });
  const elsewhere = outcome({ host: asHostId(9), cell: 77, path: '/nobody' as never });
  run();
  advance(100);
  t.same(await Promise.all([replies, refuses, silent, late, dying, crashing, nobody, elsewhere]), [7, 'ENO', 'AskTimeout', 'AskTimeout', 'ActorGone', 'ActorGone', 'ActorGone', 'HostGone']);
  t.equal(system.asks.size, 0, 'none is left over');
});

t.test('ask from an actor comes back as a message, and not to its next life', (t) => {
  const { system, run, advance } = bench();
  const got: string[] = [];
  const slow = system.spawn<Ask>('/slow', actor<Ask | { readonly answer: ReplyTo<number> }>((state, message, turn) => {
    if ('answer' in message) turn.reply(message.answer, 5);
    else turn.startTimer('t', 50, { answer: message.replyTo });
    return state;
  }), undefined);
  type M = 'go' | 'stop' | Outcome<number>;
  const asker = system.spawn<M>('/asker', actor<M>((state, message, turn) => {
    if (message === 'go') turn.ask<Ask, number>(slow as ActorRef<Ask>, (replyTo) => ({ replyTo }), 100, (outcome) => outcome);
    else if (message === 'stop') turn.stop();
    else got.push(message.ok ? `got ${message.value}` : `failed ${message.error.code}`);
    return state;
  }), undefined);
  system.tell(asker, 'go');
  advance(50);
  t.same(got, ['got 5']);
  system.tell(asker, 'go');
  system.tell(asker, 'stop');
  advance(200);
  t.same(got, ['got 5'], 'the outcome of an ask ends with the life of its asker');
  t.equal(system.deadLetters.count, 0);
  t.end();
});

t.test('stash puts messages aside; unstash brings them back in front, in order', (t) => {
  const { system, run } = bench();
  const got: string[] = [];
  const ref = system.spawn<string>('/a', {
    name: 'door', init: () => false,
    receive(open: boolean, message: string, turn: Turn<string>) {
      if (message === 'open') { turn.unstash(); return true; }
      if (!open) { turn.stash(message); return open; }
      got.push(message);
      return open;
    },
  }, undefined);
  for (const message of ['1', '2', '3', 'open', '4', '5']) system.tell(ref, message);
  run();
  t.same(got, ['1', '2', '3', '4', '5']);
  t.end();
});

t.test('a full stash fails the actor with StashOverflow, and what was stashed are dead letters', (t) => {
  const { system, run } = bench();
  let exit: ExitReason | null = null;
  const ref = system.spawn<number>('/a', actor<number>((state, message, turn) => { turn.stash(message); return state; }, { mailbox: { messagesMax: 100, overflow: 'fail', stashMax: 2 } }), undefined, { onExit: (reason) => void (exit = reason) });
  for (const number of [1, 2, 3, 4]) system.tell(ref, number);
  run();
  t.equal(shown(exit!), 'error: StashOverflow');
  t.same(system.deadLetters.recent().map(({ message }) => message), [1, 2, 4]);
  t.end();
});

t.test('timers fire at their time, are replaced by key, and are dead when cancelled, also when already in the mailbox', (t) => {
  const { system, clock, advance, run } = bench();
  const got: string[] = [];
  type M = 'start' | 'restart' | 'cancel' | `fired ${string}`;
  const ref = system.spawn<M>('/a', actor<M>((state, message, turn) => {
    if (message === 'start') { turn.startTimer('x', 100, 'fired x'); turn.startTimer('y', 50, 'fired y'); }
    else if (message === 'restart') turn.startTimer('x', 100, 'fired x');
    else if (message === 'cancel') turn.cancelTimer('x');
    else got.push(`${message} at ${turn.now}`);
    return state;
  }), undefined);
  system.tell(ref, 'start');
  advance(60);
  t.same(got, ['fired y at 50']);
  system.tell(ref, 'restart');
  advance(99);
  t.same(got, ['fired y at 50'], 'the restarted timer counts from its restart');
  run();
  system.tell(ref, 'cancel');
  clock.advanceBy(10); // Fires into the mailbox, behind the cancelling message.
  run();
  t.same(got, ['fired y at 50']);
  t.end();
});

t.test('timers die with the incarnation', (t) => {
  const got: string[] = [];
  const { system, run, advance } = bench([actor<string>((state, message, turn) => {
    if (message === 'start') turn.startTimer('x', 10, `timer of life ${turn.incarnation}`);
    else if (message === 'crash') throw new Error('crash');
    else got.push(message);
    return state;
  }, { name: 'timed' })]);
  system.spawn('/sup', 'supervisor', { strategy: 'one_for_one', children: [{ id: 'a', behavior: 'timed', args: undefined }] });
  run();
  const ref = system.find('/sup/a') as ActorRef<string>;
  system.tell(ref, 'start');
  system.tell(ref, 'crash');
  advance(100);
  t.same(got, []);
  t.end();
});

t.test('perform: values, errors and promises come back as messages, unless the actor has ended by then', async (t) => {
  const { system, run } = bench();
  const got: string[] = [];
  type M = (() => unknown) | string;
  let release: (value: string) => void = () => undefined;
  const ref = system.spawn<M>('/a', actor<M>((state, message, turn) => {
    if (message === 'stop') turn.stop();
    else if (typeof message === 'string') got.push(message);
    else turn.perform('work', message, (outcome) => (outcome.ok ? `value ${String(outcome.value)}` : `error ${outcome.error.message}`));
    return state;
  }), undefined);
  system.tell(ref, () => 1);
  system.tell(ref, () => { throw new Error('sync'); });
  system.tell(ref, () => Promise.resolve(2));
  system.tell(ref, () => Promise.reject(new Error('async')));
  system.tell(ref, () => new Promise((resolve) => { release = resolve; }));
  run();
  await new Promise((resolve) => setImmediate(resolve));
  run();
  t.same(got, ['value 1', 'error sync', 'value 2', 'error async']);
  system.tell(ref, 'stop');
  run();
  release('late');
  await new Promise((resolve) => setImmediate(resolve));
  run();
  t.equal(got.length, 4);
});

t.test('watch: terminated comes once with the reason, at once for an actor that is gone, never after unwatch', (t) => {
  const { system, run } = bench();
  const got: string[] = [];
  type M = { readonly watch?: ActorRef<never>; readonly unwatch?: ActorRef<never> };
  const watcher = system.spawn<M>('/w', actor<M>((state, message, turn) => {
    if (message.watch !== undefined) turn.watch(message.watch);
    if (message.unwatch !== undefined) turn.unwatch(message.unwatch);
    return state;
  }, { signal: (state, signal) => { if (signal.type === 'terminated') got.push(`${signal.ref.path} ${shown(signal.reason)}`); return state; } }), undefined);
  const target = (path: string): ActorRef<string> => system.spawn<string>(path, actor<string>((state, message, turn) => { if (message === 'crash') throw new Error('boom'); turn.stop(); return state; }), undefined);
  const [a, b, c] = [target('/a'), target('/b'), target('/c')];
  for (const ref of [a, b, c]) system.tell(watcher, { watch: ref });
  system.tell(watcher, { unwatch: c });
  run();
  system.tell(a, 'crash');
  system.tell(b, 'stop');
  system.tell(c, 'stop');
  run();
  t.same(got.splice(0).sort(), ['/a error: boom', '/b normal']);
  system.tell(watcher, { watch: a });
  run();
  t.same(got, ['/a error: boom'], 'the reason is still known afterwards');
  t.end();
});

t.test('signals go ahead of messages', (t) => {
  const { system, run } = bench();
  const { got, behavior } = probe();
  const watched = system.spawn<string>('/x', actor<string>((state, _message, turn) => { turn.stop(); return state; }), undefined);
  const spy = system.spawn<unknown>('/spy', { ...behavior, init: (turn: Turn<unknown>) => { turn.watch(watched); return null; } }, undefined);
  run();
  system.tell(watched, 'stop');
  system.tell(spy, 'first');
  system.kill(watched);
  run();
  t.same(got, ['terminated /x killed', 'first']);
  t.end();
});

t.test('metrics say depth, age, handled messages and lives', (t) => {
  const { system, clock, run } = bench();
  const ref = system.spawn<string>('/a', actor<string>((state) => state), undefined);
  system.tell(ref, 'x');
  run();
  system.tell(ref, 'y');
  clock.advanceBy(5);
  system.tell(ref, 'z');
  clock.advanceBy(5);
  const [metrics] = system.metrics();
  t.match(metrics, { depth: 2, oldestMs: 10, handled: 1, restarts: 0, stashed: 0, behavior: 'actor' });
  run();
  t.match(system.metrics()[0], { depth: 0, oldestMs: 0, handled: 3 });
  t.end();
});

t.test('a crash behind a failing init: stopped is not called, since there is no state', (t) => {
  const { system, run } = bench();
  let called = false;
  let exit: ExitReason | null = null;
  system.spawn('/a', { name: 'x', init: () => { throw new Error('no start'); }, receive: (state: null) => state, stopped: () => { called = true; } }, undefined, { onExit: (reason) => void (exit = reason) });
  run();
  t.equal(called, false);
  t.equal(shown(exit!), 'error: no start');
  t.end();
});
