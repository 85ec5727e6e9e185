/**
 * The named record functions of conformance cases: `name` or `name(arg)` -> an ordinary function.
 *
 * Invariant: a function is strict about the kinds of its arguments, as its Java original is: `toUpper` of a number
 * throws. It never changes its arguments, and equal texts give functions that do the same.
 */
import { compareValues, equalValues, sortedValues } from './values.ts';
import type { Value } from './values.ts';

export type MapFunction = (x: Value) => Value;
export type FlatMapFunction = (x: Value) => readonly Value[];
export type Predicate = (x: Value) => boolean;
export type ReduceFunction = (a: Value, b: Value) => Value;
export type PartitionFunction = (records: readonly Value[]) => Value[];
export interface Combiner {
  readonly createCombiner: MapFunction;
  readonly mergeValue: ReduceFunction;
  readonly mergeCombiners: ReduceFunction;
}

/** The argument in parentheses: an integer or a bare string; null where there is none. */
export type FunctionArgument = number | string | null;
/** Functions by name; each makes the function for one argument. */
export type FunctionTable<F> = Readonly<Record<string, (argument: FunctionArgument) => F>>;

export const mapFunction = (text: string): MapFunction => makeFunction('map function', mapFunctions, text);
export const flatMapFunction = (text: string): FlatMapFunction => makeFunction('flatMap function', flatMapFunctions, text);
export const predicate = (text: string): Predicate => makeFunction('predicate', predicates, text);
export const reduceFunction = (text: string): ReduceFunction => makeFunction('reduce function', reduceFunctions, text);
export const partitionFunction = (text: string): PartitionFunction => makeFunction('partition function', partitionFunctions, text);
export const combiner = (text: string): Combiner => makeFunction('combiner', combiners, text);

/** The function that `text` names in `table`. Throws where there is none of that name. */
export function makeFunction<F>(kind: string, table: FunctionTable<F>, text: string): F {
  const { name, argument } = parseFunctionText(text);
  const make = Object.hasOwn(table, name) ? table[name] : undefined;
  if (make === undefined) throw new Error(`Expected a ${kind}, got '${text}'. Known are: ${Object.keys(table).join(', ')}.`);
  return make(argument);
}

/** `addConst(3)` -> addConst, 3. `constKey(k)` -> constKey, 'k'. */
export function parseFunctionText(text: string): { name: string; argument: FunctionArgument } {
  const match = /^([A-Za-z][A-Za-z0-9]*)(?:\((.*)\))?$/su.exec(text);
  if (match === null) throw new Error(`Expected a function as name or name(argument), got '${text}'.`);
  const [, name = '', argument] = match;
  if (argument === undefined) return { name, argument: null };
  // `007` stays a string: only what reads back as it was written is an integer.
  return { name, argument: /^-?\d+$/u.test(argument) && String(Number(argument)) === argument ? Number(argument) : argument };
}

/** The non-negative remainder. */
export function mod(x: number, n: number): number {
  return ((x % n) + n) % n;
}

export const mapFunctions: FunctionTable<MapFunction> = {
  identity: () => (x) => x,
  pairWithOne: () => (x) => [x, 1],
  pairWithLength: () => (x) => [x, asText(x).length],
  pairSelf: () => (x) => [x, x],
  inc: () => (x) => asNumber(x) + 1,
  double: () => (x) => 2 * asNumber(x),
  negate: () => (x) => 0 - asNumber(x),
  square: () => (x) => asNumber(x) * asNumber(x),
  half: () => (x) => asNumber(x) * 0.5,
  lengthOf: () => (x) => (Array.isArray(x) ? x.length : asText(x).length),
  toUpper: () => (x) => asText(x).toUpperCase(),
  firstChar: () => (x) => asText(x).slice(0, 1),
  toStr: () => (x) => String(asNumber(x)),
  addConst: (c) => (x) => asNumber(x) + numberArgument(c),
  mod: (n) => (x) => mod(asNumber(x), numberArgument(n)),
  modKey: (n) => (x) => [mod(asNumber(x), numberArgument(n)), x],
  constKey: (c) => (x) => [textArgument(c), x],
  keyByFirstChar: () => (s) => [asText(s).slice(0, 1), s],
  keyByLength: () => (s) => [asText(s).length, s],
  swap: () => (pair) => [valueOf(pair), keyOf(pair)],
  keyOf: () => keyOf,
  valueOf: () => valueOf,
  addKeyValue: () => (pair) => asNumber(keyOf(pair)) + asNumber(valueOf(pair)),
  nullIfOdd: () => (x) => (mod(asNumber(x), 2) === 1 ? null : x),
  orZero: () => (x) => x ?? 0,
  wrap: () => (x) => [x],
  sumList: () => (xs) => sum(asList(xs)),
  maxList: () => (xs) => maximum(asList(xs)),
  sortList: () => (xs) => sortedValues(asList(xs)),
  addNullable: () => (pair) => asNumber(keyOf(pair) ?? 0) + asNumber(valueOf(pair) ?? 0),
  cogroupSizes: () => (lists) => asList(lists).map((list) => asList(list).length),
  cogroupSums: () => (lists) => asList(lists).map((list) => sum(asList(list))),
  describe: () => (x) => [x, x === null ? 'null' : 'some'],
};

