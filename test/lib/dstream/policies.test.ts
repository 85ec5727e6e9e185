/** `onError` on streams: what it is checked for, where it goes, and what it does not change; and the dead-letter stream. */
import t from 'tap';
import { DeadLetterStream } from '../../../lib/dstream/dead-letters.ts';
import type { DeadLetter } from '../../../lib/dstream/dead-letters.ts';
import type { DStream } from '../../../lib/dstream/dstream.ts';
import { stageShape } from '../../../lib/rdd/shape.ts';
import { encodeRecord } from '../../../protocol/codec.ts';
import { toWireError } from '../../../protocol/errors.ts';
import { asProgramId } from '../../../protocol/ids.ts';
import type { LeftOutRecords } from '../../../protocol/task.ts';
import { asBatchTime } from '../../../protocol/time.ts';
import { builderFor, codeOf, ProgramRun } from '../../helpers/program-run.ts';

const refuse = (n: number): number => {
  if (n % 2 === 0) throw new RangeError(`No ${n}.`);
  return n;
};
const pair = (n: number): [string, number] => ['k', n];

t.test('a policy is checked at the call', async (t) => {
  const numbers = builderFor().batchesStream<number>([]);
  for (const options of [{ onError: 'ignore' }, { onerror: 'skip' }, 'skip', null]) {
    const given = options as never;
    for (const call of [
      () => numbers.map(refuse, given), () => numbers.flatMap((n) => [n], given), () => numbers.filter(() => true, given), () => numbers.foreach(() => {}, given),
      () => numbers.map(pair).mapValues(refuse, given), () => numbers.map(pair).flatMapValues((n) => [n], given),
      () => numbers.map(pair).combineByKey(refuse, refuse, refuse, 1, true, given), () => numbers.map(pair).reduceByKey((a, b) => a + b, 1, given),
    ]) t.equal(await codeOf(call), 'InvalidArgument', JSON.stringify(options));
  }
  t.equal(await codeOf(() => numbers.map((async () => 1) as () => unknown, { onError: 'skip' }).print()), 'AsyncRecordFunction');
});

t.test('where it has no meaning it is refused at the call, with the reason', async (t) => {
  const ssc = builderFor();
  const numbers = ssc.batchesStream<number>([]);
  const pairs = numbers.map(pair);
  const rdd = ssc.sc.parallelize([1]);
  const byKey = rdd.map(pair);
  const add = (a: number, b: number): number => a + b;
  const operators = ssc.graph.operators.length;
  const calls: Record<string, (options: never) => unknown> = {
    mapPartitions: (options) => numbers.mapPartitions(...([(all: Iterable<number>) => all, options] as unknown as [never])),
    reduce: (options) => numbers.reduce(...([add, options] as unknown as [never])),
    reduceByWindow: (options) => numbers.reduceByWindow(...([add, 2_000, 1_000, options] as unknown as [never, never, never])),
    reduceByKeyAndWindow: (options) => pairs.reduceByKeyAndWindow(...([add, 2_000, 1_000, 1, options] as unknown as [never, never])),
    'reduceByKeyAndWindow, inverse': (options) => pairs.reduceByKeyAndWindow(...([add, add, 2_000, 1_000, 1, () => true, options] as unknown as [never, never])),
    transform: (options) => numbers.transform(...([(all: unknown) => all, options] as unknown as [never])),
    transformWith: (options) => numbers.transformWith(...([numbers, (all: unknown) => all, options] as unknown as [never, never])),
    foreachRDD: (options) => numbers.foreachRDD(...([() => undefined, options] as unknown as [never])),
    foreachPartition: (options) => numbers.foreachPartition(...([() => undefined, options] as unknown as [never])),
    updateStateByKey: (options) => pairs.updateStateByKey(() => [], { variant: 'iterator', ...(options as object) }),
    'rdd.mapPartitions': (options) => rdd.mapPartitions((all) => all, options),
    'rdd.mapPartitionsWithIndex': (options) => rdd.mapPartitionsWithIndex((_partition, all) => all, options),
    'rdd.keyBy': (options) => rdd.keyBy(...([pair, options] as unknown as [never])),
    'rdd.groupBy': (options) => rdd.groupBy(pair, options),
    'rdd.sortBy': (options) => rdd.sortBy(refuse, options),
    'rdd.foldByKey': (options) => byKey.foldByKey(0, add, options),
    'rdd.aggregateByKey': (options) => byKey.aggregateByKey(0, add, add, options),
    'rdd.reduce': (options) => rdd.reduce(...([add, options] as unknown as [never])),
    'rdd.fold': (options) => rdd.fold(...([0, add, options] as unknown as [never, never])),
    'rdd.aggregate': (options) => rdd.aggregate(...([0, add, add, options] as unknown as [never, never, never])),
    'rdd.foreachPartition': (options) => rdd.foreachPartition(...([() => undefined, options] as unknown as [never])),
  };
  for (const [name, call] of Object.entries(calls)) {
    const method = name.replace(/^rdd\.|,.*$/g, '');
    const error = await (async () => call({ onError: 'skip' } as never))().then(() => null, (thrown: unknown) => thrown);
    t.match(error, { code: 'InvalidArgument', message: new RegExp(`^${method}.* has no option onError, and got "skip": .+ (record|key).*\\. Leave it out, .*policies\\.test`) }, name);
  }
  t.equal(ssc.graph.operators.length, operators, 'a refused operator leaves no trace');
  byKey.foldByKey({ onError: 1 } as never, add as never);
});

