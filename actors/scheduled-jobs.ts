/**
 * What the task scheduler knows of its jobs and workers, and the end of a job.
 *
 * Invariant: behind a job's end nothing here names it but what idle workers are still to be told: to forget its stages.
 */
import type { Turn } from '../lib/actor/behavior.ts';
import type { WaitingPlace } from '../lib/base/task-control.ts';
import type { JobState } from '../lib/rdd/job-state.ts';
import type { RunTimes } from '../lib/rdd/task-group.ts';
import { toWireError } from '../protocol/errors.ts';
import type { WireError } from '../protocol/errors.ts';
import type { HostId, JobId, ProgramId, TaskId } from '../protocol/ids.ts';
import type { JobRequest, JobResult, ToTaskScheduler } from '../protocol/job.ts';
import type { SharedHandle } from '../protocol/rdd.ts';
import type { ActorRef, ReplyTo } from '../protocol/ref.ts';
import type { StageSpec, TaskSpec, ToTaskWorker } from '../protocol/task.ts';
import type { Kept } from './kept-state.ts';

export interface Job {
  readonly request: JobRequest;
  readonly plan: JobState;
  readonly replyTo: ReplyTo<JobResult>;
  /** Workers that know stages of it. */
  readonly hosts: Set<HostId>;
  /** Blocks of inner stages that have been read. */
  readonly read: SharedHandle[];
}

export interface Worker {
  readonly host: HostId;
  readonly ref: ActorRef<ToTaskWorker>;
  /** The first one runs, the others wait there; those without a place to wait follow on it, in one go. */
  readonly handed: (Ready & { readonly waits: WaitingPlace | null })[];
  /** See WorkerLoad. */
  tookBack: boolean;
  /** Where the last task was put that waited. */
  nextPlace: number;
  /** `job/stage` of the stages it was told. */
  readonly stages: Set<string>;
  /** Jobs that have ended, whose stages it knows. */
  readonly toForget: JobId[];
  /** The task for which its thread is being ended. */
  timedOut: { readonly task: TaskId; readonly error: WireError } | null;
}

export interface Ready {
  readonly job: JobId;
  readonly stage: StageSpec;
  readonly task: TaskSpec;
}

/** `evictions`: which blocks make room in shared memory, and for whom. */
export interface SchedulerState extends Kept {
  readonly jobs: Map<JobId, Job>;
  readonly workers: Map<HostId, Worker>;
  readonly ready: Ready[];
  /** Where a partition's last attempt failed: the next goes elsewhere where there is an elsewhere. */
  readonly failedAt: Map<string, HostId>;
  readonly runTimes: RunTimes;
  /** Programs that have ended, and have tasks running all the same: their memory is in use until those end. */
  readonly leaving: Set<ProgramId>;
  nextJob: number;
}

/** Ended jobs of whose stages a worker that has nothing to do may not know yet that they are over. */
const jobsToForgetMax = 16;

/** Before the next task, in the same post, or when they are many. */
export function tellForgotten(worker: Worker, turn: Turn<ToTaskScheduler>): void {
  if (worker.toForget.length > 0) turn.tell(worker.ref, { type: 'forgetJobs', jobs: worker.toForget.splice(0) });
}

export function endJob(state: SchedulerState, id: JobId, job: Job, end: NonNullable<JobState['ended']>, turn: Turn<ToTaskScheduler>): void {
  state.jobs.delete(id);
  for (let index = state.ready.length - 1; index >= 0; index -= 1) {
    const ready = state.ready[index] as Ready;
    if (ready.job !== id) continue;
    state.ready.splice(index, 1);
    state.evictions.taskDropped(ready.task);
  }
  for (const key of state.failedAt.keys()) {
    if (key.startsWith(`${id}/`)) state.failedAt.delete(key);
  }
  for (const host of job.hosts) {
    const worker = state.workers.get(host);
    if (worker === undefined) continue;
    for (const key of worker.stages) {
      if (key.startsWith(`${id}/`)) worker.stages.delete(key);
    }
    worker.toForget.push(id);
    // What waits there finds its stage forgotten. Who has nothing to do is not woken for it.
    if (worker.handed.length > 0 || worker.toForget.length >= jobsToForgetMax) tellForgotten(worker, turn);
  }
  turn.reply(job.replyTo, end.ok ? { ok: true, outputs: end.outputs } : { ok: false, error: toWireError(end.error) });
}
