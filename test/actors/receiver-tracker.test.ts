/** Which blocks go to which batch, and that none goes to two or to none. */
import t from 'tap';
import { receiverTracker } from '../../actors/receiver-tracker.ts';
import type { StreamBlocks, ToReceiver, ToReceiverTracker } from '../../protocol/receiver.ts';
import type { ActorRef } from '../../protocol/ref.ts';
import { asActorPath, asBlockId, asHostId, asProgramId, asStreamId } from '../../protocol/ids.ts';
import { asBatchTime } from '../../protocol/time.ts';
import { MillraceError, toWireError } from '../../protocol/errors.ts';
import { handle } from '../helpers/stub-services.ts';
import { Driven, wireError } from '../helpers/stub-turn.ts';

const [first, second] = [asStreamId(0), asStreamId(1)];

function tracker() {
  return new Driven(receiverTracker(), { program: asProgramId(0), inputs: [first, second].map((stream) => ({ stream, operator: { uid: `socket-${stream}`, name: 'socketTextStream', place: `two.js:${stream}:1` } })) });
}

type Tracker = ReturnType<typeof tracker>;

function added(number: number, stream = first): ToReceiverTracker {
  return { type: 'addBlock', stream, block: { id: asBlockId(`b${number}`), codec: 'text', place: handle(number), records: 10 }, records: 10 };
}

function receiverOn(host: number, stream = first): ToReceiverTracker {
  const receiver = { host: asHostId(host), cell: 1, path: asActorPath('/receiver') } as ActorRef<ToReceiver>;
  return { type: 'receiverStarted', stream, host: asHostId(host), receiver };
}

function allocate(tracker: Tracker, time: number, ask: number): void {
  tracker.send({ type: 'allocate', time: asBatchTime(time), replyTo: tracker.replyTo(ask) });
}

function blocksOf(tracker: Tracker, ask: number): string[] {
  return ((tracker.replies.get(ask) as readonly StreamBlocks[] | undefined) ?? []).flatMap(({ stream, blocks }) => blocks.map(({ id }) => `${stream}:${id}`));
}

t.test('a block goes to the first batch after it, in the order of its coming, and to that one alone', (t) => {
  const s = tracker();
  s.send(added(1), added(2, second), added(3));
  allocate(s, 1_000, 1);
  allocate(s, 2_000, 2);
  s.send(added(4));
  allocate(s, 3_000, 3);
  t.same(blocksOf(s, 1), ['0:b1', '0:b3', '1:b2']);
  t.same(blocksOf(s, 2), []);
  t.same(blocksOf(s, 3), ['0:b4']);
  t.same((s.replies.get(1) as StreamBlocks[]).map(({ records }) => records), [20, 10]);
  t.end();
});

t.test('asked twice for a batch it gives the same blocks, also when more have come', (t) => {
  const s = tracker();
  s.send(added(1));
  allocate(s, 1_000, 1);
  s.send(added(2));
  allocate(s, 1_000, 2);
  t.same(blocksOf(s, 2), ['0:b1']);
  allocate(s, 2_000, 3);
  t.same(blocksOf(s, 3), ['0:b2']);
  t.end();
});

t.test('a batch waits for the open blocks of all its receivers, and for none that is gone', (t) => {
  const s = tracker();
  s.send(receiverOn(2), receiverOn(3, second));
  allocate(s, 1_000, 1);
  t.same(s.asked.map(({ message }) => message.type), ['flushBlock', 'flushBlock']);
  s.send(added(1));
  s.answer(null);
  t.equal(s.replies.size, 0, 'one is still to come');
  s.send(added(2, second));
  s.fail(wireError('gone', 'HostGone'));
  t.same(blocksOf(s, 1), ['0:b1', '1:b2']);
  t.end();
});

t.test('memory: held when it comes, moved when it is allocated, given back when the batch is forgotten, each once', (t) => {
  const s = tracker();
  s.send(added(1), added(2));
  t.same(s.take().map(({ type, scope }) => [type, scope]), [['hold', 'received/0'], ['hold', 'received/0']]);
  allocate(s, 1_000, 1);
  t.match(s.take('moveHold'), [{ from: 'received/0', to: 'program/0', handles: [handle(1), handle(2)] }]);
  s.send(added(3));
  allocate(s, 2_000, 2);
  s.take();
  s.send({ type: 'forgetBatches', upTo: asBatchTime(1_000) }, { type: 'forgetBatches', upTo: asBatchTime(1_000) });
  t.match(s.take('release'), [{ scope: 'program/0', handles: [handle(1), handle(2)] }]);
  s.send({ type: 'forgetBatches', upTo: asBatchTime(2_000) });
  t.match(s.take('release'), [{ handles: [handle(3)] }]);
  t.end();
});

