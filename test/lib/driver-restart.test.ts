/** What is decided when the driver's thread has died. */
import t from 'tap';
import { decideRestart, loggedOfThoseUnderWay, restOfAdvance } from '../../lib/driver-restart.ts';
import type { Standing } from '../../lib/driver-restart.ts';
import type { ProgramId } from '../../protocol/ids.ts';
import { asBatchTime } from '../../protocol/time.ts';

const limits = { restartsMax: 3, restartsMs: 60_000 };
const member = (program: number, other: Partial<Standing> = {}): Standing => ({ program: program as ProgramId, checkpointDirectory: `/dir-${program}`, isModule: true, hasFailed: false, ...other });
const decided = (members: readonly Standing[], other: Partial<Parameters<typeof decideRestart>[0]> = {}) => decideRestart({ members, deaths: [0], nowMs: 0, limits, inline: false, ...other });

t.test('a program that is a module, with a checkpoint directory, goes on', async (t) => {
  t.same(decided([member(0)]).goOn, [0]);
  t.equal(decided([member(0)]).end.size, 0);
});

t.test('each context is judged by itself', async (t) => {
  const { goOn, end } = decided([member(0), member(1, { checkpointDirectory: null }), member(2, { isModule: false }), member(3, { hasFailed: true }), member(4)]);
  t.same(goOn, [0, 4]);
  t.match(Object.fromEntries(end), { 1: /with a checkpoint directory .* it goes on by itself/, 2: /getOrCreate goes on from \/dir-2/, 3: /getOrCreate goes on from \/dir-3/ });
});

t.test('inline nothing goes on: the graph died with the driver', async (t) => {
  const { goOn, end } = decided([member(0), member(1, { checkpointDirectory: null })], { inline: true });
  t.same(goOn, []);
  t.match(Object.fromEntries(end), { 0: /getOrCreate goes on from \/dir-0/, 1: /checkpoint directory/ });
});

t.test('no context at all: nothing goes on', async (t) => {
  t.same(decided([]).goOn, []);
});

t.test('as many deaths as driverRestartsMax within the period are survived, and one more is not', async (t) => {
  t.same(decided([member(0)], { deaths: [0, 10, 20], nowMs: 20 }).goOn, [0]);
  const { goOn, end } = decided([member(0)], { deaths: [0, 10, 20, 30], nowMs: 30 });
  t.same(goOn, []);
  t.match(end.get(0 as ProgramId), /died 4 times within 60000 ms .*driverRestartsMax is 3/);
});

t.test('deaths of before the period count no more, and are forgotten', async (t) => {
  const { goOn, deaths } = decided([member(0)], { deaths: [0, 10, 20, 60_005], nowMs: 60_005 });
  t.same(goOn, [0]);
  t.same(deaths, [10, 20, 60_005]);
  t.same(decided([member(0)], { deaths: [0, 60_000], nowMs: 60_000, limits: { ...limits, restartsMax: 1 } }).goOn, [0], 'at its end it is over');
});

t.test('with driverRestartsMax 0 the first death is the end; with Infinity none is', async (t) => {
  t.same(decided([member(0)], { limits: { ...limits, restartsMax: 0 } }).goOn, []);
  t.same(decided([member(0)], { limits: { ...limits, restartsMax: Infinity }, deaths: Array.from({ length: 1_000 }, () => 0) }).goOn, [0]);
});

t.test('of what was under way, as much is in the log as the log has beyond what was answered', async (t) => {
  t.equal(loggedOfThoseUnderWay({ before: 0, now: 0, answered: 0, underWay: 2 }), 0);
  t.equal(loggedOfThoseUnderWay({ before: 5, now: 8, answered: 2, underWay: 3 }), 1);
  t.equal(loggedOfThoseUnderWay({ before: 5, now: 8, answered: 3, underWay: 3 }), 0);
  t.equal(loggedOfThoseUnderWay({ before: 5, now: 8, answered: 0, underWay: 3 }), 3);
  t.equal(loggedOfThoseUnderWay({ before: 0, now: 8, answered: 0, underWay: 3 }), 3, 'never more than there are');
  t.equal(loggedOfThoseUnderWay({ before: 5, now: 5, answered: 1, underWay: 3 }), 0, 'never fewer than none');
});

t.test('an advance is over, waits for a batch that runs again, or goes on from where the log is', async (t) => {
  const at = (completed: number | null, announced: number) => ({ completed: completed === null ? null : asBatchTime(completed), announced: asBatchTime(announced) });
  t.same(restOfAdvance(asBatchTime(3_000), at(3_000, 3_000), 1_000), { type: 'done' });
  t.same(restOfAdvance(asBatchTime(3_000), at(2_000, 3_000), 1_000), { type: 'await' });
  t.same(restOfAdvance(asBatchTime(3_000), at(2_000, 2_000), 1_000), { type: 'advance', batches: 1 });
  t.same(restOfAdvance(asBatchTime(3_000), at(null, 0), 1_000), { type: 'advance', batches: 3 });
});
