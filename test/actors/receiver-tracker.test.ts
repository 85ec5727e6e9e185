/** Which blocks go to which batch, and that none goes to two or to none. */
import t from 'tap';
import type { ReceivedBlock, StreamBlocks } from '../../protocol/receiver.ts';
import { asBlockId, asHostId } from '../../protocol/ids.ts';
import { asBatchTime } from '../../protocol/time.ts';
import { MillraceError, toWireError } from '../../protocol/errors.ts';
import { handle } from '../helpers/stub-services.ts';
import { wireError } from '../helpers/stub-turn.ts';
import { add, allocate, asks, begun, block, blocksOf, first, nextAsk, receiverOn, report, second, tracker } from '../helpers/driven-tracker.ts';

t.test('a block goes to the first batch after it, in the order of its coming, and to that one alone', (t) => {
  const s = begun();
  add(s, 1);
  add(s, 2, second);
  add(s, 3);
  allocate(s, 1_000, 1);
  allocate(s, 2_000, 2);
  add(s, 4);
  allocate(s, 3_000, 3);
  t.same(blocksOf(s, 1), ['0:b1', '0:b3', '1:b2']);
  t.same(blocksOf(s, 2), []);
  t.same(blocksOf(s, 3), ['0:b4']);
  t.same((s.replies.get(1) as StreamBlocks[]).map(({ records }) => records), [20, 10]);
  t.end();
});

t.test('asked twice for a batch it gives the same blocks, also when more have come', (t) => {
  const s = begun();
  add(s, 1);
  allocate(s, 1_000, 1);
  add(s, 2);
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
  add(s, 1);
  s.answer(null);
  t.notOk(s.replies.has(1), 'one is still to come');
  add(s, 2, second);
  s.fail(wireError('gone', 'HostGone'));
  t.same(blocksOf(s, 1), ['0:b1', '1:b2']);
  t.end();
});

t.test('memory: held before it is answered for, moved when it is allocated, given back when the batch is forgotten, each once', (t) => {
  const s = begun();
  s.send({ type: 'addBlocks', blocks: [block(1), block(2)], drained: null, replyTo: s.replyTo(7) });
  t.match(s.asked.map(({ message }) => message), [{ type: 'holdLive', scope: 'received/0', handles: [handle(1), handle(2)] }]);
  t.notOk(s.replies.has(7), 'not yet');
  allocate(s, 500, 8);
  t.same(blocksOf(s, 8), [], 'and in no batch yet');
  s.answer([true, true]);
  t.equal(s.replies.get(7), null);
  allocate(s, 1_000, 1);
  t.match(s.take('moveHold'), [{ from: 'received/0', to: 'program/0', handles: [handle(1), handle(2)] }]);
  add(s, 3);
  allocate(s, 2_000, 2);
  s.take();
  s.send({ type: 'forgetBatches', upTo: asBatchTime(1_000) }, { type: 'forgetBatches', upTo: asBatchTime(1_000) });
  t.match(s.take('release'), [{ scope: 'program/0', handles: [handle(1), handle(2)] }]);
  s.send({ type: 'forgetBatches', upTo: asBatchTime(2_000) });
  t.match(s.take('release'), [{ handles: [handle(3)] }]);
  t.end();
});

t.test('a block that is reported again counts once, is answered again, and its memory is not entered again', (t) => {
  const s = begun();
  const one = add(s, 0);
  const again = report(s, [block(0), block(1)]);
  t.same([s.replies.get(one), s.replies.get(again)], [null, null]);
  allocate(s, 1_000, 1);
  t.same(blocksOf(s, 1), ['0:b0', '0:b1']);
  s.send({ type: 'addBlocks', blocks: [block(0)], drained: null, replyTo: s.replyTo(7) });
  t.equal(s.replies.get(7), null);
  t.same(s.asked, [], 'its handle may be another block\'s by now');
  allocate(s, 2_000, 2);
  t.same(blocksOf(s, 2), []);
  t.end();
});

