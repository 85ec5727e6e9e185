/**
 * The operations that random programs are made of: where each makes sense, and what comes out of it.
 *
 * Invariant: a move is only offered where its result is promised: functions get records of their kind, what depends on order
 * stands on streams whose order is promised, slides are valid. Each move is a few numbers of a gene, so that smaller numbers
 * are simpler programs.
 */
import type { CaseOperation } from '../conformance/case.ts';
import type { Value } from '../conformance/values.ts';

/** Kinds of values: `count` are positive integers, `sides` what an outer join puts together, `groups` what cogroup does. */
export type Kind = 'int' | 'count' | 'text' | 'ints' | 'sides' | 'groups' | 'any';

/** What is known of a stream's records. */
export interface Shape {
  readonly records: Kind | { readonly key: Kind; readonly value: Kind };
  /** `partitions`: which record is where, `order`: the order over all partitions; `bag`: neither is promised. */
  readonly order: 'partitions' | 'order' | 'bag';
  /** No key is there twice in an RDD. */
  readonly uniqueKeys: boolean;
  readonly slideMs: number;
}

/** The numbers that an operation's parameters are made of. */
export interface Gene {
  readonly op: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly partitions: number;
}

export type Step = Omit<CaseOperation, 'id' | 'of'>;

/** An operation, and what is known of its result. `withOther`: it is of two streams. `snapshots`: the result has them. */
export interface Move {
  readonly step: Step;
  readonly shape: Shape;
  readonly withOther?: boolean;
  readonly snapshots?: Shape;
}

/** Makes a move of a gene; `other`: a stream of the same slide. */
export type MoveMaker = (gene: Gene, other: Shape) => Move | null;

/** No stream has an RDD less often than that. */
const slideMsMax = 6_000;

/** What can follow on a stream, the simplest first. */
export function movesOn(shape: Shape): readonly MoveMaker[] {
  const { records } = shape;
  const special = typeof records === 'object' ? pairMoves(shape, records) : unkeyedMoves(shape, records);
  return [...special, ...anyMoves(shape), ...windowMoves(shape)];
}

/** Those of them that look at more than one batch. */
export function movesOverTime(shape: Shape): readonly MoveMaker[] {
  const { records } = shape;
  return [...(typeof records === 'object' && isNumber(records.value) ? stateMoves(shape, records.key) : []), ...windowMoves(shape)];
}

export function pick<T>(choices: readonly T[], number: number): T {
  return choices[number % choices.length] as T;
}

type Result = Partial<Shape>;

function move(shape: Shape, step: Step, result: Result = {}): Move {
  return { step, shape: { ...shape, ...result } };
}

/** One of several functions of an operation, by the gene's `a`; each with what it makes of the shape. `data`: of `...Static` functions. */
function oneOf(shape: Shape, op: string, choices: Readonly<Record<string, Result>>, data: readonly Value[] | null = null): MoveMaker {
  return ({ a }) => {
    const fn = pick(Object.keys(choices), a);
    return move(shape, { op, fn, ...(data !== null && fn.endsWith('Static') ? { data, dataPartitions: 2 } : {}) }, choices[fn]);
  };
}

const pairOf = (key: Kind, value: Kind): Result => ({ records: { key, value }, uniqueKeys: false });
const only = (records: Kind): Result => ({ records, uniqueKeys: false });
const isNumber = (kind: Kind): boolean => kind === 'int' || kind === 'count';
const shuffled = { order: 'bag' } as const;
const keyed = (key: Kind, value: Kind): Result => ({ records: { key, value }, uniqueKeys: true, ...shuffled });

/** A number of partitions, or none: the default. */
const inPartitions = ({ partitions }: Gene): { numPartitions?: number } => (partitions === 0 ? {} : { numPartitions: partitions });

const reducersOf = (kind: Kind): readonly string[] => {
  if (isNumber(kind)) return ['add', 'maxInt', 'minInt', 'gcd'];
  return kind === 'text' ? ['maxStr', 'concatSorted'] : kind === 'ints' ? ['mergeSorted'] : [];
};

// Records without a key.

