/** The clocks: timers in order, never early. */
import t from 'tap';
import { ManualClock, SystemClock } from '../../../lib/base/clock.ts';

t.test('manual time stands still; timers fire in the order of their times, then of their setting', (t) => {
  const clock = new ManualClock({ nowMs: 100, epochMs: 1_000 });
  const fired: string[] = [];
  for (const [name, delayMs] of [['b', 20], ['a', 10], ['c', 20], ['d', 30]] as const) clock.setTimer(delayMs, () => void fired.push(`${name}@${clock.now()}`));
  t.same([clock.now(), clock.wall(), clock.nextDueMs()], [100, 1_100, 110]);
  clock.advanceBy(20);
  t.same(fired, ['a@110', 'b@120', 'c@120']);
  clock.advanceTo(50);
  t.equal(clock.now(), 120, 'time never goes back');
  clock.advanceTo(1_000);
  t.equal(fired.at(-1), 'd@130');
  t.end();
});

t.test('a timer set by a timer fires in the same advance where it is due, and a cleared one never', (t) => {
  const clock = new ManualClock();
  const fired: number[] = [];
  const again = (): void => { fired.push(clock.now()); clock.setTimer(10, again); };
  clock.setTimer(10, again);
  const cleared = clock.setTimer(15, () => void fired.push(-1));
  clock.clear(cleared);
  clock.advanceTo(35);
  t.same(fired, [10, 20, 30]);
  t.equal(cleared.active, false);
  t.equal(clock.nextDueMs(), 40);
  t.end();
});

t.test('the machine\'s timers never fire early, whatever the fraction, and cleared ones not at all', async (t) => {
  const clock = new SystemClock();
  const cleared = clock.setTimer(1, () => t.fail('was cleared'));
  clock.clear(cleared);
  const earlyMs = await Promise.all([0, 0.3, 1, 2.5, 3.1, 7.7].map((delayMs) => {
    const startMs = clock.now();
    return new Promise<number>((resolve) => void clock.setTimer(delayMs, () => resolve(delayMs - (clock.now() - startMs))));
  }));
  t.ok(earlyMs.every((ms) => ms <= 0), earlyMs.join(' '));
});
