/** Two systems joined by a real MessageChannel on one thread, and what goes on when the other one is gone. */
import { MessageChannel } from 'node:worker_threads';
import t from 'tap';
import type { AnyBehavior, Behavior, ExitReason } from '../../../lib/actor/behavior.ts';
import type { SupervisorSpec, ToSupervisor } from '../../../lib/actor/child-spec.ts';
import { portOf } from '../../../lib/actor/link.ts';
import type { ActorRef, ReplyTo } from '../../../lib/actor/ref.ts';
import { ActorSystem } from '../../../lib/actor/system.ts';
import { SystemClock } from '../../../lib/base/clock.ts';
import type { MillraceError } from '../../../protocol/errors.ts';
import { toWireError } from '../../../protocol/errors.ts';
import { asHostId } from '../../../protocol/ids.ts';
import { actor, registryOf, shown } from './helpers.ts';

type Test = { teardown(run: () => void): unknown };
type ToEcho = { readonly type: 'echo'; readonly value: unknown; readonly replyTo: ReplyTo<unknown> } | { readonly type: 'stop' } | { readonly type: 'silent'; readonly replyTo: ReplyTo<unknown> };

const echo: Behavior<null, ToEcho> = actor<ToEcho>((state, message, turn) => {
  if (message.type === 'echo') turn.reply(message.replyTo, message.value);
  else if (message.type === 'stop') turn.stop();
  return state;
}, { name: 'echo' });

/** Hosts 1 (the middle) and the given others, each joined to it by a channel. */
function star(t: Test, others: readonly number[], registry: readonly AnyBehavior[] = [echo]): { readonly logs: string[]; system(host: number): ActorSystem } {
  const logs: string[] = [];
  const make = (host: number): ActorSystem =>
    new ActorSystem({ host: asHostId(host), clock: new SystemClock(), registry: registryOf(registry), logger: { log: (level, text) => void (level === 'debug' || logs.push(`${level} ${text}`)) } });
  const systems = new Map([1, ...others].map((host) => [host, make(host)]));
  for (const host of others) {
    const { port1, port2 } = new MessageChannel();
    systems.get(1)!.connect(portOf(port1), { hosts: [asHostId(host)] });
    systems.get(host)!.connect(portOf(port2), { hosts: [asHostId(1)], isDefault: true });
  }
  t.teardown(() => { for (const system of systems.values()) system.vanish(); });
  return { logs, system: (host) => systems.get(host)! };
}

const ask = (system: ActorSystem, ref: ActorRef<ToEcho>, value: unknown): Promise<unknown> => system.ask<ToEcho, unknown>(ref, (replyTo) => ({ type: 'echo', value, replyTo }), 2_000);

t.test('an ask goes to another host and comes back, also over the middle of the star', async (t) => {
  const { system } = star(t, [2, 3]);
  const ref = system(3).spawn<ToEcho>('/echo', echo, undefined);
  t.same(await ask(system(1), ref, { a: [1, 2], b: new Map([[1, 2]]) }), { a: [1, 2], b: new Map([[1, 2]]) });
  t.equal(await ask(system(2), ref, 'from 2'), 'from 2');
});

t.test('a thousand messages arrive once and in order, in frames of many', async (t) => {
  const { system } = star(t, [2]);
  const got: number[] = [];
  const sink = system(2).spawn<number>('/sink', actor<number>((state, message) => { got.push(message); return state; }), undefined);
  const source = system(1).spawn<number>('/source', actor<number>((state, count, turn) => { for (let number = 0; number < count; number += 1) turn.tell(sink, number); return state; }), undefined);
  system(1).tell(source, 1_000);
  const reached = system(2).spawn<ToEcho>('/echo', echo, undefined);
  while (got.length < 1_000) await ask(system(1), reached, null);
  t.same(got, Array.from({ length: 1_000 }, (_, number) => number));
});

t.test('the end of an actor on another host fails the asks under way, and tells who watches', async (t) => {
  const { system } = star(t, [2]);
  const ref = system(2).spawn<ToEcho>('/echo', echo, undefined);
  const asked = system(1).ask<ToEcho, unknown>(ref, (replyTo) => ({ type: 'silent', replyTo }), 2_000).catch((error: MillraceError) => error.code);
  const ended = system(1).ended(ref);
  system(1).tell(ref, { type: 'stop' });
  t.equal(await asked, 'ActorGone');
  t.equal((await ended).type, 'normal');
  t.equal((await system(1).ended(ref)).type, 'normal', 'also when asked afterwards');
  t.equal(await ask(system(1), ref, 1).catch((error: MillraceError) => error.code), 'ActorGone');
});

