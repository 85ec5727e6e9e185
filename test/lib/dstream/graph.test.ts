/** The graph: names, what can go together, which times have RDDs, what is remembered, what can't be added any more. */
import t from 'tap';
import { asBatchTime } from '../../../protocol/time.ts';
import { MillraceError } from '../../../protocol/errors.ts';
import { compareFingerprints } from '../../../lib/dstream/fingerprint.ts';
import type { RDD } from '../../../lib/rdd/rdd.ts';
import { StorageLevel } from '../../../lib/rdd/storage-level.ts';
import { DStream } from '../../../lib/dstream/dstream.ts';
import type { ProgramBuilder } from '../../../lib/program/program-builder.ts';
import { ProgramRun, builderFor, codeOf, flat } from '../../helpers/program-run.ts';

const words = (ssc: ProgramBuilder) => ssc.batchesStream([['a b', 'a'], [], ['b']], 2).flatMap((line) => line.split(' '));

/** A stream of another slide, as windows will be. */
function everyOther<T>(stream: DStream<T>): DStream<T> {
  return new DStream<T>(stream.graph, { kind: 'everyOther', parents: [stream as DStream<unknown>], slideMs: 2 * stream.slideMs, compute: (time, env) => stream.getOrCompute(time, env) });
}

t.test('a word count gives each batch its own counts', async (t) => {
  const run = new ProgramRun((ssc) => words(ssc).map((word) => [word, 1]).reduceByKey((a, b) => a + b).foreachRDD(() => {}));
  t.same(flat(await run.batches(3)).map((records) => new Map(records as [string, number][])), [new Map([['a', 2], ['b', 1]]), new Map(), new Map([['b', 1]])]);
});

t.test('count gives 0 for an empty batch, and reduce gives nothing', async (t) => {
  t.same(flat(await new ProgramRun((ssc) => words(ssc).count().foreachRDD(() => {})).batches(4)), [[3], [0], [1], [0]]);
  t.same(flat(await new ProgramRun((ssc) => words(ssc).map(() => 2).reduce((a, b) => a * b).foreachRDD(() => {})).batches(4)), [[8], [], [2], []]);
});

t.test('a stream has RDDs at multiples of its slide after the zero time only', async (t) => {
  const run = new ProgramRun((ssc) => everyOther(ssc.batchesStream([[1], [2], [3], [4]])).foreachRDD(() => {}));
  t.same(flat(await run.batches(4)), [null, [2], null, [4]]);
  const [stream] = run.builder.graph.operators;
  t.equal(stream?.isTimeValid(asBatchTime(0)), false, 'there is none at the zero time');
  t.equal(stream?.isTimeValid(asBatchTime(1_500)), false);
});

t.test('only streams that an output depends on are computed, and each once a batch', async (t) => {
  const computed: string[] = [];
  const run = new ProgramRun((ssc) => {
    const seen = (name: string) => ssc.batchesStream([[1]]).transform((rdd) => {
      computed.push(name);
      return rdd;
    });
    const shared = seen('shared');
    seen('unused');
    shared.foreachRDD(() => {});
    shared.map((x) => x + 1).foreachRDD(() => {});
  });
  t.same((await run.batch(1_000)).map(({ output, partitions }) => [output, partitions.flat()]), [[0, [1]], [1, [2]]], 'jobs come in the order of the outputs');
  t.same(computed, ['shared']);
});

t.test('what can\'t go together is refused when the graph is made', async (t) => {
  const ssc = builderFor();
  const other = builderFor();
  const pairs = ssc.batchesStream<[string, number]>([]);
  const slow = everyOther(pairs);
  t.equal(await codeOf(() => pairs.union(slow)), 'SlideMismatch');
  t.equal(await codeOf(() => pairs.join(slow)), 'SlideMismatch');
  t.equal(await codeOf(() => slow.cogroup(pairs)), 'SlideMismatch');
  t.equal(await codeOf(() => pairs.transformWith(slow, (rdd) => rdd)), 'SlideMismatch');
  t.equal(await codeOf(() => pairs.union(other.batchesStream<[string, number]>([]))), 'ContextMismatch');
  t.equal(await codeOf(() => pairs.fullOuterJoin(other.batchesStream<[string, number]>([]))), 'ContextMismatch');
  t.equal(await codeOf(() => ssc.union([])), 'NoStreams');
  t.equal(await codeOf(() => ssc.transform([], () => ssc.sc.emptyRDD())), 'NoStreams');
  t.equal(await codeOf(() => pairs.repartition(0)), 'InvalidArgument');
  t.equal(await codeOf(() => pairs.map('no function' as never)), 'InvalidArgument');
  t.equal(await codeOf(() => ssc.socketTextStream('localhost', 70_000)), 'InvalidArgument');
});

