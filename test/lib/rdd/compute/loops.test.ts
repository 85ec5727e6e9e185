import t from 'tap';
import fc from 'fast-check';
import type { Op, OpKind } from '../../../../lib/rdd/fuse.ts';
import { LoopCache } from '../../../../lib/rdd/fuse.ts';
import type { RddId } from '../../../../protocol/ids.ts';
import type { FunctionRef } from '../../../../protocol/rdd.ts';
import { asProgramId } from '../../../../protocol/ids.ts';
import { asBatchTime } from '../../../../protocol/time.ts';
import { loopForms, StageMaker, thrownBy } from './stage.ts';

const op = (kind: OpKind, ref: FunctionRef): Op => ({ kind, ref, fn: null, operator: null, next: 0 });
const shape = (index: number, time = 1_000): { source: 'array'; ops: Op[]; sink: 'collect'; refs: [] } => ({
  source: 'array', ops: [op('map', { kind: 'batch', program: asProgramId(1), operator: 2, time: asBatchTime(time), index })], sink: 'collect', refs: [],
});

t.test('a loop is compiled once for a shape, in whatever batch; the cache has a bound and forgets what was used longest ago', async (t) => {
  const loops = new LoopCache({ loopsMax: 2 });
  const [one, two] = [loops.loopOf(shape(1)), loops.loopOf(shape(2))];
  t.not(one, two);
  t.equal(loops.loopOf(shape(1, 2_000)), one);
  loops.loopOf(shape(3));
  t.equal(loops.size, 2);
  t.equal(loops.loopOf(shape(1)), one);
  t.not(loops.loopOf(shape(2)), two);
});

t.test('loops of equal form have texts of their own, and no name or datum of the user is in one', async (t) => {
  const loops = new LoopCache();
  const evil = { kind: 'builtin', name: '*/ throw new Error("out") /*' } as const;
  const texts = [op('map', evil), op('map', { kind: 'local', index: 1 })].map((only) => loops.loopOf({ source: 'array', ops: [only], sink: 'collect', refs: [] }).toString());
  t.not(texts[0], texts[1]);
  t.equal(texts[0]!.replace(/\/\/ Loop \d+\./, ''), texts[1]!.replace(/\/\/ Loop \d+\./, ''));
  t.match(texts[0], /\/\/ Loop \d+\.\s*\}$/);
});

t.test('where code generation is refused, closures are used', async (t) => {
  const before = globalThis.Function;
  t.teardown(() => void (globalThis.Function = before));
  globalThis.Function = function refused() { throw new EvalError('Code generation from strings disallowed for this context'); } as unknown as FunctionConstructor;
  const loops = new LoopCache();
  globalThis.Function = before;
  t.equal(loops.generates, false);
  const stage = new StageMaker({ loops });
  t.strictSame(stage.collect(stage.op('map', stage.source([1]), (x: number) => x + 1)), [2]);
});

// Chains against plain arrays: each step keeps records pairs of a small text or number and a number, so that any can follow any.
type Pair = readonly [unknown, number];
interface Step {
  readonly kind: Exclude<OpKind, 'zipWithIndex'>;
  readonly name: string;
  readonly fn: (x: never) => unknown;
  readonly model: (records: readonly Pair[]) => Pair[];
}

const steps: readonly Step[] = [
  { kind: 'map', name: 'swap-ish', fn: ([k, v]: Pair) => [v % 3, v + 1, k].slice(0, 2), model: (all) => all.map(([, v]) => [v % 3, v + 1]) },
  { kind: 'map', name: 'key as text', fn: ([k, v]: Pair) => [`${String(k)}!`.slice(-3), v], model: (all) => all.map(([k, v]) => [`${String(k)}!`.slice(-3), v]) },
  { kind: 'filter', name: 'odd', fn: ([, v]: Pair) => v % 2 !== 0, model: (all) => all.filter(([, v]) => v % 2 !== 0) },
  { kind: 'filter', name: 'none', fn: () => 0, model: () => [] },
  { kind: 'flatMap', name: 'array', fn: ([k, v]: Pair) => Array.from({ length: v % 4 }, (_, i) => [k, v + i]), model: (all) => all.flatMap(([k, v]) => Array.from({ length: v % 4 }, (_, i): Pair => [k, v + i])) },
  { kind: 'flatMap', name: 'generator', fn: function* ([k, v]: Pair) { yield [k, v]; if (v % 3 === 0) yield [v, 1]; }, model: (all) => all.flatMap(([k, v]): Pair[] => (v % 3 === 0 ? [[k, v], [v, 1]] : [[k, v]])) },
  { kind: 'mapValues', name: 'times', fn: (v: number) => v * 3 + 1, model: (all) => all.map(([k, v]) => [k, v * 3 + 1]) },
  { kind: 'flatMapValues', name: 'set', fn: (v: number) => new Set([v, v % 5]), model: (all) => all.flatMap(([k, v]) => [...new Set([v, v % 5])].map((w): Pair => [k, w])) },
  { kind: 'flatMapValues', name: 'array', fn: (v: number) => [v, v], model: (all) => all.flatMap(([k, v]): Pair[] => [[k, v], [k, v]]) },
];