function unkeyedMoves(shape: Shape, kind: Kind): MoveMaker[] {
  const moves: MoveMaker[] = [];
  const { order } = shape;
  if (isNumber(kind)) {
    moves.push(
      oneOf(shape, 'map', {
        inc: only('int'), negate: only('int'), 'mod(3)': only('int'), double: only(kind), identity: {}, pairWithOne: pairOf('int', 'count'), 'modKey(2)': pairOf('int', 'int'),
        'modKey(3)': pairOf('int', 'int'), pairSelf: pairOf('int', 'int'), 'constKey(k)': pairOf('text', 'int'), toStr: only('text'), wrap: only('ints'), nullIfOdd: only('any'),
      }),
      oneOf(shape, 'map', { 'modKey(3)': pairOf('int', 'int'), pairWithOne: pairOf('int', 'count') }),
      oneOf(shape, 'filter', { isEven: {}, keepPositive: {}, 'greaterThan(2)': {}, isOdd: {}, never: {} }),
      oneOf(shape, 'flatMap', { dupIfEven: {}, 'repeat(2)': {}, single: {}, nothing: {} }),
      oneOf(shape, 'transform', { 'takeSorted(3)': { order: 'partitions' }, cartesianStatic: { ...pairOf('int', 'int'), ...shuffled }, subtractStatic: shuffled, intersectionStatic: shuffled, unionStatic: only('int') }, [1, 2, 2, 7]),
    );
    if (order === 'partitions') moves.push(oneOf(shape, 'mapPartitions', { partSum: only('int'), partCount: only('int'), partReverse: {}, partDistinct: {}, partRunningSum: only('int'), partFirst: {} }));
  }
  if (kind === 'text') {
    moves.push(
      oneOf(shape, 'map', { toUpper: {}, firstChar: {}, lengthOf: only('int'), pairWithOne: pairOf('text', 'count'), keyByFirstChar: pairOf('text', 'text'), keyByLength: pairOf('int', 'text'), pairWithLength: pairOf('text', 'int') }),
      oneOf(shape, 'flatMap', { splitWords: {}, wordPairs: pairOf('text', 'count'), chars: {} }),
      oneOf(shape, 'filter', { 'longerThan(1)': {}, 'startsWith(a)': {} }),
    );
  }
  if (kind === 'ints') moves.push(oneOf(shape, 'map', { sumList: only('int'), lengthOf: only('int'), sortList: {} }), oneOf(shape, 'flatMap', { elements: only('int') }));
  if (kind === 'any' || kind === 'sides' || kind === 'groups') moves.push(oneOf(shape, 'map', { identity: {}, pairWithOne: pairOf('any', 'count'), describe: pairOf('any', 'text') }), oneOf(shape, 'filter', { notNull: {}, always: {} }));
  const reducers = reducersOf(kind);
  if (reducers.length > 0) moves.push((gene) => move(shape, { op: 'reduce', fn: pick(reducers, gene.a) }, { order: 'partitions' }));
  return moves;
}

// Pairs.

