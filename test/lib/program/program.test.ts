/** Building and loading programs: what is refused, what they return, and what of it does what on which thread. */
import t from 'tap';
import { FunctionScope } from '../../../lib/rdd/function-scope.ts';
import { asBatchTime } from '../../../protocol/time.ts';
import type { MillraceError } from '../../../protocol/errors.ts';
import type { RddNode } from '../../../protocol/rdd.ts';
import { RDD } from '../../../lib/rdd/rdd.ts';
import { Receiver } from '../../../lib/dstream/receiver.ts';
import type { ReceiverPort } from '../../../lib/dstream/receiver.ts';
import { printedBatch } from '../../../lib/dstream/print-text.ts';
import { placeIn } from '../../../lib/base/caller-place.ts';
import { StorageLevel } from '../../../lib/rdd/storage-level.ts';
import { buildProgram } from '../../../lib/program/build-program.ts';
import { loadProgram } from '../../../lib/program/load-program.ts';
import type { ProgramBuilder } from '../../../lib/program/program-builder.ts';
import { ProgramRun, builderFor, codeOf } from '../../helpers/program-run.ts';

const build = (program: (ssc: ProgramBuilder, args: unknown) => unknown, args: unknown = null) => {
  const builder = builderFor();
  return { builder, exports: buildProgram(program, builder, builder, args) };
};

t.test('a program gets its arguments, and its exports come back', async (t) => {
  const { exports, builder } = build((ssc, args) => {
    const stream = ssc.batchesStream([[(args as { n: number }).n]]);
    return { counts: stream.publish(), queue: ssc.queue(), limit: ssc.sc.broadcast(3), errors: ssc.sc.accumulator(0), streams: { stream } };
  }, { n: 5 });
  t.same(Object.keys(exports), ['counts', 'queue', 'limit', 'errors', 'streams']);
  t.equal(builder.graph.phase, 'sealed');
  t.same(build(() => undefined).exports, {});
});

t.test('what a program must not do', async (t) => {
  const boom = new Error('boom');
  t.equal(await codeOf(() => build(async () => {})), 'ProgramAsync');
  t.equal(await codeOf(() => build(() => Promise.reject(boom))), 'ProgramAsync');
  t.equal(await codeOf(() => build(() => 5)), 'InvalidArgument');
  t.equal(await codeOf(() => build(() => ({ settings: { n: 5 } }))), 'InvalidArgument');
  try {
    build(() => {
      throw boom;
    });
    t.fail('it must throw');
  } catch (thrown) {
    t.equal((thrown as MillraceError).code, 'ProgramThrew');
    t.equal((thrown as MillraceError).cause, boom);
  }
  t.equal(await codeOf(() => build((ssc) => ssc.sc.parallelize([1]).count() as never)), 'ProgramAsync');
});

t.test('an action while the graph is built is refused', async (t) => {
  const ssc = builderFor();
  t.equal(await codeOf(() => ssc.sc.parallelize([1]).collect()), 'NotInitialized');
});

t.test('why a module can\'t be loaded', async (t) => {
  const source = (text: string, type = 'text/javascript') => `data:${type},${encodeURIComponent(text)}`;
  t.equal((await loadProgram(source('export default function program() {}'))).name, 'program');
  t.equal(await codeOf(() => loadProgram(new URL('./no-such-program.js', import.meta.url))), 'ProgramMissing');
  t.equal(await codeOf(() => loadProgram(source('throw new Error("at load")'))), 'ProgramMissing');
  t.equal(await codeOf(() => loadProgram(source('export const program = () => {}'))), 'ProgramHasNoDefault');
  t.equal(await codeOf(() => loadProgram(source('export default 5'))), 'ProgramHasNoDefault');
});

t.test('a TypeScript file that this Node can\'t load needs a build', async (t) => {
  const folder = t.testdir({ 'program.ts': 'export default function program(ssc: object): void {}' });
  const code = await codeOf(() => loadProgram(new URL(`file://${folder}/program.ts`)));
  const canLoad = Number(process.versions.node.split('.')[0]) >= 23;
  t.equal(code, canLoad ? 'none' : 'ProgramNeedsBuild');
});