for (const [form, makeLoops] of loopForms) {
  t.test(`${form}: random chains over random blocks give what plain arrays give, for each source and sink`, async (t) => {
    const record = fc.tuple(fc.oneof(fc.constantFrom('a', 'b', 'é'), fc.nat(5)), fc.nat(50));
    // One cache for all chains: its loops meet many functions.
    const loops = makeLoops();
    fc.assert(
      fc.property(fc.array(fc.array(record, { maxLength: 8 }), { minLength: 1, maxLength: 3 }), fc.array(fc.nat(steps.length - 1), { maxLength: 6 }), fc.nat(2), fc.nat(12), (blocks, chain, source, limit) => {
        const stage = new StageMaker({ loops, chunkBytes: 16 });
        let rdd: RddId = makeSource(stage, blocks, source);
        let expected: Pair[] = blocks.flat();
        for (const index of chain) {
          rdd = stage.op(steps[index]!.kind, rdd, steps[index]!.fn);
          expected = steps[index]!.model(expected);
        }
        same(stage.collect(rdd), expected, 'collect');
        same(stage.collect(rdd, 0, {}, limit), expected.slice(0, limit), 'take');
        const { output } = stage.run(rdd, { kind: 'count' });
        same(output, { kind: 'count', count: expected.length }, 'count');
        const sums = new Map<unknown, number>();
        for (const [k, v] of expected) sums.set(k, (sums.get(k) ?? 0) + v);
        const ref = { kind: 'builtin', name: 'add' } as const;
        const combine = { createCombiner: { kind: 'builtin', name: 'identity' }, mergeValue: ref, mergeCombiners: ref } as const;
        const shuffled = stage.run(rdd, { kind: 'shuffle', shuffle: 16 as never, spec: { kind: 'hash', partitions: 1 }, combine, keyed: true }).output;
        same(shuffled.kind === 'shuffle' ? stage.env.pairsOf(shuffled.buckets[0]!) : null, [...sums], 'combine');
      }),
      { seed: 11, numRuns: 150 },
    );
  });
}

t.test('both forms name the same operator and record, whatever fails in a chain', async () => {
  const record = fc.tuple(fc.constantFrom('a', 'b'), fc.nat(20));
  const caches = loopForms.map(([, makeLoops]) => makeLoops());
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 8 }), fc.array(fc.nat(steps.length - 1), { minLength: 1, maxLength: 5 }), fc.nat(4), fc.nat(10), (records, chain, at, after) => {
      const outcomes = caches.map((loops) => {
        const stage = new StageMaker({ loops });
        let calls = 0;
        let rdd: RddId = stage.source(records);
        chain.forEach((index, position) => {
          const { kind, fn } = steps[index]!;
          rdd = stage.op(kind, rdd, position !== at % chain.length ? fn : (x: never) => {
            if (calls >= after) throw new Error('now');
            calls += 1;
            return fn(x);
          });
        });
        try {
          return stage.collect(rdd);
        } catch (error) {
          return (error as { details: unknown }).details;
        }
      });
      same(outcomes[0], outcomes[1], 'outcome');
    }),
    { seed: 13, numRuns: 150 },
  );
});

function makeSource(stage: StageMaker, blocks: readonly (readonly Pair[])[], source: number): RddId {
  if (source === 0) return stage.node({ kind: 'source', blocks: [blocks.map((records) => stage.env.recordsBlock(records))] }, []);
  if (source === 1) {
    const lines = stage.text(...blocks.map((records) => records.map((record) => `${JSON.stringify(record)}\n`).join('')));
    return stage.op('map', lines, (line: string) => JSON.parse(line));
  }
  const left = stage.source(blocks.flat().map(([k]) => k));
  return stage.node({ kind: 'zip' }, [left, stage.source(blocks.flat().map(([, v]) => v))]);
}

function same(actual: unknown, expected: unknown, what: string): void {
  const [a, e] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== e) throw new Error(`${what}: expected ${e}, got ${a}`);
}

t.test('a stage without the node it walks, or a task without the buckets it reads, is a bug said loudly', async (t) => {
  const stage = new StageMaker();
  const orphan = stage.op('map', stage.source([1]), (x: unknown) => x);
  stage.nodes.shift();
  t.match(thrownBy(() => stage.collect(orphan)).message, /lacks the node of RDD 100/);
  const reader = stage.node({ kind: 'shuffled', shuffle: 1616 as never, spec: { kind: 'hash', partitions: 1 }, aggregator: null, mapSideCombine: false, sort: null, narrow: false }, [orphan]);
  t.match(thrownBy(() => stage.collect(reader)).message, /no buckets for partition 0 of shuffle 1616/);
});
