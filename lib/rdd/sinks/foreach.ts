/**
 * Sinks that hand records to a user's function and give nothing back: foreach, foreachPartition.
 *
 * Invariant: `foreachPartition` calls its function exactly once for each partition, also for one without records; the
 * task is over when the promise that it may return has settled.
 */
import type { Sink } from '../../../protocol/rdd.ts';
import type { TaskOutput } from '../../../protocol/task.ts';
import { PartitionRecords } from '../partition-records.ts';
import type { Piece } from '../piece.ts';
import { noRecord, taskFailure } from '../task-failure.ts';
import type { TaskRun } from '../task-run.ts';

const done: TaskOutput = { kind: 'done' };

export function runForeach(run: TaskRun, sink: Extract<Sink, { kind: 'foreach' }>, pieces: readonly Piece[]): TaskOutput {
  run.run(pieces, run.state('foreach', [sink.fn], run.sinkOperator(), run.sinkScope(sink.onError)), [sink.fn]);
  return done;
}

export function runForeachPartition(run: TaskRun, sink: Extract<Sink, { kind: 'foreachPartition' }>, pieces: readonly Piece[]): TaskOutput | Promise<TaskOutput> {
  const fn = run.resolve(sink.fn);
  const records = new PartitionRecords(run.frozen(run.collect(pieces)));
  const failed = (thrown: unknown): never => {
    throw taskFailure(thrown, run.sinkOperator(), noRecord, run.context);
  };
  let result: unknown;
  run.enter(run.sinkScope());
  try {
    result = fn(records, run.sinkContext);
  } catch (thrown) {
    return failed(thrown);
  }
  return isThenable(result) ? Promise.resolve(result).then(() => done, failed) : done;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
