/** The ledger of shared memory: what is held is given back exactly once. */
import t from 'tap';
import { blockManagerMaster } from '../../actors/block-manager-master.ts';
import { asHostId, asProgramId } from '../../protocol/ids.ts';
import type { SharedHandle } from '../../protocol/rdd.ts';
import { handle, stubServices } from '../helpers/stub-services.ts';
import { Driven, wireError } from '../helpers/stub-turn.ts';

function master() {
  const services = stubServices();
  const driven = new Driven(blockManagerMaster(services), undefined);
  const scopes = (): number => {
    const ask = driven.replies.size + 1;
    driven.send({ type: 'blockStats', replyTo: driven.replyTo(ask) });
    return (driven.replies.get(ask) as { scopes: number }).scopes;
  };
  const hold = (scope: string, ...handles: readonly SharedHandle[]): void => void driven.send({ type: 'hold', scope, handles });
  const release = (scope: string, ...handles: readonly SharedHandle[]): void => void driven.send({ type: 'release', scope, handles });
  return { services, driven, scopes, hold, release };
}

t.test('a handle is given back when it is released, once, and only by the scope that holds it', (t) => {
  const { services, hold, release } = master();
  hold('program/0', handle(1), handle(2));
  release('program/1', handle(1));
  t.same(services.released, []);
  release('program/0', handle(1));
  release('program/0', handle(1));
  t.same(services.released, [handle(1)]);
  t.end();
});

t.test('a handle of the same place from an earlier life of its slab releases nothing', (t) => {
  const { services, hold, release } = master();
  hold('program/0', { ...handle(1), generation: 2 });
  release('program/0', handle(1));
  t.same(services.released, []);
  t.end();
});

t.test('what was moved belongs to the other scope; what is not held can\'t be moved', (t) => {
  const { services, driven, hold, release } = master();
  hold('received/0', handle(1));
  driven.send({ type: 'moveHold', from: 'received/0', to: 'program/0', handles: [handle(1), handle(9)] });
  release('received/0', handle(1));
  t.same(services.released, []);
  release('program/0', handle(1), handle(9));
  t.same(services.released, [handle(1)]);
  t.end();
});

/** Bug: each output of each batch left its empty result scope behind. */
t.test('a scope that holds nothing is forgotten', (t) => {
  const { driven, scopes, hold, release } = master();
  for (let batch = 0; batch < 100; batch += 1) {
    hold(`result/0/${batch}/0`, handle(batch));
    release(`result/0/${batch}/0`, handle(batch));
  }
  hold('received/0', handle(200));
  driven.send({ type: 'moveHold', from: 'received/0', to: 'program/0', handles: [handle(200)] });
  t.equal(scopes(), 1);
  release('program/0', handle(200));
  t.equal(scopes(), 0);
  t.end();
});

t.test('the end of a program gives back all its scopes, and none of another program', (t) => {
  const { services, driven, scopes, hold } = master();
  hold('program/1', handle(1));
  hold('received/1', handle(2));
  hold('result/1/1000/0', handle(3));
  hold('program/10', handle(4));
  hold('result/10/1000/0', handle(5));
  driven.send({ type: 'releaseProgram', program: asProgramId(1) });
  t.same(services.released.map(({ slab }) => slab), [1, 2, 3]);
  t.equal(scopes(), 2);
  t.end();
});

t.test('when a thread has died, its slabs keep what the ledger holds, and nothing else', (t) => {
  const { services, driven, hold, release } = master();
  hold('program/0', handle(1), handle(2));
  hold('received/0', handle(3));
  release('program/0', handle(2));
  driven.send({ type: 'hostExited', host: asHostId(4) });
  t.same(services.reclaimed, [{ host: 4, live: [handle(1), handle(3)] }]);
  t.end();
});

t.test('a pinned block outlives its thread, and is given back with its last pin unless a scope has it by then', (t) => {
  const { services, driven } = master();
  const [taken, lost] = [handle(1), handle(2)];
  for (const holder of [3, 4]) driven.send({ type: 'pin', holder: asHostId(holder), origin: asHostId(2), handles: [taken, lost], replyTo: driven.replyTo(holder) });
  t.same(driven.replies.get(3), [true, true]);
  driven.send({ type: 'hostExited', host: asHostId(2) });
  t.same(services.reclaimed, [{ host: asHostId(2), live: [taken, lost] }]);
  driven.send({ type: 'holdLive', scope: 'received/0', handles: [taken], replyTo: driven.replyTo(5) });
  driven.send({ type: 'unpin', holder: asHostId(3), handles: [taken, lost] });
  t.same(services.released, [], 'another one knows them');
  driven.send({ type: 'hostExited', host: asHostId(4) });
  t.same(services.released, [lost]);
  t.end();
});

