/** What a receiver tracker asks of the log, and when it has it synced. */
import t from 'tap';
import { add, allocate, block, blocksOf, first, nextAsk, receiverOn, second, tracker } from '../helpers/driven-tracker.ts';
import type { Tracker } from '../helpers/driven-tracker.ts';

function hurried(s: Tracker): number {
  return s.take('syncNow').length;
}

function drain(s: Tracker, stream: typeof first): void {
  s.send({ type: 'addBlocks', blocks: [], drained: stream, replyTo: s.replyTo(nextAsk()) });
}

t.test('of a batch that is due the log is synced once: when the last of its receivers has handed over', (t) => {
  const s = tracker({}, true);
  s.send(receiverOn(2), receiverOn(3, second));
  add(s, 0);
  t.match(s.asked.map(({ message }) => message), [{ type: 'logBlock', urgent: false }]);
  allocate(s, 1_000, 1);
  add(s, 1);
  drain(s, first);
  t.equal(hurried(s), 0, 'the other one is to come');
  add(s, 0, second);
  drain(s, second);
  t.equal(hurried(s), 1);
  t.match(s.asked.filter(({ message }) => message.type === 'logBlock').map(({ message }) => message['urgent']), [false, false, false], 'all with that one sync');
  for (const _block of [0, 1, 2]) s.answer(null, ({ message }) => message.type === 'logBlock');
  s.answer(null).answer(null);
  t.same(blocksOf(s, 1), ['0:b0', '0:b1', '1:b0']);
  t.equal(hurried(s), 0, 'nothing is left to sync');
  t.end();
});

t.test('one receiver that is slow to hand over doesn\'t keep the others\' blocks from the log', (t) => {
  const s = tracker({}, true);
  s.send(receiverOn(2), receiverOn(3, second));
  add(s, 0);
  allocate(s, 1_000, 1);
  drain(s, first);
  t.match(s.timers.get('hurry'), { delayMs: 12.5, message: { type: 'hurryLog' } });
  s.send({ type: 'hurryLog' });
  t.equal(hurried(s), 1);
  add(s, 0, second);
  t.match(s.asked.at(-1)?.message, { type: 'logBlock', urgent: true }, 'and what comes late waits for nothing more');
  for (const _block of [0, 1]) s.answer(null, ({ message }) => message.type === 'logBlock');
  s.answer(null).answer(null);
  t.same(blocksOf(s, 1), ['0:b0', '1:b0']);
  t.notOk(s.timers.has('hurry'));
  add(s, 1, second);
  t.match(s.asked.at(-1)?.message, { type: 'logBlock', urgent: false }, 'until the next batch is due');
  t.end();
});

t.test('a block without memory stays behind one whose memory is asked for', (t) => {
  const s = tracker();
  s.send(receiverOn(2));
  const resumes = { resumes: true, position: null };
  s.send({ type: 'addBlocks', blocks: [block(0, first, resumes)], drained: null, replyTo: s.replyTo(7) });
  const empty = block(1, first, { ...resumes, records: 0 });
  s.send({ type: 'addBlocks', blocks: [{ ...empty, block: { ...empty.block, place: null, records: 0 } }], drained: null, replyTo: s.replyTo(8) });
  t.notOk(s.replies.has(8), 'it would seem to be behind a gap');
  s.answer([true], ({ message }) => message.type === 'holdLive').answer([], ({ message }) => message.type === 'holdLive');
  t.same([s.replies.get(7), s.replies.get(8)], [null, null]);
  t.end();
});