t.test('receivers are described and not made', async (t) => {
  let made = 0;
  const { builder } = build((ssc) => {
    ssc.socketTextStream('localhost', 9_999);
    ssc.socketStream('localhost', 9_998, () => ({ decode: () => [] }), StorageLevel.MEMORY_ONLY);
    ssc.receiverStream(() => {
      made += 1;
      return null as never;
    });
    ssc.rawSocketStream('h', 1).print();
  });
  t.match(builder.receiverInputs, [
    { stream: 0, source: { kind: 'socketText', host: 'localhost', port: 9_999 }, storage: StorageLevel.MEMORY_AND_DISK_SER_2 },
    { stream: 1, source: { kind: 'socketDecoder', port: 9_998, factory: Function }, storage: StorageLevel.MEMORY_ONLY },
    { stream: 2, source: { kind: 'custom', factory: Function }, storage: null },
    { stream: 3, source: { kind: 'rawSocket', host: 'h', port: 1 } },
  ]);
  t.equal(made, 0);
});

t.test('a receiver\'s stream has the blocks of the batch, one partition each, and no records without any', async (t) => {
  const run = new ProgramRun((ssc) => ssc.socketTextStream('localhost', 9_999).foreachRDD(() => {}));
  run.blocks.set('0@1000', [run.runner.storeRecords(['a', 'b']), run.runner.storeRecords(['c'])]);
  t.same(await run.batches(2), [[['a', 'b'], ['c']], []]);
});

t.test('a user\'s receiver works through its port, and not before it has one', async (t) => {
  class Ticks extends Receiver<number> {
    onStart(): void {
      void this.store(1);
      this.restart('again', undefined, 5);
    }
    onStop(): void {}
  }
  const receiver = new Ticks();
  t.equal(receiver.storageLevel, StorageLevel.MEMORY_AND_DISK_SER_2);
  t.equal(receiver.isStopped(), true);
  t.equal(await codeOf(() => receiver.store(1)), 'NotInitialized');
  const calls: unknown[] = [];
  const port: ReceiverPort = {
    stream: 4 as never,
    lastAcknowledged: 17,
    store: (record) => void calls.push(['store', record]) as undefined,
    storeBatch: async () => {},
    reportError: () => {},
    restart: (message, _cause, delayMs) => void calls.push(['restart', message, delayMs]),
    stop: () => {},
    isStarted: () => true,
    isStopped: () => false,
  };
  receiver.attach(port);
  receiver.onStart();
  t.same(calls, [['store', 1], ['restart', 'again', 5]]);
  t.equal(receiver.streamId, 4);
  t.equal(receiver.lastAcknowledged, 17);
});

t.test('the program\'s own RDDs have the same ids on every thread, and only the driver stores their records', async (t) => {
  const make = (ssc: ProgramBuilder) => ssc.sc.parallelize([1, 2, 3], 2).map((x) => x + 1).id;
  const first = builderFor();
  const second = builderFor();
  const id = make(first);
  t.equal(make(second), id);
  t.not(make(builderFor({ program: 2 })), id);
  let own: RDD<number> | null = null;
  const run = new ProgramRun((ssc) => {
    own = ssc.sc.parallelize([1, 2, 3], 2);
    ssc.batchesStream([[]]).print();
  });
  t.equal(run.runner.memory.live, 0, 'stored when first used');
  t.same(await (own as unknown as RDD<number>).collect(), [1, 2, 3]);
  const app = builderFor();
  make(app);
  app.rdds.attach({ ...run.runner, node: () => ({}) as RddNode, storeRecords: () => t.fail('the app stores nothing') as never } as never, { stores: false });
  t.equal(new RDD(app.rdds, id).getNumPartitions(), 2);
});

t.test('what a foreachRDD body makes of its RDD is found, and released with it', async (t) => {
  const run = new ProgramRun((ssc) => ssc.batchesStream([[1, 2]]).foreachRDD(() => {}));
  const [job] = await run.builder.graph.generateJobs(asBatchTime(1_000), run.env);
  const rdd = job?.target as RDD<number>;
  const made = rdd.map((x) => x + 1).filter((x) => x > 2);
  t.same(await made.collect(), [3]);
  const { rdds } = run.builder;
  t.same(rdds.descendantsOf(rdd.id), [made.node.parents[0], made.id]);
  t.same(rdds.lineage([made.id], { madeHere: true }).map(({ id }) => id), [rdd.id, made.node.parents[0], made.id]);
  t.same(rdds.release(rdds.descendantsOf(rdd.id)).length, 2);
  t.same(rdds.made, [rdd.id]);
});

