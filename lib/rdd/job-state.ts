/**
 * One job as a state machine: which tasks can run now, what a task's end means. No clock, no I/O, no threads: the task
 * scheduler carries out what is answered here.
 *
 *              readyTasks                 taskSucceeded
 *   pending ----------------> running ----------------> done      all partitions of a stage done: its children may run
 *      ^                         |                                 all of `result` done: the job has ended
 *      `---- taskFailed <--------'
 *            retry; or first make a lost input again (its stage gets that partition back); or the job has failed
 *
 * Invariant: each partition of a stage is run by at most one task at a time, and its first success counts. A task is made only
 * when all that it reads is known, so it never waits. What tasks have made lies in `KnownOutputs`, shared with the other jobs
 * of the batch: a later job on the same shuffled RDD skips the map stage, as in Spark.
 */
import type { OperatorPlace } from '../../protocol/rdd.ts';
import type { TaskId } from '../../protocol/ids.ts';
import type { FromTaskWorker, StageSpec, TaskReport, TaskSpec } from '../../protocol/task.ts';
import type { WireError } from '../../protocol/errors.ts';
import { MillraceError, fromWireError, previewOf } from '../../protocol/errors.ts';
import type { JobEvents, JobRequest, JobState, StageState } from './job-stage.ts';
import { Effects, addStage, completeStage, endJob, isDone, keepOutput, triesOf } from './job-stage.ts';
import { makeTasks, makeTasksBehind } from './job-tasks.ts';
import type { KnownOutputs } from './known-outputs.ts';
import type { Lineage } from './partition-walk.ts';
import { cutStages } from './lineage.ts';
import type { GroupRoom } from './task-group.ts';
import { isGroupable } from './task-group.ts';

export type { JobEnd, JobEvents, JobRequest, JobState } from './job-stage.ts';

/** How often the inputs of one partition may turn out to be lost, and be made again, before the job fails. */
export const inputLossesMax = 8;

/** How often the thread under one partition's task may die before the job fails. Such a death is no attempt of the task. */
export const hostLossesMax = 8;

/** How often one partition's task may find no memory, and some be made for it, before that counts as a failed attempt. */
export const memoryWaitsMax = 8;

/** Failed attempts of one partition that end the job, where the caller has no option for it. Spark's `spark.task.maxFailures`. */
export const taskFailuresMaxDefault = 4;

export interface FailureOptions {
  readonly taskFailuresMax: number;
  /** The thread died under the task: no attempt is counted. */
  readonly hostLost?: boolean;
  /** It found no memory, and other blocks make room now: no attempt is counted, within `memoryWaitsMax`. */
  readonly memoryFreed?: boolean;
}

/** Plans a job. One without partitions has ended at once: see `ended`. */
export function planJob(request: JobRequest): JobState {
  checkPartitions(request);
  const lineage: Lineage = { nodes: request.nodes, known: request.known };
  const state: JobState = { request, lineage, stages: new Map(), byNumber: new Map(), ended: null, stageCount: 0, taskCount: 0 };
  const effects = new Effects();
  for (const plan of cutStages(lineage, request.target, request.partitions, request.sink)) addStage(state, plan, effects);
  return state;
}

/** What can run now, and what making it has led to: a job whose partitions hold nothing ends here, without a task. */
export interface ReadyTasks {
  readonly groups: readonly { readonly stage: StageSpec; readonly tasks: readonly TaskSpec[] }[];
  readonly events: JobEvents;
}

/** Tasks that can run now and have not been handed out. They count as running from here on. */
export function readyTasks(state: JobState): ReadyTasks {
  const ready: { stage: StageSpec; tasks: TaskSpec[] }[] = [];
  const effects = new Effects();
  // Making tasks can find that inputs are lost, which adds stages or gives partitions back to earlier ones: until nothing changes.
  for (let changed = true; changed && state.ended === null;) {
    changed = false;
    for (const stage of state.stages.values()) {
      if (stage.pending.size === 0 || stage.waitingFor.size > 0 || state.ended !== null) continue;
      changed = true;
      makeTasks(state, stage, ready);
      completeIfDone(state, stage, effects);
    }
  }
  return { groups: state.ended === null ? ready : [], events: effects.events(true) };
}

