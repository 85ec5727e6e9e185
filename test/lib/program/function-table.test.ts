/** Names for functions: equal on every thread, refused when they come too late or are async. */
import t from 'tap';
import { asProgramId } from '../../../protocol/ids.ts';
import type { MillraceError } from '../../../protocol/errors.ts';
import { FunctionTable } from '../../../lib/program/function-table.ts';
import { LocalFunctions } from '../../../lib/program/local-functions.ts';
import { ProgramRun, builderFor, codeOf } from '../../helpers/program-run.ts';

const program = asProgramId(3);

t.test('functions are numbered in the order in which they come, and found again', async (t) => {
  const table = new FunctionTable(program);
  const f = () => 1;
  const g = () => 2;
  t.same(table.register(f, 'map'), { kind: 'program', program, index: 0 });
  t.same(table.register(g, 'map'), { kind: 'program', program, index: 1 });
  t.same(table.register(f, 'filter'), { kind: 'program', program, index: 0 });
  table.seal();
  t.same(table.refOf(g, 'map'), { kind: 'program', program, index: 1 });
  t.equal(table.resolve(1), g);
  t.equal(await codeOf(() => table.resolve(2)), 'ProgramDiverged');
});

t.test('a function that is made too late is refused with the way to hoist it', async (t) => {
  const table = new FunctionTable(program);
  table.seal();
  const double = (x: number): number => 2 * x;
  t.equal(await codeOf(() => table.refOf(double, 'map')), 'FunctionMadeTooLate');
  try {
    table.refOf(double, 'map');
  } catch (thrown) {
    t.match((thrown as MillraceError).message, 'const f = ssc.task(double)');
    t.match(thrown, { message: /\(map at .*function-table\.test\.[jt]s:\d+:\d+\)$/, details: { name: 'map', place: /function-table\.test\.[jt]s:\d+:\d+$/ } }, 'and says where it was given');
  }
});

t.test('inline, a function may come at any time, and is forgotten with its batch', async (t) => {
  const local = new LocalFunctions();
  const table = new FunctionTable(program, local);
  table.seal();
  const f = () => 1;
  t.same(table.refOf(f, 'map'), { kind: 'local', index: 0 });
  t.same(table.refOf(f, 'map'), { kind: 'local', index: 0 });
  t.equal(local.resolve(0), f);
  local.forget(0);
  t.equal(await codeOf(() => local.resolve(0)), 'RddReleased');
  t.same(table.refOf(f, 'map'), { kind: 'local', index: 1 }, 'a number is never used again');
});

t.test('inline, closures made in each batch do not pile up', async (t) => {
  const run = new ProgramRun((ssc) => ssc.batchesStream([[1], [2], [3]]).transform((rdd, time) => rdd.map((x) => x + time)).foreachRDD(() => {}));
  t.same((await run.batches(6)).map((partitions) => partitions?.flat()), [[1_001], [2_002], [3_003], [], [], []]);
  t.ok(run.keptRdds <= 6);
  t.ok(run.localFunctions !== null && run.localFunctions.size <= 3, 'only those of the last batches are left');
});

t.test('async functions on records are refused when the graph is built', async (t) => {
  const ssc = builderFor();
  const stream = ssc.batchesStream<[string, number]>([]);
  const asyncFn: () => unknown = async () => 1;
  const refused: Record<string, () => unknown> = {
    map: () => stream.map(asyncFn),
    flatMap: () => stream.flatMap(async function* () {} as never),
    reduceByKey: () => stream.reduceByKey(asyncFn as never),
    foreach: () => stream.foreach(asyncFn as never),
    'rdd.map': () => ssc.sc.parallelize([1]).map(asyncFn),
  };
  for (const [name, call] of Object.entries(refused)) t.equal(await codeOf(call), 'AsyncRecordFunction', name);
  t.equal(ssc.graph.operators.length, 1, 'a refused operator leaves no trace');
  const allowed: Record<string, () => unknown> = {
    foreachPartition: () => stream.foreachPartition(async () => {}),
    foreachRDD: () => stream.foreachRDD(async () => {}),
    transform: () => stream.transform(async (rdd) => rdd),
    task: () => ssc.task(async () => {}),
  };
  for (const [name, call] of Object.entries(allowed)) t.equal(await codeOf(call), 'none', name);
  try {
    stream.map(asyncFn);
  } catch (thrown) {
    t.match((thrown as MillraceError).message, /map at .*function-table\.test\.[jt]s:\d+:\d+ is async/);
  }
});

t.test('a task is the function itself, known to the workers; an async one serves foreachPartition alone', async (t) => {
  const ssc = builderFor();
  const double = ssc.task((x: number) => 2 * x);
  const send = ssc.task(async () => {});
  ssc.seal();
  t.equal(double(2), 4);
  t.equal(ssc.rdds.functionRef(double, 'map').kind, 'program');
  t.equal(ssc.rdds.functionRef(send, 'foreachPartition').kind, 'program');
  t.equal(await codeOf(() => ssc.rdds.functionRef(send, 'map')), 'AsyncRecordFunction');
});

t.test('two copies of a program give equal names to equal functions', async (t) => {
  const hash = () => {
    const ssc = builderFor();
    ssc.sc.parallelize([1]).map((x) => x + 1);
    ssc.batchesStream([[1]]).map((x) => x * 2).count().print();
    return [ssc.functions.size, ssc.functions.hash];
  };
  t.same(hash(), hash());
});
