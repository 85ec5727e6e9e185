import t from 'tap';
import type { Sink } from '../../../../protocol/rdd.ts';
import { asBlockId, shuffleIdOf } from '../../../../protocol/ids.ts';
import { decodeRecords, encodeRecords } from '../../../../protocol/codec.ts';
import type { Lineage } from '../../../../lib/rdd/partition-walk.ts';
import { cutStages, stageNodes, taskInputs } from '../../../../lib/rdd/lineage.ts';
import { parallelize } from '../../../../lib/rdd/make.ts';
import type { RDD } from '../../../../lib/rdd/rdd.ts';
import { stageShape } from '../../../../lib/rdd/shape.ts';
import { LocalRunner } from '../../../helpers/local-runner.ts';

const all: Sink = { kind: 'collect', limit: -1 };
const block = (name: string) => ({ id: asBlockId(name), codec: 'records' as const, place: { slab: 1, offset: 0, bytes: 1, generation: 0 }, records: 1 });
const bucket = { slab: 9, offset: 0, bytes: 1, generation: 0 };

function setting(): { context: LocalRunner; lineage: Lineage; cut: (rdd: RDD<never> | RDD<unknown>, partitions?: number[]) => string[]; pairs: RDD<[string, number]> } {
  const context = new LocalRunner();
  const lineage: Lineage = { nodes: (id) => context.node(id), known: context.known };
  return {
    context, lineage,
    /** `key rdd [partitions] <- parents`, the RDDs by operator. */
    cut: (rdd, partitions) => cutStages(lineage, rdd.id, partitions ?? null, all)
      .map((plan) => `${plan.purpose.kind} of ${context.node(plan.rdd).operator?.name} [${plan.partitions.join(' ')}] needs ${plan.parents.map((key) => key.split(' ')[0]).join(' ')}`),
    pairs: parallelize<[string, number]>(context, [['a', 1], ['b', 2], ['c', 3]], 3),
  };
}

t.test('narrow operators make one stage', async (t) => {
  const { cut, pairs, lineage, context } = setting();
  const rdd = pairs.map(([key]) => key).filter((key) => key !== '').union(pairs.keys()).coalesce(2).glom();
  t.same(cut(rdd), ['result of glom [0 1] needs ']);
  const nodes = stageNodes(lineage, rdd.id, [0, 1]);
  t.same(nodes.map((node) => node.kind), ['source', 'map', 'filter', 'map', 'union', 'coalesce', 'glom'], 'parents before children, each once');
  t.equal(nodes.at(-1), context.node(rdd.id));
});

t.test('only the nodes that the partitions walk are in a stage', async (t) => {
  const { pairs, lineage, context } = setting();
  const rdd = parallelize(context, [['z', 1]], 3).map((pair) => pair).union(pairs.filter(() => true));
  t.same(stageNodes(lineage, rdd.id, [0]).map((node) => node.kind), ['source', 'map', 'union']);
  t.same(stageNodes(lineage, rdd.id, [5]).map((node) => node.kind), ['map', 'source', 'filter', 'union'], 'the members before it are needed for counting, what lies behind them is not');
});

t.test('a task is told the blocks of sources that it walks to, and none of what lies behind a persisted partition that is there', async (t) => {
  const { pairs, lineage, context } = setting();
  const kept = pairs.map((pair) => pair).persist();
  const rdd = kept.union(pairs).coalesce(2);
  const blocksOf = (partition: number): number[] => {
    const node = context.node(pairs.id);
    return taskInputs(lineage, rdd.id, partition).sources.map(({ rdd: source, partition: its, blocks }) => (source === node.id && node.kind === 'source' && blocks === node.blocks[its] ? its : -1));
  };
  t.same([blocksOf(0), blocksOf(1)], [[0, 1, 2], [0, 1, 2]]);
  for (const partition of [0, 2]) context.known.addBlock(kept.id, partition, block(`kept-${partition}`));
  t.same([blocksOf(0), blocksOf(1)], [[1], [0, 1, 2]], 'only the partition that is not there is made of its block');
  context.known.dropBlock(kept.id, 2, context.known.version);
  t.same(blocksOf(0), [1, 2], 'one that is gone is made again');
  t.same(taskInputs(lineage, pairs.filter(() => true).reduceByKey((a, b) => a + b, 2).id, 0).sources, [], 'nor of what lies beyond a shuffle');
});

t.test('a shuffle cuts, and its writer comes first', async (t) => {
  const { cut, pairs, lineage } = setting();
  const counts = pairs.mapValues((x) => x).reduceByKey((a, b) => a + b, 2);
  const rdd = counts.map(([key]) => key);
  t.same(cut(rdd), ['shuffle of mapValues [0 1 2] needs ', 'result of map [0 1] needs shuffle']);
  t.same(stageNodes(lineage, rdd.id, [0, 1]).map((node) => node.kind), ['shuffled', 'map'], 'nothing beyond the shuffle');
  t.same(taskInputs(lineage, rdd.id, 1).shuffles, [{ shuffle: shuffleIdOf(counts.id, 0), partition: 1 }]);
  const [writer] = cutStages(lineage, rdd.id, null, all);
  t.match(writer?.sink, { kind: 'shuffle', shuffle: shuffleIdOf(counts.id, 0), spec: { kind: 'hash', partitions: 2 }, keyed: true, combine: { createCombiner: { name: 'identity' } } });
});

