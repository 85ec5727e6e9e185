/**
 * What a function that works on a whole partition is told about the task that calls it.
 *
 * Invariant: (batchTime, partition) is the same for every attempt at the same work, so an output that is keyed by it is
 * written once, however often the task runs.
 */
import type { BatchTime } from '../../protocol/time.ts';
import type { ProgramId } from '../../protocol/ids.ts';
import type { StageSpec, TaskSpec } from '../../protocol/task.ts';

/** What a function on whole partitions is told about the task that calls it. (`batchTime`, `partition`) names the same records in every attempt. */
export interface TaskContext {
  /** The batch that the task works for; null in a job that no batch started. */
  readonly batchTime: BatchTime | null;
  /** The partition of the stage's RDD that the task computes, from 0. */
  readonly partition: number;
  /** 0 for the first attempt at this task. */
  readonly attempt: number;
  readonly stageId: number;
  /** The program whose functions run; null where the job belongs to none. */
  readonly program: ProgramId | null;
}

/** The context of one attempt: frozen, since it is handed to user functions. */
export function taskContextOf(stage: StageSpec, task: TaskSpec): TaskContext {
  return Object.freeze({
    batchTime: stage.batchTime,
    partition: task.partition,
    attempt: task.attempt,
    stageId: stage.stage,
    program: stage.program,
  });
}