t.test('the end of an io thread is told for the streams that it had, and for no other', (t) => {
  const s = tracker();
  s.send(receiverOn(2), receiverOn(3, second));
  s.take();
  s.send({ type: 'ioHostDown', host: asHostId(3), error: wireError('gone'), replyTo: s.replyTo(1) });
  t.equal(s.replies.get(1), null);
  t.match(s.take('emit').map(({ event }) => event), [{ type: 'recordsLost', info: { stream: second, operator: { name: 'socketTextStream', place: 'two.js:1:1' }, host: 3 } }]);
  t.end();
});

t.test('a receiver that comes back on another thread is the one that is asked from then on', (t) => {
  const s = tracker();
  s.send(receiverOn(2), receiverOn(5));
  allocate(s, 1_000, 1);
  t.same(s.asked.map(({ to }) => to.host), [5]);
  t.end();
});

t.test('a graceful end is answered when the last receiver has handed over, with what no batch has yet', (t) => {
  const s = tracker();
  s.send(receiverOn(2), receiverOn(3, second));
  s.send({ type: 'stopReceivers', timeoutMs: 500, replyTo: s.replyTo(1) });
  t.same(s.asked.map(({ message, timeoutMs }) => [message.type, timeoutMs]), [['endIntake', 500], ['endIntake', 500]]);
  s.send(added(1));
  s.answer(null);
  t.equal(s.replies.size, 0);
  s.answer(null);
  t.same(s.replies.get(1), { unallocated: 1 });
  t.end();
});

t.test('without receivers a graceful end is answered at once', (t) => {
  const s = tracker();
  s.send({ type: 'stopReceivers', timeoutMs: 500, replyTo: s.replyTo(1) });
  t.same(s.replies.get(1), { unallocated: 0 });
  t.end();
});

/**
 * Bug: a port that refused was told by the stream's number alone, in the event as in the log, so in a program with several
 * inputs nobody knew which. Plan: a receiver reports an error of ours and one of the user's, and one with details of its own.
 */
t.test('news of a receiver says which input it is of: in the event, in its error and in the log', (t) => {
  const s = tracker();
  const error = toWireError(new MillraceError('ConnectionFailed', 'Nobody there.', { details: { port: 1 } }));
  s.send({ type: 'receiverError', stream: second, message: 'Nobody there.', error, willRestart: true });
  s.send({ type: 'receiverError', stream: second, message: 'Hm.', error: toWireError(new Error('Hm.')), willRestart: false });
  const operator = { uid: 'socket-1', name: 'socketTextStream', place: 'two.js:1:1' };
  const details = { operator: 'socket-1', name: 'socketTextStream', place: 'two.js:1:1', port: 1 };
  const events = s.take('emit').map(({ event }) => event as { readonly info: object });
  t.match(events[0]?.info, { stream: second, operator, error: { code: 'ConnectionFailed', fields: { details } } });
  t.match(events[1]?.info, { stream: second, operator, error: { name: 'Error', fields: {} } });
  t.equal(s.logs[0], 'warn Receiver of stream 1, socketTextStream at two.js:1:1: Nobody there. It starts again with back-off.');
  t.end();
});

/** Bug: a receiver that was in its back-off when intake ended came back, and what it took was in no batch. */
t.test('a receiver that comes back while intake ends is ended, too, and waited for', (t) => {
  const s = tracker();
  s.send(receiverOn(2));
  s.send({ type: 'stopReceivers', timeoutMs: 500, replyTo: s.replyTo(1) });
  s.send(receiverOn(2));
  t.same(s.asked.map(({ message }) => message.type), ['endIntake', 'endIntake']);
  s.answer(null);
  t.equal(s.replies.size, 0);
  s.send(added(1));
  s.answer(null);
  t.same(s.replies.get(1), { unallocated: 1 });
  s.send(receiverOn(2));
  s.answer(null);
  t.equal(s.replies.size, 1, 'and one that comes later still is ended without a second answer');
  t.end();
});
