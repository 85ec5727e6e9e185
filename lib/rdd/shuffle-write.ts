/**
 * The writing side of a shuffle: a task's records spread over one bucket for each reducer.
 *
 * Invariant: a bucket holds its records in the order in which the task met them (combined: in the order in which their keys
 * were first met), and is null where there are none.
 *
 * Combining uses one table for the task, not one for each reducer: a table for each needs the partition of every record's key, and
 * hashing each word by hand costs more than the table's own look-up, which uses the hash that V8 keeps in the string.
 * So the distinct keys are spread at the end, one hash each. The order within a bucket is the same either way.
 */
import type { AggregatorSpec, BucketRef, FunctionRef, OperatorPlace, PartitionerSpec, Sink } from '../../protocol/rdd.ts';
import type { TaskOutput } from '../../protocol/task.ts';
import { KeyTable } from '../base/key-table.ts';
import { partitionFunctionOf } from './partitioner.ts';
import type { Piece } from './piece.ts';
import type { TaskRun } from './task-run.ts';
import { noRecord, taskFailure } from './task-failure.ts';

export function runShuffleSink(run: TaskRun, sink: Extract<Sink, { kind: 'shuffle' }>, pieces: readonly Piece[]): TaskOutput {
  const operator = run.sinkOperator();
  if (sink.spec.kind === 'roundRobin') return spreadInTurn(run, sink.spec.partitions, pieces, operator);
  if (!sink.keyed) return spreadRecords(run, sink.spec, pieces, operator);
  if (sink.combine !== null) return spreadCombined(run, sink.spec, sink.combine, pieces, operator);
  return spreadPairs(run, sink.spec, pieces, operator);
}

/** Record i of map partition p goes to (p + i) mod partitions. */
function spreadInTurn(run: TaskRun, partitions: number, pieces: readonly Piece[], operator: OperatorPlace | null): TaskOutput {
  const buckets = emptyBuckets(partitions);
  const state = run.state('put', [], operator);
  let turn = run.task.partition % partitions;
  state.put = (record) => {
    buckets[turn]!.push(record);
    turn = turn + 1 === partitions ? 0 : turn + 1;
  };
  run.run(pieces, state, []);
  return outputOf(buckets.map((records) => ({ bucket: run.writeBucket(records, operator), records: records.length })));
}

/** The whole record is the key. */
function spreadRecords(run: TaskRun, spec: PartitionerSpec, pieces: readonly Piece[], operator: OperatorPlace | null): TaskOutput {
  const buckets = emptyBuckets(spec.partitions);
  const partitionOf = partitionFunctionOf(spec);
  const state = run.state('put', [], operator);
  state.put = (record) => void buckets[partitionOf(record)]!.push(record);
  run.run(pieces, state, []);
  return outputOf(buckets.map((records) => ({ bucket: run.writeBucket(records, operator), records: records.length })));
}

function spreadPairs(run: TaskRun, spec: PartitionerSpec, pieces: readonly Piece[], operator: OperatorPlace | null): TaskOutput {
  const [keys, values] = [emptyBuckets(spec.partitions), emptyBuckets(spec.partitions)];
  if (spec.kind === 'hash') {
    const state = run.state('route', [], operator);
    state.buckets = spec.partitions;
    state.bucketKeys = keys;
    state.bucketValues = values;
    run.run(pieces, state, []);
  } else {
    const partitionOf = partitionFunctionOf(spec);
    const state = run.state('putPair', [], operator);
    state.putPair = (key, value) => {
      const bucket = partitionOf(key);
      keys[bucket]!.push(key);
      values[bucket]!.push(value);
    };
    run.run(pieces, state, []);
  }
  return pairsOutput(run, keys, values, operator);
}

function spreadCombined(run: TaskRun, spec: PartitionerSpec, combine: AggregatorSpec, pieces: readonly Piece[], operator: OperatorPlace | null): TaskOutput {
  const refs: readonly FunctionRef[] = [combine.createCombiner, combine.mergeValue];
  const state = run.state('combine', refs, operator, run.sinkScope(combine.onError));
  const table = new KeyTable<unknown>();
  state.table = table;
  run.run(pieces, state, refs);
  if (spec.partitions === 1) return pairsOutput(run, [table.keys], [table.values], operator);
  const [keys, values] = [emptyBuckets(spec.partitions), emptyBuckets(spec.partitions)];
  const partitionOf = partitionFunctionOf(spec);
  try {
    for (let slot = 0; slot < table.size; slot += 1) {
      const key = table.keys[slot];
      const bucket = partitionOf(key);
      keys[bucket]!.push(key);
      values[bucket]!.push(table.values[slot]);
    }
  } catch (error) {
    throw taskFailure(error, operator, noRecord, run.context);
  }
  return pairsOutput(run, keys, values, operator);
}

function emptyBuckets(partitions: number): unknown[][] {
  return Array.from({ length: partitions }, () => []);
}

function pairsOutput(run: TaskRun, keys: readonly (readonly unknown[])[], values: readonly (readonly unknown[])[], operator: OperatorPlace | null): TaskOutput {
  return outputOf(keys.map((bucketKeys, bucket) => ({ bucket: run.writePairs(bucketKeys, values[bucket]!, operator), records: bucketKeys.length })));
}

function outputOf(written: readonly { readonly bucket: BucketRef; readonly records: number }[]): TaskOutput {
  let records = 0;
  for (const one of written) records += one.records;
  return { kind: 'shuffle', buckets: written.map((one) => one.bucket), records };
}
