/**
 * RDDs out of what is not an RDD: records of the caller, blocks, files, nothing.
 *
 * Invariant: how records are cut into partitions depends on the arguments alone.
 */
import type { BlockRef } from '../../protocol/rdd.ts';
import { previewOf } from '../../protocol/errors.ts';
import { callError } from '../base/caller-place.ts';
import type { RddContext } from './context.ts';
import type { RecordHint } from './rdd.ts';
import { RDD } from './rdd.ts';
import { defineNode, wholeNumber } from './rdd-base.ts';

/** Partition p gets the records from floor(p * length / n) on, so the last partitions get those of a short list. As Spark. */
export function parallelize<T extends RecordHint>(context: RddContext, records: Iterable<T>, numPartitions: number = context.defaultParallelism): RDD<T> {
  const count = wholeNumber(numPartitions, 1, 'parallelize', 'numPartitions');
  if (records === null || records === undefined || typeof records[Symbol.iterator] !== 'function') {
    throw callError('InvalidArgument', 'parallelize', `parallelize: records must be an array or another iterable, got ${previewOf(records)}.`, { argument: 'records' });
  }
  const all = Array.isArray(records) ? (records as readonly T[]) : [...records];
  const cut = (partition: number): number => Math.floor((partition * all.length) / count);
  const blocks = Array.from({ length: count }, (_, partition) => {
    const some = all.slice(cut(partition), cut(partition + 1));
    return some.length === 0 ? [] : [context.storeRecords(some)];
  });
  return blocksRdd<T>(context, blocks, 'parallelize');
}

/** No records, no partitions. */
export function emptyRdd<T = never>(context: RddContext): RDD<T> {
  return blocksRdd<T>(context, [], 'emptyRDD');
}

/** Partition p is the records of `blocks[p]`, one block after another. The blocks stay the caller's. */
export function blocksRdd<T>(context: RddContext, blocks: readonly (readonly BlockRef[])[], name: string): RDD<T> {
  return new RDD<T>(context, defineNode(context, name, { kind: 'source', parents: [], partitions: blocks.length, partitioner: null, blocks }));
}

/** Spark's `SparkContext.union`: of none, an RDD without partitions. */
export function unionRdds<T>(context: RddContext, rdds: readonly RDD<T>[]): RDD<T> {
  const [first, ...others] = rdds;
  return first === undefined ? emptyRdd<T>(context) : first.union(...others);
}

export interface SizedFile {
  readonly file: string;
  readonly bytes: number;
}

/** The largest piece of a file that is one partition, in bytes. Hadoop's block size of local files. */
export const splitBytesMax = 32 * 1024 * 1024;

/** A file's rest up to this much over a whole piece is not cut again. As Hadoop's. */
const splitSlop = 1.1;

/**
 * The lines of files. Files are cut into pieces of total / `minPartitions` bytes, at most `splitBytesMax`; each piece is a
 * partition, in the order of the files; an empty file is one without records.
 */
export function textFileRdd(context: RddContext, files: readonly SizedFile[], minPartitions: number = Math.min(context.defaultParallelism, 2)): RDD<string> {
  const goal = wholeNumber(minPartitions, 1, 'textFile', 'minPartitions');
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const splitBytes = Math.max(1, Math.min(Math.floor(total / goal), splitBytesMax));
  const splits: { file: string; start: number; end: number }[][] = [];
  for (const { file, bytes } of files) {
    let start = 0;
    while ((bytes - start) / splitBytes > splitSlop) {
      splits.push([{ file, start, end: start + splitBytes }]);
      start += splitBytes;
    }
    if (start < bytes || bytes === 0) splits.push([{ file, start, end: bytes }]);
  }
  return new RDD<string>(context, defineNode(context, 'textFile', { kind: 'textFile', parents: [], partitions: splits.length, partitioner: null, splits }));
}