t.test('without an RDD from its parent a stream has none, or fails, by its kind', async (t) => {
  const ssc = (make: (stream: DStream<number>) => DStream<unknown>) => new ProgramRun((ssc) => make(ssc.batchesStream<number>([[1], null])).foreachRDD(() => {}));
  const passing: Record<string, (stream: DStream<number>) => DStream<unknown>> = {
    map: (s) => s.map((x) => x),
    filter: (s) => s.filter(() => true),
    flatMap: (s) => s.flatMap((x) => [x]),
    glom: (s) => s.glom(),
    mapPartitions: (s) => s.mapPartitions((records) => records),
    reduce: (s) => s.reduce((a) => a),
    countByValue: (s) => s.countByValue(),
    groupByKey: (s) => s.map((x) => [x, x]).groupByKey(),
    reduceByKey: (s) => s.map((x) => [x, x]).reduceByKey((a) => a),
  };
  for (const [name, make] of Object.entries(passing)) t.same((await ssc(make).batches(2))[1], null, name);
  const failing: Record<string, (stream: DStream<number>) => DStream<unknown>> = {
    count: (s) => s.count(),
    union: (s) => s.union(s),
    repartition: (s) => s.repartition(2),
    transform: (s) => s.transform((rdd) => rdd),
    join: (s) => s.map((x) => [x, x]).join(s.map((x) => [x, x])),
  };
  for (const [name, make] of Object.entries(failing)) {
    const run = ssc(make);
    await run.batch(1_000);
    t.equal(await codeOf(() => run.batch(2_000)), 'NoRddFromParent', name);
  }
});

t.test('a failure while a batch is generated names operator, place and batch, and keeps its code and cause', async (t) => {
  const boom = new RangeError('boom');
  const run = new ProgramRun((ssc) => words(ssc).transform((rdd, time): RDD<string> => {
    if (time === 1_000) throw boom;
    return time === 2_000 ? (null as never) : rdd;
  }).print());
  const first = await Promise.resolve().then(() => run.batch(1_000)).catch((thrown: unknown) => thrown) as MillraceError;
  t.equal(first.code, 'UserFunctionFailed');
  t.equal(first.cause, boom);
  t.match(first.details, { name: 'transform', place: /graph\.test\.[jt]s:\d+:\d+$/, batchTime: 1_000 });
  t.equal(await codeOf(() => run.batch(2_000)), 'TransformReturnedNull');
  t.equal((await run.batch(3_000)).length, 1, 'later batches are not affected');
});

t.test('an async transform function makes generating async, and nothing else does', async (t) => {
  const run = new ProgramRun((ssc) => words(ssc).print());
  t.equal(Array.isArray(run.builder.graph.generateJobs(asBatchTime(1_000), run.env)), true);
  const waiting = new ProgramRun((ssc) => words(ssc).transform(async (rdd) => rdd.coalesce(await rdd.count())).foreachRDD(() => {}));
  t.equal(waiting.builder.graph.generateJobs(asBatchTime(1_000), waiting.env) instanceof Promise, true);
  t.same((await waiting.batch(1_000)).map(({ partitions }) => partitions.flat()), [['a', 'b', 'a']], 'two askers get the same RDD');
});

t.test('uids', async (t) => {
  const ssc = builderFor();
  const input = ssc.batchesStream<number>([]);
  const a = input.map((x) => x);
  const b = input.map((x) => x + 1);
  t.equal(a.operatorUid, b.operatorUid, 'a derived uid is made of the path, not of the functions or a counter');
  t.not(a.operatorUid, input.filter(() => true).operatorUid);
  t.not(input.countByValue(2).operatorUid, input.countByValue(3).operatorUid, 'parameters count');
  const below = a.count().operatorUid;
  a.uid('doubled');
  t.equal(a.operatorUid, 'doubled');
  t.not(a.count().operatorUid, below, 'what is below takes the explicit uid into its path');
  t.equal(await codeOf(() => b.uid('doubled')), 'DuplicateUid');
  t.equal(await codeOf(() => a.uid('doubled')), 'none', 'the same operator may say it twice');
  t.equal(await codeOf(() => a.uid('')), 'InvalidArgument');
});

