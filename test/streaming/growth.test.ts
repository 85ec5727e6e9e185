/**
 * Nothing grows with the number of batches: what is held, known, remembered and written is the same after 500 batches and after
 * 3,000, for a program that uses all that leaves something behind.
 */
import { existsSync, readdirSync } from 'node:fs';
import t from 'tap';
import { startTest } from '../../lib/testing.ts';
import { StorageLevel } from '../../lib/rdd/storage-level.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { asBatchTime } from '../../protocol/time.ts';
import { ProgramRun } from '../helpers/program-run.ts';

const early = 500;
const late = 3_000;

t.test('3,000 batches leave no more behind than 500', async (t) => {
  const test = await startTest(
    (ssc: StreamingContext) => {
      ssc.remember(5_000);
      const pushed = ssc.queue<[string, number]>();
      const factor = ssc.sc.broadcast(1);
      const seen = ssc.sc.accumulator(0);
      const table = ssc.sc.parallelize([['a', 'A'], ['b', 'B']] as [string, string][], 2).mapValues((name) => `${name}!`).persist(StorageLevel.MEMORY_AND_DISK_SER);
      const counts = ssc
        .queueStream(pushed)
        .map(([word, count]) => {
          seen.add(1);
          return [word, count * factor.value] as [string, number];
        })
        .reduceByKey((a, b) => a + b, 2)
        .persist(StorageLevel.MEMORY_AND_DISK_SER);
      const named = counts.transform((rdd, time) => rdd.join(table).mapValues(([count, name]) => `${name} ${count} ${Number(time)}`).sortByKey());
      const paired = counts.join(counts.mapValues((count) => -count)).mapValues(([count, other]) => count + other);
      counts.mapValues((count) => [count]).persist(StorageLevel.DISK_ONLY).count().foreach(() => {});
      counts.foreachRDD(async (rdd) => {
        const kept = rdd.mapValues((count) => count + 1).persist(StorageLevel.MEMORY_ONLY_SER);
        await kept.count();
        await kept.collect();
        if ((await rdd.count()) === 3) kept.unpersist();
      });
      return { pushed, factor, seen, named: named.publish({ bound: 4_000 }), paired: paired.publish({ bound: 1, mode: 'latest' }) };
    },
    { advanceTimeoutMs: 60_000 },
  );
  t.teardown(() => test.stop());
  const { sparkContext } = test.ssc;
  const { options, built, local } = sparkContext.internals;
  const counts = async () => {
    const { liveHandles, scopes, heldHandles, usedBytes } = await sparkContext.blockStats();
    const { rdds } = built.values().next().value ?? t.fail('an inline program is built here') as never;
    return {
      usedBytes,
      exact: {
        liveHandles, scopes, heldHandles,
        ...(await sparkContext.storageStats()),
        nodes: rdds.made.length,
        functions: local?.size,
        files: existsSync(options.scratchDirectory) ? readdirSync(options.scratchDirectory).length : 0,
      },
    };
  };
  const run = async (upTo: number, from: number): Promise<Awaited<ReturnType<typeof counts>>> => {
    for (let batch = from; batch < upTo; batch += 1) {
      await test.exports.pushed.push([['a', 1], ['b', 2], ['c', 3]]);
      await test.exports.factor.set(1 + (batch % 7));
      await test.advance(1);
    }
    return counts();
  };
  const after = { early: await run(early, 0), late: await run(late, early) };
  t.ok(after.early.exact.nodes > 0 && after.early.exact.files > 0 && after.early.exact.persistedPartitions > 0, 'something is held at all', after.early);
  // Of the same number of partitions, each as large as its numbers have digits.
  const { memoryBytes: earlyBytes, diskBytes: earlyDisk, ...earlyCounts } = after.early.exact;
  const { memoryBytes, diskBytes, ...lateCounts } = after.late.exact;
  t.same(lateCounts, earlyCounts);
  t.ok(memoryBytes < earlyBytes * 1.5 && diskBytes < earlyDisk * 1.5, 'bytes of what is persisted', { earlyBytes, memoryBytes, earlyDisk, diskBytes });
  t.ok(after.late.usedBytes <= after.early.usedBytes + options.slabBytes, 'bytes of the pool', { early: after.early.usedBytes, late: after.late.usedBytes });
  t.equal(test.exports.seen.value, 3 * late, 'and every record was counted');
  t.same(test.output(test.exports.named).at(-1)?.records, [['a', `A! ${1 + ((late - 1) % 7)} ${late * 1_000}`], ['b', `B! ${2 * (1 + ((late - 1) % 7))} ${late * 1_000}`]]);
});

t.test('recorded transform calls, and what a worker replays of them, are forgotten with their batches', async (t) => {
  const run = new ProgramRun(
    (ssc) => {
      ssc.remember(3_000);
      const table = ssc.sc.parallelize([[1, 'one'], [3, 'three']] as [number, string][], 2);
      ssc
        .batchesStream(Array.from({ length: late }, () => [1, 2, 3]), 1)
        .transform((rdd, time) => rdd.map((n) => [n, Number(time)] as [number, number]).join(table).mapValues(([at, name]) => `${name} ${at}`))
        .persist(StorageLevel.MEMORY_ONLY)
        .foreachRDD(() => {});
    },
    { threads: true },
  );
  const counts = () => ({ nodes: run.builder.rdds.made.length, calls: run.builder.rdds.recordedCalls, replayed: run.replays.size, remembered: run.builder.graph.remembered().length });
  let after: ReturnType<typeof counts> | null = null;
  for (let batch = 1; batch <= late; batch += 1) {
    await run.batch(asBatchTime(batch * 1_000));
    if (batch === early) after = counts();
  }
  t.ok(after !== null && after.calls > 0 && after.nodes > 0, 'something is kept at all', { after });
  t.same(counts(), after);
});
