/**
 * Runs jobs: hands their tasks to workers, and carries out what the job's state machine says of each task's end.
 *
 * Owns: running jobs, which worker has which task, and what is known of map outputs and persisted partitions.
 * Invariant: memory that a report names is in the ledger before anything else is done about the report; a worker has at
 * most `tasksPerWorkerMax` tasks (one runs, one waits, so that it need not wait for us between two).
 * Talks to: job scheduler and the app's thread (jobs), task workers, host manager, block manager master.
 * A crash loses: all running jobs; the driver's supervisor then ends the programs (rest_for_one).
 *
 *   runJob --> stages --> ready [ t t t t ] --> worker 0: [ running | waiting ]   --> report --> stages ... --> reply
 *                                               worker 1: [ running | waiting ]
 */
import type { Behavior, Turn } from '../lib/actor/behavior.ts';
import { rddsMade } from '../lib/rdd/job-stage.ts';
import { KnownOutputs } from '../lib/rdd/known-outputs.ts';
import { cancelJob, describeJob, groupOf, planJob, readyTasks, taskFailed, taskSucceeded, taskTakenBack } from '../lib/rdd/job-state.ts';
import type { JobEvents } from '../lib/rdd/job-state.ts';
import { nodeOf } from '../lib/rdd/lineage.ts';
import { chooseWorker, idleWorker, unevenLoad } from '../lib/rdd/placement.ts';
import { handlesOf } from '../lib/rdd/report-places.ts';
import { GroupRoom, RunTimes } from '../lib/rdd/task-group.ts';
import { StateHolds } from '../lib/rdd/state/state-holds.ts';
import type { JobRequest, JobResult, ToTaskScheduler } from '../protocol/job.ts';
import type { RddNode, SharedHandle } from '../protocol/rdd.ts';
import type { ReplyTo } from '../protocol/ref.ts';
import type { FromTaskWorker } from '../protocol/task.ts';
import { asJobId } from '../protocol/ids.ts';
import type { HostId, JobId, RddId, TaskId } from '../protocol/ids.ts';
import { fromWireError, MillraceError, toWireError } from '../protocol/errors.ts';
import type { WireError } from '../protocol/errors.ts';
import { assert, unreachable } from '../lib/base/assert.ts';
import type { WaitingPlace } from '../lib/base/task-control.ts';
import { BlockEvictions } from './block-evictions.ts';
import { giveBack, giveUp, hold, readBlock, releaseLeaving, removeFiles } from './output-memory.ts';
import { onKept, rddsOf } from './kept-state.ts';
import { passOn } from './left-behind.ts';
import { endJob, tellForgotten } from './scheduled-jobs.ts';
import type { Job, Ready, SchedulerState, Worker } from './scheduled-jobs.ts';
import { noteState, settleStates } from './state-news.ts';
import { places } from './places.ts';
import type { HostServices } from './services.ts';

type State = SchedulerState;
type Turning = Turn<ToTaskScheduler>;

/** How long a task whose output has passed its time may take to end. */
const cancelGraceMs = 1_000;

