import t from 'tap';
import { MillraceError } from '../../../../protocol/errors.ts';
import type { Sink } from '../../../../protocol/rdd.ts';
import { asRddId, shuffleIdOf } from '../../../../protocol/ids.ts';
import { loopForms, StageMaker, thrownBy } from './stage.ts';

const hash = { kind: 'hash', partitions: 2 } as const;
const add = { kind: 'builtin', name: 'add' } as const;
const identity = { kind: 'builtin', name: 'identity' } as const;
const collect: Sink = { kind: 'collect', limit: -1 };

for (const [form, makeLoops] of loopForms) {
  const maker = (options: ConstructorParameters<typeof StageMaker>[0] = {}): StageMaker => new StageMaker({ loops: makeLoops(), ...options });

  for (const kind of ['map', 'filter', 'flatMap', 'mapValues', 'flatMapValues'] as const) {
    t.test(`${form}: a throw in ${kind} says operator, place, batch, partition, attempt and record`, async (t) => {
      const stage = maker();
      const bad = new TypeError('no such thing');
      const before = stage.op('map', stage.source([], [1, 2, 3]), (x: number) => [`k${x}`, x]);
      const rdd = stage.op(kind, before, (x: unknown) => {
        if (x === 2 || (Array.isArray(x) && x[1] === 2)) throw bad;
        return [x];
      });
      const after = stage.op('map', rdd, (x: unknown) => x);
      const error = thrownBy(() => stage.run(after, collect, 1, { attempt: 2 }));
      t.ok(error instanceof MillraceError);
      t.equal(error.code, 'UserFunctionFailed');
      t.equal(error.cause, bad);
      t.strictSame(error.details, { operator: `u${rdd}`, name: kind, place: `program.ts:${rdd}:3`, batchTime: 2_000, partition: 1, attempt: 2, stage: 4, record: '["k2",2]' });
      t.equal(error.message, `The function of ${kind} at program.ts:${rdd}:3, batch 2000, partition 1, attempt 2 threw on record ["k2",2]: TypeError: no such thing`);
    });

    t.test(`${form}: an async function of ${kind} is refused by name, and its own failure is heard`, async (t) => {
      const stage = maker();
      const rdd = stage.op(kind, stage.source([['k', 1]]), async () => { throw new Error('never unhandled'); });
      const error = thrownBy(() => stage.run(rdd, collect));
      t.equal(error.code, 'AsyncRecordFunction');
      t.equal(error.details!['operator'], `u${rdd}`);
      t.match(error.message, new RegExp(`^The function of ${kind} at program.ts:${rdd}:3.*foreachPartition`));
    });
  }

  t.test(`${form}: the failing step is named also behind a flatMap, and also in its iterator`, async (t) => {
    const stage = maker();
    const spread = stage.op('flatMap', stage.source(['ab']), function* (text: string) {
      yield* text;
      throw new Error('late');
    });
    const after = stage.op('map', spread, (x: string) => x);
    const late = thrownBy(() => stage.run(after, collect));
    t.match(late, { code: 'UserFunctionFailed', details: { operator: `u${spread}`, record: '"ab"' } });
    const inside = stage.op('map', stage.op('flatMap', stage.source(['ab']), (text: string) => text), (x: string) => { if (x === 'b') throw new Error('b'); return x; });
    t.match(thrownBy(() => stage.run(inside, collect)), { details: { operator: `u${inside}`, record: '"b"' } });
  });

  t.test(`${form}: an iterator is closed when something behind it throws`, async (t) => {
    const stage = maker();
    let closed = 0;
    const spread = stage.op('flatMap', stage.source([1]), function* () { try { for (let i = 0; ; i += 1) yield i; } finally { closed += 1; } });
    t.throws(() => stage.run(stage.op('map', spread, () => { throw new Error('x'); }), collect));
    t.equal(closed, 1);
  });

  t.test(`${form}: flatMap and mapPartitions refuse what is no iterable`, async (t) => {
    const stage = maker();
    for (const result of [null, undefined, 5, {}]) {
      const rdd = stage.op('flatMap', stage.source(['a']), () => result);
      const error = thrownBy(() => stage.run(rdd, collect));
      t.match(error, { code: 'InvalidArgument', details: { operator: `u${rdd}` } });
      t.match(error.message, 'must return an array or another iterable, but returned');
      t.equal(error.message.split('Return []').length, 2);
      const partitions = stage.node({ kind: 'mapPartitions', withIndex: false, fn: stage.env.fn(() => result) }, [stage.source([1])]);
      t.match(thrownBy(() => stage.run(partitions, collect)), { code: 'InvalidArgument', details: { operator: `u${partitions}` } });
    }
  });

  t.test(`${form}: mapPartitions: throws, also while its result is drawn, and async ones are told`, async (t) => {
    const stage = maker();
    const failing = (fn: (...args: never[]) => unknown): unknown => {
      const rdd = stage.node({ kind: 'mapPartitions', withIndex: false, fn: stage.env.fn(fn) }, [stage.source([1])]);
      const { code, details } = thrownBy(() => stage.run(rdd, collect));
      return [code, details!['operator'] === `u${rdd}`];
    };
    t.strictSame(failing(() => { throw new Error('x'); }), ['UserFunctionFailed', true]);
    t.strictSame(failing(function* () { yield 1; throw new Error('x'); }), ['UserFunctionFailed', true]);
    t.strictSame(failing(async () => [1]), ['AsyncRecordFunction', true]);
    t.strictSame(failing(async function* () { yield 1; }), ['AsyncRecordFunction', true]);
  });

  t.test(`${form}: pair operators and pair sinks refuse what is no array of two`, async (t) => {
    for (const record of [null, 'ab', [1], [1, 2, 3], { 0: 1, 1: 2, length: 2 }]) {
      const stage = maker();
      const source = stage.source([['fine', 1], record]);
      const operators = [stage.op('mapValues', source, (x: unknown) => x), stage.op('flatMapValues', source, (x: unknown) => [x])];
      for (const rdd of operators) t.match(thrownBy(() => stage.run(rdd, collect)), { code: 'NotAPair', details: { operator: `u${rdd}` } });
      const combine = { createCombiner: identity, mergeValue: add, mergeCombiners: add };
      const sinks: Sink[] = [
        { kind: 'shuffle', shuffle: shuffleIdOf(asRddId(1), 0), spec: hash, combine: null, keyed: true },
        { kind: 'shuffle', shuffle: shuffleIdOf(asRddId(1), 0), spec: hash, combine, keyed: true },
        { kind: 'sampleKeys', limit: 5 },
      ];
      for (const sink of sinks) {
        const error = thrownBy(() => stage.run(source, { ...sink, operator: { uid: 'sink', name: 'reduceByKey', place: 'program.ts:9:9' } }));
        t.match(error, { code: 'NotAPair', details: { operator: 'sink', place: 'program.ts:9:9' } });
        t.match(error.message, 'reduceByKey at program.ts:9:9');
      }
    }
  });

  t.test(`${form}: a key without equality by value is refused, with the operator`, async (t) => {
    const stage = maker();
    const source = stage.source([[{ a: 1 }, 1]]);
    const combine = { createCombiner: identity, mergeValue: add, mergeCombiners: add };
    for (const of of [null, combine]) {
      const sink: Sink = { kind: 'shuffle', shuffle: shuffleIdOf(asRddId(1), 0), spec: hash, combine: of, keyed: true, operator: { uid: 'sink', name: 'groupByKey', place: '' } };
      t.match(thrownBy(() => stage.run(source, sink)), { code: 'InvalidKey', details: { operator: 'sink' } });
    }
    const objects = stage.source([{ a: 1 }, { a: 2 }]);
    t.match(thrownBy(() => stage.run(objects, { kind: 'takeOrdered', limit: 1, descending: false, order: null })), { code: 'InvalidKey', details: { operator: `u${objects}` } });
  });

  t.test(`${form}: a value that can't leave the thread is refused with path, operator and place, on every way out`, async (t) => {
    const stage = maker();
    const rdd = stage.op('map', stage.source([1]), (x: number) => ['k', { deep: [x, () => x] }]);
    const combine = { createCombiner: identity, mergeValue: add, mergeCombiners: add };
    const sinks: Sink[] = [
      collect,
      { kind: 'shuffle', shuffle: shuffleIdOf(asRddId(1), 0), spec: hash, combine: null, keyed: true },
      { kind: 'shuffle', shuffle: shuffleIdOf(asRddId(1), 0), spec: hash, combine, keyed: true },
      { kind: 'shuffle', shuffle: shuffleIdOf(asRddId(1), 0), spec: { kind: 'roundRobin', partitions: 2 }, combine: null, keyed: false },
      { kind: 'reduce', fn: add },
      { kind: 'saveObjects', directory: 'd' },
    ];
    for (const sink of sinks) {
      const error = thrownBy(() => stage.run(rdd, sink));
      t.match(error, { code: 'RecordNotSerializable', details: { operator: `u${rdd}`, place: `program.ts:${rdd}:3` } });
      t.match(error.details!['path'], /deep\[1\]$/);
      t.match(error.details!['record'], '"deep":[1', 'the path says which part of it');
    }
  });

  t.test(`${form}: functions of sinks that throw or are async are told by the sink's operator`, async (t) => {
    const stage = maker();
    const source = stage.source([['a', 1], ['a', 2]]);
    const operator = { uid: 'sink', name: 'theSink', place: 'program.ts:1:1' };
    const sinks = (fn: (...args: never[]) => unknown): Sink[] => {
      const ref = stage.env.fn(fn);
      const spec = hash;
      const shuffle = shuffleIdOf(asRddId(1), 0);
      return [
        { kind: 'reduce', fn: ref }, { kind: 'aggregate', zero: new Uint8Array(0), seqFn: ref }, { kind: 'foreach', fn: ref },
        { kind: 'shuffle', shuffle, spec, keyed: true, combine: { createCombiner: ref, mergeValue: add, mergeCombiners: add } },
        { kind: 'shuffle', shuffle, spec, keyed: true, combine: { createCombiner: identity, mergeValue: ref, mergeCombiners: add } },
      ].map((sink) => ({ ...sink, ...(sink.kind === 'aggregate' ? { zero: zeroOf(stage) } : {}), operator }) as Sink);
    };
    for (const sink of sinks(() => { throw new Error('x'); })) t.match(thrownBy(() => stage.run(source, sink)), { code: 'UserFunctionFailed', details: { operator: 'sink', name: 'theSink' } });
    for (const sink of sinks(async () => 1)) t.match(thrownBy(() => stage.run(source, sink)), { code: 'AsyncRecordFunction', details: { operator: 'sink', name: 'theSink' } });
    const order = stage.env.fn(() => { throw new Error('x'); });
    t.match(thrownBy(() => stage.run(source, { kind: 'takeOrdered', limit: 1, descending: false, order, operator })), { code: 'UserFunctionFailed', details: { operator: 'sink' } });
  });

  t.test(`${form}: a failing merge of combiners is told by the operator that reads the shuffle`, async (t) => {
    const stage = maker();
    const shuffle = shuffleIdOf(asRddId(100), 0);
    const aggregator = { createCombiner: identity, mergeValue: add, mergeCombiners: stage.env.fn(() => { throw new Error('x'); }) };
    const rdd = stage.node({ kind: 'shuffled', shuffle, spec: hash, aggregator, mapSideCombine: true, sort: null, narrow: false }, [asRddId(99)]);
    const shuffles = [{ shuffle, partition: 0, buckets: [stage.env.bucket([['a', 1]]), stage.env.bucket([['a', 2]])] }];
    t.match(thrownBy(() => stage.run(stage.op('map', rdd, (x: unknown) => x), collect, 0, { shuffles })), { code: 'UserFunctionFailed', details: { operator: `u${rdd}`, record: '["a",2]' } });
  });

  t.test(`${form}: a cancelled task ends with that, whatever it was doing`, async (t) => {
    const stage = maker({ onAlive: () => { throw new MillraceError('TaskCancelled', 'The job has ended.'); } });
    const many = Array.from({ length: 1_100 }, (_, i) => i);
    const rdd = stage.op('map', stage.source(many), (x: number) => x);
    t.equal(thrownBy(() => stage.run(rdd, collect)).message, 'The job has ended.');
    const endless = stage.op('flatMap', stage.source([1]), function* () { for (;;) yield 1; });
    t.equal(thrownBy(() => stage.run(endless, { kind: 'count' })).message, 'The job has ended.');
  });

  t.test(`${form}: what is thrown need not be an error`, async (t) => {
    const stage = maker();
    const rdd = stage.op('map', stage.source(['r']), () => { throw 'just text'; });
    t.match(thrownBy(() => stage.run(rdd, collect)), { code: 'UserFunctionFailed', cause: 'just text' });
  });
}

function zeroOf(stage: StageMaker): Uint8Array {
  const block = stage.env.recordsBlock([0]);
  return stage.env.read(block.place!);
}