export const flatMapFunctions: FunctionTable<FlatMapFunction> = {
  splitWords: () => (line) => splitWords(asText(line)),
  chars: () => (x) => asText(x).split(''),
  rangeTo: () => (x) => Array.from({ length: Math.max(0, Math.ceil(asNumber(x))) }, (_, index) => index),
  repeat: (n) => (x) => new Array<Value>(Math.max(0, numberArgument(n))).fill(x),
  nothing: () => () => [],
  dupIfEven: () => (x) => (mod(asNumber(x), 2) === 0 ? [x, x] : []),
  elements: () => (xs) => asList(xs),
  wordPairs: () => (line) => splitWords(asText(line)).map((word) => [word, 1]),
  single: () => (x) => [x],
};

export const predicates: FunctionTable<Predicate> = {
  isEven: () => (x) => mod(asNumber(x), 2) === 0,
  isOdd: () => (x) => mod(asNumber(x), 2) === 1,
  keepPositive: () => (x) => asNumber(x) > 0,
  greaterThan: (c) => (x) => asNumber(x) > numberArgument(c),
  longerThan: (n) => (x) => asText(x).length > numberArgument(n),
  startsWith: (c) => (x) => asText(x).startsWith(textArgument(c)),
  valuePositive: () => (pair) => asNumber(valueOf(pair)) > 0,
  valueNonZero: () => (pair) => valueOf(pair) !== 0,
  valueGreaterThan: (c) => (pair) => asNumber(valueOf(pair)) > numberArgument(c),
  keyIs: (c) => (pair) => keyText(pair) === textArgument(c),
  keyIsNot: (c) => (pair) => keyText(pair) !== textArgument(c),
  valueNotNull: () => (pair) => valueOf(pair) !== null,
  notNull: () => (x) => x !== null,
  always: () => () => true,
  never: () => () => false,
};

export const reduceFunctions: FunctionTable<ReduceFunction> = {
  add: () => (a, b) => asNumber(a) + asNumber(b),
  sub: () => (a, b) => asNumber(a) - asNumber(b),
  // `+ 0`: -1 * 0 is -0 in JavaScript, and 0 among Longs.
  mul: () => (a, b) => asNumber(a) * asNumber(b) + 0,
  maxInt: () => (a, b) => Math.max(asNumber(a), asNumber(b)),
  minInt: () => (a, b) => Math.min(asNumber(a), asNumber(b)),
  xor: () => (a, b) => asNumber(a) ^ asNumber(b),
  gcd: () => (a, b) => gcd(Math.abs(asNumber(a)), Math.abs(asNumber(b))),
  maxStr: () => (a, b) => (asText(a) >= asText(b) ? a : b),
  concatSorted: () => (a, b) => (asText(a) + asText(b)).split('').sort().join(''),
  mergeSorted: () => (a, b) => sortedValues([...asList(a), ...asList(b)]),
  removeSorted: () => (a, b) => removeEach(asList(a), asList(b)),
  addLists: () => (a, b) => zipNumbers(asList(a), asList(b), (x, y) => x + y),
  subLists: () => (a, b) => zipNumbers(asList(a), asList(b), (x, y) => x - y),
};

export const partitionFunctions: FunctionTable<PartitionFunction> = {
  partSum: () => (records) => [sum(records)],
  partCount: () => (records) => [records.length],
  partIdentity: () => (records) => [...records],
  partFirst: () => (records) => records.slice(0, 1),
  partReverse: () => (records) => [...records].reverse(),
  partDistinct: () => (records) => records.filter((record, index) => records.findIndex((other) => equalValues(other, record)) === index),
  partRunningSum: () => (records) => {
    let total = 0;
    return records.map((record) => (total += asNumber(record)));
  },
  partNothing: () => () => [],
};

