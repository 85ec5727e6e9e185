/** Threads: announced when every program is built on them, replaced when they die, and never forgotten on the way. */
import t from 'tap';
import { hostManager } from '../../actors/host-manager.ts';
import type { LaunchedHost } from '../../actors/launcher.ts';
import type { HostServices } from '../../actors/services.ts';
import type { HostInit } from '../../protocol/host.ts';
import { asHostId, asProgramId } from '../../protocol/ids.ts';
import { stubServices } from '../helpers/stub-services.ts';
import { Driven, wireError } from '../helpers/stub-turn.ts';

const program = asProgramId(0);
const descriptor = { program, url: null, args: null, batchIntervalMs: 1_000, checkpointDirectory: null, defaultParallelism: 2, appName: 'test' };
const same = { fingerprint: { operators: [], hash: 'same' } };

function manager() {
  const launched: HostInit[] = [];
  const killed: number[] = [];
  const launcher = {
    launch: (init: HostInit): LaunchedHost => {
      launched.push(init);
      return { port: {} as never, exited: new Promise(() => {}), kill: () => void killed.push(init.host) };
    },
    close: async () => {},
  };
  const services = { ...stubServices({ master: 'local[2]' }), launcher, pool: {} as never, connect: () => {}, hostDown: () => {}, tell: () => {} };
  const driven = new Driven(hostManager(services as unknown as HostServices), undefined);
  /** Answers all that agents are asked, until nobody asks. */
  const answerAll = (): void => {
    while (driven.asked.length > 0) driven.answer(driven.asked[0]?.message.type === 'loadProgram' ? same : null);
  };
  const hosts = (): unknown => {
    const ask = 1_000 + driven.replies.size;
    driven.send({ type: 'whichHosts', replyTo: driven.replyTo(ask) });
    return (driven.replies.get(ask) as { role: string; index: number; up: boolean }[]).map(({ role, index, up }) => `${role} ${index} ${up ? 'up' : 'down'}`);
  };
  const load = (ask: number): void => void driven.send({ type: 'loadEverywhere', descriptor, expected: same.fingerprint, replyTo: driven.replyTo(ask) });
  const die = (host: number): void => void driven.send({ type: 'hostExited', host: asHostId(host), error: wireError('gone', 'HostGone') });
  return { driven, launched, killed, answerAll, hosts, load, die };
}

t.test('threads come up when their agents have answered', (t) => {
  const { driven, hosts, answerAll } = manager();
  t.same(hosts(), ['io 0 down', 'worker 0 down', 'worker 1 down']);
  answerAll();
  t.same(hosts(), ['io 0 up', 'worker 0 up', 'worker 1 up']);
  t.same(driven.take('emit').map(({ event }) => (event as { type: string }).type), ['threadStarted', 'threadStarted', 'threadStarted']);
  t.end();
});

t.test('a thread that dies is told of, and gets a successor with a new number in its place', (t) => {
  const { driven, launched, hosts, answerAll, die } = manager();
  answerAll();
  driven.take();
  die(4);
  const told = driven.take().map(({ type }) => type);
  t.ok(told.includes('workerDown'));
  t.notOk(told.includes('hostExited'), 'its memory is reclaimed by way of the task scheduler');
  t.notOk(told.includes('ioHostDown'));
  t.match(launched.at(-1), { host: 5, role: 'worker', index: 1 });
  t.same(hosts(), ['io 0 up', 'worker 0 up', 'worker 1 down']);
  answerAll();
  t.match(driven.take('replaceHost'), [{ from: 4, to: 5 }]);
  die(4);
  t.equal(launched.length, 4, 'a second news of the same death is none');
  t.end();
});

t.test('where a thread dies before what lives on it has started, its successor begins with that instead of taking it over', (t) => {
  for (const when of ['before the successor is up', 'after'] as const) {
    const { driven, answerAll, die } = manager();
    answerAll();
    const startsOf = (): unknown[] => driven.asked.filter(({ message }) => message.type === 'startChild').map(({ message }) => (message as unknown as { spec: { host: number } }).spec.host);
    driven.take();
    die(4);
    const failed = { type: 'childStarted', host: asHostId(4), error: wireError('gone', 'HostGone') } as const;
    if (when === 'after') answerAll();
    driven.send(failed);
    if (when !== 'after') driven.answer(null);
    t.same(startsOf(), [5], when);
    t.equal(driven.take('replaceHost').length, when === 'after' ? 1 : 0, when);
  }
  t.end();
});

t.test('a successor builds the active programs before it is announced; one that dies meanwhile has a successor, too', (t) => {
  const { driven, answerAll, load, die, hosts } = manager();
  answerAll();
  load(1);
  answerAll();
  t.same(driven.replies.get(1), { io: [2] });
  driven.take();
  die(4);
  driven.answer(null);
  t.match(driven.asked, [{ to: { host: 5 }, message: { type: 'loadProgram' } }]);
  t.same(driven.take('replaceHost'), []);
  die(5);
  driven.fail(wireError('gone', 'HostGone'));
  answerAll();
  t.match(driven.take('replaceHost'), [{ from: 4, to: 6 }], 'it takes the place of the one that was up');
  t.same(hosts(), ['io 0 up', 'worker 0 up', 'worker 1 up']);
  t.end();
});

/** Bug: a thread that was building a program when that was stopped waited for it for ever, and was never announced. */
t.test('a program that ends while a new thread builds it does not keep the thread from coming up', (t) => {
  const { driven, answerAll, load, die, hosts } = manager();
  answerAll();
  load(1);
  answerAll();
  die(4);
  driven.answer(null);
  driven.send({ type: 'forgetProgram', program });
  t.same(hosts(), ['io 0 up', 'worker 0 up', 'worker 1 up']);
  answerAll();
  t.equal(driven.take('replaceHost').length, 1, 'once');
  t.end();
});

t.test('a graph that differs on one thread is the answer of the start; on a successor, the program is told to be broken', (t) => {
  const other = { fingerprint: { operators: [], hash: 'other' } };
  const first = manager();
  first.answerAll();
  first.load(1);
  first.driven.answer(other);
  t.match(first.driven.replies.get(1), { code: 'ProgramDiverged' });
  const second = manager();
  second.answerAll();
  second.load(1);
  second.answerAll();
  second.die(4);
  second.driven.answer(null).answer(other);
  t.match(second.driven.take('programBroken'), [{ program, error: { code: 'ProgramDiverged' } }]);
  t.same(second.hosts(), ['io 0 up', 'worker 0 up', 'worker 1 up'], 'the thread itself serves other programs');
  t.end();
});

t.test('a thread that does not answer is ended', (t) => {
  const { driven, killed } = manager();
  driven.fail(wireError('no answer', 'AskTimeout'), ({ to }) => to.host === 3);
  t.same(killed, [3]);
  t.end();
});

t.test('more than twenty deaths within ten seconds end the cluster, with the last one\'s reason', (t) => {
  const { answerAll, die } = manager();
  answerAll();
  t.throws(() => {
    for (let host = 4; host < 40; host += 1) die(host);
  }, { code: 'RestartIntensityReached', message: /gone/ });
  t.end();
});
