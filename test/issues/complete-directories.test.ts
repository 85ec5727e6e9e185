/**
 * Bug: nothing told a reader whether an output directory had all of its parts.
 * Conditions: saveAsTextFiles and saveAsTextFile; each part appears as a whole, one after another.
 * Plan: save by both, on the real file system, and look for `_SUCCESS`; a directory whose job failed has none, nor has one that
 * is being written anew.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { startTest } from '../../lib/testing.ts';

t.test('a directory that is complete says so, and no other', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-complete-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const marked: boolean[] = [];
  const test = await startTest(
    (ssc: StreamingContext) => {
      const { sc } = ssc;
      const isComplete = (): void => void marked.push(existsSync(join(folder, 'x', '_SUCCESS')));
      const fails = ssc.task((n: number): number => {
        throw new Error(`no ${n}`);
      });
      const numbers = ssc.batchesStream([[1, 2], [3, 4]], 2);
      numbers.map((n) => {
        if (n === 4) throw new Error('no four');
        return n;
      }).saveAsTextFiles(join(folder, 'out'));
      numbers.foreachRDD(async () => {
        const parts = sc.parallelize(['a', 'b'], 2);
        await parts.saveAsTextFile(join(folder, 'x'), { overwrite: true });
        isComplete();
        const failing = sc.parallelize([1, 2], 2).map(fails);
        await failing.saveAsTextFile(join(folder, 'x'), { overwrite: true }).catch(isComplete);
      });
    },
    { onBatchFailure: 'skip' },
  );
  await test.advance(2);
  t.same(readdirSync(join(folder, 'out-1000')).sort(), ['_SUCCESS', 'part-00000', 'part-00001']);
  t.same(readdirSync(join(folder, 'out-2000')), ['part-00000']);
  t.same(marked, [true, false, true, false]);
  await test.stop();
});
