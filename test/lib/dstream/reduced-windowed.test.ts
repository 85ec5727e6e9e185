/** Incremental windows: against plain ones, and where they differ by intent. */
import t from 'tap';
import fc from 'fast-check';
import { StorageLevel } from '../../../lib/rdd/storage-level.ts';
import type { DStream } from '../../../lib/dstream/dstream.ts';
import type { ProgramBuilder } from '../../../lib/program/program-builder.ts';
import { MillraceError } from '../../../protocol/errors.ts';
import type { RddNode } from '../../../protocol/rdd.ts';
import { ProgramRun, codeOf, flat } from '../../helpers/program-run.ts';

type Pair = [string, number];
const add = (a: number, b: number): number => a + b;
const subtract = (a: number, b: number): number => a - b;

/** Runs with a checkpoint directory; each batch's pairs sorted by key. */
async function pairsOf(batches: readonly Pair[][], count: number, make: (pairs: DStream<Pair>) => DStream<Pair>): Promise<(Pair[] | null)[]> {
  const program = incremental((ssc) => make(ssc.batchesStream<Pair>(batches, 2)));
  return flat(await program.batches(count)).map((records) => (records as Pair[] | null)?.sort(([a], [b]) => (a < b ? -1 : 1)) ?? null);
}

function incremental(make: (ssc: ProgramBuilder) => DStream<unknown>): ProgramRun {
  return new ProgramRun((ssc) => {
    ssc.checkpoint('somewhere');
    make(ssc).foreachRDD(() => {});
  });
}

t.test('a key stays with the value of nothing, until the filter drops it', async (t) => {
  const batches: Pair[][] = [[['a', 1], ['b', 2]], [['a', 3]], []];
  t.same(await pairsOf(batches, 5, (pairs) => pairs.reduceByKeyAndWindow(add, subtract, 2_000, 1_000)), [
    [['a', 1], ['b', 2]], [['a', 4], ['b', 2]], [['a', 3], ['b', 0]], [['a', 0], ['b', 0]], [['a', 0], ['b', 0]],
  ]);
  t.same(await pairsOf(batches, 5, (pairs) => pairs.reduceByKeyAndWindow(add, subtract, 2_000, 1_000, 3, ([, n]) => n !== 0)), [
    [['a', 1], ['b', 2]], [['a', 4], ['b', 2]], [['a', 3]], [], [],
  ]);
});

t.test('it gives what the plain form gives, keys without records aside', async (t) => {
  const batches = fc.array(fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.integer({ min: 1, max: 9 })), { maxLength: 6 }), { minLength: 1, maxLength: 9 });
  await fc.assert(
    fc.asyncProperty(batches, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3 }), async (input, length, slide, partitions) => {
      const count = input.length + 3;
      const [windowMs, slideMs] = [length * 1_000, slide * 1_000];
      const plain = await pairsOf(input, count, (pairs) => pairs.reduceByKeyAndWindow(add, windowMs, slideMs, partitions));
      const inverse = await pairsOf(input, count, (pairs) => pairs.reduceByKeyAndWindow(add, subtract, windowMs, slideMs, partitions, ([, n]) => n !== 0));
      t.same(inverse, plain);
    }),
    { numRuns: 60, seed: 4 },
  );
});

t.test('where the slide is longer than the window, batches that lie in no window are not counted', async (t) => {
  const batches: Pair[][] = [[['a', 100]], [['a', 1]], [['a', 2]], [['a', 100]], [['b', 5]], []];
  t.same(await pairsOf(batches, 9, (pairs) => pairs.reduceByKeyAndWindow(add, subtract, 2_000, 3_000)), [null, null, [['a', 3]], null, null, [['b', 5]], null, null, []]);
  const records = flat(await incremental((ssc) => ssc.batchesStream([['x'], ['x', 'y'], [], ['x']], 2).countByWindow(1_000, 2_000)).batches(6));
  t.same(records, [null, [2], null, [1], null, [0]]);
});