function pairMoves(shape: Shape, { key, value }: { readonly key: Kind; readonly value: Kind }): MoveMaker[] {
  const moves: MoveMaker[] = [];
  const withValue = (next: Kind): Result => ({ records: { key, value: next } });
  const number = isNumber(value);
  const reducers = reducersOf(value);
  if (reducers.length > 0) moves.push((gene) => move(shape, { op: 'reduceByKey', fn: pick(reducers, gene.a), ...inPartitions(gene) }, keyed(key, gene.a % reducers.length === 0 ? value : number ? 'int' : value)));
  if (number) {
    moves.push(
      oneOf(shape, 'mapValues', { inc: withValue(value), negate: withValue('int'), 'mod(3)': withValue('int'), toStr: withValue('text'), wrap: withValue('ints') }),
      ...stateMoves(shape, key),
      oneOf(shape, 'filter', { valuePositive: {}, 'valueGreaterThan(2)': {}, valueNonZero: {} }),
      oneOf(shape, 'flatMapValues', { dupIfEven: { uniqueKeys: false }, 'repeat(2)': { uniqueKeys: false } }),
      ...stateMoves(shape, key),
    );
    if (isNumber(key) || key === 'text') moves.push(oneOf(shape, 'transform', { sortByValueDesc: { order: 'order' }, 'topByValue(2)': { order: 'partitions' } }));
  }
  if (value === 'ints') moves.push(oneOf(shape, 'mapValues', { sumList: withValue('int'), lengthOf: withValue('int'), sortList: {} }), oneOf(shape, 'flatMapValues', { elements: { ...withValue('int'), uniqueKeys: false } }));
  if (value === 'sides') moves.push(oneOf(shape, 'mapValues', { addNullable: withValue('int') }));
  if (value === 'groups') moves.push(oneOf(shape, 'mapValues', { cogroupSums: withValue('any'), cogroupSizes: withValue('any') }));
  if (shape.uniqueKeys && (isNumber(key) || key === 'text')) moves.push(oneOf(shape, 'transform', { sortByKey: { order: 'order' }, sortByKeyDesc: { order: 'order' } }));
  moves.push(
    oneOf(shape, 'map', { keyOf: only(key), valueOf: only(value), swap: pairOf(value, key) }),
    (gene) => move(shape, { op: 'groupByKey', ...inPartitions(gene) }, keyed(key, number ? 'ints' : 'any')),
    (gene) => combineMove(shape, key, value, gene),
    (gene, other) => joinMove(shape, key, value, gene, other),
    oneOf(shape, 'transform', { joinStatic: { ...pairOf(key, 'any'), ...shuffled }, leftOuterJoinStatic: { ...pairOf(key, 'any'), ...shuffled }, subtractByKeyStatic: shuffled }, [['a', 1], [1, 2], ['a', 3]]),
  );
  return moves;
}

function combineMove(shape: Shape, key: Kind, value: Kind, { a, b, partitions }: Gene): Move | null {
  if (!isNumber(value)) return null;
  const results = { countOnly: 'count', collectSorted: 'ints', sumCount: 'any', minMax: 'any', distinctSorted: 'ints' } as const;
  const fn = pick(Object.keys(results) as (keyof typeof results)[], a);
  return move(shape, { op: 'combineByKey', fn, numPartitions: Math.max(1, partitions), mapSideCombine: b % 2 === 0 }, keyed(key, results[fn]));
}

function joinMove(shape: Shape, key: Kind, value: Kind, gene: Gene, other: Shape): Move | null {
  if (typeof other.records !== 'object') return null;
  const op = pick(['join', 'leftOuterJoin', 'fullOuterJoin', 'rightOuterJoin', 'cogroup'], gene.a);
  const keys: Kind = key === other.records.key ? key : 'any';
  const numbers = isNumber(value) && isNumber(other.records.value);
  const joined = op === 'cogroup' ? keyed(keys, numbers ? 'groups' : 'any') : { ...pairOf(keys, numbers ? 'sides' : 'any'), ...shuffled };
  return { ...move(shape, { op, ...inPartitions(gene) }, joined), withOther: true };
}

// State.

function stateMoves(shape: Shape, key: Kind): MoveMaker[] {
  return [(gene) => updateMove(shape, key, gene), (gene) => trackMove(shape, key, gene)];
}

function updateMove(shape: Shape, key: Kind, gene: Gene): Move {
  const sums = ['stateSum', 'stateDropIfIdle', 'stateDropWhenZero', 'stateCountCalls', 'stateCountValues', 'stateSumIfPositive', 'stateReplaceLast', 'stateMax', 'stateLastSeen(2000)', 'stateHistory', 'stateCollect', 'stateTimeAndKey', 'stateNone'];
  const fn = pick(sums, gene.a);
  const variant = ['stateLastSeen(2000)', 'stateTimeAndKey'].includes(fn) ? 'time' : pick(['plain', 'iterator', 'time'] as const, gene.b);
  const list = fn === 'stateHistory' || fn === 'stateCollect';
  return move(shape, {
    op: 'updateStateByKey', fn, ...inPartitions(gene), ...(variant === 'plain' ? {} : { variant }),
    ...(list || fn === 'stateTimeAndKey' ? {} : initialOf(key, gene)), ...(gene.c % 5 === 4 ? { checkpointMs: 2 * shape.slideMs } : {}),
  }, keyed(key, list ? 'ints' : fn === 'stateTimeAndKey' ? 'any' : 'int'));
}