t.test('a sweep spares what nothing leads to the first time, and all that a call under way has made', async (t) => {
  let go = (): void => {};
  const gate = new Promise<void>((resolve) => (go = resolve));
  const run = new ProgramRun((ssc) => ssc.batchesStream([[1, 2]]).transform(async (rdd) => {
    const large = rdd.map((x) => x * 10);
    await gate;
    return large.filter((x) => x > 10);
  }).foreachRDD(() => {}));
  const { rdds, graph } = run.builder;
  const generating = graph.generateJobs(asBatchTime(1_000), run.env);
  const loose = new RDD<number>(rdds, rdds.made[0] as RddNode['id']).filter(() => true);
  for (let sweeps = 0; sweeps < 3; sweeps += 1) t.same(rdds.sweep(graph.held()), []);
  go();
  const [job] = await generating;
  t.same(await job?.target.collect(), [20]);
  t.same(rdds.sweep(graph.held()), []);
  t.same(rdds.sweep(graph.held()), [loose.id], 'what the call made and gave back stays, as lineage');
});

t.test('a broadcast variable', async (t) => {
  let made = 0;
  const ssc = builderFor();
  const table = ssc.sc.broadcast(() => ({ made: (made += 1) }));
  t.equal(made, 0, 'a factory is called when the value is first asked for');
  t.same([table.value.made, table.value.made], [1, 1]);
  table.install(4, { made: 40 });
  t.same([table.version, table.value.made], [4, 40]);
  table.install(0, undefined);
  t.same([table.version, table.value.made], [0, 2], 'version 0 is made again');
  t.equal(await codeOf(() => table.set({ made: 1 })), 'NotInitialized');
});

t.test('an accumulator counts what the tasks that succeeded have added', async (t) => {
  const ssc = builderFor();
  const errors = ssc.sc.accumulator(0);
  const scope = new FunctionScope({ origin: 'rdd-1', operator: null, batchTime: null, partition: 0 }, null, { left: 0 });
  ssc.sc.running.scope = scope;
  errors.add(2);
  errors.add(3);
  t.same(scope.sums, [{ value: 5 }], 'in a task: to the work at hand');
  ssc.sc.running.scope = null;
  t.equal(errors.value, 0);
  errors.add(5);
  t.equal(errors.value, 5, 'on the app: at once');
  errors.absorb('a', 1);
  t.equal(errors.value, 6);
  errors.setAside('b', 10);
  errors.setAside('b', 20);
  t.equal(errors.value, 26, 'work that was begun counts until it has been done');
  errors.absorb('b', 30);
  t.equal(errors.value, 36);
  errors.setAside('c', 100);
  errors.settle('c');
  errors.settle('c');
  t.equal(errors.value, 136);
  const longest = ssc.sc.accumulator('', (a, b) => (a.length >= b.length ? a : b), 'longest');
  longest.add('ab');
  longest.add('abc');
  t.equal(longest.value, 'abc');
  t.equal(longest.name, 'longest');
  t.equal(await codeOf(() => ssc.sc.accumulator('' as never)), 'InvalidArgument');
  // Bug: whatever was added to a sum was taken, and a function or a text made a text of it.
  for (const value of ['1', () => 1, null, undefined, 1n]) t.equal(await codeOf(() => errors.add(value as never)), 'InvalidArgument');
  t.equal(errors.value, 136);
});

t.test('print writes Spark\'s form', async (t) => {
  const rule = '-------------------------------------------';
  t.equal(printedBatch(asBatchTime(1_000), [['the', 1], 'fox', 3], 2), `${rule}\nTime: 1000 ms\n${rule}\n(the,1)\nfox\n...\n\n`);
  t.equal(printedBatch(asBatchTime(2_000), [], 10), `${rule}\nTime: 2000 ms\n${rule}\n\n`);
});

t.test('the place of an operator is the first frame outside of the package', async (t) => {
  const stack = ['Error', '    at callerPlace (file:///p/lib/dstream/uid.js:40:17)', '    at DStream.map (file:///p/lib/dstream/dstream.js:1:2)', '    at node:internal/x:1:1', '    at program (file:///home/me/my%20app/count.js:5:6)', '    at file:///other.js:1:1'].join('\n');
  t.equal(placeIn(stack, ['file:///p/lib/']), '/home/me/my app/count.js:5:6');
  t.equal(placeIn('Error\n    at /srv/app.js:3:4', ['file:///p/lib/']), '/srv/app.js:3:4');
  t.equal(placeIn('Error', []), '');
});