t.test('deep diamonds of streams cost no exponential time', async (t) => {
  const run = new ProgramRun((ssc) => {
    let stream = ssc.batchesStream<number>([[]]) as DStream<number>;
    for (let depth = 0; depth < 40; depth += 1) stream = stream.union(stream).filter(() => true);
    stream.print();
  });
  t.ok(run.builder.fingerprint().hash);
});

t.test('two builds of a program have equal fingerprints, and the first difference is named', async (t) => {
  const build = (change: (ssc: ProgramBuilder) => void) => {
    const ssc = builderFor();
    words(ssc).map((word) => [word, 1]).reduceByKey((a, b) => a + b, 4).print();
    change(ssc);
    ssc.seal();
    return ssc.fingerprint();
  };
  const mine = build(() => {});
  compareFingerprints(mine, build(() => {}), 'the app', 'worker-1');
  const why = (theirs: typeof mine): string => {
    try {
      compareFingerprints(mine, theirs, 'the app', 'worker-1');
      return 'equal';
    } catch (thrown) {
      t.equal((thrown as MillraceError).code, 'ProgramDiverged');
      return (thrown as MillraceError).message;
    }
  };
  t.match(why(build((ssc) => void ssc.batchesStream([]))), /Operator 4 is print on the app and batchesStream on worker-1/);
  t.match(why(build((ssc) => ssc.remember(9_000))), /program, has the parameters .*"rememberMs":null.*"rememberMs":9000/);
  t.match(why(build((ssc) => void ssc.task((x: number) => x))), /program, has the parameters/);
  const other = builderFor();
  words(other).map((word) => [word, 2]).reduceByKey((a, b) => a + b, 4).print();
  t.match(why(other.fingerprint()), /Operator 2, map, has another function on the app than on worker-1/);
});

t.test('nothing is added after the program has returned, nor after a stop', async (t) => {
  const run = new ProgramRun((ssc) => words(ssc).print(), { start: false });
  const { builder } = run;
  const [input] = builder.graph.operators as [DStream<string>];
  const additions: Record<string, () => unknown> = {
    input: () => builder.batchesStream([]),
    map: () => input.map((x) => x),
    output: () => input.print(),
    queueStream: () => builder.queueStream([]),
    queue: () => builder.queue(),
    broadcast: () => builder.sc.broadcast(1),
    accumulator: () => builder.sc.accumulator(0),
    remember: () => builder.remember(1_000),
    window: () => input.window(1_000),
    checkpoint: () => builder.checkpoint('directory'),
    task: () => builder.task(() => 1),
    uid: () => input.uid('late'),
  };
  for (const [name, add] of Object.entries(additions)) t.equal(await codeOf(add), 'ContextAlreadyStarted', name);
  t.equal(builder.graph.operators.length, 2, 'a refused operator leaves no trace');
  builder.graph.stop();
  for (const [name, add] of Object.entries(additions)) t.equal(await codeOf(add), 'ContextStopped', name);
  t.equal(await codeOf(() => builder.graph.start(asBatchTime(0))), 'ContextStopped');
});

t.test('a graph without outputs is not started', async (t) => {
  t.equal(await codeOf(() => new ProgramRun((ssc) => void words(ssc))), 'NoOutputOperation');
});

t.test('the storage level is set while the graph is built, and persists each RDD', async (t) => {
  const run = new ProgramRun((ssc) => words(ssc).cache().foreachRDD(() => {}));
  const jobs = await run.builder.graph.generateJobs(asBatchTime(1_000), run.env);
  t.same(jobs[0]?.target.getStorageLevel(), StorageLevel.MEMORY_ONLY_SER);
  t.equal(await codeOf(() => run.builder.graph.operators[0]?.persist()), 'CannotChangeAfterStart');
});