t.test('it is part of the fingerprint and no part of the uid', async (t) => {
  const made = (options?: { readonly onError: 'skip' | 'fail' }) => {
    const ssc = builderFor();
    const stream = ssc.batchesStream<number>([]).map(refuse, options);
    stream.print();
    return { uid: stream.operatorUid, hash: ssc.fingerprint().hash };
  };
  const [plain, failing, skipping] = [made(), made({ onError: 'fail' }), made({ onError: 'skip' })];
  t.same([failing, skipping.uid], [plain, plain.uid]);
  t.not(skipping.hash, plain.hash);
  const letters = builderFor();
  letters.batchesStream<number>([]).map(refuse).print();
  letters.deadLetters();
  t.not(letters.fingerprint().hash, plain.hash, 'a dead-letter stream is part of it, too');
});

t.test('each operator leaves out what makes its function throw', async (t) => {
  const programs: Record<string, { readonly make: (numbers: DStream<number>) => DStream<unknown>; readonly expected: unknown[] }> = {
    map: { make: (numbers) => numbers.map(refuse, { onError: 'skip' }), expected: [1, 3] },
    filter: { make: (numbers) => numbers.filter((n) => refuse(n) > 1, { onError: 'skip' }), expected: [3] },
    flatMap: { make: (numbers) => numbers.flatMap((n) => [n, refuse(n)], { onError: 'skip' }), expected: [1, 1, 3, 3] },
    mapValues: { make: (numbers) => numbers.map(pair).mapValues(refuse, { onError: 'skip' }), expected: [['k', 1], ['k', 3]] },
    flatMapValues: { make: (numbers) => numbers.map(pair).flatMapValues((n) => [refuse(n)], { onError: 'skip' }), expected: [['k', 1], ['k', 3]] },
    reduceByKey: { make: (numbers) => numbers.map(pair).reduceByKey((sum, n) => sum + refuse(n), 1, { onError: 'skip' }), expected: [['k', 4]] },
    transform: { make: (numbers) => numbers.transform((rdd) => rdd.map(refuse, { onError: 'skip' })), expected: [1, 3] },
    ...Object.fromEntries([true, false].map((mapSide) => [`combineByKey, combined ${mapSide ? 'before' : 'behind'} the shuffle`, {
      make: (numbers: DStream<number>) => numbers.map(pair).combineByKey((n) => [refuse(n)] as number[], (all, n) => [...all, refuse(n)], (a, b) => [...a, ...b], 1, mapSide, { onError: 'skip' }), expected: [['k', [1, 3]]],
    }])),
  };
  for (const [name, { make, expected }] of Object.entries(programs)) {
    const run = new ProgramRun((ssc) => make(ssc.batchesStream([[1, 2, 3, 4]])).print(), { defaultParallelism: 1 });
    t.same((await run.batches(1)).map((partitions) => partitions?.flat()), [expected], name);
  }
});

