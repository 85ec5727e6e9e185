/**
 * From a stage's RDD down to the sources of one partition.
 *
 *   partition p of the stage's RDD
 *     map, filter, ...        its operator is put in front, on to the parent's partition p
 *     union, coalesce         on to the partition(s) of parents that make up p
 *     source, textFile, shuffled, coGrouped, zip, cartesian, glom, mapPartitions, persisted      a piece begins
 *
 * Invariant: pieces are in the order in which Spark would iterate over the partition. A chain of single parents is walked by a loop, so lineage
 * may be long.
 */
import type { RddNode } from '../../protocol/rdd.ts';
import type { RddId } from '../../protocol/ids.ts';
import type { Op } from './fuse.ts';
import type { Piece } from './piece.ts';
import { arrayPiece, pairsPiece, withOps } from './piece.ts';
import { cartesianPiece, glomPiece, mapPartitionsPiece, zipPiece } from './partition-pieces.ts';
import { arrayOf, partitionRecords } from './partition-records.ts';
import { coGroupedPieces } from './co-grouped.ts';
import { shuffledPieces } from './shuffle-read.ts';
import { sourcePieces, textFilePieces } from './source-pieces.ts';
import type { TaskRun } from './task-run.ts';

/** The pieces of a partition of `rdd`. */
export function piecesOf(run: TaskRun, rdd: RddId, partition: number): readonly Piece[] {
  const node = run.node(rdd);
  if (node.storage === null && !run.isCached(rdd, partition)) return computedPieces(run, node, partition);
  return [arrayPiece(() => run.persisted(node, partition, () => run.collect(computedPieces(run, node, partition))))];
}

/** The pieces of a partition that has to be computed, though its own RDD may be persisted. */
function computedPieces(run: TaskRun, start: RddNode, startPartition: number): readonly Piece[] {
  // The operators met on the way down, last first.
  const ops: Op[] = [];
  let node = start;
  let partition = startPartition;
  for (;;) {
    if (node !== start && (node.storage !== null || run.isCached(node.id, partition))) break;
    if (isOp(node)) {
      ops.push(opOf(run, node, partition));
      node = parentOf(run, node, 0);
    } else if (node.kind === 'union') {
      [node, partition] = memberOf(run, node, partition);
    } else if (node.kind === 'coalesce' && node.groups[partition]?.length === 1) {
      partition = node.groups[partition]![0]!;
      node = parentOf(run, node, 0);
    } else {
      break;
    }
  }
  const pieces = node === start || (node.storage === null && !run.isCached(node.id, partition)) ? beginning(run, node, partition) : piecesOf(run, node.id, partition);
  return withOps(pieces, ops.reverse());
}

/** The pieces of a node at which no operator can be fused to what lies before it. */
function beginning(run: TaskRun, node: RddNode, partition: number): readonly Piece[] {
  const parent = (index: number, its: number): readonly Piece[] => piecesOf(run, node.parents[index]!, its);
  const array = (index: number, its: number): readonly unknown[] => arrayOf(run, parent(index, its));
  switch (node.kind) {
    case 'source': return sourcePieces(run, run.blocksOf(node, partition));
    case 'textFile': return textFilePieces(run, node.splits[partition] ?? []);
    case 'coalesce': return (node.groups[partition] ?? []).flatMap((its) => parent(0, its));
    case 'glom': return [glomPiece(() => array(0, partition))];
    case 'mapPartitions': return [mapPartitionsPiece(run, node, partition, () => partitionRecords(run, parent(0, partition)))];
    case 'zip': return [zipPiece(node, partition, () => array(0, partition), () => array(1, partition))];
    case 'cartesian': {
      const right = partition % node.rightPartitions;
      return [cartesianPiece(() => array(0, (partition - right) / node.rightPartitions), () => array(1, right))];
    }
    case 'shuffled': return shuffledPieces(run, node, partition, () => parent(0, partition));
    case 'state': return [pairsPiece(() => run.stateColumns(node.id, partition))];
    case 'coGrouped': return coGroupedPieces(run, node, partition, (index) => parent(index, partition));
    default: return pieceOfNothing(node);
  }
}

type OpNode = Extract<RddNode, { kind: Op['kind'] }>;

const opKinds: ReadonlySet<RddNode['kind']> = new Set<Op['kind']>(['map', 'filter', 'flatMap', 'mapValues', 'flatMapValues', 'zipWithIndex']);

function isOp(node: RddNode): node is OpNode {
  return opKinds.has(node.kind);
}

function opOf(run: TaskRun, node: OpNode, partition: number): Op {
  if (node.kind === 'zipWithIndex') return { kind: node.kind, ref: null, fn: null, operator: node.operator, onError: null, scope: null, next: firstIndexOf(run, node, partition) };
  const onError = node.onError ?? null;
  return { kind: node.kind, ref: node.fn, fn: run.resolveOnRecords(node.fn), operator: node.operator, onError, scope: run.nodeScope(node, partition, node.onError), meaning: run.meaningOf(node.fn), next: 0 };
}

function firstIndexOf(run: TaskRun, node: RddNode, partition: number): number {
  const offset = run.task.offsets.find((entry) => entry.rdd === node.id && entry.partition === partition);
  if (offset === undefined) throw new Error(`Task ${run.task.task} was given no first index for partition ${partition} of RDD ${node.id}.`);
  return offset.first;
}

function parentOf(run: TaskRun, node: RddNode, index: number): RddNode {
  return run.node(node.parents[index]!);
}

/** The parent of a union, and its partition, that partition p of the union is. */
function memberOf(run: TaskRun, union: RddNode, partition: number): [RddNode, number] {
  let left = partition;
  for (const id of union.parents) {
    const parent = run.node(id);
    if (left < parent.partitions) return [parent, left];
    left -= parent.partitions;
  }
  throw new Error(`RDD ${union.id} has no partition ${partition}: its parents have ${partition - left} in all.`);
}

function pieceOfNothing(node: RddNode): readonly Piece[] {
  throw new Error(`A partition can't begin at a node of the kind ${node.kind}.`);
}
