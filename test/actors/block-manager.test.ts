/** The steps of a received block, and the block manager that reports the blocks of one that is gone. */
import t from 'tap';
import { blockManager } from '../../actors/block-manager.ts';
import { replicaPlaces } from '../../actors/block-steps.ts';
import type { HostServices } from '../../actors/services.ts';
import type { PutBlock, ToBlockManager } from '../../protocol/block.ts';
import type { ReceivedBlock } from '../../protocol/receiver.ts';
import type { ActorRef } from '../../protocol/ref.ts';
import { asActorPath, asBlockId, asHostId, asProgramId, asStreamId } from '../../protocol/ids.ts';
import { handle, stubServices } from '../helpers/stub-services.ts';
import { Driven, wireError } from '../helpers/stub-turn.ts';
import type { Asked } from '../helpers/stub-turn.ts';

const managerOn = (host: number): ActorRef<ToBlockManager> => ({ host: asHostId(host), cell: 12, path: asActorPath('/block-manager') });

/** The one under test is on host 1, as the stub's turn is; what it tells itself it is sent at once. */
function manager(...others: readonly number[]) {
  const actor = new Driven(blockManager({ ...stubServices(), host: asHostId(1), index: 0 } as HostServices), undefined);
  const settle = (): void => {
    for (let own = actor.take('stepEnded'); own.length > 0; own = actor.take('stepEnded')) actor.send(...(own as unknown as ToBlockManager[]));
  };
  const send = (...messages: readonly ToBlockManager[]): void => {
    actor.send(...messages);
    settle();
  };
  send({ type: 'managersChanged', managers: [{ host: asHostId(1), cell: 500, path: asActorPath('/under-test') } as ActorRef<ToBlockManager>, ...others.map(managerOn)] });
  actor.take();
  const is = (type: string) => ({ message }: Asked): boolean => message.type === type;
  return {
    actor,
    send,
    put: (sequence: number, more: Partial<PutBlock> = {}): void => send({ type: 'putBlock', put: putOf(sequence, more), replyTo: actor.replyTo(sequence) }),
    answer: (type: string, value: unknown = null): void => {
      actor.answer(value, is(type));
      settle();
    },
    fail: (type: string, code: string): void => {
      actor.fail(wireError(code, code), is(type));
      settle();
    },
    gone: (host: number): void => {
      actor.signal({ type: 'terminated', ref: managerOn(host) as ActorRef<never>, reason: { type: 'killed' } });
      settle();
    },
    asked: (): unknown[] => actor.asked.map(({ to, message }) => [message.type, to.host, ((message['blocks'] ?? []) as readonly ReceivedBlock[]).map(({ sequence }) => sequence)]),
  };
}

function putOf(sequence: number, more: Partial<PutBlock> = {}): PutBlock {
  const block = { id: asBlockId(`b${sequence}`), codec: 'records', place: handle(sequence), records: 1 } as const;
  return { program: asProgramId(0), stream: asStreamId(0), epoch: 1, sequence, block, records: 1, position: null, resumes: false, copies: 1, ...more };
}

t.test('a block is answered when the tracker has it; of a `_2` level another block manager knows it before', (t) => {
  const { actor, put, answer, asked } = manager(3, 1);
  put(0, { copies: 2 });
  t.same(asked(), [['replicateBlocks', 3, [0]]]);
  answer('replicateBlocks');
  t.same(asked(), [['addBlocks', 1, [0]]]);
  t.notOk(actor.replies.has(0), 'not yet');
  answer('addBlocks');
  t.equal(actor.replies.get(0), null);
  t.match(actor.take(), [{ type: 'forgetReplicas', blocks: ['b0'] }], 'and nobody else need know it');
  t.end();
});

t.test('what comes while a step is at work goes together, in order; a drain is answered behind it', (t) => {
  const { actor, put, answer, asked, send } = manager(3);
  const drain = (ask: number): void => send({ type: 'drained', program: asProgramId(0), stream: asStreamId(0), epoch: 1, replyTo: actor.replyTo(ask) });
  put(0, { copies: 2 });
  put(1, { copies: 2 });
  put(2, { copies: 2 });
  drain(9);
  t.same(asked(), [['replicateBlocks', 3, [0]]]);
  answer('replicateBlocks');
  t.same(asked(), [['replicateBlocks', 3, [1, 2]], ['addBlocks', 1, [0]]]);
  answer('addBlocks');
  t.equal(actor.replies.get(0), null);
  answer('replicateBlocks');
  t.same(asked(), [['addBlocks', 1, [1, 2]]]);
  t.match(actor.asked[0]?.message, { drained: 0 }, 'nothing comes behind them');
  t.notOk(actor.replies.has(9));
  answer('addBlocks');
  t.same([1, 2, 9].map((ask) => actor.replies.get(ask)), [null, null, null]);
  drain(10);
  t.ok(actor.replies.has(10), 'at once where there is nothing');
  t.end();
});

