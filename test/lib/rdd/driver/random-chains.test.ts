/**
 * Random chains of operators on random records, against the same chain on plain arrays: partitions and order included wherever
 * the operators promise one, as bags elsewhere. Half of the runs have faults.
 */
import t from 'tap';
import fc from 'fast-check';
import { compareKeys, keyEquals } from '../../../../lib/base/key.ts';
import { parallelize } from '../../../../lib/rdd/make.ts';
import type { RDD } from '../../../../lib/rdd/rdd.ts';
import { LocalRunner } from '../../../helpers/local-runner.ts';

type Pair = [string, number];

/** Records as an array; `ordered`: the order is promised. */
interface Model {
  readonly records: readonly Pair[];
  readonly ordered: boolean;
}

interface Step {
  readonly name: string;
  readonly rdd: (rdd: RDD<Pair>, n: number) => RDD<Pair>;
  readonly model: (model: Model, n: number) => Model;
}

const keep = (change: (records: readonly Pair[]) => readonly Pair[]) => (model: Model): Model => ({ records: change(model.records), ordered: model.ordered });
const bag = (change: (records: readonly Pair[]) => readonly Pair[]) => (model: Model): Model => ({ records: change(model.records), ordered: false });

const byKey = (records: readonly Pair[]): Map<string, number[]> => {
  const groups = new Map<string, number[]>();
  for (const [key, value] of records) groups.set(key, [...(groups.get(key) ?? []), value]);
  return groups;
};
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

const steps: readonly Step[] = [
  { name: 'map', rdd: (rdd) => rdd.map(([k, v]) => [k, v + 1]), model: keep((all) => all.map(([k, v]) => [k, v + 1])) },
  { name: 'filter', rdd: (rdd) => rdd.filter(([, v]) => v % 3 !== 0), model: keep((all) => all.filter(([, v]) => v % 3 !== 0)) },
  { name: 'flatMap', rdd: (rdd, n) => rdd.flatMap(([k, v]) => Array.from({ length: v % n }, (): Pair => [k + String(v % 2), v])), model: (m, n) => keep((all) => all.flatMap(([k, v]) => Array.from({ length: v % n }, (): Pair => [k + String(v % 2), v])))(m) },
  { name: 'mapValues', rdd: (rdd) => rdd.mapValues((v) => v * 2), model: keep((all) => all.map(([k, v]) => [k, v * 2])) },
  { name: 'reduceByKey', rdd: (rdd, n) => rdd.reduceByKey((a, b) => a + b, n), model: bag((all) => [...byKey(all)].map(([k, vs]) => [k, sum(vs)])) },
  { name: 'reduceByKey by default', rdd: (rdd) => rdd.reduceByKey(Math.max), model: bag((all) => [...byKey(all)].map(([k, vs]) => [k, Math.max(...vs)])) },
  { name: 'groupByKey', rdd: (rdd, n) => rdd.groupByKey(n).mapValues((vs) => vs.length), model: bag((all) => [...byKey(all)].map(([k, vs]) => [k, vs.length])) },
  { name: 'sortByKey', rdd: (rdd, n) => rdd.sortByKey(true, n).sortBy((pair) => pair, n > 2), model: ({ records }, n) => ({ records: [...records].sort(n > 2 ? compareKeys : (a, b) => compareKeys(b, a)), ordered: true }) },
  { name: 'distinct', rdd: (rdd) => rdd.distinct(), model: bag((all) => all.filter((x, index) => all.findIndex((y) => keyEquals(x, y)) === index)) },
  { name: 'union with itself', rdd: (rdd) => rdd.union(rdd), model: (m) => ({ records: [...m.records, ...m.records], ordered: false }) },
  { name: 'union with its values doubled', rdd: (rdd) => rdd.union(rdd.mapValues((v) => v * 2)), model: bag((all) => [...all, ...all.map(([k, v]): Pair => [k, v * 2])]) },
  { name: 'coalesce', rdd: (rdd, n) => rdd.coalesce(n), model: keep((all) => all) },
  { name: 'repartition', rdd: (rdd, n) => rdd.repartition(n), model: bag((all) => all) },
  { name: 'partitionBy', rdd: (rdd, n) => rdd.partitionBy(n), model: bag((all) => all) },
  { name: 'cache', rdd: (rdd) => rdd.cache(), model: keep((all) => all) },
  { name: 'subtractByKey', rdd: (rdd) => rdd.subtractByKey(rdd.filter(([, v]) => v % 2 === 0)), model: bag((all) => all.filter(([k]) => !all.some(([k2, v]) => k2 === k && v % 2 === 0))) },
  { name: 'subtract', rdd: (rdd) => rdd.subtract(rdd.filter(([, v]) => v % 2 === 0)), model: bag((all) => all.filter(([, v]) => v % 2 !== 0)) },
  { name: 'intersection', rdd: (rdd) => rdd.intersection(rdd.filter(([, v]) => v % 2 === 0)), model: bag((all) => all.filter((x, index) => x[1] % 2 === 0 && all.findIndex((y) => keyEquals(x, y)) === index)) },
  {
    name: 'leftOuterJoin with its sums',
    rdd: (rdd) => rdd.leftOuterJoin(rdd.filter(([, v]) => v > 3).reduceByKey((a, b) => a + b)).mapValues(([v, total]) => v + (total ?? -1)),
    model: bag((all) => {
      const groups = byKey(all.filter(([, v]) => v > 3));
      return all.map(([k, v]) => [k, v + (groups.has(k) ? sum(groups.get(k)!) : -1)]);
    }),
  },
  { name: 'glom and back', rdd: (rdd) => rdd.glom().flatMap((all) => all), model: keep((all) => all) },
  { name: 'mapPartitions', rdd: (rdd) => rdd.mapPartitions((all) => [...all], true), model: keep((all) => all) },
  { name: 'cartesian with a few', rdd: (rdd) => rdd.cartesian(parallelize(rdd.context, [1, 2], 2)).map(([[k, v], x]) => [k, v + x]), model: bag((all) => all.flatMap(([k, v]): Pair[] => [[k, v + 1], [k, v + 2]])) },
  { name: 'zip', rdd: (rdd) => rdd.zip(rdd.values()).map(([[k, v], w]) => [k, v + w]), model: keep((all) => all.map(([k, v]) => [k, v + v])) },
  { name: 'zipWithIndex', rdd: (rdd) => rdd.sortBy((pair) => pair).zipWithIndex().map(([[k, v], index]) => [k, v + index]), model: ({ records }) => ({ records: [...records].sort(compareKeys).map(([k, v], index) => [k, v + index]), ordered: true }) },
];