export function taskScheduler(services: HostServices): Behavior<State, ToTaskScheduler> {
  const { taskFailuresMax, taskTimeoutMs } = services.options;

  const onRunJob = (state: State, request: JobRequest, replyTo: ReplyTo<JobResult>, turn: Turning): State => {
    const id = asJobId(state.nextJob++);
    const nodes = new Map<RddId, RddNode>(request.nodes.map((node) => [node.id, node]));
    const read: SharedHandle[] = [];
    try {
      const plan = planJob({
        job: id,
        target: request.target,
        partitions: request.partitions,
        sink: request.sink,
        nodes: (rdd) => nodeOf(nodes, rdd),
        known: state.known,
        program: request.program,
        batchTime: request.batchTime,
        replays: request.replays,
        broadcasts: request.broadcasts,
        loadRecords: (block) => readBlock(services.pool, block, read),
      });
      const job: Job = { request, plan, replyTo, hosts: new Set(), read };
      state.jobs.set(id, job);
      if (plan.ended !== null) endJob(state, id, job, plan.ended, turn);
      else goOn(state, id, job, turn);
    } catch (thrown) {
      state.jobs.delete(id);
      turn.reply(replyTo, { ok: false, error: toWireError(thrown) });
    }
    state.evictions.keepRoom(turn);
    return handOut(state, turn);
  };

  const handOut = (state: State, turn: Turning): State => {
    const workers = [...state.workers.values()];
    for (let at = 0; at < state.ready.length && !state.evictions.isUrgent;) {
      const next = state.ready[at] as Ready;
      const worker = chooseWorker(workers, next.task, state.failedAt.get(`${next.job}/${next.task.partition}`));
      if (worker === null) {
        // Who waits for the one worker that has its state holds nobody back.
        if (next.task.owner === null) return state;
        at += 1;
        continue;
      }
      state.ready.splice(at, 1);
      const task = state.evictions.taskHandedOut(next.stage, next.task);
      if (task === null) makeAgain(state, next, turn);
      else handTo(state, worker, { ...next, task }, turn);
    }
    moveWaiting(state, workers, turn);
    return state;
  };

  /** `then`: what follows on it there, without a word in between. */
  const handTo = (state: State, worker: Worker, next: Ready, turn: Turning, then: readonly Ready[] = []): void => {
    tellForgotten(worker, turn);
    for (const { job, stage } of [next, ...then]) {
      const key = `${job}/${stage.stage}`;
      if (worker.stages.has(key)) continue;
      worker.stages.add(key);
      state.jobs.get(job)?.hosts.add(worker.host);
      turn.tell(worker.ref, { type: 'defineStage', stage });
    }
    const waits = worker.handed.length === 0 ? null : (worker.nextPlace ^= 1) as WaitingPlace;
    if (waits !== null) services.controls.get(worker.host)?.putBehind(next.task.task, waits);
    turn.tell(worker.ref, { type: 'runTask', job: next.job, stage: next.stage.stage, task: next.task, waits, ...(then.length === 0 ? {} : { then: then.map(({ stage, task }) => ({ stage: stage.stage, task })) }) });
    worker.handed.push({ ...next, waits }, ...then.map((each) => ({ ...each, waits: null })));
    if (waits === null) watchHead(worker, turn);
  };

  const handGroup = (state: State, worker: Worker, group: readonly Ready[], turn: Turning): void => {
    const [first, ...then] = group.map((each): Ready => {
      const task = state.evictions.taskHandedOut(each.stage, each.task);
      assert(task !== null, 'a task of a group reads no persisted partition', each.task.task);
      return { ...each, task };
    });
    if (first !== undefined) handTo(state, worker, first, turn, then);
  };

  /** A worker that has nothing to do takes over what waits at another one, whose running task may take long. */
  const moveWaiting = (state: State, workers: readonly Worker[], turn: Turning): void => {
    // To the worker that has its state, or to the task that it follows on.
    const isBound = ({ host, handed }: Worker): boolean => handed.at(-1)?.task.owner === host || handed.at(-1)?.waits === null;
    for (let uneven = unevenLoad(workers, isBound); uneven !== null; uneven = unevenLoad(workers, isBound)) {
      const { idle, busy } = uneven;
      const waiting = busy.handed.at(-1) as Worker['handed'][number];
      // It has been started this very moment: then it does not wait, and the worker is about to say so.
      if (waiting.waits === null || services.controls.get(busy.host)?.takeBack(waiting.task.task, waiting.waits) !== true) return;
      busy.handed.pop();
      busy.tookBack = true;
      handTo(state, idle, waiting, turn);
    }
  };

  /** A partition that the task was to read has made room for others meanwhile: it reads it elsewhere, or computes it. */
  const makeAgain = (state: State, { job: id, stage, task }: Ready, turn: Turning): void => {
    const job = state.jobs.get(id);
    if (job !== undefined) carryOut(state, id, job, taskTakenBack(job.plan, stage.stage, task.task), turn);
  };

  /** The time of a task counts from when it is the first of its worker. */
  const watchHead = (worker: Worker, turn: Turning): void => {
    const [head] = worker.handed;
    if (head === undefined || !Number.isFinite(taskTimeoutMs)) turn.cancelTimer(`task-${worker.host}`);
    else watch(worker.host, head, turn);
  };

  const watch = (host: HostId, { task: { task } }: Ready, turn: Turning): void => turn.startTimer(`task-${host}`, taskTimeoutMs, { type: 'taskTimedOut', host, task });

  const onTimedOut = ({ workers, jobs }: State, { host, task }: Extract<ToTaskScheduler, { type: 'taskTimedOut' }>, turn: Turning): void => {
    const worker = workers.get(host);
    const late = worker?.handed.find((handed) => handed.task.task === task);
    if (worker === undefined || late === undefined) return;
    const running = services.controls.get(host)?.running;
    const follower = worker.handed.find((handed) => handed.waits === null && handed.task.task === running);
    // It has ended, and one that follows on it has its own time; of a job that has ended, none has.
    if (follower !== undefined && follower !== late && jobs.has(late.job)) return watch(host, follower, turn);
    const error = toWireError(new MillraceError('TaskTimeout', `Expected task ${task} to end within taskTimeoutMs (${taskTimeoutMs} ms), or its output's time; it has not, so its thread was ended. Raise the bound, or look for an endless loop.`));
    worker.timedOut = { task: late.task.task, error };
    turn.tell(places.hostManager, { type: 'killHost', host, how: 'terminate' });
  };

  const ended = (state: State, host: HostId, task: TaskId, turn: Turning): Ready | null => {
    const worker = state.workers.get(host);
    const at = worker?.handed.findIndex((handed) => handed.task.task === task) ?? -1;
    if (worker === undefined || at < 0) return null;
    const [handed] = worker.handed.splice(at, 1);
    worker.tookBack = false;
    state.evictions.taskEnded(task, turn);
    if (at === 0) watchHead(worker, turn);
    releaseLeaving(state.leaving, state.workers, turn);
    return handed ?? null;
  };

  const onSucceeded = (state: State, message: Extract<FromTaskWorker, { type: 'taskSucceeded' }>, turn: Turning): State => {
    const { job: id, report } = message;
    const handed = ended(state, message.host, message.task, turn);
    const job = state.jobs.get(id);
    if (handed === null || job === undefined) {
      giveBack(report, turn);
      state.evictions.releasing(turn);
      return handOut(state, turn);
    }
    state.runTimes.note(handed.stage.shape, report.runMs);
    hold(report, job.request, turn);
    for (const { rdd } of report.stored) rddsOf(state, job.request.program).add(rdd);
    const events = taskSucceeded(job.plan, message.stage, message.task, report);
    noteState(state.known.states, job.plan, message, handed.task.partition, turn);
    state.evictions.stored(report, handed.stage, job.request);
    state.evictions.keepRoom(turn);
    // Also where the output was lost on its way: what the task has stored is kept, and won't be computed again.
    if (events.accepted || job.plan.ended === null) passOn(job.request.program, report, turn);
    return follow(state, id, job, events, turn);
  };

  const onFailed = (state: State, message: Extract<FromTaskWorker, { type: 'taskFailed' }>, turn: Turning): State => {
    const handed = ended(state, message.host, message.task, turn);
    const job = state.jobs.get(message.job);
    const memoryFreed = handed !== null && job !== undefined && state.evictions.relieves(message.error, turn);
    if (!memoryFreed) state.evictions.keepRoom(turn);
    if (handed === null || job === undefined) return handOut(state, turn);
    state.failedAt.set(`${handed.job}/${handed.task.partition}`, message.host);
    return follow(state, message.job, job, taskFailed(job.plan, message.stage, message.task, message.error, message.missing, { taskFailuresMax, memoryFreed }), turn);
  };

  const onNotRun = (state: State, message: Extract<FromTaskWorker, { type: 'taskNotRun' }>, turn: Turning): State => {
    const job = ended(state, message.host, message.task, turn) === null ? undefined : state.jobs.get(message.job);
    return job === undefined ? handOut(state, turn) : follow(state, message.job, job, taskTakenBack(job.plan, message.stage, message.task), turn);
  };

  const onWorkerDown = (state: State, host: HostId, error: WireError, turn: Turning): State => {
    // From here, since reports of that thread that lay in this mailbox before have been entered in the ledger by now, and later ones don't come.
    turn.tell(places.blockManagerMaster, { type: 'hostExited', host });
    const worker = state.workers.get(host);
    if (worker === undefined) return state;
    state.workers.delete(host);
    state.known.states.disown(host);
    turn.cancelTimer(`task-${host}`);
    for (const handed of worker.handed) {
      state.evictions.taskEnded(handed.task.task, turn);
      const job = state.jobs.get(handed.job);
      if (job === undefined) continue;
      const own = worker.timedOut?.task === handed.task.task ? worker.timedOut.error : null;
      const events = taskFailed(job.plan, handed.stage.stage, handed.task.task, own ?? error, null, { taskFailuresMax, hostLost: own === null });
      follow(state, handed.job, job, events, turn);
    }
    releaseLeaving(state.leaving, state.workers, turn);
    state.evictions.releasing(turn);
    return handOut(state, turn);
  };

  /** Queues the tasks that can run; a job that needs no (further) task ends. */
  const goOn = (state: State, id: JobId, job: Job, turn: Turning): void => {
    const { groups, events } = readyTasks(job.plan);
    const idle = groups.length === 0 || state.ready.length > 0 || state.evictions.isUrgent ? undefined : idleWorker([...state.workers.values()]);
    const group = idle === undefined ? null : groupOf(job.plan, groups, new GroupRoom(state.runTimes));
    const ready = (group ?? groups).flatMap(({ stage, tasks }): Ready[] => tasks.map((task) => ({ job: id, stage, task })));
    for (const { task } of ready) state.evictions.taskMade(task, job.request.program);
    if (idle === undefined || group === null) state.ready.push(...ready);
    else handGroup(state, idle, ready, turn);
    for (const rdd of rddsMade(job.plan)) rddsOf(state, job.request.program).add(rdd);
    if (events.ended !== null) carryOut(state, id, job, events, turn);
  };

  const follow = (state: State, id: JobId, job: Job, events: JobEvents, turn: Turning): State => {
    carryOut(state, id, job, events, turn);
    return handOut(state, turn);
  };

  const carryOut = (state: State, id: JobId, job: Job, events: JobEvents, turn: Turning): void => {
    const { scope, resultScope } = job.request;
    const done = [...handlesOf(events.release), ...job.read.splice(0)];
    removeFiles(events.release, turn);
    if (done.length > 0) {
      for (const from of [scope, resultScope]) turn.tell(places.blockManagerMaster, { type: 'release', scope: from, handles: done });
      state.evictions.releasing(turn);
    }
    for (const task of events.cancel) cancel(state, task);
    if (events.ended === null) return goOn(state, id, job, turn);
    if (!events.ended.ok) settleStates(state.known.states, job.plan, turn);
    endJob(state, id, job, events.ended, turn);
  };

  /** Tasks that hang past their output's time would hold up all that comes: those that don't end by themselves are ended with their threads. */
  const endSoon = (state: State, concerned: (job: Job) => boolean, turn: Turning): void => {
    for (const { host, handed: [head] } of state.workers.values()) {
      const job = head === undefined ? undefined : state.jobs.get(head.job);
      if (head !== undefined && job !== undefined && concerned(job)) turn.startTimer(`cancelled-${host}`, cancelGraceMs, { type: 'taskTimedOut', host, task: head.task.task });
    }
  };

  const cancelJobs = (state: State, wire: WireError, concerned: (job: Job) => boolean, turn: Turning): void => {
    const given = fromWireError(wire);
    const error = given instanceof MillraceError ? given : new MillraceError('TaskCancelled', given.message);
    for (const [id, job] of state.jobs) {
      if (concerned(job)) follow(state, id, job, cancelJob(job.plan, error), turn);
    }
  };

  /** A running task sees the word within 1,024 records; one that waits finds its stage forgotten. */
  const cancel = (state: State, task: TaskId): void => {
    for (const worker of state.workers.values()) {
      if (worker.handed[0]?.task.task === task) services.controls.get(worker.host)?.cancel(task);
    }
  };

  return {
    name: 'task-scheduler',
    mailbox: { messagesMax: 1_000_000, overflow: 'fail' },
    init: () => {
      const known = new KnownOutputs();
      return { known, evictions: new BlockEvictions(services, known), jobs: new Map(), workers: new Map(), ready: [], failedAt: new Map(), runTimes: new RunTimes(), holds: new StateHolds(), rdds: new Map(), leaving: new Set(), nextJob: 1 };
    },
    receive(state, message, turn) {
      switch (message.type) {
        case 'runJob':
          return onRunJob(state, message.request, message.replyTo, turn);
        case 'workerUp':
          // It has crashed and lives again, and nobody knows what it had under way, nor that task's memory: its thread goes, too.
          if (state.workers.has(message.host)) {
            turn.tell(places.hostManager, { type: 'killHost', host: message.host, how: 'terminate' });
            return state;
          }
          state.workers.set(message.host, { host: message.host, ref: message.worker, handed: [], tookBack: false, nextPlace: 0, stages: new Set(), toForget: [], timedOut: null });
          return handOut(state, turn);
        case 'workerDown':
          return onWorkerDown(state, message.host, message.error, turn);
        case 'taskSucceeded':
          return onSucceeded(state, message, turn);
        case 'taskFailed':
          return onFailed(state, message, turn);
        case 'taskNotRun':
          return onNotRun(state, message, turn);
        case 'forgetRdds':
        case 'forgetStored':
        case 'restoreState':
        case 'stateLinks':
        case 'stateLinksRead':
          onKept(state, message, turn);
          return handOut(state, turn);
        case 'forgetProgram':
          giveUp(message.program, [...state.known.forgetRdds([...(state.rdds.get(message.program) ?? [])]), ...state.known.states.forgetProgram(message.program)], turn);
          state.evictions.unpin(state.holds.forgetProgram(message.program), turn);
          state.evictions.forgetProgram(message.program, turn);
          state.rdds.delete(message.program);
          state.leaving.add(message.program);
          for (const worker of state.workers.values()) tellForgotten(worker, turn);
          releaseLeaving(state.leaving, state.workers, turn);
          state.evictions.releasing(turn);
          return handOut(state, turn);
        case 'blockSpilled':
        case 'outputSpilled':
        case 'roomMade':
        case 'makeRoom':
        case 'sourceStored':
        case 'keepRoom':
          state.evictions.receive(message, turn);
          return handOut(state, turn);
        case 'storageStats':
          turn.reply(message.replyTo, state.evictions.stats());
          return state;
        case 'taskTimedOut':
          onTimedOut(state, message, turn);
          return state;
        case 'cancelOutput': {
          const concerned = ({ request }: Job): boolean => request.resultScope === message.resultScope;
          endSoon(state, concerned, turn);
          cancelJobs(state, message.error, concerned, turn);
          return state;
        }
        case 'cancelProgram':
          cancelJobs(state, message.error, ({ request }) => request.program === message.program, turn);
          return state;
        case 'whichJobs':
          turn.reply(message.replyTo, [...state.jobs.values()].flatMap(({ request, plan }) => (request.program === message.program ? describeJob(plan) : [])));
          return state;
        default:
          return unreachable(message);
      }
    },
  };
}
