/** Plans as a test makes them: what is refused, and in which words; what they tell. */
import t from 'tap';
import type { StreamingContext } from '../../../lib/streaming-context.ts';
import { faultPlan, faults, startTest } from '../../../lib/testing.ts';
import type { FaultPlanOptions } from '../../../lib/testing.ts';

for (const [given, message] of [
  [null, /the options of the fault plan to be an object \{ seed, rules \}, or to be left out; got null/],
  [5, /the options of the fault plan .*; got 5/],
  ['kill', /the options of the fault plan .*; got "kill"/],
  [[], /the options of the fault plan .*; got/],
  [{ sed: 1 }, /sed of the fault plan to be no such member: a plan has seed and rules/],
  [{ seed: -1 }, /seed of the fault plan to be a whole number of 0 or more; got -1/],
  [{ rules: {} }, /rules of the fault plan to be an array of rules/],
  [{ rules: [null] }, /rules\[0\] .*to be a rule/],
  [{ rules: [{ fault: 'fire' }] }, /rules\[0\]\.fault .*one of kill, message, disk, network; got "fire"/],
  [{ rules: [{ fault: 'toString' }] }, /one of kill/],
  [{ rules: [{ fault: 'kill' }] }, /rules\[0\]\.actor .*; got undefined/],
  [{ rules: [{ fault: 'kill', actor: 'reciever' }] }, /end of an actor's path, such as receiver-tracker .*; got "reciever"/],
  [{ rules: [{ fault: 'kill', actor: 'receiver', what: 'host' }] }, /rules\[0\]\.what .*one of actor, thread, process/],
  [{ rules: [{ fault: 'message', do: 'drop' }, { fault: 'message', do: 'eat' }] }, /rules\[1\]\.do .*one of drop, delay, duplicate, reorder; got "eat"/],
  [{ rules: [{ fault: 'message', do: 'drop', byMs: 3 }] }, /rules\[0\]\.byMs .*no such member/],
  [{ rules: [{ fault: 'message', do: 'drop', nth: 0 }] }, /rules\[0\]\.nth .*whole number of 1 or more; got 0/],
  [{ rules: [{ fault: 'message', do: 'drop', probability: 2 }] }, /above 0, at most 1; got 2/],
  [{ rules: [{ fault: 'disk' }] }, /rules\[0\]\.do .*one of EIO, ENOSPC/],
  [{ rules: [{ fault: 'disk', do: 'bitFlip', on: 'sync' }] }, /rules\[0\]\.on .*no such member/],
  [{ rules: [{ fault: 'disk', do: 'loseUnsynced', then: 'fail' }] }, /rules\[0\]\.then .*one of thread, process/],
  [{ rules: [{ fault: 'disk', do: 'EIO', file: 'lock' }] }, /one of log, state, checkpoint/],
  [{ rules: [{ fault: 'network', do: 'cut', forMs: 3 }] }, /rules\[0\]\.forMs .*no such member/],
  [{ rules: [{ fault: 'network', do: 'stall', forMs: Infinity }] }, /a number of milliseconds, 0 or more/],
] satisfies [unknown, RegExp][]) {
  t.test(`${JSON.stringify(given)} is refused`, (t) => {
    t.throws(() => faultPlan(given as FaultPlanOptions), { code: 'InvalidArgument', message });
    t.end();
  });
}

t.test('every kind of actor can be named', (t) => {
  for (const actor of ['task-scheduler', 'task-worker-7', 'block-manager', 'block-manager-12', 'receiver-3', 'receiver-3/receiver', 'streaming-1', 'write-ahead-log', '/driver', '*'] as const) faultPlan({ rules: [{ fault: 'message', to: actor as never, do: 'drop' }] });
  t.end();
});

t.test('a plan tells its seed, its rules and what was injected; a context with one says so', async (t) => {
  const texts: string[] = [];
  const plan = faultPlan({ seed: 17, rules: [{ fault: 'message', to: 'job-scheduler', type: 'submitJobSet', do: 'delay', byMs: 1 }] });
  t.match(`${plan}`, /^seed 17, rules \[\{"fault":"message",.*\}\]; injected: nothing yet$/);
  const test = await startTest((ssc: StreamingContext) => ({ numbers: ssc.batchesStream([[1], [2]], 1).publish() }), { faults: plan, logger: { log: (_level, text) => void texts.push(text) } });
  await test.advance(2);
  t.same(test.output(test.exports.numbers).map(({ records }) => records), [[1], [2]]);
  await test.stop();
  t.match(`${plan}`, /injected: message delay at event 1, driver 0$/);
  t.match(texts[0], /Faults are injected into millrace by its option faults: seed 17/);
});

t.test('a plan that is given no seed has one that can be given', (t) => {
  const { seed } = faultPlan();
  t.equal(faultPlan({ seed }).seed, seed);
  t.end();
});

t.test('the option faults takes a plan, and nothing that looks like one', async (t) => {
  await t.rejects(startTest((ssc: StreamingContext) => ssc.batchesStream([[1]], 1).print(), { faults: { seed: 1 } as never }), { code: 'InvalidOption', message: /made by faultPlan of millrace\/testing/ });
});

t.test('inline, the death of a logical thread is as that of a real one', async (t) => {
  const plan = faultPlan({ rules: [{ fault: 'kill', actor: 'task-worker-0', type: 'runTask', nth: 2, what: 'thread' }] });
  const test = await startTest((ssc: StreamingContext) => ({ sums: ssc.batchesStream([[1, 2], [3, 4], [5, 6]], 2).reduce((a, b) => a + b).publish() }), { faults: plan, inlineWorkers: 2, logger: { log: () => {} } });
  await test.advance(3);
  t.same(test.output(test.exports.sums).map(({ records }) => records), [[3], [7], [11]]);
  t.equal(plan.injected.length, 1);
  await test.stop();
});

t.test('a kill at once that names no actor or no way to end is refused, and nothing is killed', async (t) => {
  const test = await startTest((ssc: StreamingContext) => ({ numbers: ssc.batchesStream([[1], [2]], 1).publish() }));
  const { killActor, killThread } = faults(test.ssc);
  for (const name of [undefined, null, 5, '']) {
    await t.rejects(killActor(name as never), { code: 'InvalidArgument', message: new RegExp(`the name of an actor that a supervisor starts; got ${JSON.stringify(name)}\\. There are /driver, `) });
  }
  await t.rejects(killThread('worker', 0, 'magic' as never), { code: 'InvalidArgument', message: /one of terminate, throw, exit, rejection, outOfMemory; got "magic"/ });
  await t.rejects(killThread('boss' as never), { code: 'InvalidArgument', message: /a thread of role boss at place 0; there are/ });
  await test.advance(2);
  t.same(test.output(test.exports.numbers).map(({ records }) => records), [[1], [2]], 'all of them live');
  await test.stop();
});
