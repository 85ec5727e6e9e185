/**
 * coGrouped: for each key, the values that each parent has for it.
 *
 *   parent 0: [a, 1] [b, 2] [a, 3]      ->   [a, [[1, 3], [9]]]   [b, [[2], []]]   [c, [[], [8]]]
 *   parent 1: [c, 8] [a, 9]
 *
 * Invariant: keys come in the order in which they are first seen, parent after parent; so do a key's values.
 */
import type { RddNode } from '../../protocol/rdd.ts';
import { KeyTable } from '../base/key-table.ts';
import type { Piece } from './piece.ts';
import { pairsPiece } from './piece.ts';
import { bucketPieces, gathered } from './shuffle-read.ts';
import type { TaskRun } from './task-run.ts';

type CoGroupedNode = Extract<RddNode, { kind: 'coGrouped' }>;

/** `parent`: the pieces of a parent's same partition, where it is read directly. */
export function coGroupedPieces(run: TaskRun, node: CoGroupedNode, partition: number, parent: (index: number) => readonly Piece[]): readonly Piece[] {
  return [
    pairsPiece(() => {
      const table = new KeyTable<unknown>();
      const sides = node.shuffles.map((shuffle, side) => gathered(run, shuffle === null ? parent(side) : bucketPieces(run, run.shuffle(shuffle, partition)), table, node.operator));
      // Behind the last side: each has a list for every key.
      const lists = sides.map((side) => side.end());
      const values = table.keys.map((_key, slot) => lists.map((list) => list[slot]!));
      return { keys: table.keys, values };
    }),
  ];
}
