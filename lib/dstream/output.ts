/**
 * Output operations: what makes a stream be computed at all.
 *
 * Invariant: outputs are kept in the order of their registration, and their jobs run in that order in every batch.
 *
 *   kind                      runs on              action
 *   foreachRDD                the app's thread     the body, with the RDD
 *   print, publish            the app's thread     the records, brought there by a job
 *   foreach, foreachPartition the workers          a job
 *   saveText, saveObjects     the workers          a job that writes prefix-TIME_IN_MS[.suffix]/part-NNNNN
 */
import type { RDD } from '../rdd/rdd.ts';
import type { OutputAction, OutputJob } from '../../protocol/job.ts';
import type { FunctionRef, OperatorPlace, RecordPolicy } from '../../protocol/rdd.ts';
import type { BatchTime } from '../../protocol/time.ts';
import type { DStream } from './dstream.ts';
import type { PublishedStream } from './published-stream.ts';

/** What a foreachRDD body is given beside the RDD and the time. */
export interface OutputContext<App = Readonly<Record<string, unknown>>> {
  /** The objects of `options.app`. */
  readonly app: App;
  readonly time: BatchTime;
  /** The same as `time`. */
  readonly batchTime: BatchTime;
  /** Names the output among the program's, in every run. */
  readonly outputUid: string;
  /** `APP/OUTPUT/BATCH_TIME`: names what the body is given, in every run of the batch. */
  readonly id: string;
}

/** Runs on the app's thread; the RDD is valid until the promise settles. */
export type OutputBody = (rdd: RDD<unknown>, time: BatchTime, context: OutputContext<unknown>) => void | Promise<void>;

export type OutputKind =
  | { readonly kind: 'foreachRDD'; readonly body: OutputBody }
  | { readonly kind: 'print'; readonly limit: number }
  | { readonly kind: 'publish'; readonly published: PublishedStream<unknown> }
  | { readonly kind: 'foreach'; readonly fn: FunctionRef; readonly onError?: RecordPolicy }
  | { readonly kind: 'foreachPartition'; readonly fn: FunctionRef }
  | { readonly kind: 'saveText' | 'saveObjects'; readonly prefix: string; readonly suffix: string | null };

export interface OutputOperation {
  /** Place among the program's outputs, from 0. */
  readonly index: number;
  readonly stream: DStream<unknown>;
  readonly operation: OutputKind;
  readonly operator: OperatorPlace;
}

/** An output's part of a batch, with the RDD itself for those that need more than its id. */
export interface GeneratedJob extends OutputJob {
  readonly operation: OutputOperation;
  readonly target: RDD<unknown>;
}

export function jobOf(output: OutputOperation, rdd: RDD<unknown>, time: BatchTime): GeneratedJob {
  return { output: output.index, action: actionOf(output, time), rdd: rdd.id, operation: output, target: rdd };
}

function actionOf({ index: output, operation, operator }: OutputOperation, time: BatchTime): OutputAction {
  switch (operation.kind) {
    case 'foreachRDD':
      return { kind: 'foreachRDD' };
    case 'print':
      return { kind: 'print', limit: operation.limit };
    case 'publish':
      return { kind: 'publish', outstandingMax: operation.published.bound, mode: operation.published.mode };
    case 'foreach':
    case 'foreachPartition':
      return { kind: 'run', sink: { ...operation, operator, output, outputUid: operator.uid } };
    case 'saveText':
    case 'saveObjects':
      return { kind: 'run', sink: { kind: operation.kind, directory: batchDirectory(operation.prefix, operation.suffix, time), operator } };
  }
}

/** Spark's name: `prefix-TIME_IN_MS[.suffix]`. */
export function batchDirectory(prefix: string, suffix: string | null, time: BatchTime): string {
  return suffix === null || suffix === '' ? `${prefix}-${time}` : `${prefix}-${time}.${suffix}`;
}
