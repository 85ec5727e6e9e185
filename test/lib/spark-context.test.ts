/** The cluster as the app sees it: what persisted data does to disk, what `unref` does to the process, what ids are. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { SparkContext } from '../../lib/spark-context.ts';
import { StreamingContext } from '../../lib/streaming-context.ts';
import { StorageLevel } from '../../lib/rdd/storage-level.ts';

const levels = ['MEMORY_ONLY', 'DISK_ONLY', 'MEMORY_AND_DISK', 'MEMORY_ONLY_SER', 'OFF_HEAP'] as const;

for (const level of levels) {
  t.test(`a stream persisted as ${level} is computed once for two outputs, and leaves no file`, async (t) => {
    let calls = 0;
    let files: string[] = [];
    const seen: unknown[] = [];
    const ssc = new StreamingContext({ master: 'inline', batchInterval: 1_000, clock: 'manual', defaultParallelism: 2, allowMultipleContexts: true });
    const scratch = ssc.sparkContext.internals.options.scratchDirectory;
    const stream = ssc
      .batchesStream([['a', 'b', 'c'], ['d']], 2)
      .map((record) => {
        calls += 1;
        return record.toUpperCase();
      })
      .persist(StorageLevel[level]);
    stream.foreachRDD(async (rdd) => void seen.push(await rdd.collect()));
    stream.foreachRDD(async (rdd) => {
      files = existsSync(scratch) ? readdirSync(scratch) : [];
      seen.push(await rdd.count());
    });
    await ssc.start();
    await ssc.clock.advance(2);
    t.same(seen, [['A', 'B', 'C'], 3, ['D'], 1]);
    t.equal(calls, 4, 'each record was computed once');
    t.equal(files.length > 0, level === 'DISK_ONLY', 'files are written only where the level says disk');
    await ssc.stop();
    t.notOk(existsSync(scratch), 'the scratch directory goes with the cluster');
  });
}

t.test('a memory-and-disk level goes to disk where the pool is full, and the results are right', async (t) => {
  const ssc = new StreamingContext({
    master: 'inline',
    batchInterval: 1_000,
    clock: 'manual',
    defaultParallelism: 2,
    allowMultipleContexts: true,
    slabBytes: 65_536,
    recordBytesMax: 1_024,
    blockMemoryBytesMax: 1_048_576,
  });
  // 2 MB a partition: more than the pool holds.
  const big = ssc.batchesStream([[1, 2]], 2).flatMap((n) => Array.from({ length: 20_000 }, (_, index) => `${n}-${index}-${'x'.repeat(100)}`)).persist(StorageLevel.MEMORY_AND_DISK);
  const counts: number[] = [];
  big.foreachRDD(async (rdd) => void counts.push(await rdd.count()));
  big.foreachRDD(async (rdd) => void counts.push(await rdd.filter((text) => text.startsWith('2-')).count()));
  await ssc.start();
  await ssc.clock.advance(1);
  t.same(counts, [40_000, 20_000]);
  await ssc.stop();
});

t.test('ids come from where the options say', async (t) => {
  const sc = new SparkContext({ master: 'inline', ids: () => 'one' });
  t.equal(sc.applicationId, 'local-one');
  await sc.stop();
  const other = new SparkContext({ master: 'inline' });
  t.match(other.applicationId, /^local-.{21}$/);
  await other.stop();
});

t.test('unref lets the process end although the context is active', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-unref-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, 'program.mjs');
  const main = join(folder, 'main.mjs');
  const library = new URL('../../lib/index.js', import.meta.url).href;
  writeFileSync(program, 'export default function program(ssc) { ssc.batchesStream([]).foreach(() => {}); }\n');
  writeFileSync(
    main,
    `import { StreamingContext } from ${JSON.stringify(library)};
     const ssc = await StreamingContext.create(${JSON.stringify(pathToFileURL(program).href)}, { master: 'local[1]', batchInterval: 50 });
     await ssc.start();
     ssc.unref();
     process.stdout.write(ssc.getState());\n`,
  );
  const child = spawn(process.execPath, [main], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const code = await new Promise((resolve) => child.once('close', resolve));
  t.equal(out, 'ACTIVE');
  t.equal(code, 0);
});
