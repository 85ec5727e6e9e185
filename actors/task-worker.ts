/**
 * Runs tasks, one at a time, on a thread of its own.
 *
 * Owns: the stages it was told of, the compiled loops, and the tables of keyed state of the partitions that it made last. Invariant: exactly one report leaves for each task it was given,
 * unless the thread dies; a failed task's memory is given back before its failure is told.
 * Talks to: the task scheduler. Hears messages only between tasks: while one runs, words in shared memory say how far it
 * is and whether it should end.
 * A crash loses: the tasks it had; the scheduler ends the thread, sees its end, and runs them elsewhere. And its tables, which the next owner
 * puts together from the bytes that each step has left in shared memory.
 */
import type { Behavior, Turn } from '../lib/actor/behavior.ts';
import { LoopCache } from '../lib/rdd/fuse.ts';
import { runTask } from '../lib/rdd/run-task.ts';
import { runGroup } from '../lib/rdd/task-group.ts';
import { MissingInput } from '../lib/rdd/task-failure.ts';
import type { HostId, JobId, TaskId } from '../protocol/ids.ts';
import type { BroadcastVersion } from '../protocol/rdd.ts';
import type { FromTaskWorker, StageSpec, TaskEnd, TaskReport, TaskSpec, ToTaskWorker } from '../protocol/task.ts';
import { MillraceError, toWireError } from '../protocol/errors.ts';
import { unreachable } from '../lib/base/assert.ts';
import { StateStore } from '../lib/rdd/state/state-store.ts';
import { places } from './places.ts';
import type { HostProgram } from './programs.ts';
import type { HostServices } from './services.ts';
import { workerEnvironment } from './worker-environment.ts';

type Given = Extract<ToTaskWorker, { type: 'runTask' }>;

interface State {
  /** Tables of keyed state, for each program as it was built here: gone with it. */
  readonly states: WeakMap<HostProgram, StateStore>;
  readonly stages: Map<JobId, Map<number, StageSpec>>;
  readonly waiting: Given[];
  busy: boolean;
}

export function taskWorker(services: HostServices): Behavior<State, ToTaskWorker> {
  const loops = new LoopCache({ generate: services.options.codegen });

  const next = (state: State, turn: Turn<ToTaskWorker>): State => {
    if (state.busy) return state;
    let given = state.waiting.shift();
    // Taken back meanwhile: another worker has it.
    while (given !== undefined && !services.control.begin(given.task.task, given.waits)) given = state.waiting.shift();
    if (given === undefined) return state;
    const taken = given;
    const { stage, task, then = [] } = taken;
    const stages = state.stages.get(taken.job) ?? new Map<number, StageSpec>();
    state.busy = true;
    turn.perform(
      'runTask',
      () => runGroup([{ stage, task }, ...then], stages, (its, next) => runOne(services, loops, state.states, its, next, taken)),
      (outcome) => ({ type: 'taskEnded', given: taken, ends: outcome.ok ? outcome.value : [{ error: outcome.error, missing: null }] }),
    );
    return state;
  };

  return {
    name: 'task-worker',
    init(turn) {
      turn.tell(places.taskScheduler, { type: 'workerUp', host: services.host, worker: turn.self });
      return { states: new WeakMap(), stages: new Map(), waiting: [], busy: false };
    },
    receive(state, message, turn) {
      switch (message.type) {
        case 'defineStage': {
          const { job, stage } = message.stage;
          const stages = state.stages.get(job) ?? new Map<number, StageSpec>();
          state.stages.set(job, stages.set(stage, message.stage));
          return state;
        }
        case 'runTask':
          state.waiting.push(message);
          return next(state, turn);
        case 'taskEnded': {
          for (const end of endsOf(services.host, message.given, message.ends)) turn.tell(places.taskScheduler, end);
          state.busy = false;
          return next(state, turn);
        }
        case 'forgetJobs':
          for (const job of message.jobs) state.stages.delete(job);
          return state;
        default:
          return unreachable(message);
      }
    },
  };
}

/** `given`: by the id of its first task all are cancelled. */
function runOne(services: HostServices, loops: LoopCache, tables: State['states'], stage: StageSpec | undefined, task: TaskSpec, given: Given): TaskEnd | Promise<TaskEnd> {
  if (stage === undefined) return unknownStage(given);
  if (task.task !== given.task.task) services.control.begin(task.task, null);
  return run(services, loops, tables, stage, task, given.task.task);
}

function run(services: HostServices, loops: LoopCache, tables: State['states'], stage: StageSpec, task: TaskSpec, cancelledBy: TaskId): TaskEnd | Promise<TaskEnd> {
  const program = stage.program === null ? undefined : services.programs.get(stage.program);
  const environment = workerEnvironment(services, loops, storeOf(tables, program), stage, task, cancelledBy);
  const failed = (thrown: unknown): TaskEnd => {
    environment.discard();
    return { error: toWireError(thrown), missing: thrown instanceof MissingInput ? thrown.missing : null };
  };
  const read = (version: BroadcastVersion): Uint8Array => (version.block?.place == null ? new Uint8Array(0) : environment.read(version.block.place));
  const work = (): TaskReport | Promise<TaskReport> => runTask(stage, task, environment);
  const start = (): TaskReport | Promise<TaskReport> => (program === undefined ? work() : program.duringTask(work));
  try {
    const prepared = program?.prepare(stage.replays, stage.broadcasts, read);
    const report = prepared === undefined ? start() : prepared.then(start);
    return report instanceof Promise ? report.then((value) => ({ report: value }), failed) : { report };
  } catch (thrown) {
    return failed(thrown);
  }
}

function storeOf(tables: State['states'], program: HostProgram | undefined): StateStore {
  if (program === undefined) return new StateStore();
  let store = tables.get(program);
  if (store === undefined) tables.set(program, (store = new StateStore()));
  return store;
}

function unknownStage({ job, stage }: Given): TaskEnd {
  return { error: toWireError(new MillraceError('BlockMissing', `Stage ${stage} of job ${job} is not known on this worker: its job has ended.`)), missing: null };
}

/** Of each task that was given one, in their order: what has no end was not run. */
function endsOf(host: HostId, { job, stage, task, then = [] }: Given, ends: readonly TaskEnd[]): FromTaskWorker[] {
  return [{ stage, task }, ...then].map((one, index): FromTaskWorker => {
    const end = ends[index];
    const named = { host, job, stage: one.stage, task: one.task.task };
    if (end === undefined) return { type: 'taskNotRun', ...named };
    return 'report' in end ? { type: 'taskSucceeded', ...named, report: end.report } : { type: 'taskFailed', ...named, error: end.error, missing: end.missing };
  });
}
