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
import { MissingInput } from '../lib/rdd/task-failure.ts';
import type { HostId, JobId } from '../protocol/ids.ts';
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
    const stage = state.stages.get(taken.job)?.get(taken.stage);
    state.busy = true;
    turn.perform(
      'runTask',
      () => (stage === undefined ? unknownStage(taken) : run(services, loops, state.states, stage, taken.task)),
      (outcome) => ({ type: 'taskEnded', given: taken, end: outcome.ok ? outcome.value : { error: outcome.error, missing: null } }),
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
          turn.tell(places.taskScheduler, endOf(services.host, message.given, message.end));
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

function run(services: HostServices, loops: LoopCache, tables: State['states'], stage: StageSpec, task: TaskSpec): TaskEnd | Promise<TaskEnd> {
  const program = stage.program === null ? undefined : services.programs.get(stage.program);
  const environment = workerEnvironment(services, loops, storeOf(tables, program), stage, task);
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

function endOf(host: HostId, { job, stage, task }: Given, end: TaskEnd): FromTaskWorker {
  return 'report' in end ? { type: 'taskSucceeded', host, job, stage, task: task.task, report: end.report } : { type: 'taskFailed', host, job, stage, task: task.task, error: end.error, missing: end.missing };
}
