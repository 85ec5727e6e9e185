/**
 * Operators that see a whole partition at once: glom, mapPartitions, zip, cartesian. They end one fused loop and begin the next.
 *
 * Invariant: a user's function gets the partition behind an iterable (partition-records.ts), never the array itself.
 */
import type { RddNode } from '../../protocol/rdd.ts';
import { MillraceError } from '../../protocol/errors.ts';
import type { FunctionScope } from './function-scope.ts';
import { Draw, iteratorOf } from './loop-state.ts';
import type { Piece } from './piece.ts';
import { arrayPiece, pairsPiece, pieceOf } from './piece.ts';
import type { TaskRun } from './task-run.ts';
import { asyncFailure, isAsyncResult, noRecord, notIterableFailure, taskFailure } from './task-failure.ts';

type Records = readonly unknown[];
type MapPartitionsNode = Extract<RddNode, { kind: 'mapPartitions' }>;

/** One record: the array of the partition's records. A copy, since the record is the user's. */
export function glomPiece(records: () => Records): Piece {
  return arrayPiece(() => [records().slice()]);
}

/** What fn(records, context) returns, drawn in portions where it is no array. `withIndex`: fn(partition, records, context). */
export function mapPartitionsPiece(run: TaskRun, node: MapPartitionsNode, partition: number, records: () => Iterable<unknown>): Piece {
  const fn = run.resolve(node.fn);
  // The input has been computed by now; what takes the results may run other functions between two portions of them.
  let scope: FunctionScope | null = null;
  const guarded = <T>(work: () => T): T => {
    run.enter(scope);
    try {
      return work();
    } catch (thrown) {
      throw taskFailure(thrown, node.operator, noRecord, run.context);
    }
  };
  return pieceOf('array', (feed) => {
    const input = records();
    scope = run.nodeScope(node, partition, undefined);
    const result = guarded(() => (node.withIndex ? fn(partition, input, run.context) : fn(input, run.context)));
    if (Array.isArray(result)) {
      feed(result);
      return;
    }
    if (isAsyncResult(result)) throw asyncFailure(result, node.operator, run.context);
    const iterator = guarded(() => iteratorOf(result));
    if (iterator === null) throw notIterableFailure(result, node.operator, run.context);
    const draw = new Draw(iterator, null);
    let ended = false;
    try {
      while (!ended) {
        run.env.alive(0);
        const portion = guarded(() => draw.next());
        ended = portion.length === 0;
        if (!ended && feed(portion)) {
          ended = true;
          if (scope !== null) scope.whole = false;
        }
      }
    } finally {
      draw.close();
    }
  });
}

/** Pairs [left record, right record] position by position. */
export function zipPiece(node: RddNode, partition: number, left: () => Records, right: () => Records): Piece {
  return pairsPiece(() => {
    const [keys, values] = [left(), right()];
    if (keys.length !== values.length) {
      throw new MillraceError(
        'InvalidArgument',
        `zip needs two RDDs with equally many records in each partition, but partition ${partition} has ${keys.length} and ${values.length}. Zip what comes from the same RDD by map alone, or join by zipWithIndex.`,
        { details: { operator: node.operator?.uid ?? '', place: node.operator?.place ?? '', partition, left: keys.length, right: values.length } },
      );
    }
    return { keys, values };
  });
}

/** Pairs are handed over in portions: there can be far more of them than of records. */
const cartesianPairsMax = 4_096;

/** All [x, y]: x over the left records (outer), y over the right ones. */
export function cartesianPiece(left: () => Records, right: () => Records): Piece {
  return pieceOf('pairs', (feed) => {
    const [xs, ys] = [left(), right()];
    let [keys, values]: [unknown[], unknown[]] = [[], []];
    for (const x of xs) {
      for (const y of ys) {
        keys.push(x);
        values.push(y);
        if (keys.length < cartesianPairsMax) continue;
        if (feed({ keys, values })) return;
        [keys, values] = [[], []];
      }
    }
    if (keys.length > 0) feed({ keys, values });
  });
}
