/** Gaps between batches. */
import t from 'tap';
import { gapAt, missedGaps, timeBefore } from '../../../lib/dstream/missed.ts';
import { asBatchTime } from '../../../protocol/time.ts';
import type { BatchTime } from '../../../protocol/time.ts';

const at = (...times: number[]): Map<BatchTime, null> => new Map(times.map((time) => [asBatchTime(time), null]));
const times = { intervalMs: 1_000, zeroTime: 0 };

t.test('what no batch was made for, between those that are remembered and up to the next one', (t) => {
  t.same(missedGaps({ batches: at(2_000, 3_000), generated: asBatchTime(3_000) }, { ...times, lastTime: 3_000 }), []);
  t.same(missedGaps({ batches: at(2_000, 3_000), generated: asBatchTime(3_000) }, { ...times, lastTime: 7_000 }), [{ after: 3_000, upTo: 7_000 }]);
  t.same(missedGaps({ batches: at(8_000, 3_000, 9_000), generated: asBatchTime(9_000) }, { ...times, lastTime: 9_000 }), [{ after: 3_000, upTo: 7_000 }]);
  t.same(missedGaps({ batches: at(), generated: null }, { ...times, lastTime: 4_000 }), [{ after: 0, upTo: 4_000 }], 'started, and ended before its first batch');
  t.end();
});

t.test('the time before, on a stream\'s own grid, over several gaps', (t) => {
  const gaps = [{ after: asBatchTime(3_000), upTo: asBatchTime(7_000) }, { after: asBatchTime(8_000), upTo: asBatchTime(12_000) }];
  const before = (time: number, slideMs: number): number => timeBefore(gaps, asBatchTime(time), slideMs, asBatchTime(0));
  t.same([before(3_000, 1_000), before(8_000, 1_000), before(13_000, 1_000)], [2_000, 3_000, 8_000]);
  t.same([before(14_000, 2_000), before(8_000, 2_000)], [8_000, 2_000]);
  t.equal(gapAt(gaps, 3_000), null);
  t.equal(gapAt(gaps, 7_000), gaps[0]);
  t.end();
});