t.test('a block whose memory went with its thread is refused, and in no batch', (t) => {
  const s = begun();
  const asked = add(s, 0, first, {}, false);
  t.match(s.replies.get(asked), { code: 'BlockNotStored' });
  allocate(s, 1_000, 1);
  t.same(blocksOf(s, 1), []);
  t.same(s.take('release'), []);
  t.end();
});

t.test('a receiver is told the position of the last block that was received, and what comes late of its old life is refused', (t) => {
  const s = begun();
  const position = (at: number): Partial<ReceivedBlock> => ({ position: Uint8Array.of(at), resumes: true });
  add(s, 0, first, position(10));
  add(s, 1, first, { resumes: true });
  const started = receiverOn(3);
  s.send(started);
  t.match(s.replies.get(asks), { epoch: 2, lastAcknowledged: Uint8Array.of(10), delayMs: 0 }, 'a block without one changes nothing');
  const late = add(s, 2, first, position(20));
  t.match(s.replies.get(late), { code: 'BlockNotStored', message: /has been started again/ });
  t.match(s.take('release'), [{ scope: 'received/0', handles: [handle(2)] }]);
  const now = add(s, 0, first, { epoch: 2, ...position(20) });
  t.equal(s.replies.get(now), null);
  const gap = add(s, 2, first, { epoch: 2, ...position(40) });
  t.match(s.replies.get(gap), { code: 'BlockNotStored', message: /a block before it is missing/ });
  s.send(receiverOn(3));
  t.match(s.replies.get(asks), { epoch: 3, lastAcknowledged: Uint8Array.of(20) });
  t.end();
});

t.test('of a receiver without positions late blocks count, also those that others have overtaken', (t) => {
  const s = begun();
  add(s, 0);
  s.send(receiverOn(3));
  add(s, 0, first, { epoch: 2, block: { ...block(5).block, id: asBlockId('new') } });
  add(s, 3);
  add(s, 2);
  const again = add(s, 2);
  t.equal(s.replies.get(again), null);
  s.send({ type: 'ioHostDown', host: asHostId(3), error: wireError('gone'), replyTo: s.replyTo(nextAsk()) });
  allocate(s, 1_000, 1);
  t.same(blocksOf(s, 1), ['0:b0', '0:new', '0:b3', '0:b2']);
  t.end();
});

t.test('an empty block moves the position on, and is in no batch', (t) => {
  const s = begun();
  add(s, 0, first, { block: { ...block(0).block, place: null }, position: Uint8Array.of(7) });
  s.send(receiverOn(3));
  t.match(s.replies.get(asks), { lastAcknowledged: Uint8Array.of(7) });
  s.send({ type: 'ioHostDown', host: asHostId(3), error: wireError('gone'), replyTo: s.replyTo(nextAsk()) });
  allocate(s, 1_000, 1);
  t.same(blocksOf(s, 1), []);
  t.end();
});

t.test('a receiver whose thread dies again and again waits longer each time', (t) => {
  const s = tracker();
  const delays: unknown[] = [];
  for (let life = 0; life < 5; life += 1) {
    s.send(receiverOn(2 + life));
    delays.push((s.replies.get(asks) as { delayMs: number }).delayMs);
    s.send({ type: 'ioHostDown', host: asHostId(2 + life), error: wireError('gone'), replyTo: s.replyTo(nextAsk()) });
  }
  t.same(delays, [0, 0, 100, 200, 400]);
  t.end();
});

t.test('a receiver that starts again more often than it may ends the program, and that is told first', (t) => {
  const s = tracker({ restartsMax: 2 });
  for (let life = 0; life < 3; life += 1) s.send(receiverOn(2));
  t.equal(s.stopped, null);
  s.take();
  s.send(receiverOn(2));
  t.match(s.replies.get(asks), { code: 'RestartIntensityReached' });
  t.match(s.take('emit').map(({ event }) => event), [{ type: 'receiverStopped', info: { stream: first, error: { code: 'RestartIntensityReached' } } }]);
  t.match(s.take('programBroken'), [{ program: 0, error: { code: 'RestartIntensityReached', fields: { details: { name: 'socketTextStream' } } } }]);
  s.send(receiverOn(2));
  t.same([s.take(), s.stopped], [[], null], 'once');
  t.end();
});

