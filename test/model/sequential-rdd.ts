/**
 * An RDD as plain arrays: what each operation means, with nothing distributed, lazy or shared about it.
 *
 * Invariant: records in order of partitions, in each partition in order. A shuffle takes its input in that order and
 * gives keys in the order of their first appearance: the order that DESIGN 4 promises for the real runtime.
 *
 *   partitions: [ [r0, r1], [], [r2] ]        cut like an input: partition p from floor(p*len/n) on
 */
import { cutRecords } from '../conformance/case.ts';
import { asPair, keyOf } from '../conformance/functions.ts';
import type { Combiner } from '../conformance/functions.ts';
import type { RddLike, RddMaker } from '../conformance/rdd-functions.ts';
import { compareValues } from '../conformance/values.ts';
import type { Value } from '../conformance/values.ts';

/** What a sequential cluster is made with. */
export interface SequentialOptions {
  readonly defaultParallelism: number;
  /** Which partition a key goes to: the runtime's own, where placement is to be compared too. */
  readonly partitionOf: (key: Value, partitions: number) => number;
  /** The most records of one RDD; more is TooManyRecords. No number: any. */
  readonly recordsMax?: number;
}

/** Null goes to partition 0, as in Spark and Millrace; the rest by the characters of its text. */
export const defaultOptions: SequentialOptions = {
  defaultParallelism: 2,
  partitionOf: (key, partitions) => (key === null ? 0 : [...JSON.stringify(key)].reduce((hash, char) => (hash * 31 + char.charCodeAt(0)) % 65_536, 7) % partitions),
};

export class SequentialRdd implements RddLike {
  readonly partitions: readonly (readonly Value[])[];
  readonly options: SequentialOptions;

  constructor(partitions: readonly (readonly Value[])[], options: SequentialOptions) {
    this.partitions = partitions;
    this.options = options;
  }

  get records(): Value[] {
    return this.partitions.flat(1) as Value[];
  }

  map(each: (record: Value) => Value): SequentialRdd {
    return this.#each((records) => records.map((record) => each(record)));
  }

  flatMap(each: (record: Value) => readonly Value[]): SequentialRdd {
    return this.#each((records) => records.flatMap((record) => each(record)));
  }

  filter(keep: (record: Value) => boolean): SequentialRdd {
    return this.#each((records) => records.filter((record) => keep(record)));
  }

  mapPartitions(each: (records: readonly Value[]) => Iterable<Value>): SequentialRdd {
    return this.#each((records) => [...each(records)]);
  }

  mapPartitionsWithIndex(each: (partition: number, records: Iterable<Value>) => Iterable<Value>): SequentialRdd {
    return this.#each((records, partition) => [...each(partition, records)]);
  }

  glom(): SequentialRdd {
    return this.#each((records) => [records]);
  }

  /** Record i of partition p goes to (p + i) mod partitions. */
  repartition(partitions: number): SequentialRdd {
    const out = emptyPartitions(partitions);
    this.partitions.forEach((records, p) => records.forEach((record, index) => out[(p + index) % partitions]?.push(record)));
    return new SequentialRdd(out, this.options);
  }

  coalesce(partitions: number): SequentialRdd {
    if (partitions >= this.partitions.length) return this;
    return new SequentialRdd(cutRecords(this.partitions, partitions).map((group) => group.flat(1) as Value[]), this.options);
  }

  union(...others: RddLike[]): SequentialRdd {
    return new SequentialRdd([this as RddLike, ...others].flatMap((rdd) => own(rdd).partitions), this.options);
  }

  cartesian(other: RddLike): SequentialRdd {
    const right = own(other).partitions;
    return new SequentialRdd(this.partitions.flatMap((xs) => right.map((ys) => xs.flatMap((x) => ys.map((y): Value => [x, y])))), this.options);
  }

  sortBy(key: (record: Value) => Value, ascending = true): SequentialRdd {
    const sorted = this.records.sort((a, b) => (ascending ? 1 : -1) * compareValues(key(a), key(b)));
    return new SequentialRdd(cutRecords(sorted, this.partitions.length), this.options);
  }

  sortByKey(ascending = true): SequentialRdd {
    return this.sortBy(keyOf, ascending);
  }

  zipWithIndex(): SequentialRdd {
    let index = 0;
    return this.map((record) => [record, index++]);
  }

  distinct(): SequentialRdd {
    return this.map((x) => [x, null]).reduceByKey((first) => first, this.partitions.length).map(keyOf);
  }

  combineByKey(combiner: Combiner, partitions = this.options.defaultParallelism, mapSideCombine = true): SequentialRdd {
    const combined = mapSideCombine ? this.#each((records) => combinePairs(records, combiner.createCombiner, combiner.mergeValue)) : this;
    const merge = mapSideCombine ? combiner.mergeCombiners : combiner.mergeValue;
    return combined.partitionedByKey(partitions).#each((records) => combinePairs(records, mapSideCombine ? (v) => v : combiner.createCombiner, merge));
  }

  reduceByKey(fn: (a: Value, b: Value) => Value, partitions?: number): SequentialRdd {
    return this.combineByKey({ createCombiner: (v) => v, mergeValue: fn, mergeCombiners: fn }, partitions);
  }

