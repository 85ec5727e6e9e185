/** When a rate counts as sustained: each condition, at its bound and past it. */
import t from 'tap';
import { judge, phasesFor } from '../../bench/stability.ts';
import type { Observation } from '../../bench/stability.ts';

const openedMs = 1_000_000;
const rate = 100_000;
const phases = phasesFor(30);

/** A run in which all is well, unless `change` says otherwise of a batch (by its number in the run) or a tick. */
function observation(change: { batch?: (second: number) => object | null; tick?: (second: number) => object } = {}): Observation {
  const seconds = Array.from({ length: 80 }, (_, index) => index);
  return {
    openedMs,
    phases,
    batchIntervalMs: 1_000,
    batches: seconds.flatMap((second) => {
      const changed = change.batch?.(second);
      if (changed === null) return [];
      const batchTime = openedMs + second * 1_000;
      return [{ event: 'batch' as const, batchTime, records: rate, schedulingDelayMs: 1, processingDelayMs: 500, epochMs: batchTime + 501, ...changed }];
    }),
    ticks: seconds.map((second) => ({
      event: 'tick' as const,
      connection: 1,
      epochMs: openedMs + second * 1_000 + 20,
      elapsedSeconds: second,
      lines: second * rate,
      bytes: second * rate * 60,
      lag: 0,
      ...change.tick?.(second),
    })),
  };
}

t.test('with a window of 30 s the phases are those by which Spark was measured', async (t) => {
  t.same(phasesFor(30), { rampSeconds: 35, warmSeconds: 45, windowSeconds: 30, tailSeconds: 10 });
});

t.test('a run in which every batch keeps up is stable', async (t) => {
  const judgement = judge(observation());
  t.same(judgement.reasons, []);
  t.equal(judgement.stable, true);
  t.equal(judgement.batches, 30);
  t.equal(judgement.processingMedianMs, 500);
  t.equal(judgement.linesPerSecondOffered, rate);
  t.equal(judgement.linesPerSecondCounted, rate);
});

t.test('what happens before and after the window counts for nothing', async (t) => {
  const outside = (second: number): boolean => second < 45 || second >= 75;
  const judgement = judge(observation({ batch: (second) => (outside(second) ? { schedulingDelayMs: 90_000, records: 0 } : {}) }));
  t.equal(judgement.stable, true);
});

t.test('a batch that is missing in the window is one of thirty', async (t) => {
  const without = (...missing: number[]) => judge(observation({ batch: (second) => (missing.includes(second) ? null : {}) }));
  t.equal(without(50, 60).stable, true, '28 of 30 are 93.3 %');
  const three = without(50, 60, 70);
  t.equal(three.stable, false);
  t.match(three.reasons, [/only 90 % of the window's batches/]);
});

t.test('a scheduling delay that grows by more than 15 ms a second is not stable', async (t) => {
  const growing = (slopeMs: number) => judge(observation({ batch: (second) => ({ schedulingDelayMs: second * slopeMs }) }));
  t.equal(growing(15).stable, true);
  t.match(growing(16).reasons, [/grows by 16\.0 ms a second/]);
});

t.test('a scheduling delay that stays above two intervals at the end is not stable, though it does not grow', async (t) => {
  const late = (delayMs: number) => judge(observation({ batch: () => ({ schedulingDelayMs: delayMs }) }));
  t.equal(late(2_000).stable, true);
  t.match(late(2_001).reasons, [/the scheduling delay at the end is 2001 ms/]);
  const recovered = judge(observation({ batch: (second) => ({ schedulingDelayMs: second < 64 ? 5_000 : 0 }) }));
  t.equal(recovered.stable, true, 'only the last third is looked at');
});

t.test('a generator that is held back by more than half a second of lines is not stable', async (t) => {
  const behind = (lag: number) => judge(observation({ tick: (second) => ({ lag: second === 74 ? lag : 0, lines: second * rate - (second === 74 ? lag : 0) }) }));
  t.equal(behind(50_000).stable, true);
  t.match(behind(50_001).reasons, [/the generator is 50001 lines behind/]);
});

t.test('what was due and not written counts as offered', async (t) => {
  // The reader takes 90,000 of 100,000 lines a second, and every batch counts them all.
  const judgement = judge(observation({
    batch: () => ({ records: 90_000 }),
    tick: (second) => ({ lines: second * 90_000, lag: second * 10_000 }),
  }));
  t.equal(judgement.linesPerSecondOffered, 100_000);
  t.equal(judgement.stable, false);
  t.match(judgement.reasons.join('\n'), /90000 lines\/s were counted of 100000 offered/);
});

t.test('lines that were offered and not counted are not stable', async (t) => {
  const counted = (records: number) => judge(observation({ batch: () => ({ records }) }));
  t.equal(counted(97_000).stable, true);
  t.match(counted(96_900).reasons, [/96900 lines\/s were counted/]);
});

t.test('in a short window the lines of blocks that cross its edges may be missing', async (t) => {
  const short = (records: number) => judge({ ...observation({ batch: () => ({ records }) }), phases: phasesFor(4) });
  t.equal(short(90_000).stable, true, '0.4 s of 4 s');
  t.equal(short(89_000).stable, false);
});

t.test('a run of which nothing was seen is not stable', async (t) => {
  const judgement = judge({ ...observation(), batches: [], ticks: [] });
  t.equal(judgement.stable, false);
  t.match(judgement.reasons.join('\n'), /only 0 %[^]*offered no line/);
});
