/** Actors and threads that a plan or a call kills, on real threads: what docs/FAULTS.md says of each. */
import t from 'tap';
import type numberedLines from '../../fixtures/numbered-lines.ts';
import { faultPlan, faults } from '../../../lib/testing.ts';
import type { FaultRule, KillRule } from '../../../lib/testing.ts';
import { numberedLinesFile } from '../../helpers/numbered-lines.ts';
import { codeOf, created, nextEvent, Totals } from '../../helpers/running.ts';
import { codesOf, throughFaults } from '../../helpers/through-faults.ts';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';

t.setTimeout(120_000);

const lines = 2_000;

/** A receiver that gives positions, so that its source can be read again. */
async function reading(t: { after(fn: () => unknown): void }, rules: readonly FaultRule[]) {
  const plan = faultPlan({ seed: 1, rules });
  const ssc = await created<typeof numberedLines>(t, 'numbered-lines', { args: { file: numberedLinesFile(lines) }, receiverRestartDelayMs: 50, faults: plan });
  return { plan, ssc, totals: new Totals(ssc.exports.counts as never) };
}

for (const rule of [
  { fault: 'kill', actor: 'receiver', nth: 5 },
  { fault: 'kill', actor: 'block-generator', nth: 20 },
  { fault: 'kill', actor: 'block-manager-0', nth: 3 },
  { fault: 'kill', actor: 'task-worker-0', nth: 5 },
  { fault: 'kill', actor: 'task-worker-*', type: 'runTask', nth: 3, what: 'thread' },
  { fault: 'kill', actor: 'receiver-0/receiver', nth: 9, what: 'thread' },
] satisfies KillRule[]) {
  const { actor, what = 'actor' } = rule as KillRule;
  t.test(`killing ${what === 'actor' ? actor : `the ${what} of ${actor}`} costs no record, and none comes twice`, async (t) => {
    const { plan, ssc, totals } = await reading(t, [rule]);
    await ssc.start();
    await plan.reached(1);
    await totals.reached(lines);
    t.match(plan.injected, [{ rule, nth: rule.nth, index: 0 }].map(({ index, ...rest }) => (actor.includes('*') ? rest : { ...rest, index })));
    t.equal(totals.sum, lines);
    t.ok([...totals.counts.values()].every((count) => count === 1), 'none twice');
  });
}

for (const actor of ['receiver-tracker', 'job-scheduler'] as const) {
  t.test(`killing ${actor} ends the program, and the failure says why`, async (t) => {
    const { plan, ssc, totals } = await reading(t, [{ fault: 'kill', actor, nth: 3 }]);
    await ssc.start();
    await totals.ended;
    const end = await ssc.awaitTermination().catch((thrown: unknown) => thrown);
    // A batch that was asking it fails first.
    t.ok(['ActorGone', 'RestartIntensityReached < FaultInjected'].includes(codesOf(end).join(' < ')), codesOf(end).join(' < '));
    t.equal(plan.injected.length, 1);
    t.equal(ssc.getState(), 'STOPPED');
  });
}

for (const [rule, death] of [
  [{ fault: 'kill', actor: 'write-ahead-log', nth: 20 }, /^RestartIntensityReached < FaultInjected$/],
  [{ fault: 'kill', actor: 'checkpoint-writer', nth: 6 }, /^RestartIntensityReached < FaultInjected$/],
  [{ fault: 'kill', actor: 'job-generator', nth: 12 }, /FaultInjected$/],
  // What was on its way to the app is gone with it: the batch is not complete, and runs again.
  [{ fault: 'kill', actor: 'outputs-*', nth: 6 }, /ActorGone|FaultInjected|AdvanceTimeout/],
  [{ fault: 'kill', actor: 'block-manager-master', type: 'hold', nth: 12 }, /^(ActorGone|ContextFailed)/],
  [{ fault: 'kill', actor: 'job-scheduler', nth: 4, what: 'thread' }, /^ContextFailed/],
] satisfies [KillRule, RegExp][]) {
  t.test(`killing ${rule.actor}${'what' in rule ? `'s ${rule.what}` : ''} ends the program; it goes on from its directory with nothing lost and nothing twice`, async (t) => {
    const expected = await throughFaults(t, temporaryDirectory(), null, { master: 'inline' });
    const plan = faultPlan({ seed: 1, rules: [rule] });
    const went = await throughFaults(t, temporaryDirectory(), plan);
    t.equal(plan.injected.length, 1);
    t.match(went.deaths.join('; '), death);
    t.same({ ...went, deaths: [] }, expected);
  });
}

for (const rule of [
  { fault: 'kill', actor: 'block-manager-master', type: 'hold', nth: 12 },
  { fault: 'kill', actor: 'job-scheduler', nth: 4, what: 'thread' },
] satisfies KillRule[]) {
  t.test(`killing ${rule.actor}${'what' in rule ? `'s ${rule.what}` : ''}: the same context goes on, with nothing lost and nothing twice`, async (t) => {
    const expected = await throughFaults(t, temporaryDirectory(), null, { master: 'inline' });
    const plan = faultPlan({ seed: 1, rules: [rule] });
    t.same(await throughFaults(t, temporaryDirectory(), plan, { driverRestartsMax: 3 }), expected);
    t.equal(plan.injected.length, 1);
  });
}

t.test('killActor ends what has that name now, on whatever thread, and says who that was', async (t) => {
  const { ssc, totals } = await reading(t, []);
  await ssc.start();
  const back = nextEvent(ssc, 'receiverStarted');
  t.same(await faults(ssc).killActor('block-generator'), ['/driver/programs/streaming-0/receivers/receiver-0/block-generator']);
  await back;
  const lost = [nextEvent(ssc, 'threadLost'), nextEvent(ssc, 'threadStarted')];
  t.same((await faults(ssc).killActor('task-worker-*')).length, 2);
  await Promise.all(lost);
  await totals.reached(lines);
  t.equal(totals.sum, lines);
  t.equal(await codeOf(() => faults(ssc).killActor('nobody/at-all')), 'InvalidArgument');
  await faults(ssc).killActor('job-scheduler');
  await totals.ended;
  t.equal(ssc.getState(), 'STOPPED');
  t.equal(await codeOf(() => faults(ssc).killActor('job-scheduler')), 'ActorGone');
});
