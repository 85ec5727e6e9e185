/** Windows: which batches they hold, how they are laid out, what is persisted and remembered for them, what is refused. */
import t from 'tap';
import { StorageLevel } from '../../../lib/rdd/storage-level.ts';
import type { DStream } from '../../../lib/dstream/dstream.ts';
import type { ProgramBuilder } from '../../../lib/program/program-builder.ts';
import type { RddNode } from '../../../protocol/rdd.ts';
import { ProgramRun, builderFor, codeOf, flat } from '../../helpers/program-run.ts';

const numbers = (ssc: ProgramBuilder) => ssc.batchesStream([[1], [2, 2], [3], [], [5], [6]], 1);
const run = (make: (ssc: ProgramBuilder) => DStream<unknown>) => new ProgramRun((ssc) => make(ssc).foreachRDD(() => {}));
const add = (a: number, b: number): number => a + b;
const underKey = (stream: DStream<number>): DStream<[string, number]> => stream.map((x) => ['k', x]);

t.test('a window holds the batches of its length, oldest first, and is partial at the beginning', async (t) => {
  t.same(flat(await run((ssc) => numbers(ssc).window(3_000)).batches(6)), [[1], [1, 2, 2], [1, 2, 2, 3], [2, 2, 3], [3, 5], [5, 6]]);
  t.same(flat(await run((ssc) => numbers(ssc).window(2_000, 2_000)).batches(6)), [null, [1, 2, 2], null, [3], null, [5, 6]], 'there is one at multiples of its slide only');
  t.same(flat(await run((ssc) => numbers(ssc).window(1_000, 3_000)).batches(6)), [null, null, [3], null, null, [6]], 'what lies between two windows is in none');
  t.same(flat(await run((ssc) => numbers(ssc).window(0)).batches(2)), [[], []]);
});

t.test('its partitions are those of the batches one after another', async (t) => {
  const [, second] = await run((ssc) => ssc.batchesStream([[1, 2], [3, 4]], 2).window(2_000)).batches(2);
  t.same(second, [[1], [2], [3], [4]]);
});

t.test('batches of one partitioner are put together partition by partition, and reducing them shuffles nothing', async (t) => {
  const program = run((ssc) => ssc.batchesStream([[1, 2], [3, 4]], 2).map((x) => [x % 2, x]).reduceByKey(add, 3).window(2_000));
  const [, second] = await program.batches(2);
  t.equal(second?.length, 3);
  const windowed = run((ssc) => ssc.batchesStream([[1, 2], [3, 4]], 2).map((x) => [x % 2, x]).reduceByKeyAndWindow(add, 2_000, 1_000, 3));
  await windowed.batch(1_000);
  const jobs = await windowed.builder.graph.generateJobs(2_000 as never, windowed.env);
  const lineage = windowed.builder.rdds.lineage(jobs.map(({ rdd }) => rdd));
  const reading = lineage.filter((node): node is Extract<RddNode, { kind: 'shuffled' }> => node.kind === 'shuffled');
  t.same(reading.map(({ narrow }) => narrow), [false, false, true], 'each batch is shuffled once, the window never');
});

t.test('no batch is computed again for the windows that it is in', async (t) => {
  let calls = 0;
  const counted = (ssc: ProgramBuilder) => numbers(ssc).map((x) => {
    calls += 1;
    return x;
  });
  for (const make of [
    (s: DStream<number>) => s.window(3_000),
    (s: DStream<number>) => underKey(s).reduceByKeyAndWindow(add, 3_000),
    (s: DStream<number>) => underKey(s).groupByKeyAndWindow(3_000),
    (s: DStream<number>) => s.reduceByWindow(add, 3_000, 1_000),
  ]) {
    calls = 0;
    await run((ssc) => make(counted(ssc)) as DStream<unknown>).batches(6);
    t.equal(calls, 6, 'once for each record');
  }
});

t.test('windows over windows, and of streams with another slide', async (t) => {
  t.same(flat(await run((ssc) => numbers(ssc).window(2_000, 2_000).window(4_000)).batches(6)), [null, [1, 2, 2], null, [1, 2, 2, 3], null, [3, 5, 6]]);
  t.same(flat(await run((ssc) => numbers(ssc).window(2_000, 2_000).map((x) => x * 10).count()).batches(4)), [null, [3], null, [1]]);
  t.same(flat(await run((ssc) => {
    const slow = (stream: DStream<number>) => stream.window(2_000, 2_000);
    return slow(numbers(ssc)).union(slow(numbers(ssc).filter((x) => x > 2)));
  }).batches(4)), [null, [1, 2, 2], null, [3, 3]], 'streams of one slide go together, whatever their windows');
});

