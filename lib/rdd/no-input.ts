/**
 * Partitions that hold no records, and what comes of them: known on the driver, without a task.
 *
 * Most batches of a quiet stream are empty. A task for nothing costs a message to a worker that sleeps and one back, which is more
 * than all else in such a batch.
 *
 * Invariant: what is told here is what a task would have reported. Where a user's function would be called all the same (a
 * whole-partition function, an aggregate's zero, foreachPartition) or something would be written, nothing is told.
 */
import type { RddNode, Sink } from '../../protocol/rdd.ts';
import type { RddId, ShuffleId } from '../../protocol/ids.ts';
import type { TaskOutput } from '../../protocol/task.ts';
import { asBlockId } from '../../protocol/ids.ts';
import type { StageDraft } from './lineage.ts';
import type { Lineage } from './partition-walk.ts';
import { parentOfShuffle, rddOfShuffle } from './known-outputs.ts';

/** The output of the stage's task for a partition; null where a task has to find out. */
export function outputWithoutTask(lineage: Lineage, stage: Pick<StageDraft, 'rdd' | 'sink'>, partition: number): TaskOutput | null {
  const output = outputOfNothing(stage.sink);
  return output !== null && isEmptyPartition(lineage, stage.rdd, partition) ? output : null;
}

function outputOfNothing(sink: Sink): TaskOutput | null {
  switch (sink.kind) {
    case 'shuffle': return { kind: 'shuffle', buckets: Array.from({ length: sink.spec.partitions }, () => null), records: 0 };
    case 'collect':
    case 'reduce':
    case 'takeOrdered':
    case 'sampleKeys': return { kind: 'records', block: { id: asBlockId('no-records'), codec: 'records', place: null, records: 0 }, total: 0 };
    case 'count': return { kind: 'count', count: 0 };
    case 'foreach': return { kind: 'done' };
    case 'aggregate':
    case 'state':
    case 'foreachPartition':
    case 'saveText':
    case 'saveObjects': return null;
  }
}

/** True only where it is certain. All that the partition reads is known, or it is taken for not empty. */
function isEmptyPartition(lineage: Lineage, rdd: RddId, partition: number): boolean {
  const stack: [RddId, number][] = [[rdd, partition]];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    if (!emptyOr(lineage, top[0], top[1], stack)) return false;
  }
  return true;
}

/** Empty, provided that what it pushes onto the stack is. */
function emptyOr(lineage: Lineage, rdd: RddId, partition: number, stack: [RddId, number][]): boolean {
  const node = lineage.nodes(rdd);
  const cached = lineage.known.block(rdd, partition);
  if (cached !== null) return cached.place === null;
  // A task would store it: an empty partition too, which later jobs of the batch then find.
  if (node.storage !== null) return false;
  switch (node.kind) {
    case 'source': return (node.blocks[partition] ?? []).every(({ place }) => place === null);
    case 'textFile': return (node.splits[partition] ?? []).length === 0;
    case 'map':
    case 'filter':
    case 'flatMap':
    case 'mapValues':
    case 'flatMapValues':
    case 'zipWithIndex':
      stack.push([node.parents[0] as RddId, partition]);
      return true;
    case 'union': return memberOr(lineage, node, partition, stack);
    case 'coalesce':
      for (const its of node.groups[partition] ?? []) stack.push([node.parents[0] as RddId, its]);
      return true;
    case 'shuffled':
      if (node.narrow) stack.push([node.parents[0] as RddId, partition]);
      return node.narrow || isEmptyShuffle(lineage, node.shuffle, partition);
    case 'coGrouped':
      return node.shuffles.every((shuffle, index) => {
        if (shuffle !== null) return isEmptyShuffle(lineage, shuffle, partition);
        stack.push([node.parents[index] as RddId, partition]);
        return true;
      });
    // State is looked at by its worker; zip compares counts, the others call functions or make a record of an empty partition.
    case 'zip':
    case 'cartesian':
    case 'glom':
    case 'mapPartitions':
    case 'state':
    case 'emitted': return false;
  }
}

function memberOr(lineage: Lineage, union: RddNode, partition: number, stack: [RddId, number][]): boolean {
  let rest = partition;
  for (const parent of union.parents) {
    const { partitions } = lineage.nodes(parent);
    if (rest < partitions) {
      stack.push([parent, rest]);
      return true;
    }
    rest -= partitions;
  }
  return false;
}

/** Every map output is known, and none has a bucket for the partition. */
function isEmptyShuffle({ nodes, known }: Lineage, shuffle: ShuffleId, partition: number): boolean {
  const parent = nodes(rddOfShuffle(shuffle)).parents[parentOfShuffle(shuffle)] as RddId;
  const maps = nodes(parent).partitions;
  for (let map = 0; map < maps; map += 1) {
    const buckets = known.mapOutput(shuffle, map);
    if (buckets === null || buckets[partition] !== null) return false;
  }
  return true;
}