t.test('a message that can\'t be cloned ends its sender, and those posted with it arrive', async (t) => {
  const { system } = star(t, [2]);
  const got: unknown[] = [];
  const sink = system(2).spawn<unknown>('/sink', actor<unknown>((state, message) => { got.push(message); return state; }), undefined);
  let exit: ExitReason | null = null;
  const sender = system(1).spawn<string>('/sender', actor<string>((state, _message, turn) => {
    turn.tell(sink, 'before');
    turn.tell(sink, () => 'a function');
    turn.tell(sink, 'behind');
    return state;
  }), undefined, { onExit: (reason) => void (exit = reason) });
  const ended = system(1).ended(sender);
  system(1).tell(sender, 'go');
  await ended;
  t.match(shown(exit!), 'error: MessageNotSerializable');
  const reached = system(2).spawn<ToEcho>('/echo', echo, undefined);
  await ask(system(1), reached, null);
  t.same(got, ['before', 'behind']);
  t.equal(system(1).deadLetters.recent()[0]!.reason, 'notSerializable');
});

t.test('a supervisor starts, stops and restarts children on other hosts, in order', async (t) => {
  const events: string[] = [];
  const child: Behavior<null, 'crash'> = {
    name: 'child', init: (turn) => { events.push(`+${turn.self.path} on ${turn.self.host}`); return null; },
    receive: () => { throw new Error('crashed'); },
    stopped: (_state, _reason, turn) => void events.push(`-${turn.self.path}`),
  };
  const { system } = star(t, [2, 3], [child]);
  const spec: SupervisorSpec = { strategy: 'one_for_all', children: [{ id: 'a', behavior: 'child', args: null, host: asHostId(2) }, { id: 'b', behavior: 'child', args: null, cell: 7, host: asHostId(3) }, { id: 'c', behavior: 'child', args: null }] };
  let sup: ActorRef<ToSupervisor>;
  await new Promise<void>((resolve) => { sup = system(1).spawn('/s', 'supervisor', spec, { onStarted: resolve }); });
  t.same(events.splice(0), ['+/s/a on 2', '+/s/b on 3', '+/s/c on 1']);
  const b: ActorRef<'crash'> = { host: asHostId(3), cell: 7, path: '/s/b' as never };
  system(1).tell(b, 'crash');
  const which = (): Promise<readonly { readonly restarts: number }[]> => system(1).ask(sup, (replyTo: ReplyTo<readonly { readonly restarts: number }[]>) => ({ type: 'whichChildren', replyTo } as ToSupervisor), 2_000);
  while ((await which())[2]?.restarts !== 1);
  t.same(events.splice(0), ['-/s/b', '-/s/c', '-/s/a', '+/s/a on 2', '+/s/b on 3', '+/s/c on 1']);
  await system(1).stop(sup!, 2_000);
  t.same(events, ['-/s/c', '-/s/b', '-/s/a']);
});

t.test('the death of a host: asks fail with HostGone, watchers are told, on every host; nothing passes to it any more', async (t) => {
  const { system } = star(t, [2, 3]);
  const ref = system(3).spawn<ToEcho>('/echo', echo, undefined);
  const asked = [1, 2].map((host) => system(host).ask<ToEcho, unknown>(ref, (replyTo) => ({ type: 'silent', replyTo }), 2_000).catch((error: MillraceError) => error.code));
  const ended = [1, 2].map((host) => system(host).ended(ref));
  const watching = new Promise((resolve) => {
    system(2).spawn('/watcher', actor<never>((state) => state, { init: (turn) => { turn.watchHost(3); return null; }, signal: (state, signal) => { resolve(signal.type); return state; } }), undefined);
  });
  await ask(system(2), system(1).spawn<ToEcho>('/echo', echo, undefined), 'all that was sent has arrived');
  system(1).hostDown(asHostId(3), toWireError(new Error('heap')));
  t.same(await Promise.all(asked), ['HostGone', 'HostGone']);
  t.same((await Promise.all(ended)).map(({ type }) => type), ['hostDown', 'hostDown']);
  t.equal(await watching, 'hostDown');
  t.equal(await ask(system(2), ref, 1).catch((error: MillraceError) => error.code), 'HostGone');
  system(1).tell(ref, { type: 'stop' });
  t.equal(system(1).deadLetters.recent().at(-1)!.reason, 'hostGone');
});

t.test('credit crosses hosts: a sender that heeds it loses nothing to a slow, small mailbox', async (t) => {
  let handled = 0;
  let deepest = 0;
  const { system } = star(t, [2]);
  const sink = system(2).spawn<number>('/sink', actor<number>((state) => { handled += 1; deepest = Math.max(deepest, system(2).cell(sink.cell)!.mailbox.depth); return state; }, { mailbox: { messagesMax: 32, overflow: 'credit' } }), undefined);
  const source = system(1).spawn<number>('/source', actor<number>((state, left, turn) => {
    let rest = left;
    for (; rest > 0 && turn.credit(sink) > 0; rest -= 1) turn.tell(sink, rest);
    if (rest > 0) turn.startTimer('again', 0, rest);
    return state;
  }), undefined);
  system(1).tell(source, 500);
  const reached = system(2).spawn<ToEcho>('/echo', echo, undefined);
  while (handled < 500) await ask(system(1), reached, null);
  t.equal(system(2).deadLetters.count, 0);
  t.ok(deepest <= 96, `at most ${deepest} waited`);
});