t.test('combining before the shuffle is left out where the operator says so', async (t) => {
  const { pairs, lineage } = setting();
  const [writer] = cutStages(lineage, pairs.groupByKey().id, null, all);
  t.match(writer?.sink, { kind: 'shuffle', combine: null });
  const [dealer] = cutStages(lineage, pairs.repartition(2).id, null, all);
  t.match(dealer?.sink, { kind: 'shuffle', combine: null, keyed: false, spec: { kind: 'roundRobin' } });
});

t.test('a few partitions of the result still need all of a shuffle\'s maps', async (t) => {
  const { cut, pairs } = setting();
  t.same(cut(pairs.reduceByKey((a, b) => a + b, 4), [2]), ['shuffle of parallelize [0 1 2] needs ', 'result of reduceByKey [2] needs shuffle']);
});

t.test('a parent that is laid out already is read without a shuffle', async (t) => {
  const { cut, pairs } = setting();
  const counts = pairs.reduceByKey((a, b) => a + b, 2);
  t.same(cut(counts.mapValues((x) => x + 1).reduceByKey((a, b) => a + b)), ['shuffle of parallelize [0 1 2] needs ', 'result of reduceByKey [0 1] needs shuffle'], 'mapValues keeps the layout');
  t.same(cut(counts.join(pairs)), ['shuffle of parallelize [0 1 2] needs ', 'shuffle of parallelize [0 1 2] needs ', 'result of join [0 1] needs shuffle shuffle'], 'one shuffle behind the counts, one for the pairs');
  t.same(cut(counts.map((pair) => pair).reduceByKey((a, b) => a + b)).length, 3, 'map may change keys: a second shuffle');
  t.equal(counts.partitionBy(2).id, counts.id);
  t.not(counts.partitionBy(3).id, counts.id);
});

t.test('RDDs with one partitioner are united partition by partition', async (t) => {
  const { context, pairs } = setting();
  const a = pairs.reduceByKey((x, y) => x + y, 2);
  const b = a.mapValues((x) => -x);
  const united = a.union(b);
  t.equal(united.getNumPartitions(), 2);
  t.same(united.partitioner, a.partitioner);
  const parts = await united.collectPartitions();
  for (const part of parts) t.same(part.slice(part.length / 2).map(([key]) => key), part.slice(0, part.length / 2).map(([key]) => key));
  t.equal(a.union(pairs).getNumPartitions(), 5, 'not with others');
  t.equal(a.union(pairs.partitionBy(3)).partitioner, null);
  context.endBatch();
});

t.test('sorting has a sampling stage before the shuffle, and its bounds reach the writer', async (t) => {
  const { cut, pairs, lineage, context } = setting();
  const sorted = pairs.sortByKey(true, 2);
  t.same(cut(sorted), ['bounds of parallelize [0 1 2] needs ', 'shuffle of parallelize [0 1 2] needs bounds', 'result of sortByKey [0 1] needs shuffle']);
  context.known.addBounds(sorted.id, encodeRecords(['b']));
  t.same(cut(sorted), ['shuffle of parallelize [0 1 2] needs ', 'result of sortByKey [0 1] needs shuffle'], 'bounds once known are kept');
  const [node] = stageNodes(lineage, sorted.id, [0]);
  t.ok(node?.kind === 'shuffled' && node.spec.kind === 'range' && node.spec.bounds !== null && decodeRecords(node.spec.bounds)[0] === 'b');
  t.same(cut(pairs.sortByKey(true, 1)), ['shuffle of parallelize [0 1 2] needs ', 'result of sortByKey [0] needs shuffle'], 'one partition needs no bounds');
});

t.test('a layout by ranges that another RDD takes over brings its sampling stage', async (t) => {
  const { cut, pairs } = setting();
  const sorted = pairs.sortByKey(true, 2);
  const other = pairs.mapValues(() => 0);
  t.same(cut(other.partitionBy(sorted.partitioner!)), ['bounds of parallelize [0 1 2] needs ', 'shuffle of mapValues [0 1 2] needs bounds', 'result of partitionBy [0 1] needs shuffle']);
  t.same(cut(sorted.join(other)).filter((line) => line.startsWith('bounds')).length, 1, 'sampled once for both sides');
});

t.test('zipWithIndex counts all partitions but the last, and only where an index above 0 is asked for', async (t) => {
  const { cut, pairs, lineage, context } = setting();
  const rdd = pairs.zipWithIndex();
  t.same(cut(rdd), ['count of parallelize [0 1] needs ', 'result of zipWithIndex [0 1 2] needs count']);
  t.same(cut(rdd, [0]), ['result of zipWithIndex [0] needs ']);
  context.known.addCount(pairs.id, 0, 10);
  t.same(cut(rdd), ['count of parallelize [1] needs ', 'result of zipWithIndex [0 1 2] needs count'], 'what is counted stays counted');
  context.known.addCount(pairs.id, 1, 5);
  t.same(taskInputs(lineage, rdd.id, 2).offsets, [{ rdd: rdd.id, partition: 2, first: 15 }]);
  t.same(taskInputs(lineage, rdd.coalesce(1).id, 0).offsets.map(({ first }) => first), [0, 10, 15], 'one task, three partitions');
  t.same(cut(pairs.coalesce(1).zipWithIndex()), ['result of zipWithIndex [0] needs ']);
});