t.test('reports wait for none before them, are answered in order, and 64 are under way at most', (t) => {
  const { actor, put, asked, send } = manager();
  for (let sequence = 0; sequence < 70; sequence += 1) put(sequence);
  send({ type: 'drained', program: asProgramId(0), stream: asStreamId(0), epoch: 1, replyTo: actor.replyTo(99) });
  t.same(asked(), Array.from({ length: 64 }, (_, sequence) => ['addBlocks', 1, [sequence]]));
  actor.answer(null, ({ message }) => (message['blocks'] as ReceivedBlock[])[0]?.sequence === 1);
  send();
  t.same([actor.replies.has(0), actor.replies.has(1)], [false, false], 'the one before it is not known to be received');
  t.equal(asked().length, 63, 'and it keeps its place');
  actor.answer(null);
  send();
  t.same([actor.replies.get(0), actor.replies.get(1)], [null, null]);
  t.same(asked().at(-1), ['addBlocks', 1, [64, 65, 66, 67, 68, 69]]);
  t.end();
});

t.test('a drain behind a report that is under way is told: what waits for the log need wait no longer', (t) => {
  const { actor, put, asked, send } = manager();
  put(0);
  send({ type: 'drained', program: asProgramId(0), stream: asStreamId(0), epoch: 1, replyTo: actor.replyTo(9) });
  t.same(asked(), [['addBlocks', 1, [0]], ['addBlocks', 1, []]]);
  t.match(actor.asked.map(({ message }) => message['drained']), [null, 0]);
  actor.answer(null, ({ message }) => message['drained'] === 0);
  send();
  t.notOk(actor.replies.has(9), 'all before it first');
  actor.answer(null);
  send();
  t.same([actor.replies.get(0), actor.replies.get(9)], [null, null]);
  t.end();
});

t.test('a report without an answer is made again, and refused where nobody answers; then all behind it are, and their memory goes', (t) => {
  const { actor, put, fail, asked } = manager();
  put(0);
  for (let attempt = 0; attempt < 4; attempt += 1) {
    fail('addBlocks', 'AskTimeout');
    t.same(asked(), [['addBlocks', 1, [0]]], 'the same again');
  }
  put(1);
  fail('addBlocks', 'AskTimeout');
  t.match([actor.replies.get(0), actor.replies.get(1)], [{ code: 'BlockNotStored' }, { code: 'BlockNotStored' }]);
  t.match(actor.take('releaseUnheld'), [{ handles: [handle(0), handle(1)] }]);
  actor.answer(null);
  t.same(asked(), [], 'the answer for the other comes too late');
  put(2);
  t.match([actor.replies.get(2), asked()], [{ code: 'BlockNotStored' }, []], 'of this life nothing counts any more');
  put(3, { epoch: 2 });
  t.same(asked(), [['addBlocks', 1, [3]]], 'the next one is a new beginning');
  t.end();
});

t.test('where the one that was asked is gone the next is; where there is none a block goes on alone, and that is logged', (t) => {
  const { actor, put, fail, asked } = manager(3, 4);
  put(0, { copies: 2 });
  fail('replicateBlocks', 'HostGone');
  t.same(asked(), [['replicateBlocks', 4, [0]]]);
  t.match(actor.take('forgetReplicas'), [{ blocks: ['b0'] }], 'its answer may only have been late');
  fail('replicateBlocks', 'AskTimeout');
  t.same(asked(), [['addBlocks', 1, [0]]]);
  t.match(actor.logs, [/1 received blocks have no replica/]);
  t.end();
});

t.test('a replica that is lost before its block is received is made anew elsewhere', (t) => {
  const { actor, put, answer, asked, gone } = manager(3, 4);
  put(0, { copies: 2 });
  answer('replicateBlocks');
  gone(3);
  t.same(asked(), [['addBlocks', 1, [0]], ['replicateBlocks', 4, [0]]]);
  answer('replicateBlocks');
  answer('addBlocks');
  t.match(actor.take('forgetReplicas'), [{ blocks: ['b0'] }]);
  t.equal(actor.replies.get(0), null);
  t.end();
});

