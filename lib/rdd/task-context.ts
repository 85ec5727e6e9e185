/**
 * What a function that works on a whole partition is told about the task that calls it.
 *
 * Invariant: (batchTime, partition) is the same for every attempt at the same work, so an output that is keyed by it is
 * written once, however often the task runs.
 */
import type { BatchTime } from '../../protocol/time.ts';
import type { ProgramId } from '../../protocol/ids.ts';
import type { StageSpec, TaskSpec } from '../../protocol/task.ts';
import { outputId } from './output-id.ts';

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
  /** The app and the output for which the function writes; null in a function that is no output's, and outside of a batch. */
  readonly appName: string | null;
  readonly outputUid: string | null;
  /** `APP/OUTPUT/BATCH_TIME/PARTITION`: names what the function is given, in every attempt and in every run of the batch. Null where `outputUid` is. */
  readonly id: string | null;
}

/** What the functions of `foreach` and `foreachPartition` on a stream are told: a batch and an output are always there. */
export interface OutputTaskContext extends TaskContext {
  readonly batchTime: BatchTime;
  readonly appName: string;
  readonly outputUid: string;
  readonly id: string;
}

/** The context of one attempt: frozen, since it is handed to user functions. */
export function taskContextOf(stage: StageSpec, task: TaskSpec): TaskContext {
  return Object.freeze({
    batchTime: stage.batchTime,
    partition: task.partition,
    attempt: task.attempt,
    stageId: stage.stage,
    program: stage.program,
    appName: null,
    outputUid: null,
    id: null,
  });
}

/** The same for the function of the stage's sink, which may be an output's. */
export function sinkContextOf(context: TaskContext, { sink }: StageSpec, appName: string): TaskContext {
  const batchTime = sink.batchTime ?? context.batchTime;
  const { outputUid } = sink;
  if (outputUid === undefined || batchTime === null) return context;
  return Object.freeze({ ...context, batchTime, appName, outputUid, id: outputId(appName, outputUid, batchTime, context.partition) });
}
