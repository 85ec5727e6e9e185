import t from 'tap';
import { ownCases } from '../conformance/own-cases.ts';
import { differenceOf } from '../conformance/compare.ts';
import type { ObservedCall } from '../conformance/compare.ts';
import type { ConformanceCase } from '../conformance/case.ts';
import { runSequentially } from './sequential.ts';
import { NoRdd } from './sequential-stream.ts';
import { SequentialRdd, defaultOptions } from './sequential-rdd.ts';

const bare: ConformanceCase = { name: 'x', batchMs: 1000, inputs: [{ id: 'a', batches: [[1, 2, 3]], numPartitions: 2 }], graph: [], output: 'a', collect: 'multiset', batchesToRun: 2 };

t.test('the model gives what our own cases expect', async (t) => {
  const modelled = ownCases().filter((one) => one.collect !== 'print' && one.collect !== 'textFiles' && one.expectedError?.when !== 'build');
  t.ok(modelled.length >= 10, 'most cases are of kinds that the model knows');
  for (const one of modelled) {
    const run = await runSequentially(one);
    const calls = run.batches.flatMap((rdd, batch): ObservedCall[] => (rdd === null ? [] : [{ timeMs: (batch + 1) * one.batchMs, partitions: rdd.partitions }]));
    t.equal(differenceOf(one, { calls, ...(run.slice === null ? {} : { slice: run.slice.map((rdd) => rdd.records) }) }), null, one.name);
    t.equal(run.error?.atMs ?? null, one.expectedError?.atMs ?? null, `${one.name}: failure`);
  }
});

t.test('a wrong graph is refused when it is built', async (t) => {
  await t.rejects(runSequentially({ ...bare, graph: [{ id: 's', op: 'unionAll', of: [] }], output: 's' }), /at least one stream/);
  await t.rejects(runSequentially({ ...bare, output: 'zz' }), /Expected a stream named 'zz'/);
  await t.rejects(runSequentially({ ...bare, graph: [{ id: 's', op: 'glue', of: ['a'] }], output: 's' }), /operation glue is not modelled/);
});

t.test('an operation that needs an RDD fails its batch, and the run ends there', async (t) => {
  const run = await runSequentially({
    ...bare, inputs: [{ id: 'a', batches: [[1], null, [2]], numPartitions: 1 }], graph: [{ id: 's', op: 'union', of: ['a', 'a'] }], output: 's', batchesToRun: 3,
  });
  t.equal(run.batches.length, 1);
  t.equal(run.error?.atMs, 2000);
  t.type(run.error?.cause, NoRdd);
});

t.test('keys keep the order of their first appearance, values the order of map partitions', async (t) => {
  const pairs = new SequentialRdd([[['b', 1], ['a', 2]], [['a', 3], ['c', 4], ['b', 5]]], { ...defaultOptions, partitionOf: () => 0 });
  t.strictSame(pairs.groupByKey(1).records, [['b', [1, 5]], ['a', [2, 3]], ['c', [4]]]);
  t.strictSame(pairs.join(pairs.filter((pair) => (pair as [string])[0] === 'c'), 2).partitions, [[['c', [4, 4]]], []]);
});

t.test('records are cut, dealt out and gathered by position', async (t) => {
  const rdd = new SequentialRdd([[1, 2], [3], []], defaultOptions);
  t.strictSame(rdd.repartition(2).partitions, [[1], [2, 3]]);
  t.strictSame(rdd.coalesce(2).partitions, [[1, 2], [3]]);
  t.strictSame(rdd.coalesce(5).partitions, [[1, 2], [3], []]);
  t.strictSame(rdd.sortBy((x) => x, false).partitions, [[3], [2], [1]]);
  t.strictSame(rdd.zipWithIndex().records, [[1, 0], [2, 1], [3, 2]]);
});