/**
 * Bug: the next place was counted off in the list of those that are up. Where the end of the first one was known before its answer failed, the
 * list had become shorter, and with two io threads the driver's place was passed over: the block went on with no replica.
 */
t.test('the end of the one that was asked, known before its answer fails, passes over nobody', (t) => {
  const { actor, put, fail, asked, gone } = manager(3, 4);
  put(0, { copies: 2 });
  gone(3);
  fail('replicateBlocks', 'HostGone');
  t.same(asked(), [['replicateBlocks', 4, [0]]]);
  t.same(actor.logs, []);
  t.end();
});

/** Bug: a new replica was asked for once; where that thread died, too, the block had none from then on, and nobody was told. */
t.test('a new replica that fails is made at the next place; where there is none, that is logged', (t) => {
  const { actor, put, answer, fail, asked, gone } = manager(3, 4, 5);
  put(0, { copies: 2 });
  answer('replicateBlocks');
  gone(3);
  t.same(asked(), [['addBlocks', 1, [0]], ['replicateBlocks', 4, [0]]]);
  fail('replicateBlocks', 'HostGone');
  gone(4);
  t.same(asked(), [['addBlocks', 1, [0]], ['replicateBlocks', 5, [0]]]);
  answer('replicateBlocks');
  gone(5);
  t.match(actor.logs, [/1 received blocks have no replica/]);
  answer('addBlocks');
  t.equal(actor.replies.get(0), null, 'it is received all the same');
  t.end();
});

t.test('blocks of a block manager that is gone are made known to another and reported, in their order, and unpinned then', (t) => {
  const { actor, send, answer, asked, gone } = manager(3, 4);
  const replicate = (ask: number, ...sequences: readonly number[]): void => send({ type: 'replicateBlocks', from: managerOn(3), life: 0, blocks: sequences.map((sequence) => putOf(sequence, { copies: 2 })), replyTo: actor.replyTo(ask) });
  replicate(20, 5, 6);
  t.match(actor.asked[0]?.message, { type: 'pin', holder: 1, origin: 3, handles: [handle(5), handle(6)] });
  t.notOk(actor.replies.has(20));
  answer('pin', [true, true]);
  t.equal(actor.replies.get(20), null);
  replicate(21, 7);
  answer('pin', [true]);
  send({ type: 'forgetReplicas', from: managerOn(3), life: 0, blocks: [asBlockId('b5')] });
  t.match(actor.take('unpin'), [{ handles: [handle(5)] }]);
  gone(3);
  t.same(asked(), [['replicateBlocks', 4, [6, 7]]]);
  answer('replicateBlocks');
  t.same(asked(), [['addBlocks', 1, [6, 7]]]);
  t.same(actor.take('unpin'), []);
  answer('addBlocks');
  t.match(actor.take('unpin'), [{ handles: [handle(6), handle(7)] }]);
  t.end();
});

t.test('a block whose memory went before it was pinned is not known here; one that is settled meanwhile is unpinned', (t) => {
  const { actor, send, answer, asked, gone } = manager(3);
  send({ type: 'replicateBlocks', from: managerOn(3), life: 0, blocks: [putOf(5), putOf(6), putOf(7)], replyTo: actor.replyTo(20) });
  send({ type: 'forgetReplicas', from: managerOn(3), life: 0, blocks: [asBlockId('b6')] });
  gone(3);
  answer('pin', [false, true, true]);
  t.match(actor.replies.get(20), { code: 'BlockNotStored' });
  t.match(actor.take('unpin'), [{ handles: [handle(6)] }]);
  t.same(asked(), [['addBlocks', 1, [7]]], 'its manager was gone before it was pinned');
  t.end();
});

t.test('replicas are on the io threads in turn, and on the driver\'s where there is no other', (t) => {
  const places = (self: number, ...all: readonly number[]): number[] => replicaPlaces(managerOn(self), all.map(managerOn)).map(({ host }) => host);
  t.same(places(3, 1, 2, 3, 4), [4, 2, 1]);
  t.same(places(4, 1, 2, 3, 4), [2, 3, 1]);
  t.same(places(2, 1, 2), [1]);
  t.same(places(1, 1, 2), [2], 'what the driver\'s has taken over is made known to an io thread');
  t.end();
});