/**
 * Those tasks and the ones behind them, where they are few and have little to do: to be handed to one worker, in this order (see task-group.ts).
 * Those behind them count as running from here on. Null: each goes alone.
 */
export function groupOf(state: JobState, groups: ReadyTasks['groups'], room: GroupRoom): ReadyTasks['groups'] | null {
  for (const { stage, tasks } of groups) {
    if (!tasks.every(isGroupable) || !room.takes(stage, tasks)) return null;
  }
  const all = groups.map(({ stage, tasks }) => ({ stage, tasks: [...tasks] }));
  makeTasksBehind(state, all, (stage, inputs) => room.takes(stage, inputs));
  return all;
}

export function taskSucceeded(state: JobState, stageNumber: number, task: TaskId, report: TaskReport): JobEvents {
  const effects = new Effects();
  const stage = state.byNumber.get(stageNumber);
  const running = stage?.running.get(task);
  if (state.ended !== null || stage === undefined || running === undefined) {
    effects.releaseReport(report);
    return effects.events(false);
  }
  stage.running.delete(task);
  for (const { rdd, partition, block } of report.stored) {
    if (!state.request.known.addBlock(rdd, partition, block)) effects.releasePlace(block.place);
  }
  try {
    keepOutput(state, stage, running.partition, report.output, effects);
  } catch (error) {
    // The bytes were lost between the task and here: as if its thread had died.
    stage.pending.add(running.partition);
    const tries = triesOf(stage, running.partition);
    if ((tries.hostLosses += 1) > hostLossesMax) failJob(state, stage, running.partition, error, `its results were lost ${hostLossesMax + 1} times`, effects);
    return effects.events(false);
  }
  completeIfDone(state, stage, effects);
  return effects.events(true);
}

/**
 * `missing`: the task could not read an input, which is made again, without an attempt being counted. A lost input of a source
 * can't be made again: it counts as a failed attempt.
 */
export function taskFailed(
  state: JobState,
  stageNumber: number,
  task: TaskId,
  error: WireError,
  missing: Extract<FromTaskWorker, { type: 'taskFailed' }>['missing'],
  { taskFailuresMax, hostLost = false, memoryFreed = false }: FailureOptions,
): JobEvents {
  const effects = new Effects();
  const stage = state.byNumber.get(stageNumber);
  const running = stage?.running.get(task);
  if (state.ended !== null || stage === undefined || running === undefined) return effects.events(false);
  const { partition, seenAt } = running;
  stage.running.delete(task);
  stage.pending.add(partition);
  const tries = triesOf(stage, partition);
  const cause = fromWireError(error);
  if (hostLost) {
    if ((tries.hostLosses += 1) > hostLossesMax) failJob(state, stage, partition, cause, `its thread died ${tries.hostLosses} times`, effects);
  } else if (memoryFreed && (tries.memoryWaits += 1) <= memoryWaitsMax) {
    // It runs again when there is room.
  } else if (missing !== null && forgetInput(state.request.known, missing, seenAt)) {
    if ((tries.inputLosses += 1) > inputLossesMax) failJob(state, stage, partition, cause, `its inputs were lost ${tries.inputLosses} times`, effects);
  } else {
    tries.failures += 1;
    const hopeless = error.code !== null && hopelessCodes.has(error.code);
    if (hopeless || tries.failures >= taskFailuresMax) {
      failJob(state, stage, partition, cause, tries.failures === 1 ? 'it failed, and would fail again' : `it failed ${tries.failures} times`, effects);
    }
  }
  return effects.events(true);
}

/** The task was made and is not run: what it would have read is gone meanwhile. Its partition becomes a task anew. */
export function taskTakenBack(state: JobState, stageNumber: number, task: TaskId): JobEvents {
  const stage = state.byNumber.get(stageNumber);
  const running = stage?.running.get(task);
  if (stage !== undefined && running !== undefined) {
    stage.running.delete(task);
    stage.pending.add(running.partition);
    triesOf(stage, running.partition).attempts -= 1;
  }
  return new Effects().events(true);
}

