/**
 * Bug: after one foreachRDD body that never settled, no body of a later batch was ever called; each was an OutputTimeout.
 * Conditions: bodies run one at a time, and the one that hung kept its place. onBatchFailure skip or continue.
 * Plan: a body that hangs in the second of four batches; the third and the fourth run. Then what becomes of a late body.
 */
import t from 'tap';
import type { MillraceError } from '../../protocol/errors.ts';
import { ManualClock } from '../../lib/base/clock.ts';
import { OutputBodies } from '../../lib/output-bodies.ts';
import type { RDD } from '../../lib/rdd/rdd.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { startTest } from '../../lib/testing.ts';

t.test('bodies of later batches run after one that never settles', async (t) => {
  const seen: number[] = [];
  const test = await startTest(
    (ssc: StreamingContext) => {
      ssc.batchesStream([[1], [2], [3], [4]], 1).foreachRDD(async (rdd, time) => {
        seen.push(Number(time), ...(await (rdd as RDD<number>).collect()));
        if (Number(time) === 2_000) await new Promise(() => {});
      });
    },
    { outputTimeoutMs: 1_000, onBatchFailure: 'skip' },
  );
  await test.advance(4);
  t.same(seen, [1_000, 1, 2_000, 2, 3_000, 3, 4_000, 4]);
  t.same(
    test.batches.map(({ outputs }) => (outputs[0]?.error as unknown as MillraceError | null)?.code ?? null),
    [null, 'OutputTimeout', null, null],
  );
  await test.stop();
});

function bodies() {
  const clock = new ManualClock();
  const late: string[] = [];
  const outputs = new OutputBodies({ clock, timeoutMs: 100, logger: { log: (_level, text) => void late.push(text) } });
  const run = (body: () => unknown): Promise<string> => outputs.run(body, (bounded) => bounded()).then(() => 'done', (thrown: MillraceError) => thrown.code ?? thrown.message);
  return { clock, late, outputs, run };
}

const turns = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test('a body waits for the one before it, up to the bound and no longer; what fails late is told, what succeeds late is dropped', async (t) => {
  const { clock, late, run } = bodies();
  const begun: string[] = [];
  let fail: (reason: Error) => void = () => {};
  const first = run(() => (begun.push('first'), new Promise((_, reject) => (fail = reject))));
  const second = run(() => void begun.push('second'));
  await turns();
  clock.advanceBy(99);
  await turns();
  t.same(begun, ['first']);
  clock.advanceBy(1);
  t.equal(await first, 'OutputTimeout');
  t.equal(await second, 'done');
  t.same(begun, ['first', 'second']);
  fail(new Error('after all'));
  await turns();
  t.match(late, [/has failed: .*after all/]);
  t.equal(await run(() => Promise.reject(new Error('in time'))), 'in time');
  t.equal(await run(() => { throw new Error('at once'); }), 'at once');
  t.equal(late.length, 1);
  t.equal(clock.nextDueMs(), null, 'no timer stays');
});

t.test('after a close no timer holds the process, although a body hangs', async (t) => {
  const { clock, outputs, run } = bodies();
  void run(() => new Promise(() => {}));
  await turns();
  outputs.close();
  t.equal(clock.nextDueMs(), null);
});
