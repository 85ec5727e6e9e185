/** What operators with `onError` leave out, and which work a contribution to an accumulator belongs to: on both makers of loops. */
import t from 'tap';
import fc from 'fast-check';
import { Accumulator } from '../../../../lib/program/accumulator.ts';
import type { RunningFunction } from '../../../../lib/rdd/function-scope.ts';
import { deadLetterBytesMax } from '../../../../lib/rdd/function-scope.ts';
import { runTask } from '../../../../lib/rdd/run-task.ts';
import { decodeRecord } from '../../../../protocol/codec.ts';
import { MillraceError } from '../../../../protocol/errors.ts';
import { shuffleIdOf } from '../../../../protocol/ids.ts';
import type { RddId } from '../../../../protocol/ids.ts';
import type { RecordPolicy } from '../../../../protocol/rdd.ts';
import type { TaskReport } from '../../../../protocol/task.ts';
import { asBatchTime } from '../../../../protocol/time.ts';
import { loopForms, StageMaker, thrownBy } from './stage.ts';

type Kind = 'map' | 'filter' | 'flatMap' | 'mapValues' | 'flatMapValues';

const bad = (record: unknown): never => {
  throw new RangeError(`bad ${String(record)}`);
};
const operator = (stage: StageMaker, kind: Kind, parent: RddId, fn: (...args: never[]) => unknown, onError: RecordPolicy): RddId =>
  stage.node({ kind, fn: stage.env.fn(fn), onError }, [parent], { partitions: stage.partitionsOf(parent) });
const recordsOf = (stage: StageMaker, { output }: TaskReport): unknown[] => (output.kind === 'records' ? stage.env.recordsOf(output.block) : []);
/** [operator, policy, records, [record, error] of each letter]. */
const leftOut = (report: TaskReport): unknown[] =>
  (report.leftOut ?? []).map(({ operator: at, policy, records, letters }) => [at?.uid, policy, records, letters.map(({ record, error }) => [record === null ? null : decodeRecord(record), error.message])]);