/** Where several values of a key may come in any order, only functions whose result is the same in each. */
function trackMove(shape: Shape, key: Kind, gene: Gene): Move {
  const anyOrder = ['mwsSilentSum', 'mwsCountEmitEven'];
  const fn = pick(shape.order === 'bag' && !shape.uniqueKeys ? anyOrder : ['mwsSum', ...anyOrder, 'mwsRemoveOnZero', 'mwsUpdateOnce', 'mwsRemoveAt(6)', 'mwsSinceFirst', 'mwsReadOnly'], gene.a);
  const step: Step = {
    op: 'mapWithState', fn, ...inPartitions(gene), ...initialOf(key, gene),
    ...(gene.b % 3 === 0 ? {} : { timeoutMs: shape.slideMs * pick([1, 2, 3], gene.b >> 2) }),
    ...(gene.c % 5 >= 3 ? { checkpointMs: shape.slideMs * pick([2, 1, 3], gene.b >> 1) } : {}),
  };
  return { ...move(shape, step, { ...only('any'), ...shuffled }), snapshots: { ...shape, ...keyed(key, 'int') } };
}

function initialOf(key: Kind, { c }: Gene): { initial?: Value[]; initialPartitions?: number } {
  if (c % 5 !== 1 && c % 5 !== 3) return {};
  const pairs: Value[] = key === 'text' ? [['a', 3], ['z', 5]] : [[1, 3], [8, 5]];
  return { initial: key === 'any' ? [...pairs, ['a', 1]] : pairs, initialPartitions: 1 + (c % 3) };
}

// Windows.

function windowMoves(shape: Shape): MoveMaker[] {
  const { records, slideMs } = shape;
  const durations = ({ b, c }: Gene): { windowMs: number; slideMs: number } => {
    const slide = slideMs * (1 + (c % 3));
    return { windowMs: slideMs * pick([2, 3, 1, 4], b), slideMs: slide > slideMsMax ? slideMs : slide };
  };
  const overWindow = (gene: Gene, step: Step, result: Result): Move => {
    const { windowMs, slideMs: slide } = durations(gene);
    return move(shape, { ...step, windowMs, slideMs: slide }, { slideMs: slide, ...result });
  };
  const moves: MoveMaker[] = [
    (gene) => overWindow(gene, { op: 'window' }, { uniqueKeys: false }),
    (gene) => overWindow(gene, { op: 'countByWindow' }, { ...only('int'), ...shuffled }),
    (gene) => overWindow(gene, { op: 'countByValueAndWindow', ...inPartitions(gene) }, keyed(typeof records === 'object' ? 'any' : records, 'count')),
  ];
  if (typeof records === 'object') {
    const { key, value } = records;
    moves.push((gene) => overWindow(gene, { op: 'groupByKeyAndWindow', ...inPartitions(gene) }, keyed(key, isNumber(value) ? 'ints' : 'any')));
    const reducers = reducersOf(value);
    if (reducers.length > 0) moves.push((gene) => overWindow(gene, { op: 'reduceByKeyAndWindow', fn: pick(reducers, gene.a), ...inPartitions(gene) }, keyed(key, isNumber(value) ? 'int' : value)));
    const inverse = inverseOf(value);
    if (inverse !== null) moves.push((gene) => overWindow(gene, { op: 'reduceByKeyAndWindow', ...inverse, ...inPartitions(gene) }, keyed(key, isNumber(value) ? 'int' : value)));
    // A filter must keep the keys that are in the window: sums of positive numbers are positive there.
    if (value === 'count') moves.push((gene) => overWindow(gene, { op: 'reduceByKeyAndWindow', fn: 'add', invFn: 'sub', filterFn: pick(['valuePositive', 'valueNonZero'], gene.a), ...inPartitions(gene) }, keyed(key, 'count')));
  } else {
    const reducers = reducersOf(records);
    if (reducers.length > 0) moves.push((gene) => overWindow(gene, { op: 'reduceByWindow', fn: pick(reducers, gene.a) }, { order: 'partitions', records: isNumber(records) ? 'int' : records }));
    const inverse = inverseOf(records);
    if (inverse !== null) moves.push((gene) => overWindow(gene, { op: 'reduceByWindow', ...inverse }, { order: 'partitions', records: isNumber(records) ? 'int' : records }));
  }
  return moves;
}

