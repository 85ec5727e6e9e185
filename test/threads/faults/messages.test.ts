/** Messages that are lost, late, doubled or overtaken, on real threads: what docs/FAULTS.md says of each. */
import t from 'tap';
import type numberedLines from '../../fixtures/numbered-lines.ts';
import { faultPlan } from '../../../lib/testing.ts';
import type { FaultPlan, MessageRule } from '../../../lib/testing.ts';
import type { StreamingOptions } from '../../../lib/options.ts';
import { numberedLinesFile } from '../../helpers/numbered-lines.ts';
import { created, nextEvent, Totals } from '../../helpers/running.ts';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';
import { throughFaults } from '../../helpers/through-faults.ts';

t.setTimeout(120_000);

const lines = 2_000;

/** A receiver that gives positions; started, and read to the end. */
async function readThrough(t: { after(fn: () => unknown): void }, plan: FaultPlan, options: Partial<StreamingOptions> = {}) {
  const ssc = await created<typeof numberedLines>(t, 'numbered-lines', { args: { file: numberedLinesFile(lines) }, receiverRestartDelayMs: 50, faults: plan, ...options } as never);
  const totals = new Totals(ssc.exports.counts as never);
  const lost = nextEvent(ssc, 'threadLost');
  await ssc.start();
  await totals.reached(lines);
  return { ssc, sum: totals.sum, doubled: [...totals.counts.values()].filter((count) => count > 1).length, lost };
}

for (const [what, rule] of [
  ['a request for the open block that is lost', { fault: 'message', from: 'receiver-tracker', to: 'receiver', type: 'flushBlock', do: 'drop', times: 3 }],
  ['blocks that are reported twice', { fault: 'message', to: 'receiver-tracker', type: 'addBlocks', do: 'duplicate', times: 10 }],
  ['answers that come twice', { fault: 'message', from: 'receiver-tracker', type: 'reply', do: 'duplicate', times: 20 }],
  ['messages to the tracker that are overtaken', { fault: 'message', to: 'receiver-tracker', do: 'reorder', byMs: 20, probability: 0.3 }],
  ['tasks that come late', { fault: 'message', from: 'task-scheduler', to: 'task-worker-*', type: 'runTask', do: 'delay', byMs: 50, times: 3 }],
  ['reports of tasks that come late', { fault: 'message', from: 'task-worker-*', to: 'task-scheduler', type: 'taskSucceeded', do: 'delay', byMs: 50, times: 3 }],
  ['tasks that are overtaken by the next one', { fault: 'message', from: 'task-scheduler', to: 'task-worker-*', type: 'runTask', do: 'reorder', byMs: 20, probability: 0.3 }],
] satisfies [string, MessageRule][]) {
  t.test(`${what}: no record is lost, and none comes twice`, async (t) => {
    const plan = faultPlan({ seed: 7, rules: [rule] });
    const { sum, doubled } = await readThrough(t, plan);
    t.ok(plan.injected.length > 0, 'it was injected');
    t.ok(plan.injected.every(({ rule: { fault } }) => fault === 'message'));
    t.same({ sum, doubled }, { sum: lines, doubled: 0 });
  });
}

for (const [from, to, type] of [['task-scheduler', 'task-worker-*', 'runTask'], ['task-worker-*', 'task-scheduler', 'taskSucceeded']] as const) {
  t.test(`a ${type} that is lost: the thread is ended after taskTimeoutMs, and the task runs on another`, async (t) => {
    const plan = faultPlan({ seed: 7, rules: [{ fault: 'message', from, to, type, do: 'drop' }] });
    const { sum, doubled, lost } = await readThrough(t, plan, { taskTimeoutMs: 500 });
    t.equal((await lost).role, 'worker');
    t.equal(plan.injected.length, 1);
    t.same({ sum, doubled }, { sum: lines, doubled: 0 });
  });
}

t.test('blocks whose report is lost are reported again by the receiver\'s next life, after ten seconds', async (t) => {
  const plan = faultPlan({ seed: 7, rules: [{ fault: 'message', to: 'receiver-tracker', type: 'addBlocks', do: 'drop' }] });
  const { sum, doubled } = await readThrough(t, plan);
  t.match(plan.injected, [{ nth: 1, role: 'io', index: 0 }]);
  t.same({ sum, doubled }, { sum: lines, doubled: 0 });
});

t.test('a batch\'s jobs that are lost between two actors of the driver: it stands still, and goes on from its directory', async (t) => {
  const expected = await throughFaults(t, temporaryDirectory(), null, { master: 'inline' });
  const plan = faultPlan({ seed: 7, rules: [{ fault: 'message', from: 'job-generator', to: 'job-scheduler', type: 'submitJobSet', do: 'drop', nth: 3 }] });
  const went = await throughFaults(t, temporaryDirectory(), plan, { advanceTimeoutMs: 500 });
  t.match(plan.injected, [{ nth: 3, role: 'driver' }]);
  t.match(went.deaths, [/^AdvanceTimeout/]);
  t.same({ ...went, deaths: [] }, expected);
});

t.test('a rule that is added while the program runs counts from then on', async (t) => {
  const plan = faultPlan();
  const ssc = await created<typeof numberedLines>(t, 'numbered-lines', { args: { file: numberedLinesFile(lines) }, faults: plan });
  await ssc.start();
  t.same(plan.injected, []);
  plan.inject({ fault: 'message', to: 'job-scheduler', type: 'submitJobSet', do: 'delay', byMs: 1, nth: 2 });
  await plan.reached(1);
  t.match(plan.injected, [{ nth: 2, role: 'driver', index: 0, rule: { do: 'delay' } }]);
});