t.test('a stream\'s RDDs know their batch, whichever batch computes them, and stages of another policy have another shape', async (t) => {
  const run = new ProgramRun((ssc) => {
    const numbers = ssc.batchesStream([[1], [2]]);
    numbers.map(pair).transform((rdd) => rdd.mapValues(refuse).reduceByKey((a, b) => a + b)).print();
    numbers.map(refuse, { onError: 'skip' }).print();
  });
  for (const time of [1_000, 2_000]) {
    const jobs = await run.builder.graph.generateJobs(asBatchTime(time), run.env);
    const nodes = run.builder.rdds.lineage(jobs.map(({ rdd }) => rdd));
    t.same([...new Set(nodes.filter(({ kind }) => kind !== 'source').map(({ batchTime }) => batchTime))], [time]);
    const [node] = nodes.filter((one) => 'onError' in one);
    t.match(node, { kind: 'map', onError: 'skip' });
    const shapes = [{}, { onError: 'skip' }, { onError: 'deadLetter' }].map((policy) => stageShape([{ ...node!, onError: undefined, ...policy } as never], { kind: 'count' }));
    t.equal(new Set(shapes).size, 3);
  }
});

const posted = (letters: LeftOutRecords['letters'], more: Partial<LeftOutRecords> = {}): LeftOutRecords => ({
  program: asProgramId(1), origin: 'rdd-1', batchTime: asBatchTime(1_000), partition: 2, operator: { uid: 'u', name: 'map', place: 'p:1:2' }, policy: 'deadLetter', records: letters.length, letters, ...more,
});
const letter = (record: unknown) => ({ index: 0, record: encodeRecord(record), preview: '?', error: toWireError(new RangeError('no')) });

t.test('a dead letter has the record as it was, or a text of it where it could not come along', async (t) => {
  const stream = new DeadLetterStream();
  stream.post(posted([letter({ a: new Date(5) }), { ...letter(1), record: null, preview: '[function]' }, { ...letter(1), record: new Uint8Array([1, 2, 3]), preview: 'damaged' }]));
  stream.close();
  const all: DeadLetter[] = [];
  for await (const { time, records } of stream) all.push(...(time === 1_000 ? records : []));
  const rest = { operator: { uid: 'u', name: 'map', place: 'p:1:2' }, batchTime: 1_000, partition: 2 };
  t.match(all, [
    { ...rest, record: { a: new Date(5) }, isPreview: false, error: { name: 'RangeError', message: 'no' } }, { ...rest, record: '[function]', isPreview: true }, { ...rest, record: 'damaged', isPreview: true },
  ]);
  t.equal(all.length, 3);
});

t.test('a reader that is too slow holds nothing back: the oldest are dropped, and counted with those that no task has reported', async (t) => {
  const stream = new DeadLetterStream({ bound: 2 });
  for (const record of [1, 2, 3]) stream.post(posted([letter(record), letter(record)]));
  stream.post(posted([], { records: 7 }));
  t.same([stream.waiting, stream.dropped, stream.droppedRecords, stream.droppedLetters], [2, 1, 2, 9]);
  t.equal(await codeOf(() => new DeadLetterStream({ bound: 0 })), 'InvalidArgument');
});

t.test('a dead-letter stream is asked for while the graph is built', async (t) => {
  const ssc = builderFor();
  ssc.seal();
  t.not(await codeOf(() => ssc.deadLetters()), 'none');
});