function inverseOf(kind: Kind): { fn: string; invFn: string } | null {
  if (isNumber(kind)) return { fn: 'add', invFn: 'sub' };
  return kind === 'ints' ? { fn: 'mergeSorted', invFn: 'removeSorted' } : null;
}

// Records of any kind.

function anyMoves(shape: Shape): MoveMaker[] {
  const { records, order } = shape;
  const whole: Kind = typeof records === 'object' ? 'any' : records;
  const moves: MoveMaker[] = [
    () => move(shape, { op: 'cache' }),
    () => move(shape, { op: 'count' }, { ...only('int'), ...shuffled }),
    (gene) => move(shape, { op: 'countByValue', ...inPartitions(gene) }, keyed(whole, 'count')),
    (gene) => move(shape, { op: 'repartition', numPartitions: Math.max(1, gene.partitions) }, shuffled),
    oneOf(shape, 'transform', {
      distinct: shuffled, sorted: { order: 'order' }, sortedDesc: { order: 'order' }, withTime: pairOf('int', whole), countRdd: { ...only('int'), order: 'partitions' }, 'keepIfEvenBatch(2000)': {},
      zipWithIndexSorted: { ...pairOf(whole, 'int'), order: 'order' }, timeOnly: { ...only('int'), order: 'partitions' }, emptyRdd: {},
    }),
    (gene, other) => unionMove(shape, gene, other),
    (gene, other) => transformWithMove(shape, gene, other),
  ];
  if (order === 'partitions') {
    moves.push(() => move(shape, { op: 'glom' }, only(isNumber(whole) ? 'ints' : 'any')));
    moves.push(oneOf(shape, 'transform', { partitionIndex: pairOf('int', whole), 'coalesce(2)': {}, 'coalesce(1)': {} }));
  }
  return moves;
}

function sameRecords(a: Shape, b: Shape): Shape['records'] {
  return JSON.stringify(a.records) === JSON.stringify(b.records) ? a.records : 'any';
}

/** What is laid out by one partitioner is put together partition by partition, so only order by partitions is promised. */
function unionMove(shape: Shape, { a }: Gene, other: Shape): Move {
  const order = shape.order === 'partitions' && other.order === 'partitions' ? 'partitions' : 'bag';
  return { ...move(shape, { op: a % 2 === 0 ? 'union' : 'unionAll' }, { records: sameRecords(shape, other), order, uniqueKeys: false }), withOther: true };
}

function transformWithMove(shape: Shape, { a }: Gene, other: Shape): Move | null {
  const pairs = typeof shape.records === 'object' && typeof other.records === 'object' ? ['joinRdd', 'subtractByKeyRdd'] : [];
  const fn = pick(['firstIfSecondNonEmpty', 'subtractRdd', 'intersectionRdd', 'unionRdd', 'timeAndCounts', 'counts', 'cartesianRdd', ...pairs], a);
  const step: Step = fn === 'counts' ? { op: 'transformMany', fn } : { op: 'transformWith', fn };
  if (fn === 'timeAndCounts' || fn === 'counts') return { ...move(shape, step, { ...only('any'), order: 'partitions' }), withOther: true };
  if (fn === 'unionRdd') return { ...unionMove(shape, { a } as Gene, other), step, withOther: true };
  if (fn === 'firstIfSecondNonEmpty') return { ...move(shape, step), withOther: true };
  if (fn === 'cartesianRdd') return { ...move(shape, step, { ...only('any'), ...shuffled }), withOther: true };
  if (fn === 'joinRdd') return { ...move(shape, step, { ...pairOf('any', 'any'), ...shuffled }), withOther: true };
  return { ...move(shape, step, shuffled), withOther: true };
}