/** Ends the job from outside (its context stops, its batch has failed). */
export function cancelJob(state: JobState, error: MillraceError): JobEvents {
  const effects = new Effects();
  if (state.ended === null) endJob(state, { ok: false, error }, effects);
  return effects.events(true);
}

/** A line for each stage that is not complete: for reports of what is stuck. */
export function describeJob(state: JobState): string[] {
  const lines: string[] = [];
  for (const stage of state.stages.values()) {
    if (isDone(stage)) continue;
    const waiting = stage.waitingFor.size === 0 ? '' : `, waiting for ${[...stage.waitingFor].join(' and ')}`;
    lines.push(`job ${state.request.job}, ${stage.key} of RDD ${stage.rdd}: ${stage.pending.size} tasks pending, ${stage.running.size} running${waiting}`);
  }
  return lines;
}

/** Failures that no further attempt can change: what they complain of is the program. */
const hopelessCodes: ReadonlySet<string> = new Set(['AsyncRecordFunction', 'FileExists', 'ProgramDiverged', 'RecordNotSerializable']);

function failJob(state: JobState, stage: StageState, partition: number, cause: unknown, what: string, effects: Effects): void {
  const operator = operatorOf(state, stage);
  const where = operator === null ? '' : ` (${operator.name}${operator.place === '' ? '' : ` at ${operator.place}`})`;
  const last = cause instanceof Error ? `${cause.name === 'MillraceError' ? (cause as MillraceError).code : cause.name}: ${cause.message}` : previewOf(cause);
  const { job, batchTime } = state.request;
  const error = new MillraceError('TaskFailed', `Partition ${partition} of RDD ${stage.rdd}${where} could not be computed: ${what}. The last failure: ${last}`, {
    cause,
    details: { job, stage: stage.spec?.stage ?? -1, rdd: stage.rdd, partition, batchTime, attempts: stage.tries.get(partition)?.attempts ?? 0, operator },
  });
  endJob(state, { ok: false, error }, effects);
}

function completeIfDone(state: JobState, stage: StageState, effects: Effects): void {
  if (!isDone(stage)) return;
  if (stage.spec !== null) effects.stagesCompleted.push(stage.spec.stage);
  try {
    completeStage(state, stage, effects);
  } catch (error) {
    // Sampled keys that have no order: the program's error, and the job's end.
    failJob(state, stage, 0, error, 'its keys can\'t be put in order', effects);
  }
}

/** Forgets an input that was not to be had. False: nothing can make it again. */
function forgetInput(known: KnownOutputs, missing: NonNullable<Extract<FromTaskWorker, { type: 'taskFailed' }>['missing']>, seenAt: number): boolean {
  if ('state' in missing) {
    known.states.lose(missing.state, missing.partition);
    return true;
  }
  if ('rdd' in missing) return known.dropBlock(missing.rdd, missing.partition, seenAt);
  known.dropMapOutput(missing.shuffle, missing.mapPartition, seenAt);
  return true;
}

/** The last operator that a user made in the stage. */
function operatorOf(state: JobState, stage: StageState): OperatorPlace | null {
  const nodes = stage.spec?.nodes ?? [state.lineage.nodes(stage.rdd)];
  return nodes.findLast((node) => node.operator !== null)?.operator ?? null;
}

function checkPartitions({ target, partitions, nodes }: JobRequest): void {
  if (partitions === null) return;
  const count = nodes(target).partitions;
  const seen = new Set<number>();
  for (const partition of partitions) {
    if (!Number.isInteger(partition) || partition < 0 || partition >= count || seen.has(partition)) {
      throw new MillraceError('InvalidArgument', `A job's partitions must be different numbers from 0 to ${count - 1} for RDD ${target}, got ${previewOf(partitions)}.`);
    }
    seen.add(partition);
  }
}