t.test('known map outputs are not made again', async (t) => {
  const { cut, pairs, context } = setting();
  const counts = pairs.reduceByKey((a, b) => a + b, 2);
  const shuffle = shuffleIdOf(counts.id, 0);
  for (const map of [0, 2]) context.known.addMapOutput(shuffle, map, [bucket, null]);
  t.same(cut(counts), ['shuffle of parallelize [1] needs ', 'result of reduceByKey [0 1] needs shuffle']);
  context.known.addMapOutput(shuffle, 1, [null, bucket]);
  t.same(cut(counts), ['result of reduceByKey [0 1] needs ']);
});

t.test('a persisted partition that is known cuts the walk for that partition', async (t) => {
  const { cut, pairs, lineage, context } = setting();
  const cached = pairs.reduceByKey((a, b) => a + b, 2).cache();
  const rdd = cached.mapValues((x) => x);
  context.known.addBlock(cached.id, 0, block('rdd-0'));
  t.same(cut(rdd).length, 2, 'the other partition still needs the shuffle');
  t.same(cut(rdd, [0]), ['result of mapValues [0] needs ']);
  t.same(taskInputs(lineage, rdd.id, 0).cached, [{ rdd: cached.id, partition: 0, block: block('rdd-0') }]);
  context.known.addBlock(cached.id, 1, block('rdd-1'));
  t.same(cut(rdd), ['result of mapValues [0 1] needs ']);
});

t.test('nodes behind a known persisted partition are not asked for: their batch may be over', async (t) => {
  const { pairs, lineage, context } = setting();
  const cached = pairs.map((pair) => pair).cache();
  for (const partition of [0, 1, 2]) context.known.addBlock(cached.id, partition, block(`rdd-${partition}`));
  const released: Lineage = { known: context.known, nodes: (id) => { if (id === pairs.id) throw new Error('RddReleased'); return context.node(id); } };
  t.same(stageNodes(released, cached.keys().id, [0, 1, 2]).map((node) => node.kind), ['map', 'map']);
  t.same(stageNodes(lineage, cached.keys().id, [0]).length, 2);
});

t.test('one shuffle behind two readers is written by one stage', async (t) => {
  const { cut, pairs } = setting();
  const counts = pairs.reduceByKey((a, b) => a + b, 2);
  t.same(cut(counts.keys().union(counts.keys())).filter((line) => line.startsWith('shuffle')).length, 1);
  t.same(cut(counts.cartesian(counts)).filter((line) => line.startsWith('shuffle')).length, 1);
});

t.test('lineage of many thousand operators is walked without recursion', async (t) => {
  const { pairs, lineage } = setting();
  let rdd = pairs;
  for (let depth = 0; depth < 20_000; depth += 1) rdd = rdd.filter(even);
  t.equal(stageNodes(lineage, rdd.id, [0]).length, 20_001);
  let shuffled = pairs;
  for (let depth = 0; depth < 5_000; depth += 1) shuffled = shuffled.partitionBy(2 + (depth % 2));
  t.equal(cutStages(lineage, shuffled.id, null, all).length, 5_001);
});

const even = (): boolean => true;

t.test('the shape is the same for the next batch, and differs with functions and kinds', async (t) => {
  const { context, lineage } = setting();
  const word = (x: string): string => x;
  const shape = (make: (rdd: RDD<string>) => RDD<unknown>, partitions = 2): string => {
    const rdd = make(parallelize(context, ['a', 'b'], partitions));
    return stageShape(stageNodes(lineage, rdd.id, [0]), all);
  };
  const one = shape((rdd) => rdd.map(word));
  t.equal(shape((rdd) => rdd.map(word)), one, 'ids and blocks play no part');
  t.equal(shape((rdd) => rdd.map(word), 4), one, 'nor the number of partitions');
  t.not(shape((rdd) => rdd.map((x) => x)), one);
  t.not(shape((rdd) => rdd.flatMap(word)), one);
  t.not(shape((rdd) => rdd.map(word).cache()), one);
  t.not(shape((rdd) => rdd.keyBy(word)), shape((rdd) => rdd.keyBy((x) => x)), 'functions inside ours count');
  t.not(shape((rdd) => rdd.map(word).union(rdd)), shape((rdd) => rdd.union(rdd.map(word))), 'how nodes hang together');
  const ref = (time: number) => ({ kind: 'batch', program: 1, operator: 2, time, index: 0 }) as never;
  const node = context.node(parallelize(context, ['a'], 1).map(word).id);
  t.equal(stageShape([{ ...node, fn: ref(1_000) } as never], all), stageShape([{ ...node, fn: ref(2_000) } as never], all), 'batch times are left out');
});