t.test('countByWindow says nothing until the first record has come, and 0 for an empty window after it', async (t) => {
  t.same(flat(await incremental((ssc) => ssc.batchesStream([[], ['x', 'y'], ['z']]).countByWindow(2_000, 1_000)).batches(6)), [[], [2], [3], [1], [0], [0]]);
});

t.test('reduceByWindow and countByValueAndWindow', async (t) => {
  t.same(flat(await incremental((ssc) => ssc.batchesStream([[1], [2], [3]]).reduceByWindow(add, subtract, 2_000, 1_000)).batches(5)), [[1], [3], [5], [3], [0]]);
  const counts = flat(await incremental((ssc) => ssc.batchesStream([['x', 'y'], ['x'], []]).countByValueAndWindow(2_000, 1_000)).batches(4));
  t.same(counts.map((batch) => new Map(batch as Pair[])), [new Map([['x', 1], ['y', 1]]), new Map([['x', 2], ['y', 1]]), new Map([['x', 1]]), new Map()]);
});

t.test('a filter that drops a key which is still in the window fails the job', async (t) => {
  const program = incremental((ssc) => ssc.batchesStream<Pair>([[['a', 1], ['b', 1]]]).reduceByKeyAndWindow(add, subtract, 2_000, 1_000, 1, ([key]) => key !== 'b'));
  await program.batches(2);
  const thrown = await program.batch(3_000).catch((error: unknown) => error) as MillraceError;
  const codes: string[] = [];
  for (let error: unknown = thrown; error instanceof MillraceError; error = error.cause) codes.push(error.code);
  t.ok(codes.includes('InverseWindowInconsistent'), codes.join(' <- '));
});

t.test('only batches are shuffled, each once', async (t) => {
  const program = incremental((ssc) => ssc.batchesStream<Pair>([[['a', 1]], [['b', 1]]]).reduceByKeyAndWindow(add, subtract, 4_000, 2_000));
  await program.batches(7);
  const jobs = await program.builder.graph.generateJobs(8_000 as never, program.env);
  const lineage = program.builder.rdds.lineage(jobs.map(({ rdd }) => rdd));
  t.ok(lineage.some(({ kind }) => kind === 'coGrouped'));
  const shuffles = lineage.flatMap((node: RddNode) => (node.kind === 'coGrouped' ? node.shuffles.filter((shuffle) => shuffle !== null) : node.kind === 'shuffled' && !node.narrow ? [node.shuffle] : []));
  t.equal(shuffles.length, 8, 'one for each batch');
});

t.test('it and its batches are persisted, at the level that is given', async (t) => {
  const program = new ProgramRun((ssc) => {
    ssc.checkpoint('somewhere');
    ssc.batchesStream<Pair>([]).reduceByKeyAndWindow(add, subtract, 2_000).print();
    ssc.batchesStream<Pair>([]).reduceByKeyAndWindow(add, subtract, 2_000).persist(StorageLevel.DISK_ONLY).print();
  });
  const levels = program.builder.graph.operators.map(({ kind, storageLevel }) => [kind, storageLevel]);
  t.same(levels, [
    ['batchesStream', null], ['reduceByKey', StorageLevel.MEMORY_ONLY_SER], ['reduceByKeyAndWindow', StorageLevel.MEMORY_ONLY_SER],
    ['batchesStream', null], ['reduceByKey', StorageLevel.DISK_ONLY], ['reduceByKeyAndWindow', StorageLevel.DISK_ONLY],
  ]);
});

t.test('it needs a checkpoint directory, where an output depends on it', async (t) => {
  const make = (ssc: ProgramBuilder) => ssc.batchesStream<Pair>([]).reduceByKeyAndWindow(add, subtract, 2_000);
  t.equal(await codeOf(() => new ProgramRun((ssc) => make(ssc).print())), 'CheckpointDirectoryMissing');
  t.equal(await codeOf(() => new ProgramRun((ssc) => void (make(ssc), ssc.batchesStream([]).print()))), 'none');
  t.equal(await codeOf(() => new ProgramRun((ssc) => ssc.batchesStream<Pair>([]).reduceByKeyAndWindow(add, 2_000).print())), 'none', 'the plain form needs none');
});
