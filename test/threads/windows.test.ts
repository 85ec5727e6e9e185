/** Windows on threads that die in between: results are those of a plain count, in each batch. */
import t from 'tap';
import type windowedCounts from '../fixtures/windowed-counts.ts';
import { batchOf } from '../fixtures/windowed-counts.ts';
import { faults, startTest } from '../../lib/testing.ts';
import { fixture, silent } from '../helpers/running.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const batches = 40;

/** What the window (5 batches, every second one) at batch `last` (from 1) holds. */
function countsOf(last: number): [number, number][] {
  const counts = new Map<number, number>();
  for (let batch = Math.max(1, last - 4); batch <= last; batch += 1) for (const key of batchOf(batch - 1)) counts.set(key, (counts.get(key) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => a - b);
}

t.test('windows lose and double nothing when workers die between and within batches', async (t) => {
  const test = await startTest<typeof windowedCounts>(fixture('windowed-counts'), {
    master: 'local[2]', args: { batches }, logger: silent, checkpointDirectory: temporaryDirectory(), advanceTimeoutMs: 60_000,
  });
  t.after(() => test.stop());
  for (let batch = 1; batch <= batches; batch += 1) {
    const running = test.advance(1);
    if (batch % 6 === 0) await faults(test.ssc as never).killThread('worker', (batch / 6) % 2);
    await running;
    if (batch % 10 === 0) await faults(test.ssc as never).killThread('worker', 0, 'exit');
  }
  for (const name of ['plain', 'incremental'] as const) {
    const seen = test.output(test.exports[name]);
    t.same(seen.map(({ time }) => Number(time)), Array.from({ length: batches / 2 }, (_, index) => (index + 1) * 2_000), name);
    for (const { time, records } of seen) t.same([...records].sort(([a], [b]) => a - b), countsOf(Number(time) / 1_000), `${name} at ${time}`);
  }
  t.ok(test.output(test.exports.joined).every(({ records }) => records.every(([, [a, b]]) => a === b)));
});