for (const [form, loops] of loopForms) {
  const maker = (): StageMaker => new StageMaker({ loops: loops() });

  t.test(`${form}: each kind of operator leaves out the record that made its function throw, and no other`, async (t) => {
    const cases: readonly [Kind, (...args: never[]) => unknown, unknown[], unknown[]][] = [
      ['map', (x: number) => (x === 2 ? bad(x) : x * 10), [10, 30], [[2, 'bad 2']]],
      ['filter', (x: number) => (x === 2 ? bad(x) : x > 1), [3], [[2, 'bad 2']]],
      ['flatMap', (x: number) => (x === 2 ? bad(x) : [x, x]), [1, 1, 3, 3], [[2, 'bad 2']]],
    ];
    for (const [kind, fn, kept, letters] of cases) {
      const stage = maker();
      const report = stage.run(operator(stage, kind, stage.source([1, 2, 3]), fn, 'deadLetter'), { kind: 'collect', limit: -1 });
      t.strictSame(recordsOf(stage, report), kept, kind);
      t.strictSame(leftOut(report), [['u101', 'deadLetter', 1, letters]], kind);
    }
    const ofValues: typeof cases = [
      ['mapValues', (x: number) => (x === 2 ? bad(x) : x * 10), [['a', 10], ['c', 30]], [[['b', 2], 'bad 2']]],
      ['flatMapValues', (x: number) => (x === 2 ? bad(x) : [x, x]), [['a', 1], ['a', 1], ['c', 3], ['c', 3]], [[['b', 2], 'bad 2']]],
    ];
    for (const [kind, fn, kept, letters] of ofValues) {
      const stage = maker();
      const report = stage.run(operator(stage, kind, stage.source([['a', 1], ['b', 2], ['c', 3]]), fn, 'deadLetter'), { kind: 'collect', limit: -1 });
      t.strictSame(recordsOf(stage, report), kept, kind);
      t.strictSame(leftOut(report), [['u101', 'deadLetter', 1, letters]], `${kind}: the letter holds the whole pair`);
    }
  });

  t.test(`${form}: skip counts and reports no record; an operator that left nothing out reports nothing`, async (t) => {
    const stage = maker();
    const skipping = operator(stage, 'map', stage.source([1, 2, 3]), (x: number) => (x > 1 ? bad(x) : x), 'skip');
    const report = stage.run(operator(stage, 'filter', skipping, () => true, 'deadLetter'), { kind: 'collect', limit: -1 });
    t.strictSame(recordsOf(stage, report), [1]);
    t.strictSame(leftOut(report), [['u101', 'skip', 2, []]]);
    const well = maker();
    t.notOk('leftOut' in well.run(operator(well, 'map', well.source([1]), (x: number) => x, 'skip'), { kind: 'count' }));
  });

  t.test(`${form}: what fails behind an operator with a policy is not its own`, async (t) => {
    const stage = maker();
    const careful = operator(stage, 'flatMap', stage.source([1, 2]), (x: number) => [x], 'skip');
    const error = thrownBy(() => stage.run(stage.op('map', careful, bad), { kind: 'count' }));
    t.match(error, { code: 'UserFunctionFailed', details: { operator: 'u102', record: '1' } });
  });

  t.test(`${form}: results of an iterable come all or not at all`, async (t) => {
    const stage = maker();
    const half = function* (x: number): Generator<number> {
      yield x;
      if (x === 2) bad(x);
      yield -x;
    };
    const report = stage.run(operator(stage, 'flatMap', stage.source([1, 2, 3]), half, 'deadLetter'), { kind: 'collect', limit: -1 });
    t.strictSame(recordsOf(stage, report), [1, -1, 3, -3]);
    t.strictSame(leftOut(report), [['u101', 'deadLetter', 1, [[2, 'bad 2']]]]);
  });

  t.test(`${form}: what says that the program is wrong fails all the same`, async (t) => {
    const codes = (kind: Kind, records: unknown[], fn: (...args: never[]) => unknown): unknown => {
      const stage = maker();
      return thrownBy(() => stage.run(operator(stage, kind, stage.source(records), fn, 'skip'), { kind: 'count' })).code;
    };
    t.equal(codes('map', [1], () => Promise.resolve(1)), 'AsyncRecordFunction');
    t.equal(codes('flatMap', [1], () => Promise.resolve([1])), 'AsyncRecordFunction');
    t.equal(codes('flatMap', [1], () => 5), 'InvalidArgument');
    t.equal(codes('mapValues', ['no pair'], (x: unknown) => x), 'NotAPair');
    t.equal(codes('flatMapValues', ['no pair'], (x: unknown) => [x]), 'NotAPair');
    t.equal(codes('map', [1], () => { throw new MillraceError('TaskCancelled', 'Cancelled.'); }), 'TaskCancelled');
  });

  t.test(`${form}: foreach goes on behind a record that made it throw`, async (t) => {
    const stage = maker();
    const seen: number[] = [];
    const fn = stage.env.fn((x: number) => (x === 2 ? bad(x) : void seen.push(x)));
    const report = stage.run(stage.source([1, 2, 3]), { kind: 'foreach', fn, onError: 'deadLetter', output: 3, operator: { uid: 'out', name: 'foreach', place: '' } });
    t.strictSame(seen, [1, 3]);
    t.strictSame(leftOut(report), [['out', 'deadLetter', 1, [[2, 'bad 2']]]]);
    t.match(report.leftOut, [{ origin: 'output-3', partition: 0, batchTime: 2_000 }]);
  });

  t.test(`${form}: combining leaves out the pairs whose value can't be put in; where combiners are merged, a throw fails the task`, async (t) => {
    const stage = maker();
    const combine = {
      createCombiner: stage.env.fn((v: number) => (v < 0 ? bad(v) : [v])), mergeValue: stage.env.fn((all: number[], v: number) => (v < 0 ? bad(v) : [...all, v])),
      mergeCombiners: stage.env.fn(bad), onError: 'deadLetter',
    } as const;
    const pairs = [['a', 1], ['a', -1], ['b', -2], ['a', 2], ['b', 3]];
    const report = stage.run(stage.source(pairs), { kind: 'shuffle', shuffle: shuffleIdOf(stage.nodes[0]!.id, 0), spec: { kind: 'hash', partitions: 1 }, combine, keyed: true });
    t.strictSame(report.output.kind === 'shuffle' ? stage.env.pairsOf(report.output.buckets[0]!) : [], [['a', [1, 2]], ['b', [3]]]);
    t.match(leftOut(report), [[String, 'deadLetter', 2, [[['a', -1], 'bad -1'], [['b', -2], 'bad -2']]]]);

    const reading = maker();
    const aggregator = { createCombiner: reading.env.fn(bad), mergeValue: reading.env.fn(bad), mergeCombiners: reading.env.fn(bad), onError: 'skip' } as const;
    const spec = { kind: 'hash', partitions: 1 } as const;
    const shuffle = shuffleIdOf(reading.source([]), 0);
    const merging = reading.node({ kind: 'shuffled', shuffle, spec, aggregator, mapSideCombine: true, sort: null, narrow: false }, []);
    const buckets = [reading.env.bucket([['a', 1]]), reading.env.bucket([['a', 2]])];
    t.match(thrownBy(() => reading.run(merging, { kind: 'count' }, 0, { shuffles: [{ shuffle, partition: 0, buckets }] })), { code: 'UserFunctionFailed' });
  });

  t.test(`${form}: a task reports so many dead letters and no more; all are counted, and a record that can't go along has a preview`, async (t) => {
    const stage = maker();
    Object.assign(stage.env, { deadLettersPerTaskMax: 2 });
    const records = ['x'.repeat(deadLetterBytesMax), 'b', 'c', 'd'];
    const report = stage.run(operator(stage, 'map', stage.source(records), bad, 'deadLetter'), { kind: 'count' });
    const [{ records: count, letters }] = report.leftOut as [NonNullable<TaskReport['leftOut']>[number]];
    t.strictSame([count, letters.map(({ index, record }) => [index, record === null ? null : decodeRecord(record)])], [4, [[0, null], [1, 'b']]]);
    t.match(letters[0]!.preview, /^"x{900}/);
    t.ok(letters[0]!.preview.length <= 1_010);
    const odd = maker();
    const functions = odd.op('map', odd.source([1]), () => () => 1);
    t.match(odd.run(operator(odd, 'map', functions, bad, 'deadLetter'), { kind: 'count' }).leftOut, [{ letters: [{ record: null, preview: /function/ }] }]);
  });

  t.test(`${form}: any chain under policies keeps what the same chain keeps of the records that don't throw`, async (t) => {
    const step = fc.record({ kind: fc.constantFrom<Kind>('map', 'filter', 'flatMap', 'mapValues', 'flatMapValues'), modulus: fc.integer({ min: 2, max: 5 }), policy: fc.constantFrom<RecordPolicy>('skip', 'deadLetter') });
    fc.assert(fc.property(fc.array(step, { minLength: 1, maxLength: 5 }), fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 30 }), fc.constantFrom(-1, 3), (chain, values, limit) => {
      const stage = maker();
      let model = values.map((value): [number, number] => [value % 4, value]);
      let rdd = stage.source(model);
      const counts: number[] = [];
      for (const { kind, modulus, policy } of chain) {
        const throwsOn = (value: number): boolean => value % modulus === 1;
        const check = (value: number): number => (throwsOn(value) ? bad(value) : value);
        const fns: Record<Kind, (...args: never[]) => unknown> = {
          map: ([key, value]: [number, number]) => [key, check(value) + 1], filter: ([, value]: [number, number]) => check(value) % 3 !== 0,
          flatMap: ([key, value]: [number, number]) => new Set([[key, value], [key, check(value) + 2]]),
          mapValues: (value: number) => check(value) + 1, flatMapValues: (value: number) => [check(value), value + 2],
        };
        rdd = operator(stage, kind, rdd, fns[kind], policy);
        counts.push(model.filter(([, value]) => throwsOn(value)).length);
        model = model.filter(([, value]) => !throwsOn(value)).flatMap(([key, value]): [number, number][] => {
          if (kind === 'filter') return value % 3 !== 0 ? [[key, value]] : [];
          return kind === 'map' || kind === 'mapValues' ? [[key, value + 1]] : [[key, value], [key, value + 2]];
        });
      }
      const report = stage.run(rdd, { kind: 'collect', limit });
      const kept = recordsOf(stage, report);
      if (limit >= 0) return JSON.stringify(kept) === JSON.stringify(model.slice(0, limit));
      const left = new Map((report.leftOut ?? []).map(({ operator: at, records }) => [at?.uid, records]));
      return JSON.stringify(kept) === JSON.stringify(model) && chain.every((_, index) => (left.get(`u${101 + index}`) ?? 0) === counts[index]);
    }), { numRuns: 150 });
  });

  const counting = (): { stage: StageMaker; seen: Accumulator<number>; running: RunningFunction } => {
    const stage = maker();
    const running: RunningFunction = { scope: null };
    Object.assign(stage.env, { running });
    return { stage, seen: new Accumulator<number>(0, 'seen', 0, (a, b) => a + b, running), running };
  };
  const sums = (report: TaskReport): unknown[] => report.accumulators.map(({ origin, operator: at, partition, batchTime, whole, value }) => [origin, at, partition, batchTime, whole, decodeRecord(value)]);

  t.test(`${form}: what a function adds belongs to its operator and the partition of that operator's own RDD`, async (t) => {
    const { stage, seen, running } = counting();
    const tally = <T>(by: number) => (record: T): T => {
      seen.add(by);
      return record;
    };
    const first = stage.op('map', stage.source([1, 2], [3]), tally(1));
    const both = stage.node({ kind: 'coalesce', groups: [[0, 1]] }, [first]);
    const drawn = stage.op('flatMap', both, function* (record: number) {
      seen.add(10);
      yield record;
      seen.add(10);
    });
    const whole = stage.node({ kind: 'mapPartitions', withIndex: false, fn: stage.env.fn(function* (records: Iterable<number>) {
      for (const record of records) {
        seen.add(100);
        yield record;
      }
    }) }, [drawn]);
    const last = stage.op('map', whole, tally(1_000));
    Object.assign(stage.nodes.at(-1)!, { batchTime: asBatchTime(1_500) });
    const report = stage.run(last, { kind: 'foreach', fn: stage.env.fn(tally(10_000)), output: 2, operator: { uid: 'out', name: 'foreach', place: '' } });
    t.strictSame(sums(report).sort(), [
      [`rdd-${first}`, `u${first}`, 0, 2_000, true, 2],
      [`rdd-${first}`, `u${first}`, 1, 2_000, true, 1],
      [`rdd-${drawn}`, `u${drawn}`, 0, 2_000, true, 60],
      [`rdd-${whole}`, `u${whole}`, 0, 2_000, true, 300],
      [`rdd-${last}`, `u${last}`, 0, 1_500, true, 3_000],
      ['output-2', 'out', 0, 2_000, true, 30_000],
    ].sort());
    t.equal(running.scope, null, 'nothing runs any more');
    t.equal(seen.value, 0, 'the app is told by the report');
  });

  t.test(`${form}: both sides of a shuffle are work of their own; partitions read twice count once`, async (t) => {
    const { stage, seen } = counting();
    const mapped = stage.op('map', stage.source([['a', 1], ['a', 2]]), (pair: unknown) => {
      seen.add(1);
      return pair;
    });
    const add = stage.env.fn((a: number, b: number) => {
      seen.add(10);
      return a + b;
    });
    const identity = { kind: 'builtin', name: 'identity' } as const;
    const aggregator = { createCombiner: identity, mergeValue: add, mergeCombiners: add };
    const shuffle = shuffleIdOf(mapped, 0);
    const spec = { kind: 'hash', partitions: 1 } as const;
    t.strictSame(sums(stage.run(mapped, { kind: 'shuffle', shuffle, spec, combine: aggregator, keyed: true, batchTime: asBatchTime(1_000) })).map((sum) => (sum as unknown[]).slice(2).concat((sum as unknown[])[0])), [
      [0, 2_000, true, 2, `rdd-${mapped}`], [0, 1_000, true, 10, `shuffle-${shuffle}`],
    ]);
    const zipped = stage.node({ kind: 'zip' }, [mapped, mapped]);
    t.match(sums(stage.run(zipped, { kind: 'count' })), [[`rdd-${mapped}`, String, 0, 2_000, true, 2]]);
    const merging = stage.node({ kind: 'shuffled', shuffle, spec, aggregator, mapSideCombine: true, sort: null, narrow: false }, []);
    const buckets = [stage.env.bucket([['a', 1]]), stage.env.bucket([['a', 2]])];
    t.match(sums(stage.run(merging, { kind: 'count' }, 0, { shuffles: [{ shuffle, partition: 0, buckets }] })), [[`rdd-${merging}`, String, 0, 2_000, true, 10]]);
  });

  t.test(`${form}: a task that stops early says so; one that fails leaves nothing behind`, async (t) => {
    const { stage, seen, running } = counting();
    const mapped = stage.op('map', stage.source([1, 2, 3]), (x: number) => {
      seen.add(1);
      return x;
    });
    t.match(sums(stage.run(mapped, { kind: 'collect', limit: 2 })), [[String, String, 0, 2_000, false, 2]]);
    thrownBy(() => stage.run(stage.op('map', mapped, bad), { kind: 'count' }));
    t.equal(running.scope, null);
    t.match(sums(stage.run(mapped, { kind: 'count' })), [[String, String, 0, 2_000, true, 3]]);
  });

  t.test(`${form}: an async function of foreachPartition adds to its work until it has settled`, async (t) => {
    const { stage, seen, running } = counting();
    const fn = stage.env.fn(async (records: Iterable<number>) => {
      for (const record of records) {
        await Promise.resolve();
        seen.add(record);
      }
    });
    const source = stage.source([1, 2, 3]);
    const report = await runTask(stage.stage(source, { kind: 'foreachPartition', fn, output: 0 }), stage.task(), stage.env);
    t.match(sums(report), [['output-0', String, 0, 2_000, true, 6]]);
    t.equal(running.scope, null);
  });
}

t.test('where there is neither a policy nor an accumulator, the loop has no try of its own and notes no scope', async (t) => {
  const [[, loops]] = loopForms as [(typeof loopForms)[number]];
  const cache = loops();
  const shape = { source: 'array', ops: [{ kind: 'map', ref: { kind: 'local', index: 1 }, fn: null, operator: null, next: 0 }], sink: 'collect', refs: [] } as const;
  const plain = cache.loopOf(shape).toString();
  t.equal(plain.split('try {').length, 2, 'the one around the whole loop');
  t.notMatch(plain, /running|leaveOut/);
  const careful = cache.loopOf({ ...shape, ops: [{ ...shape.ops[0], onError: 'skip' }] });
  const tracked = cache.loopOf({ ...shape, tracked: true });
  t.match(careful.toString(), /leaveOut/);
  t.match(tracked.toString(), /running\.scope = s0/);
  t.equal(new Set([cache.loopOf(shape), careful, tracked]).size, 3);
});
