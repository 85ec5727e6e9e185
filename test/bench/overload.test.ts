/** What is sent when too much is sent, and when that is over. */
import t from 'tap';
import { linesDue } from '../../bench/load/feeder.ts';
import type { GeneratorTick } from '../../bench/load/generator-events.ts';
import { overloadPace, recoveredAfter } from '../../bench/overload.ts';
import type { BatchEvent } from '../../bench/subject-events.ts';

const batch = (batchTime: number, schedulingDelayMs: number): BatchEvent => ({ event: 'batch', batchTime, records: 1, schedulingDelayMs, processingDelayMs: 1, epochMs: batchTime + 1 });
const tick = (epochMs: number, lag: number): GeneratorTick => ({ event: 'tick', connection: 1, epochMs, elapsedSeconds: 0, lines: 0, bytes: 0, lag });
const after = (ticks: readonly GeneratorTick[], batches: readonly BatchEvent[]): number => recoveredAfter({ fallsMs: 10_000, ticks, batches, batchMs: 1_000, lagLinesMax: 100 });

t.test('twice the rate for one window, then half of it for the rest', async (t) => {
  const pace = overloadPace(1_000, 10);
  t.equal(linesDue(pace, 5), 3_000);
  t.equal(linesDue(pace, 15), 23_000);
  t.equal(linesDue(pace, 45), 38_000, 'what is sent in all could have been taken at the sustained rate');
});

t.test('it is over when nothing is kept back and every batch from there on begins within its interval', async (t) => {
  const late = [batch(9_000, 1_500), batch(10_000, 2_000), batch(12_000, 1_000)];
  const onTime = [batch(11_000, 999), batch(13_000, 10), batch(14_000, 0)];
  t.equal(after([tick(10_500, 90)], [...late, ...onTime]), 3_000, 'the one at 11 s was on time, and the next was not');
  t.equal(after([tick(10_500, 90_000), tick(13_500, 101), tick(14_500, 100)], [...onTime, ...late]), 4_000, 'the sender still kept lines back at 13.5 s');
  t.equal(after([], [batch(10_000, 0)]), 0);
});

t.test('what is late to the end is never over', async (t) => {
  t.same(after([], [batch(10_000, 0), batch(11_000, 5_000)]), Number.NaN);
  t.same(after([tick(11_500, 1_000)], [batch(10_000, 0), batch(11_000, 0)]), Number.NaN);
});