const chain = fc.array(fc.tuple(fc.integer({ min: 0, max: steps.length - 1 }), fc.integer({ min: 1, max: 4 })), { minLength: 1, maxLength: 6 });
const pairs = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'dd', ''), fc.integer({ min: 0, max: 9 })), { maxLength: 25 });
/** Chains that multiply their records many times over are left out. */
const recordsMax = 600;

t.test('any chain of operators gives what the same chain on arrays gives', async (t) => {
  let compared = 0;
  await fc.assert(fc.asyncProperty(pairs, chain, fc.integer({ min: 1, max: 4 }), fc.boolean(), fc.nat(), async (records, ops, partitions, faulty, seed) => {
    const faults = faulty ? { failBefore: 0.03, failAfter: 0.03, hostLost: 0.05, bucketLost: 0.05, blockLost: 0.1, faultsMax: 30 } : {};
    const context = new LocalRunner({ seed, faults, taskFailuresMax: 31 });
    let rdd = parallelize<Pair>(context, records, partitions);
    let model: Model = { records, ordered: true };
    for (const [index, n] of ops) {
      const step = steps[index]!;
      const next = step.model(model, n);
      if (next.records.length > recordsMax) continue;
      rdd = step.rdd(rdd, n);
      model = next;
    }
    const got = await rdd.collect();
    const sides = model.ordered ? [got, model.records] : [[...got].sort(compareKeys), [...model.records].sort(compareKeys)];
    compared += got.length;
    if (!keyEquals(sides[0], sides[1])) throw new Error(`${ops.map(([index, n]) => `${steps[index]!.name} ${n}`).join(', ')}: expected ${JSON.stringify(sides[1])}, got ${JSON.stringify(sides[0])}`);
    // The same again, from what is known, and in other numbers of partitions.
    if (!keyEquals(await rdd.collect(), got)) throw new Error('A second run gives another result.');
    if (!keyEquals(await rdd.take(3), got.slice(0, 3))) throw new Error('take gives other records than collect.');
    context.endBatch();
    if (context.memory.live !== 0) throw new Error(`${context.memory.live} pieces of memory are not given back.`);
  }), { seed: 4_217, numRuns: 100 });
  t.ok(compared > 300, `${compared} records compared`);
});