t.test('a thread that answers neither of two questions is ended; one that answers late, or the second, is not', (t) => {
  const s = tracker();
  s.send(receiverOn(2), receiverOn(2, second));
  s.take();
  s.send({ type: 'checkHealth' });
  t.match(s.asked.map(({ to, message, timeoutMs }) => [to.host, message.type, timeoutMs]), [[2, 'ping', 500]], 'one question for both receivers');
  s.fail(wireError('late', 'AskTimeout'));
  s.answer(null);
  t.same(s.take(), []);
  s.send({ type: 'checkHealth' });
  s.fail(wireError('late', 'AskTimeout'));
  t.same(s.asked.map(({ timeoutMs }) => timeoutMs), [250]);
  s.fail(wireError('late', 'AskTimeout'));
  t.match(s.take('emit').map(({ event }) => event), [{ type: 'receiverError', info: { stream: first, willRestart: true, error: { code: 'ReceiverFailed' } } }, { info: { stream: second } }]);
  t.match(s.take('killHost'), [{ host: 2, how: 'terminate' }]);
  s.send({ type: 'ioHostDown', host: asHostId(2), error: wireError('gone'), replyTo: s.replyTo(nextAsk()) }, { type: 'checkHealth' });
  t.same(s.asked, [], 'nobody is there to be asked');
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
  add(s, 1);
  s.answer(null);
  t.notOk(s.replies.has(1));
  s.answer(null);
  t.same(s.replies.get(1), { unallocated: 1, running: 0 });
  t.end();
});

t.test('a receiver that takes longer than it may is waited for no longer, and named; one whose thread dies has ended', (t) => {
  const s = tracker();
  s.send(receiverOn(2), receiverOn(3, second));
  s.send({ type: 'stopReceivers', timeoutMs: 500, replyTo: s.replyTo(1) });
  add(s, 1);
  s.fail(wireError('late', 'AskTimeout'));
  s.fail(wireError('gone', 'HostGone'));
  t.same(s.replies.get(1), { unallocated: 1, running: 1 });
  s.take();
  s.send({ type: 'whatIsLeft', replyTo: s.replyTo(2) });
  t.match(s.replies.get(2), { blocks: 1, receivers: [{ stream: first }] });
  t.equal((s.replies.get(2) as { readonly receivers: readonly unknown[] }).receivers.length, 1);
  t.match(s.asked.map(({ to, message, timeoutMs }) => [to.host, message.type, timeoutMs]), [[2, 'ping', 1_000]], 'its thread is asked whether it stands still');
  s.fail(wireError('late', 'AskTimeout')).fail(wireError('late', 'AskTimeout'));
  t.match(s.take('killHost'), [{ host: 2, how: 'terminate' }], 'one that does would hold up the end of everything else');
  t.end();
});

t.test('without receivers a graceful end is answered at once', (t) => {
  const s = tracker();
  s.send({ type: 'stopReceivers', timeoutMs: 500, replyTo: s.replyTo(1) });
  t.same(s.replies.get(1), { unallocated: 0, running: 0 });
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
  t.notOk(s.replies.has(1));
  add(s, 1);
  s.answer(null);
  t.same(s.replies.get(1), { unallocated: 1, running: 0 });
  s.send(receiverOn(2));
  s.answer(null);
  t.same(s.asked, [], 'and one that comes later still is ended without a second answer');
  t.end();
});

t.test('blocks that come together are all held, each behind the one before', (t) => {
  const s = begun();
  const behind = { position: Uint8Array.of(1), resumes: true };
  s.send({ type: 'addBlocks', blocks: [block(0, first, behind), block(1, first, behind)], drained: null, replyTo: s.replyTo(7) });
  t.match(s.asked.map(({ message }) => message), [{ type: 'holdLive', handles: [handle(0), handle(1)] }], 'the second has no gap before it once the first is received');
  s.answer([true, false]);
  t.match(s.replies.get(7), { code: 'BlockNotStored' }, 'and where its memory is gone it does not count');
  allocate(s, 1_000, 8);
  t.same(blocksOf(s, 8).length, 1);
  t.end();
});
