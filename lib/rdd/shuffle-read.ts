/**
 * The reading side of a shuffle: buckets in, pairs out.
 *
 *   bucket of map partition 0 --.
 *   bucket of map partition 1 ---+--> merged in one table by key, or as they come --> sorted by key, where asked --> pairs
 *   ...                         -'
 *
 * Invariant: buckets are taken in map-partition order, pairs in the order of each; keys come out in the order in which they were
 * first seen. So the result does not depend on which task ran when.
 */
import type { AggregatorSpec, BucketRef, FunctionRef, OperatorPlace, RddNode } from '../../protocol/rdd.ts';
import type { ShuffleInput } from '../../protocol/task.ts';
import { decodePairs, decodeRecords } from '../../protocol/codec.ts';
import { compareKeys } from '../base/key.ts';
import { KeyTable } from '../base/key-table.ts';
import type { PairColumns } from './fuse.ts';
import type { Piece } from './piece.ts';
import { pairsPiece, pieceOf } from './piece.ts';
import type { TaskRun } from './task-run.ts';
import { noRecord, orMissing, taskFailure } from './task-failure.ts';
import { ValueLists } from './value-lists.ts';

type ShuffledNode = Extract<RddNode, { kind: 'shuffled' }>;

/** `parent`: the pieces of the parent's same partition, for a narrow node. */
export function shuffledPieces(run: TaskRun, node: ShuffledNode, partition: number, parent: () => readonly Piece[]): readonly Piece[] {
  const { aggregator, sort } = node;
  if (!node.narrow && node.spec.kind === 'roundRobin') {
    const input = run.shuffle(node.shuffle, partition);
    return [pieceOf('array', (feed) => forEachBucket(run, input, decodeRecords, (records) => feed(run.frozen(records))))];
  }
  // A parent that needed no shuffle has not been combined either.
  const source = (): readonly Piece[] => (node.narrow ? parent() : bucketPieces(run, run.shuffle(node.shuffle, partition)));
  if (aggregator === null && sort === null) return source();
  const columns = aggregator === null
    ? () => columnsOf(run, source(), node.operator)
    : () => merged(run, source(), aggregator, node, partition);
  return [pairsPiece(sort === null ? columns : () => sorted(columns(), sort, (error) => taskFailure(error, node.operator, noRecord, run.context)))];
}

/** The pairs of all buckets, one bucket after another. */
export function bucketPieces(run: TaskRun, input: ShuffleInput): readonly Piece[] {
  return [pieceOf('pairs', (feed) => forEachBucket(run, input, decodePairs, feed))];
}

/** Keys and values of the pieces' pairs, side by side. */
export function columnsOf(run: TaskRun, pieces: readonly Piece[], operator: OperatorPlace | null): PairColumns {
  const state = run.state('columns', [], operator);
  run.run(pieces, state, []);
  return { keys: state.keys, values: state.values };
}

function forEachBucket<T>(run: TaskRun, input: ShuffleInput, decode: (bytes: Uint8Array) => T, each: (decoded: T) => boolean): void {
  for (let mapPartition = 0; mapPartition < input.buckets.length; mapPartition += 1) {
    const bucket: BucketRef = input.buckets[mapPartition]!;
    if (bucket === null) continue;
    // Only the read and the decoding: what fails behind `each` is no missing input of this shuffle.
    const decoded = orMissing(() => ({ shuffle: input.shuffle, mapPartition }), () => decode(run.env.read(bucket)));
    if (each(decoded)) return;
  }
}

/** One value for each key. */
function merged(run: TaskRun, pieces: readonly Piece[], aggregator: AggregatorSpec, node: ShuffledNode, partition: number): PairColumns {
  // The values are combiners already, made on the map side.
  const combined = node.mapSideCombine && !node.narrow;
  if (!combined && isGrouping(aggregator)) return grouped(run, pieces, node);
  const refs: readonly FunctionRef[] = combined ? [aggregator.mergeCombiners] : [aggregator.createCombiner, aggregator.mergeValue];
  const state = run.state(combined ? 'merge' : 'combine', refs, node.operator, run.nodeScope(node, partition, combined ? undefined : aggregator.onError));
  const table = new KeyTable<unknown>();
  state.table = table;
  run.run(pieces, state, refs);
  return { keys: table.keys, values: table.values };
}

/** groupByKey: all that its functions do is to put values into lists. */
function isGrouping({ createCombiner, mergeValue, onError }: AggregatorSpec): boolean {
  const isBuiltin = (ref: FunctionRef, name: string): boolean => ref.kind === 'builtin' && ref.name === name;
  return onError === undefined && isBuiltin(createCombiner, 'listOf') && isBuiltin(mergeValue, 'listAppend');
}

function grouped(run: TaskRun, pieces: readonly Piece[], { operator }: ShuffledNode): PairColumns {
  const table = new KeyTable<unknown>();
  return { keys: table.keys, values: gathered(run, pieces, table, operator).end() };
}

/** The pieces' pairs. Their keys are in the table from now on, their values in lists once these are ended. */
export function gathered(run: TaskRun, pieces: readonly Piece[], table: KeyTable<unknown>, operator: OperatorPlace | null): ValueLists {
  const lists = new ValueLists(table);
  const state = run.state('putPair', [], operator);
  state.putPair = (key, value) => lists.put(key, value);
  run.run(pieces, state, []);
  return lists;
}

/** By key; pairs of equal keys stay in their order, also descending. */
function sorted(columns: PairColumns, sort: 'ascending' | 'descending', failure: (error: unknown) => Error): PairColumns {
  const { keys, values } = columns;
  const order = new Uint32Array(keys.length);
  for (let index = 0; index < order.length; index += 1) order[index] = index;
  const sign = sort === 'ascending' ? 1 : -1;
  try {
    order.sort((a, b) => sign * compareKeys(keys[a], keys[b]) || a - b);
  } catch (error) {
    throw failure(error);
  }
  return { keys: Array.from(order, (index) => keys[index]), values: Array.from(order, (index) => values[index]) };
}