export const combiners: FunctionTable<Combiner> = {
  sumCount: () => ({
    createCombiner: (v) => [v, 1],
    mergeValue: (c, v) => [asNumber(keyOf(c)) + asNumber(v), asNumber(valueOf(c)) + 1],
    mergeCombiners: (a, b) => zipNumbers(asList(a), asList(b), (x, y) => x + y),
  }),
  collectSorted: () => ({
    createCombiner: (v) => [v],
    mergeValue: (c, v) => sortedValues([...asList(c), v]),
    mergeCombiners: (a, b) => sortedValues([...asList(a), ...asList(b)]),
  }),
  minMax: () => ({
    createCombiner: (v) => [v, v],
    mergeValue: (c, v) => [minimum([keyOf(c), v]), maximum([valueOf(c), v])],
    mergeCombiners: (a, b) => [minimum([keyOf(a), keyOf(b)]), maximum([valueOf(a), valueOf(b)])],
  }),
  countOnly: () => ({
    createCombiner: () => 1,
    mergeValue: (c) => asNumber(c) + 1,
    mergeCombiners: (a, b) => asNumber(a) + asNumber(b),
  }),
  distinctSorted: () => ({
    createCombiner: (v) => [v],
    mergeValue: (c, v) => distinctSorted([...asList(c), v]),
    mergeCombiners: (a, b) => distinctSorted([...asList(a), ...asList(b)]),
  }),
};

/** The value as a number, or a throw, as a cast in Java does. */
export function asNumber(x: Value | undefined): number {
  if (typeof x !== 'number') throw new TypeError(`Expected a number, got ${JSON.stringify(x)}.`);
  return x;
}

export function asText(x: Value | undefined): string {
  if (typeof x !== 'string') throw new TypeError(`Expected a string, got ${JSON.stringify(x)}.`);
  return x;
}

export function asList(x: Value | undefined): readonly Value[] {
  if (!Array.isArray(x)) throw new TypeError(`Expected an array, got ${JSON.stringify(x)}.`);
  return x as readonly Value[];
}

export function keyOf(pair: Value): Value {
  return asPair(pair)[0];
}

export function valueOf(pair: Value): Value {
  return asPair(pair)[1];
}

/** A record that is an array of two. */
export function asPair(record: Value): readonly [Value, Value] {
  const list = asList(record);
  if (list.length !== 2) throw new TypeError(`Expected a pair, got ${JSON.stringify(record)}.`);
  return list as unknown as readonly [Value, Value];
}

export function sum(values: Iterable<Value>): number {
  let total = 0;
  for (const value of values) total += asNumber(value);
  return total;
}

/** The greatest in canonical order; null of nothing. */
export function maximum(values: Iterable<Value>): Value {
  return sortedValues(values).at(-1) ?? null;
}

export function numberArgument(argument: FunctionArgument): number {
  if (typeof argument !== 'number') throw new Error(`Expected an integer as the function's argument, got ${JSON.stringify(argument)}.`);
  return argument;
}

function textArgument(argument: FunctionArgument): string {
  if (argument === null) throw new Error('Expected an argument in parentheses, got none.');
  return String(argument);
}

function minimum(values: Iterable<Value>): Value {
  return sortedValues(values)[0] ?? null;
}

function keyText(pair: Value): string {
  const key = keyOf(pair);
  return typeof key === 'string' ? key : String(asNumber(key));
}

function splitWords(line: string): string[] {
  return line.split(' ').filter((word) => word !== '');
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

function zipNumbers(a: readonly Value[], b: readonly Value[], each: (x: number, y: number) => number): Value[] {
  return a.map((x, index) => each(asNumber(x), asNumber(b[index])));
}

function removeEach(from: readonly Value[], what: readonly Value[]): Value[] {
  const left = [...from];
  for (const value of what) {
    const index = left.findIndex((other) => compareValues(other, value) === 0);
    if (index >= 0) left.splice(index, 1);
  }
  return left;
}

function distinctSorted(values: readonly Value[]): Value[] {
  return sortedValues(values).filter((value, index, sorted) => index === 0 || compareValues(value, sorted[index - 1] as Value) !== 0);
}
