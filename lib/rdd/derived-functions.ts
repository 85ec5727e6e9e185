/**
 * Our own functions that RDD operators put into nodes: plain ones by name, and makers of functions around a user's function
 * or a value (`keyBy` around f, `fromZero` around seqFn and the zero).
 *
 * Invariant: a name never changes its meaning, and none of these keeps state between records. So a node needs no closure of
 * ours, and operators work where the user may hand over no new function (inside `foreachRDD`).
 */
import type { FunctionRef } from '../../protocol/rdd.ts';
import { decodeRecord } from '../../protocol/codec.ts';
import { MillraceError, previewOf } from '../../protocol/errors.ts';
import { keyEquals } from '../base/key.ts';

type AnyFunction = (...args: never[]) => unknown;
type Call = (...args: unknown[]) => unknown;
type BuiltinRef = Extract<FunctionRef, { kind: 'builtin' }>;

/** The closure of a builtin reference; `resolve` finds the functions that it is built around. */
export function resolveBuiltin(ref: BuiltinRef, resolve: (ref: FunctionRef) => AnyFunction): AnyFunction {
  const plain = plainFunctions[ref.name as keyof typeof plainFunctions];
  if (plain !== undefined && ref.over === undefined) return plain as AnyFunction;
  const make = makers[ref.name as keyof typeof makers] as ((over: readonly Call[], value: Uint8Array | undefined) => AnyFunction) | undefined;
  if (make === undefined || ref.over === undefined) throw new Error(`No function of ours has the name ${ref.name}${ref.over === undefined ? '' : ' and is built around others'}.`);
  return make(ref.over.map((inner) => resolve(inner) as Call), ref.value);
}

export const plainFunctions = {
  identity: (value: unknown): unknown => value,
  /** x -> [x, null]: a record as a key. */
  withNull: (record: unknown): unknown[] => [record, null],
  keepFirst: (first: unknown): unknown => first,
  one: (): number => 1,
  add: (a: number, b: number): number => a + b,
  keyOf: (record: unknown): unknown => pairOf(record)[0],
  valueOf: (record: unknown): unknown => pairOf(record)[1],

  // Of lines: see text/text-operators.ts.
  words: (line: string): string[] => line.match(/\S+/g) ?? [],
  parseJson: (line: string): unknown => JSON.parse(line),

  // groupByKey. The list is the combiner's own, so it may grow in place.
  listOf: (value: unknown): unknown[] => [value],
  listAppend: (list: unknown[], value: unknown): unknown[] => {
    list.push(value);
    return list;
  },
  listConcat: (list: unknown[], more: unknown[]): unknown[] => {
    for (const value of more) list.push(value);
    return list;
  },

  // Over the values of cogroup: [values of the left, values of the right].
  innerJoin: ([left, right]: Sides): unknown[] => product(left, right),
  leftOuterJoin: ([left, right]: Sides): unknown[] => product(left, right.length === 0 ? absent : right),
  rightOuterJoin: ([left, right]: Sides): unknown[] => product(left.length === 0 ? absent : left, right),
  fullOuterJoin: ([left, right]: Sides): unknown[] => product(left.length === 0 ? absent : left, right.length === 0 ? absent : right),
  /** The left values where the right has none: subtractByKey. */
  onlyLeft: ([left, right]: Sides): readonly unknown[] => (right.length === 0 ? left : []),
  /** [key, sides]: true where both have values: intersection. */
  inBoth: ([, [left, right]]: [unknown, Sides]): boolean => left.length > 0 && right.length > 0,
} as const;

const makers = {
  keyBy: ([f]: readonly Call[]) => (record: unknown): unknown[] => [f!(record), record],
  /** v -> f(zero, v). The zero is decoded anew each time: f may change it. */
  fromZero: ([f]: readonly Call[], value: Uint8Array | undefined) => {
    const zero = decodeRecord(value!);
    const changeable = typeof zero === 'object' && zero !== null;
    return (first: unknown): unknown => f!(changeable ? decodeRecord(value!) : zero, first);
  },
  /** line -> its parts: splitBy, fields. */
  split: (_over: readonly Call[], value: Uint8Array | undefined) => {
    const separator = decodeRecord(value!) as string;
    return (line: unknown): string[] => (line as string).split(separator);
  },
  /** Pairs of one key: lookup. */
  keyIs: (_over: readonly Call[], value: Uint8Array | undefined) => {
    const wanted = decodeRecord(value!);
    return (record: unknown): boolean => keyEquals(pairOf(record)[0], wanted);
  },
} as const;

type Sides = readonly [readonly unknown[], readonly unknown[]];

/** The one "value" of a side that has none. */
const absent: readonly unknown[] = [null];

function product(left: readonly unknown[], right: readonly unknown[]): unknown[] {
  const pairs: unknown[] = [];
  for (const x of left) for (const y of right) pairs.push([x, y]);
  return pairs;
}

function pairOf(record: unknown): readonly unknown[] {
  if (Array.isArray(record) && record.length === 2) return record;
  throw new MillraceError('NotAPair', `A pair operation needs records [key, value], got ${previewOf(record)}. Map to pairs first.`);
}