  /** [key, values] in the order of the values. */
  groupByKey(partitions = this.options.defaultParallelism): SequentialRdd {
    return this.cogroup([], partitions).map((pair) => [keyOf(pair), (asPair(pair)[1] as readonly Value[])[0] as Value]);
  }

  /** [key, [values here, values of the first other, ...]]. */
  cogroup(others: readonly RddLike[], partitions = this.options.defaultParallelism): SequentialRdd {
    const sides = [this as RddLike, ...others].map((rdd) => own(rdd).partitionedByKey(partitions).partitions);
    const joined = emptyPartitions(partitions).map((_, p) => cogroupPairs(sides.map((side) => side[p] ?? [])));
    return new SequentialRdd(joined, this.options);
  }

  join(other: RddLike, partitions?: number): SequentialRdd {
    return this.#joined(other, partitions, false, false);
  }

  leftOuterJoin(other: RddLike, partitions?: number): SequentialRdd {
    return this.#joined(other, partitions, true, false);
  }

  rightOuterJoin(other: RddLike, partitions?: number): SequentialRdd {
    return this.#joined(other, partitions, false, true);
  }

  fullOuterJoin(other: RddLike, partitions?: number): SequentialRdd {
    return this.#joined(other, partitions, true, true);
  }

  subtractByKey(other: RddLike): SequentialRdd {
    return this.cogroup([other]).flatMap((group) => {
      const [mine = [], theirs = []] = asPair(group)[1] as readonly (readonly Value[])[];
      return theirs.length > 0 ? [] : mine.map((value): Value => [keyOf(group), value]);
    });
  }

  subtract(other: RddLike): SequentialRdd {
    return this.map((x) => [x, null]).subtractByKey(other.map((x) => [x, null])).map(keyOf);
  }

  intersection(other: RddLike): SequentialRdd {
    return this.map((x) => [x, null])
      .cogroup([other.map((x) => [x, null])])
      .filter((group) => (asPair(group)[1] as readonly (readonly Value[])[]).every((side) => side.length > 0))
      .map(keyOf);
  }

  async count(): Promise<number> {
    return this.records.length;
  }

  async isEmpty(): Promise<boolean> {
    return this.records.length === 0;
  }

  async takeOrdered(limit: number, order: (a: Value, b: Value) => number = compareValues): Promise<Value[]> {
    return this.records.sort(order).slice(0, limit);
  }

  #joined(other: RddLike, partitions: number | undefined, keepLeft: boolean, keepRight: boolean): SequentialRdd {
    return this.cogroup([other], partitions).flatMap((group) => {
      const [left = [], right = []] = asPair(group)[1] as readonly (readonly Value[])[];
      const lefts = left.length === 0 && keepRight ? [null] : left;
      const rights = right.length === 0 && keepLeft ? [null] : right;
      return lefts.flatMap((v) => rights.map((w): Value => [keyOf(group), [v, w]]));
    });
  }

  /** Each record where its key belongs, in the order of the partitions that they come from. */
  partitionedByKey(partitions: number): SequentialRdd {
    const out = emptyPartitions(partitions);
    for (const record of this.records) out[this.options.partitionOf(keyOf(record), partitions)]?.push(record);
    return new SequentialRdd(out, this.options);
  }

  #each(run: (records: readonly Value[], partition: number) => readonly Value[]): SequentialRdd {
    return new SequentialRdd(this.partitions.map(run), this.options);
  }
}

export interface SequentialMaker extends RddMaker {
  parallelize(records: readonly Value[], partitions?: number): SequentialRdd;
  emptyRDD(): SequentialRdd;
}

/** The context's part in making RDDs. */
export function sequentialMaker(options: SequentialOptions): SequentialMaker {
  return {
    parallelize: (records, partitions = options.defaultParallelism) => new SequentialRdd(cutRecords(records, partitions), options),
    emptyRDD: () => new SequentialRdd([], options),
  };
}

function own(rdd: RddLike): SequentialRdd {
  return rdd as SequentialRdd;
}

function emptyPartitions(partitions: number): Value[][] {
  return Array.from({ length: partitions }, () => []);
}

// Keys of cases are JSON, and equal values have equal texts: -0 never occurs.
function combinePairs(records: readonly Value[], create: (value: Value) => Value, merge: (combined: Value, value: Value) => Value): Value[] {
  const combined = new Map<string, [Value, Value]>();
  for (const record of records) {
    const [key, value] = asPair(record);
    const entry = combined.get(JSON.stringify(key));
    if (entry === undefined) combined.set(JSON.stringify(key), [key, create(value)]);
    else entry[1] = merge(entry[1], value);
  }
  return [...combined.values()];
}

function cogroupPairs(sides: readonly (readonly Value[])[]): Value[] {
  const groups = new Map<string, { key: Value; values: Value[][] }>();
  sides.forEach((records, side) => {
    for (const record of records) {
      const [key, value] = asPair(record);
      const group = groups.get(JSON.stringify(key)) ?? { key, values: sides.map(() => []) };
      groups.set(JSON.stringify(key), group);
      group.values[side]?.push(value);
    }
  });
  return [...groups.values()].map(({ key, values }) => [key, values]);
}
