/**
 * Runs one task: one partition of a stage's RDD, from its inputs into the stage's sink.
 *
 *   TaskSpec --walk--> pieces (source + operators) --fused loops--> sink --> TaskReport
 *
 * Invariant: the same stage and task give the same output, in the same order, on every thread and in every attempt. Everything
 * outside comes in by the environment.
 */
import type { StageSpec, TaskOutput, TaskReport, TaskSpec } from '../../protocol/task.ts';
import { runSink } from './sinks/sink.ts';
import type { TaskEnvironment } from './task-environment.ts';
import { TaskRun } from './task-run.ts';
import { piecesOf } from './walk.ts';

export type { TaskEnvironment } from './task-environment.ts';

/**
 * A promise only where the function of `foreachPartition` has returned one.
 *
 * Throws `MissingInput` where an input must be made again; `UserFunctionFailed`, `AsyncRecordFunction`, `NotAPair`, `InvalidKey`,
 * `RecordNotSerializable`, `InvalidArgument` with operator and record; what the environment throws (`TaskCancelled`, ...) as it is.
 */
export function runTask(stage: StageSpec, task: TaskSpec, env: TaskEnvironment): TaskReport | Promise<TaskReport> {
  const startedMs = env.now();
  const run = new TaskRun(stage, task, env);
  const report = (output: TaskOutput): TaskReport => ({
    output,
    stored: run.stored,
    ...run.leftBehind(),
    runMs: env.now() - startedMs,
  });
  run.enter(run.taskScope());
  let output: TaskOutput | Promise<TaskOutput> | null = null;
  try {
    output = runSink(run, stage.sink, piecesOf(run, stage.rdd, task.partition));
  } finally {
    if (!(output instanceof Promise)) run.enter(null);
  }
  return output instanceof Promise ? output.finally(() => run.enter(null)).then(report) : report(output);
}
