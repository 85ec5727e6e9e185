/**
 * Persisted data larger than shared memory, on real threads: what does not fit makes room, by least recent use, and every
 * batch is right.
 */
import { existsSync, readdirSync } from 'node:fs';
import t from 'tap';
import type moreThanMemory from '../fixtures/more-than-memory.ts';
import { textOf } from '../fixtures/more-than-memory.ts';
import type { MoreThanMemoryArgs } from '../fixtures/more-than-memory.ts';
import { started } from '../helpers/running.ts';

const small = { slabBytes: 65_536, blockMemoryBytesMax: 2_097_152, recordBytesMax: 1_024 };
const batches = 36;
/** 160 KB a table, 2.5 MB together. */
const tables = 16;
const records = 400;
/** 0.8 MB in one shuffle, 16 slabs or more. */
const bigAt = 12_000;

function expected(batch: number, of = tables): [string, [number, number]][] {
  const table = batch % of;
  const lengths = [0, 1, 2, 3].flatMap((part) => Array.from({ length: records }, (_, index) => textOf(table, part, index).length));
  return [[String(table), [lengths.length, lengths.reduce((sum, length) => sum + length, 0)]]];
}

for (const level of ['MEMORY_AND_DISK_SER', 'MEMORY_ONLY', 'OFF_HEAP'] as const) {
  t.test(`tables of ${level} that are larger than the pool together give right results, and make room for a shuffle that finds none`, async (t) => {
    const args: MoreThanMemoryArgs = { level, tables, records, bigAt };
    const ssc = await started<typeof moreThanMemory>(t, 'more-than-memory', { args, clock: 'manual', batchInterval: 1_000, defaultParallelism: 2, taskFailuresMax: 1, ...small });
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const { records: sums } of ssc.exports.sums) seen.push(sums);
    })();
    await ssc.clock.advance(batches);
    const stats = await ssc.sparkContext.storageStats();
    const scratch = ssc.sparkContext.internals.options.scratchDirectory;
    const files = existsSync(scratch) ? readdirSync(scratch).length : 0;
    if (level === 'MEMORY_ONLY') {
      t.ok(stats.dropped > 0, 'partitions were dropped', stats);
      t.same([stats.diskBytes, files], [0, 0], 'and nothing was written to the disk');
    } else {
      t.equal(stats.persistedPartitions, 4 * tables, 'every partition is still held');
      t.ok(stats.spilled > 0, 'some were moved', stats);
      t.ok(stats.diskBytes > 0 && files > 0 && files <= 4 * tables, 'to the disk, each once', { stats, files });
      t.equal(stats.dropped, 0);
    }
    t.ok(stats.memoryWaits > 0, 'the shuffle\'s task had to wait for memory, which counted as no failure', stats);
    t.ok(stats.memoryBytes > 0, 'those used last lie in memory');
    await ssc.stop();
    await reading;
    t.same(seen, Array.from({ length: batches }, (_, index) => expected(index + 1)));
    t.notOk(existsSync(scratch), 'the files go with the cluster');
  });
}

for (const [level, isSmaller] of [['MEMORY_ONLY_SER', true], ['DISK_ONLY', true], ['MEMORY_AND_DISK', false]] as const) {
  t.test(`with storageCompression, partitions of ${level} ${isSmaller ? 'take a fraction of the room' : 'lie as they are, since the level is not serialized'}, and read as before`, async (t) => {
    const args: MoreThanMemoryArgs = { level, tables: 4, records };
    const ssc = await started<typeof moreThanMemory>(t, 'more-than-memory', { args, clock: 'manual', batchInterval: 1_000, defaultParallelism: 2, storageCompression: 'deflate', ...small });
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const { records: sums } of ssc.exports.sums) seen.push(sums);
    })();
    await ssc.clock.advance(8);
    const { memoryBytes, diskBytes, persistedPartitions } = await ssc.sparkContext.storageStats();
    t.equal(persistedPartitions, 16);
    t.equal(memoryBytes > 0, level !== 'DISK_ONLY');
    t.equal(memoryBytes + diskBytes < 4 * 4 * records * 50, isSmaller, `${memoryBytes + diskBytes} bytes for ${4 * 4 * records} texts of 95`);
    await ssc.stop();
    await reading;
    t.same(seen, Array.from({ length: 8 }, (_, index) => expected(index + 1, 4)));
  });
}