t.test('slice needs a start, includes both ends, and computes later times on the spot', async (t) => {
  const unstarted = new ProgramRun((ssc) => words(ssc).print(), { start: false });
  t.equal(await codeOf(() => unstarted.builder.graph.operators[0]?.slice(0, 1_000)), 'NotInitialized');
  const run = new ProgramRun((ssc) => {
    ssc.remember(10_000);
    ssc.batchesStream([[1], null, [3], [4]]).uid('input').print();
  });
  await run.batches(2);
  t.same(await run.slice('input', 1_999, 4_500), [[1], [3], [4]], 'floored to the slide; a time without RDD is left out');
  t.same(await run.slice('input', -3_000, 1_000), [[1]], 'nothing at or before the zero time');
  t.same(await run.slice('input', 3_000, 2_000), []);
});

t.test('RDDs are forgotten when nobody needs them any more', async (t) => {
  t.test('after a slide, by default', async (t) => {
    const run = new ProgramRun((ssc) => words(ssc).map((word) => [word, 1]).reduceByKey((a, b) => a + b).print());
    await run.batches(2);
    const kept = run.keptRdds;
    await run.batch(3_000);
    await run.batch(4_000);
    t.equal(run.keptRdds, kept, 'what is kept does not grow');
    t.equal(run.builder.graph.remembered().length, 4, 'one RDD a stream');
  });

  t.test('later, after remember()', async (t) => {
    const run = new ProgramRun((ssc) => {
      ssc.remember(3_000);
      words(ssc).print();
    });
    await run.batches(5);
    t.equal(run.builder.graph.remembered().length, 3 * 2);
    t.equal(run.builder.graph.maxInputRememberMs, 3_000);
    const ssc = builderFor();
    ssc.remember(5_000);
    t.equal(await codeOf(() => ssc.remember(6_000)), 'RememberAlreadySet');
    t.equal(await codeOf(() => builderFor().remember(0)), 'InvalidArgument');
  });

  t.test('an RDD that two streams remember is forgotten with the last', async (t) => {
    const run = new ProgramRun((ssc) => ssc.batchesStream([[1], [2]]).transform((rdd) => rdd).print());
    await run.builder.graph.generateJobs(asBatchTime(1_000), run.env);
    const [same] = run.builder.graph.remembered();
    run.builder.graph.operators[1]?.remember(2_000);
    run.builder.graph.operators[0]?.forget(asBatchTime(2_000));
    t.same(run.builder.graph.clearMetadata(asBatchTime(2_000)), []);
    t.same(run.builder.graph.clearMetadata(asBatchTime(3_000)), [same]);
  });

  t.test('but never the program\'s own', async (t) => {
    const run = new ProgramRun((ssc) => {
      const own = ssc.sc.parallelize([7, 8]);
      words(ssc).transform(() => own).foreachRDD(() => {});
    });
    t.same(flat(await run.batches(4)), Array.from({ length: 4 }, () => [7, 8]));
  });
});

t.test('outputs become actions of the protocol', async (t) => {
  const run = new ProgramRun((ssc) => {
    const stream = words(ssc);
    stream.foreachRDD(() => {});
    stream.print(3);
    stream.publish({ bound: 4, mode: 'latest' });
    stream.foreachPartition(async () => {});
    stream.foreach(() => {});
    stream.saveAsTextFiles('out/words', 'txt');
    stream.saveAsObjectFiles('out/words');
  });
  const jobs = await run.builder.graph.generateJobs(asBatchTime(2_000), run.env);
  t.match(jobs.map(({ action }) => action), [
    { kind: 'foreachRDD' },
    { kind: 'print', limit: 3 },
    { kind: 'publish', outstandingMax: 4, mode: 'latest' },
    { kind: 'run', sink: { kind: 'foreachPartition', fn: { kind: 'program' } } },
    { kind: 'run', sink: { kind: 'foreach', fn: { kind: 'program' } } },
    { kind: 'run', sink: { kind: 'saveText', directory: 'out/words-2000.txt' } },
    { kind: 'run', sink: { kind: 'saveObjects', directory: 'out/words-2000' } },
  ]);
  t.same(jobs.map(({ output }) => output), [0, 1, 2, 3, 4, 5, 6]);
});
