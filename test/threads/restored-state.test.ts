/** State that is copied into a file while a program runs, and goes on in another one: inline and on threads that die. */
import { statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { faults, startTest } from '../../lib/testing.ts';
import type { StreamTest } from '../../lib/testing.ts';
import type { PublishedStream } from '../../lib/dstream/published-stream.ts';
import { blocksRdd } from '../../lib/rdd/make.ts';
import type { RDD } from '../../lib/rdd/rdd.ts';
import { partitionOf } from '../../lib/base/key.ts';
import type keptTotals from '../fixtures/kept-totals.ts';
import { batchOf } from '../fixtures/kept-totals.ts';
import { fixture } from '../helpers/running.ts';
import { StateLog } from '../helpers/state-log.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const kind = 'updateStateByKey';
type Test = { testdir(): string; after(fn: () => unknown): void };

async function program(t: Test, master: 'inline' | 'local[2]', stateVersion: number, partitions: number): Promise<StreamTest<ReturnType<typeof keptTotals>>> {
  const test = await startTest<typeof keptTotals>(fixture('kept-totals'), { master, args: { stateVersion, partitions }, checkpointDirectory: temporaryDirectory() });
  t.after(() => test.stop());
  return test;
}

/** Three batches of the first program with two partitions: what it had, and the log of it. */
async function logged(t: Test, master: 'inline' | 'local[2]'): Promise<{ readonly log: StateLog; readonly totals: ReadonlyMap<string, number> }> {
  const log = new StateLog(join(t.testdir(), '1.log'));
  const test = await program(t, master, 1, 2);
  for (let n = 1; n <= 3; n += 1) {
    await test.advance();
    const version = await log.note(test.ssc, kind, n * 1_000);
    if (!version.made || version.base !== (n === 1 ? null : (n - 1) * 1_000)) throw new Error(`Version ${n} is not as it should be.`);
  }
  const totals = new Map(test.output(test.exports.totals as PublishedStream<[string, number]>).at(-1)!.records);
  await test.stop();
  return { log, totals };
}

const sorted = (pairs: Iterable<readonly [string, unknown]>): (readonly [string, unknown])[] => [...pairs].sort(([a], [b]) => (a < b ? -1 : 1));
const collected = async (rdd: RDD<[string, unknown]>): Promise<(readonly [string, unknown])[]> => sorted(await rdd.collect());

for (const master of ['inline', 'local[2]'] as const) {
  t.test(`${master}: a program goes on with the state of another, of the same layout`, async (t) => {
    const { log, totals } = await logged(t, master);
    t.ok(totals.size < 40 && totals.size > 10, 'some keys have ended');
    t.same(log.versions.map(({ links }) => links.map((link) => link?.snapshot)), [[true, true], [false, false], [false, false]], 'there are steps to be put together');
    const { ssc } = await program(t, master, 1, 2);
    const restored = await log.restore(ssc, kind, 3_000, 2);
    t.same(await collected(restored), sorted(totals));
    const next = log.next(ssc, kind, restored, [['key 0', 100], ['new', 5]]);
    const expected = new Map([...totals].filter(([, total]) => total !== 3).map(([key, total]) => [key, key === 'key 0' ? total + 100 : total])).set('new', 5);
    t.same(await collected(next), sorted(expected));
    t.same(await collected(restored), sorted(totals), 'the version before stays readable');
  });

  t.test(`${master}: other numbers of partitions, and migrated values`, async (t) => {
    const { log, totals } = await logged(t, master);
    for (const partitions of [1, 3, 5]) {
      const { ssc } = await program(t, master, 2, partitions);
      const restored = await log.restore(ssc, kind, 3_000, partitions);
      const next = log.next(ssc, kind, restored, [...totals.keys()].map((key) => [key, 7]));
      const parts = await next.collectPartitions();
      t.same(sorted(parts.flat()), sorted([...totals].map(([key, total]) => [key, { total: total + 7 }])), `${partitions} partitions`);
      parts.forEach((part, partition) => t.ok(part.every(([key]) => partitionOf(key, partitions) === partition), 'each key lies where its bucket is'));
      t.same(await collected(restored), sorted([...totals].map(([key, total]) => [key, { total }])));
      const after = log.next(ssc, kind, next, [['new', 1]]);
      t.same(await collected(after), sorted([...totals].map(([key, total]): [string, unknown] => [key, { total: total + 7 }]).concat([['new', { total: 1 }]])));
    }
  });

  t.test(`${master}: received blocks in the log are read as lines and as records`, async (t) => {
    const log = new StateLog(join(t.testdir(), '1.log'));
    const { ssc } = await program(t, master, 1, 2);
    const text = log.block('text', new TextEncoder().encode('one\ntwo\nthrée\n'), 3);
    const again = log.block('text', new TextEncoder().encode('four\n'), 1);
    const rdd = blocksRdd<string>((ssc as { rdds: Parameters<typeof blocksRdd>[0] }).rdds, [[text], [again, text]], 'log');
    t.same(await rdd.collect(), ['one', 'two', 'thrée', 'four', 'one', 'two', 'thrée']);
  });
}

t.test('workers that die before, between and after take nothing of restored state with them', async (t) => {
  const { log, totals } = await logged(t, 'local[2]');
  const { ssc } = await program(t, 'local[2]', 2, 3);
  const killBoth = async (): Promise<void> => {
    for (const index of [0, 1]) await faults(ssc).killThread('worker', index);
  };
  const restored = await log.restore(ssc, kind, 3_000, 3);
  await killBoth();
  t.same(await collected(restored), sorted([...totals].map(([key, total]) => [key, { total }])));
  await killBoth();
  const next = log.next(ssc, kind, restored, batchOf(1));
  t.equal(await next.count(), 40);
  await killBoth();
  const last = log.next(ssc, kind, next, batchOf(2));
  t.same(await collected(last), sorted(batchOf(1).map(([key], index) => [key, { total: (totals.get(key) ?? 0) + 1 + (index % 2 === 0 ? 2 : 0) }])));
});

t.test('a log that was cut is an error that says where, and no shorter state', async (t) => {
  const { log } = await logged(t, 'inline');
  truncateSync(log.file, statSync(log.file).size - 1);
  const { ssc } = await program(t, 'inline', 1, 2);
  const restored = await log.restore(ssc, kind, 3_000, 2);
  await t.rejects(restored.collect(), { code: 'TaskFailed', message: /BlockMissing.*1\.log/ });
});