t.test('while its thread lives the end of a pin gives nothing back; what the thread gives up goes with the pin', (t) => {
  const { services, driven } = master();
  driven.send({ type: 'pin', holder: asHostId(3), origin: asHostId(2), handles: [handle(1), handle(2)], replyTo: driven.replyTo(1) });
  driven.send({ type: 'unpin', holder: asHostId(3), handles: [handle(1)] });
  t.same(services.released, []);
  driven.send({ type: 'releaseUnheld', handles: [handle(1), handle(2)] });
  t.same(services.released, [handle(1)]);
  driven.send({ type: 'unpin', holder: asHostId(3), handles: [handle(2)] });
  t.same(services.released, [handle(1), handle(2)]);
  t.end();
});

t.test('what went with its thread can be neither held nor pinned; what a scope holds is not given back by another', (t) => {
  const { services, driven, hold } = master();
  services.gone.push(handle(1));
  driven.send({ type: 'holdLive', scope: 'received/0', handles: [handle(1), handle(2)], replyTo: driven.replyTo(1) });
  driven.send({ type: 'pin', holder: asHostId(3), origin: asHostId(2), handles: [handle(1)], replyTo: driven.replyTo(2) });
  t.same([driven.replies.get(1), driven.replies.get(2)], [[false, true], [false]]);
  hold('program/0', handle(5));
  driven.send({ type: 'releaseUnheld', handles: [handle(1), handle(2), handle(5)] });
  t.same(services.released, []);
  t.end();
});

t.test('every block manager is told of all whenever one comes or goes; the driver\'s writes nothing to the disk', (t) => {
  const { driven } = master();
  const up = (host: number): void => void driven.send({ type: 'blockManagerUp', host: asHostId(host), manager: { host: asHostId(host), cell: 12 } as never });
  up(1);
  up(2);
  const told = (): unknown[] => driven.told.splice(0).map(({ to, message }) => [to.host, (message['managers'] as readonly { host: number }[]).map(({ host }) => host)]);
  t.same(told(), [[1, [1]], [1, [1, 2]], [2, [1, 2]]]);
  driven.send({ type: 'spillBlock', places: [handle(1)], file: 'f', replyTo: driven.replyTo(1) });
  t.same(driven.asked.map(({ to }) => to.host), [2]);
  driven.send({ type: 'hostExited', host: asHostId(2) });
  t.same(told(), [[1, [1]]]);
  t.end();
});

t.test('a block whose io thread dies over writing it is written here; one whose thread hangs is not, since that may write yet', (t) => {
  for (const [code, written] of [['HostGone', true], ['ActorGone', true], ['AskTimeout', false]] as const) {
    const { services, driven } = master();
    const files: string[] = [];
    Object.assign(services, { files: { writeScratch: (file: string) => void files.push(file), remove: () => {} } });
    Object.assign(services.pool, { view: () => new Uint8Array(64) });
    driven.send({ type: 'blockManagerUp', host: asHostId(2), manager: { host: asHostId(2), cell: 12 } as never });
    driven.send({ type: 'spillBlock', places: [handle(1)], file: 'f', replyTo: driven.replyTo(1) });
    t.same([files, driven.replies.get(1)], [[], undefined]);
    driven.fail(wireError('gone', code));
    t.same([files, driven.replies.get(1)], [written ? ['f'] : [], { spilled: written }], code);
  }
  t.end();
});

t.test('when received blocks are held and little is free, who makes room hears of it', (t) => {
  const { services, driven } = master();
  Object.defineProperties(services.pool, { slabs: { value: 16 }, freeSlabs: { value: 5, writable: true } });
  const receive = (ask: number): void => void driven.send({ type: 'holdLive', scope: 'received/0', handles: [handle(ask)], replyTo: driven.replyTo(ask) });
  receive(1);
  t.same(driven.take('keepRoom'), []);
  Object.assign(services.pool, { freeSlabs: 4 });
  receive(2);
  t.equal(driven.take('keepRoom').length, 1);
  t.end();
});
