/** The grid of batch times: each announced once, in order, none left out, however late a tick comes. */
import t from 'tap';
import { announcedMax, batchTimer } from '../../actors/batch-timer.ts';
import { asProgramId } from '../../protocol/ids.ts';
import { stubServices } from '../helpers/stub-services.ts';
import { Driven, wireError } from '../helpers/stub-turn.ts';

function timer(clock: 'system' | 'manual', nowMs = 10_000, isDurable = false) {
  const services = stubServices({}, nowMs);
  const driven = new Driven(batchTimer(services), { program: asProgramId(0), intervalMs: 1_000, clock, zeroTime: Math.floor(nowMs / 1_000) * 1_000, lastTime: Math.floor(nowMs / 1_000) * 1_000, isDurable, advanceTimeoutMs: 500 });
  const announced = (): unknown[] => driven.take('generateJobs').map(({ time }) => time);
  return { services, driven, announced };
}

t.test('a tick announces the batch that is due, and the next timer aims at the grid', (t) => {
  const { services, driven, announced } = timer('system', 10_400);
  t.same(driven.timers.get('tick')?.delayMs, 600);
  services.clock.advanceBy(607);
  driven.send({ type: 'tick' });
  t.same(announced(), [11_000]);
  t.same(driven.timers.get('tick')?.delayMs, 993, 'lateness of one tick does not move the next');
  t.end();
});

t.test('a late tick announces every batch that has come due meanwhile', (t) => {
  const { services, driven, announced } = timer('system');
  services.clock.advanceBy(3_500);
  driven.send({ type: 'tick' });
  t.same(announced(), [11_000, 12_000, 13_000]);
  t.same(driven.timers.get('tick')?.delayMs, 500);
  t.end();
});

/** Bug: after 28 hours off, batches of a second that were all announced at once were more than a mailbox takes: no start ever succeeded again. */
t.test('of very many batches that have come due a portion is announced, and the next one when that has run, or takes long', (t) => {
  const { services, driven, announced } = timer('system');
  services.clock.advanceBy((2 * announcedMax + 3) * 1_000 + 400);
  driven.send({ type: 'tick' });
  for (const portion of [1, 2]) {
    const times = announced();
    const last = 10_000 + portion * announcedMax * 1_000;
    t.same([times.length, times.at(-1)], [announcedMax, last]);
    t.match(driven.asked, [{ message: { type: 'awaitBatch', time: last } }]);
    if (portion === 1) driven.answer({ error: null });
    else driven.fail(wireError('It takes long.', 'AskTimeout'));
  }
  t.equal(announced().length, 3);
  t.same(driven.timers.get('tick')?.delayMs, 600);
  t.end();
});

t.test('a tick before its time announces nothing, and one at the same time nothing twice', (t) => {
  const { services, driven, announced } = timer('system');
  services.clock.advanceBy(999);
  driven.send({ type: 'tick' });
  t.same(announced(), []);
  t.same(driven.timers.get('tick')?.delayMs, 1);
  services.clock.advanceBy(1);
  driven.send({ type: 'tick' }, { type: 'tick' });
  t.same(announced(), [11_000]);
  t.end();
});

t.test('a clock that goes back announces nothing twice', (t) => {
  const { services, driven, announced } = timer('system');
  services.clock.advanceBy(2_000);
  driven.send({ type: 'tick' });
  t.same(announced(), [11_000, 12_000]);
  const back = timer('system', 9_000);
  const behind = new Driven(batchTimer(back.services), { program: asProgramId(0), intervalMs: 1_000, clock: 'system', zeroTime: 12_000, lastTime: 12_000, isDurable: false, advanceTimeoutMs: 500 });
  behind.send({ type: 'tick' });
  t.same(behind.take('generateJobs'), []);
  t.same(behind.timers.get('tick')?.delayMs, 4_000);
  t.end();
});

t.test('a manual clock has no timer; an advance announces so many batches and answers when the last is complete', (t) => {
  const { driven, announced } = timer('manual', 0);
  t.equal(driven.timers.size, 0);
  driven.send({ type: 'advance', batches: 3, replyTo: driven.replyTo(1) });
  t.same(announced(), [1_000, 2_000, 3_000]);
  t.match(driven.asked, [{ message: { type: 'awaitBatch', time: 3_000 }, timeoutMs: 500 }]);
  driven.answer({ error: null });
  t.same([...driven.replies], [[1, 3_000]]);
  driven.send({ type: 'advance', batches: 1, replyTo: driven.replyTo(2) });
  t.same(announced(), [4_000]);
  driven.answer({ error: wireError('The batch failed.') });
  t.match(driven.replies.get(2), { message: 'The batch failed.' });
  t.end();
});

t.test('with a log an advance answers when that has the batches, or why it has not', (t) => {
  const { driven } = timer('manual', 0, true);
  driven.send({ type: 'advance', batches: 1, replyTo: driven.replyTo(1) });
  driven.answer({ error: null });
  t.equal(driven.replies.size, 0);
  t.match(driven.asked, [{ message: { type: 'awaitCommits' }, timeoutMs: 500 }]);
  driven.answer(null);
  t.same([...driven.replies], [[1, 1_000]]);
  driven.send({ type: 'advance', batches: 1, replyTo: driven.replyTo(2) });
  driven.answer({ error: wireError('The batch failed.') });
  t.match(driven.replies.get(2), { message: 'The batch failed.' }, 'what failed is in no log, and is not waited for');
  t.end();
});

t.test('after a stop no tick announces anything; one batch more is announced where it is asked for', (t) => {
  const { services, driven, announced } = timer('system');
  services.clock.advanceBy(1_000);
  driven.send({ type: 'tick' });
  announced();
  driven.send({ type: 'stopTimer', replyTo: driven.replyTo(1) });
  t.equal(driven.replies.get(1), 11_000);
  t.equal(driven.timers.size, 0);
  services.clock.advanceBy(5_000);
  driven.send({ type: 'tick' });
  t.same(announced(), []);
  driven.send({ type: 'lastBatch', replyTo: driven.replyTo(2) });
  t.same(announced(), [12_000]);
  t.equal(driven.replies.get(2), 12_000);
  t.end();
});
