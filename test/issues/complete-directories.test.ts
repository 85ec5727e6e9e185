/**
 * Bug: nothing told a reader whether an output directory had all of its parts.
 * Conditions: saveAsTextFiles and saveAsTextFile; each part appears as a whole, one after another.
 * Plan: save by both, on the real file system, and look for `_SUCCESS`; a directory whose job failed has none, nor has one that
 * is being written anew.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

/**
 * Bug: saveAsTextFiles and saveAsObjectFiles wrote into a directory that an earlier run had left, `_SUCCESS` and further parts included.
 * Conditions: the same program started again with the same times; it has fewer partitions now, or its job fails.
 * Plan: leave such directories, run once more, and look while parts are being written, after a success and after a failure.
 */
t.test('a directory of an earlier run is written anew: it is not complete meanwhile, and holds no part of that run', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-anew-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['text-1000', 'text-2000', 'objects-1000', 'objects-2000']) {
    mkdirSync(join(folder, name));
    for (const file of ['_SUCCESS', 'part-00000', 'part-00001', 'part-00002', 'notes']) writeFileSync(join(folder, name, file), 'old');
  }
  const meanwhile: string[][] = [];
  const test = await startTest(
    (ssc: StreamingContext) => {
      const numbers = ssc.batchesStream([[1, 2], [3, 4]], 2);
      for (const name of ['text', 'objects'] as const) {
        const looking = numbers.map((n) => {
          if (n % 2 === 1) meanwhile.push(readdirSync(join(folder, `${name}-${n < 3 ? 1_000 : 2_000}`)));
          if (n === 3) throw new Error('no three');
          return n;
        });
        if (name === 'text') looking.saveAsTextFiles(join(folder, name));
        else looking.saveAsObjectFiles(join(folder, name));
      }
    },
    { onBatchFailure: 'skip', taskFailuresMax: 1 },
  );
  await test.advance(2);
  for (const name of ['text', 'objects']) {
    t.same(readdirSync(join(folder, `${name}-1000`)).sort(), ['_SUCCESS', 'notes', 'part-00000', 'part-00001'], name);
    t.notOk(existsSync(join(folder, `${name}-2000`, '_SUCCESS')), name);
  }
  t.equal(readFileSync(join(folder, 'text-1000', 'part-00000'), 'utf8'), '1\n');
  t.same(meanwhile, [['notes'], ['notes'], ['notes'], ['notes']]);
  await test.stop();
});

t.test('where the directory can\'t be made the output fails with the reason', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-no-directory-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'out-1000'), 'a file');
  const test = await startTest((ssc: StreamingContext) => ssc.batchesStream([[1]]).saveAsTextFiles(join(folder, 'out')), { onBatchFailure: 'skip' });
  await test.advance(1);
  t.match(test.batches.flatMap(({ outputs }) => outputs.map(({ error }) => error)), [{ code: 'FileFailed', message: /output directory .*out-1000/ }]);
  await test.stop();
});
