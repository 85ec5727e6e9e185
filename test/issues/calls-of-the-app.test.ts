/**
 * Bug: inline, `set` of a broadcast variable in a function on records did set it; on threads it is NotInitialized. So a test that runs
 * inline passed, and the program failed on threads.
 * Conditions: master inline, where the app's thread is the workers', too. A queue's `push` was the same.
 * Plan: the same program on both masters: the same error, nothing set, nothing pushed; the app itself can go on doing both.
 */
import t from 'tap';
import { startTest } from '../../lib/testing.ts';
import type callsOfTheApp from '../fixtures/calls-of-the-app.ts';
import { fixture, silent } from '../helpers/running.ts';

for (const master of ['inline', 'local[2]']) {
  t.test(`${master}: what only the app may do is refused in a function on records`, async (t) => {
    const test = await startTest<typeof callsOfTheApp>(fixture('calls-of-the-app'), { master, onBatchFailure: 'skip', taskFailuresMax: 1, logger: silent });
    t.after(() => test.stop());
    const { limit, queue, limits, pushed } = test.exports;
    await test.advance(3);
    const errors = test.batches.map(({ outputs }) => outputs.map(({ error }) => error));
    t.match(errors, [[{ code: 'TaskFailed', cause: { code: 'UserFunctionFailed', cause: { code: 'NotInitialized', message: /^A broadcast variable is set from the app/ } } }, null], [null, null], [null, null]]);
    t.same(test.output(limits).flatMap(({ records }) => records), [1, 1]);
    t.same(test.output(pushed).flatMap(({ records }) => records), []);
    await Promise.all([limit.set(5), queue.push([7])]);
    await test.advance(1);
    t.same([test.output(limits).at(-1)?.records, test.output(pushed).at(-1)?.records], [[5], [7]]);
  });
}
