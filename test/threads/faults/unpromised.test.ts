/** Faults of messages that ports between threads don't have: what docs/FAULTS.md says was seen of each, where nothing is guaranteed. */
import t from 'tap';
import type { StreamingContext } from '../../../lib/streaming-context.ts';
import { faultPlan, startTest } from '../../../lib/testing.ts';
import type { MessageRule } from '../../../lib/testing.ts';
import { silent } from '../../helpers/running.ts';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';
import { throughFaults } from '../../helpers/through-faults.ts';

t.setTimeout(160_000);

const undisturbed = throughFaults({ after: (fn) => t.teardown(fn as () => void) }, temporaryDirectory(), null, { master: 'inline' });

for (const nth of [1, 8, 20]) {
  t.test(`a taskSucceeded that comes twice (number ${nth}): its memory is given back while somebody needs it; what reads it fails, nothing wrong is put out, and it goes on`, async (t) => {
    const plan = faultPlan({ seed: 7, rules: [{ fault: 'message', from: 'task-worker-*', to: 'task-scheduler', type: 'taskSucceeded', do: 'duplicate', nth, times: 2 }] });
    const went = await throughFaults(t, temporaryDirectory(), plan, { advanceTimeoutMs: 2_000 });
    t.equal(plan.injected.length, 2);
    for (const death of went.deaths) t.match(death, /StaleHandle|ContextFailed|ActorGone|AdvanceTimeout|RestartIntensityReached/);
    t.same({ ...went, deaths: [] }, await undisturbed);
  });
}

for (const [what, rule] of [
  ['what the job generator logs', { from: 'job-generator', to: 'write-ahead-log' }],
  ['what the job scheduler asks of the task scheduler', { from: 'job-scheduler', to: 'task-scheduler' }],
  ['what workers report', { from: 'task-worker-*', to: 'task-scheduler' }],
  ['what the checkpoint writer is told', { to: 'checkpoint-writer' }],
  ['what the ledger of memory is told', { to: 'block-manager-master' }],
  // A few of the first: the last of all, with none behind it to overtake it, would be held while the context stops, and be lost with it.
  ['what the app\'s outputs are told', { from: 'job-scheduler', to: 'outputs-*', times: 5 }],
] satisfies [string, Partial<MessageRule>][]) {
  t.test(`${what}, overtaken now and then, one batch at a time: all counts are right`, async (t) => {
    const plan = faultPlan({ seed: 7, rules: [{ fault: 'message', ...rule, do: 'reorder', probability: 0.3, byMs: 20 }] });
    const went = await throughFaults(t, temporaryDirectory(), plan);
    t.ok(plan.injected.length > 0, 'it was injected');
    t.same(went, await undisturbed);
  });
}

t.test('a submitJobSet that is overtaken: batches come out of order, each with what it should have', async (t) => {
  const plan = faultPlan({ rules: [{ fault: 'message', from: 'job-generator', to: 'job-scheduler', type: 'submitJobSet', do: 'reorder', nth: 2, byMs: 60_000 }] });
  const numbers = [[1], [2], [3], [4]];
  const test = await startTest((ssc: StreamingContext) => ({ numbers: ssc.batchesStream(numbers, 1).publish() }), { faults: plan, logger: silent });
  t.teardown(() => test.stop());
  await test.advance(4);
  t.equal(plan.injected.length, 1);
  t.same(test.output(test.exports.numbers).map(({ time, records }) => [Number(time), ...records]), [[1_000, 1], [3_000, 3], [2_000, 2], [4_000, 4]]);
});
