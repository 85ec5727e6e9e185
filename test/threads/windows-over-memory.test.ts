/**
 * Bug: a job held the blocks of every source in its lineage fast, also of those behind persisted partitions that were there; what it let go was
 * not looked at; and neither a push nor the driver's sources asked for room as tasks do. Conditions: what a window needs (its sources and what is
 * persisted of them) is larger than shared memory. Then a push was refused for good, or the batch failed, with most of the pool evictable.
 * Plan: such windows at every storage level, with and without compression; pushes that nobody waits for one by one; all batches at once.
 */
import t from 'tap';
import type windowsOverMemory from '../fixtures/windows-over-memory.ts';
import { expectedOf, textsOf } from '../fixtures/windows-over-memory.ts';
import type { WindowsOverMemoryArgs } from '../fixtures/windows-over-memory.ts';
import { StorageLevel } from '../../lib/rdd/storage-level.ts';
import type { PublishedStream } from '../../lib/dstream/published-stream.ts';
import type { StorageStats } from '../../protocol/job.ts';
import { Run } from '../helpers/going-on.ts';
import type { Outputs } from '../helpers/going-on.ts';
import { fixture, silent, started } from '../helpers/running.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { SparkContext } from '../../lib/spark-context.ts';

/** Two streams of 125 KB a batch: 2 MB in a window of 8, and their sources as much. */
const load = { records: 125, batches: 11, window: 8 };
const small = { slabBytes: 65_536, blockMemoryBytesMax: 2_097_152, recordBytesMax: 4_096 };
const large = { ...small, blockMemoryBytesMax: 33_554_432 };

type Test = Parameters<typeof started>[0];

interface Outcome {
  readonly pushed: readonly (readonly [number, number][])[];
  readonly replayed: readonly (readonly [number, number][])[];
  readonly stats: StorageStats;
}

async function run(t: Test, level: WindowsOverMemoryArgs['level'], on: typeof small | { readonly sparkContext: SparkContext }, how: 'oneByOne' | 'atOnce' = 'oneByOne'): Promise<Outcome> {
  const args: WindowsOverMemoryArgs = { level, ...load };
  const ssc = await started<typeof windowsOverMemory>(t, 'windows-over-memory', { args, clock: 'manual', batchInterval: 1_000, defaultParallelism: 2, ...on });
  const { queue } = ssc.exports;
  const reading = [read(ssc.exports.pushed), read(ssc.exports.replayed)] as const;
  if (how === 'atOnce') {
    await Promise.all(Array.from({ length: load.batches }, (_, index) => queue.push(textsOf(index + 1, load.records))));
    await ssc.clock.advance(load.batches);
  } else {
    for (let batch = 1; batch <= load.batches; batch += 1) {
      await queue.push(textsOf(batch, load.records));
      await ssc.clock.advance(1);
    }
  }
  const stats = await ssc.sparkContext.storageStats();
  await ssc.stop({ stopSparkContext: !('sparkContext' in on) });
  const [pushed, replayed] = await Promise.all(reading);
  return { pushed, replayed, stats };
}

async function read(stream: PublishedStream<[number, number]>): Promise<[number, number][][]> {
  const seen: [number, number][][] = [];
  for await (const { records } of stream) seen.push([...records].sort(([a], [b]) => a - b));
  return seen;
}

const expected = Array.from({ length: load.batches }, (_, index) => expectedOf(index + 1, load));
const levels = [null, ...(Object.keys(StorageLevel) as (keyof typeof StorageLevel)[])];

/** Where compression is for: partitions that are stored serialized. */
function isSerialized(level: WindowsOverMemoryArgs['level']): boolean {
  return level === null || (level !== 'NONE' && !StorageLevel[level]!.deserialized);
}

t.test('windows larger than shared memory give at every level, stored as it is or deflated, what they give with a pool that holds them', async (t) => {
  const { pushed, replayed, stats } = await run(t, 'MEMORY_AND_DISK', large);
  t.same([pushed, replayed], [expected, expected]);
  t.same([stats.spilled, stats.dropped, stats.sourceBlocksOnDisk], [0, 0, 0], 'with that pool nothing has to go');
  for (const storageCompression of ['none', 'deflate'] as const) {
    const sparkContext = new SparkContext({ master: 'local[2]', defaultParallelism: 2, logger: silent, storageCompression, ...small });
    t.after(() => sparkContext.stop());
    for (const level of levels.filter((each) => storageCompression === 'none' || isSerialized(each))) {
      const outcome = await run(t, level, { sparkContext });
      t.same([outcome.pushed, outcome.replayed], [pushed, replayed], `${level}, ${storageCompression}`);
      t.ok(outcome.stats.sourceBlocksOnDisk > 0, `${level}, ${storageCompression}: sources went to the disk`, outcome.stats);
      t.match(await sparkContext.storageStats(), { evictable: 0, sourceBlocksOnDisk: 0, persistedPartitions: 0 }, 'and nothing is left of the program');
    }
  }
});

t.test('pushes that come at once, larger together than shared memory, find room, and so do the sources of batches that are far behind', async (t) => {
  for (const level of ['MEMORY_AND_DISK', 'MEMORY_ONLY'] as const) {
    const { pushed, replayed, stats } = await run(t, level, small, 'atOnce');
    t.same([pushed, replayed], [expected, expected], level);
    t.ok(stats.sourceBlocksOnDisk > 0 && stats.memoryWaits > 0, 'some had to wait for it', stats);
  }
});

t.test('what is larger than the whole pool is refused with its size, nothing of it stays, and the stream goes on', async (t) => {
  const ssc = await started<typeof windowsOverMemory>(t, 'windows-over-memory', { args: { level: 'MEMORY_AND_DISK', ...load }, clock: 'manual', batchInterval: 1_000, defaultParallelism: 2, ...small });
  const reading = read(ssc.exports.pushed);
  await ssc.exports.queue.push(textsOf(1, load.records));
  await t.rejects(ssc.exports.queue.push(textsOf(7, 3_000)), { code: 'BlockMemoryExhausted', details: { blockMemoryBytesMax: small.blockMemoryBytesMax } });
  await ssc.exports.queue.push(textsOf(2, load.records));
  await ssc.clock.advance(3);
  await ssc.stop();
  t.same(await reading, [expected[0], expected[1], expected[1]]);
});

t.test('a program whose queue, and what its window needs, are larger than shared memory goes on from its log', async (t) => {
  const directory = temporaryDirectory();
  const outputs: Outputs = new Map();
  const options = { master: 'local[2]', ...small } as const;
  const first = await Run.begin<typeof windowsOverMemory>(t, directory, fixture('windows-over-memory'), outputs, { ...options, args: { level: 'MEMORY_AND_DISK', ...load } });
  for (let batch = 1; batch <= load.batches; batch += 1) await first.exports.queue.push(textsOf(batch, load.records));
  await first.advance(3);
  await first.stop();
  const second = await Run.begin<typeof windowsOverMemory>(t, directory, null, outputs, options);
  await second.advance(load.batches - 3);
  await second.stop();
  for (const name of ['pushed', 'replayed']) {
    const seen = [...outputs.get(name)!].map(([time, texts]) => [time, texts.map((text) => (JSON.parse(text) as [number, number][]).sort(([a], [b]) => a - b))]);
    t.same(seen, expected.map((sums, index) => [1_000 * (index + 1), [sums]]), name);
  }
});