t.test('a length or a slide that is no multiple of the parent\'s slide is refused at the call, with both numbers', async (t) => {
  const ssc = builderFor();
  const stream = numbers(ssc);
  const pairs = underKey(stream);
  const calls: Record<string, (windowMs: number, slideMs: number) => unknown> = {
    window: (w, s) => stream.window(w, s),
    countByWindow: (w, s) => stream.countByWindow(w, s),
    reduceByWindow: (w, s) => stream.reduceByWindow(add, w, s),
    'reduceByWindow inverse': (w, s) => stream.reduceByWindow(add, add, w, s),
    countByValueAndWindow: (w, s) => stream.countByValueAndWindow(w, s),
    reduceByKeyAndWindow: (w, s) => pairs.reduceByKeyAndWindow(add, w, s),
    'reduceByKeyAndWindow inverse': (w, s) => pairs.reduceByKeyAndWindow(add, add, w, s),
    groupByKeyAndWindow: (w, s) => pairs.groupByKeyAndWindow(w, s),
  };
  const operators = ssc.graph.operators.length;
  for (const [name, call] of Object.entries(calls)) {
    t.equal(await codeOf(() => call(1_500, 1_000)), 'WindowNotMultiple', name);
    t.equal(await codeOf(() => call(2_000, 1_500)), 'WindowNotMultiple', name);
    t.equal(await codeOf(() => call(1_000, 0)), 'InvalidArgument', name);
    t.equal(await codeOf(() => call(-1_000, 1_000)), 'InvalidArgument', name);
  }
  t.equal(ssc.graph.operators.length, operators, 'a refused window leaves nothing in the graph');
  t.throws(() => stream.window(2_000, 2_000).window(3_000, 2_000), { code: 'WindowNotMultiple', message: /length \(3000 ms\).*window \(2000 ms\)/ });
  t.throws(() => stream.window(2_000, 700), { code: 'WindowNotMultiple', message: /slide \(700 ms\).*batchesStream \(1000 ms\)/ });
  t.equal(await codeOf(() => stream.window(2_000, 2_000).union(stream)), 'SlideMismatch');
});

t.test('functions and numbers of partitions are checked', async (t) => {
  const pairs = underKey(numbers(builderFor()));
  t.equal(await codeOf(() => pairs.reduceByKeyAndWindow('add' as never, 1_000)), 'InvalidArgument');
  t.equal(await codeOf(() => pairs.reduceByKeyAndWindow(add, 1_000, 1_000, 0)), 'InvalidArgument');
  t.equal(await codeOf(() => pairs.reduceByKeyAndWindow(add, add, 1_000, 1_000, 2, 'all' as never)), 'InvalidArgument');
  t.equal(await codeOf(() => pairs.reduceByKeyAndWindow(add, undefined as never)), 'InvalidArgument');
});

t.test('a window persists its parent, keeps a level that the user gave, and hands on its own', async (t) => {
  const ssc = builderFor();
  const given = numbers(ssc).map((x) => x).persist(StorageLevel.DISK_ONLY);
  given.window(2_000);
  t.same(given.storageLevel, StorageLevel.DISK_ONLY);
  const parent = numbers(ssc).map((x) => x);
  const window = parent.window(2_000);
  t.same([parent.storageLevel, window.storageLevel], [StorageLevel.MEMORY_ONLY_SER, null]);
  window.persist(StorageLevel.MEMORY_AND_DISK);
  t.same([parent.storageLevel, window.storageLevel], [StorageLevel.MEMORY_AND_DISK, null], 'a window of its own would be a second copy');
});

t.test('records that lie in blocks are not stored a second time, unless the user asks for it', async (t) => {
  const levelsOf = async (make: (ssc: ProgramBuilder) => DStream<unknown>) => {
    const program = run(make);
    await program.batch(1_000);
    return program.builder.rdds.lineage(program.builder.graph.held()).filter(({ kind }) => kind === 'source').map(({ storage }) => storage);
  };
  t.same(await levelsOf((ssc) => numbers(ssc).window(2_000)), [null]);
  t.same(await levelsOf((ssc) => numbers(ssc).cache().window(2_000)), [StorageLevel.MEMORY_ONLY_SER]);
});

t.test('parents are remembered for as long as the windows need them', async (t) => {
  const program = run((ssc) => numbers(ssc).window(3_000).window(4_000, 2_000));
  const [input, inner, outer] = program.builder.graph.operators;
  t.same([outer?.rememberMs, inner?.rememberMs, input?.rememberMs], [2_000, 6_000, 9_000]);
  await program.batches(12);
  const kept = program.keptRdds;
  for (let batch = 13; batch <= 60; batch += 1) await program.batch(batch * 1_000);
  t.ok(program.keptRdds <= kept + 2, `${program.keptRdds} RDDs after 60 batches, ${kept} after 12`);
});

t.test('remember lets slice reach further back', async (t) => {
  let computed = 0;
  const make = (rememberMs: number | null) => new ProgramRun((ssc) => {
    if (rememberMs !== null) ssc.remember(rememberMs);
    numbers(ssc).transform((rdd) => {
      computed += 1;
      return rdd;
    }).uid('seen').foreachRDD(() => {});
  });
  for (const [rememberMs, again] of [[null, 3], [10_000, 0]] as const) {
    const program = make(rememberMs);
    await program.batches(4);
    computed = 0;
    t.same(await program.slice('seen', 1_000, 4_500), [[1], [2, 2], [3], []]);
    t.equal(computed, again, rememberMs === null ? 'what is forgotten is made again' : 'all is remembered');
  }
});
