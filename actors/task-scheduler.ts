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
import { KnownOutputs, rddOfShuffle } from '../lib/rdd/known-outputs.ts';
import type { Place } from '../lib/rdd/known-outputs.ts';
import { cancelJob, describeJob, planJob, readyTasks, taskFailed, taskSucceeded } from '../lib/rdd/job-state.ts';
import type { JobEvents, JobState } from '../lib/rdd/job-state.ts';
import { chooseWorker } from '../lib/rdd/placement.ts';
import { handlesOf, placesKept, placesOfResult } from '../lib/rdd/report-places.ts';
import { decodeRecords } from '../protocol/codec.ts';
import { programScope } from '../protocol/block.ts';
import type { JobRequest, JobResult, ToTaskScheduler } from '../protocol/job.ts';
import type { BlockRef, RddNode, SharedHandle } from '../protocol/rdd.ts';
import type { ActorRef, ReplyTo } from '../protocol/ref.ts';
import type { FromTaskWorker, StageSpec, TaskReport, TaskSpec, ToTaskWorker } from '../protocol/task.ts';
import { asJobId } from '../protocol/ids.ts';
import type { HostId, JobId, ProgramId, RddId, TaskId } from '../protocol/ids.ts';
import { fromWireError, MillraceError, toWireError } from '../protocol/errors.ts';
import type { WireError } from '../protocol/errors.ts';
import { unreachable } from '../lib/base/assert.ts';
import { places, programPlaces } from './places.ts';
import type { HostServices } from './services.ts';

interface Job {
  readonly request: JobRequest;
  readonly plan: JobState;
  readonly replyTo: ReplyTo<JobResult>;
  /** Workers that know stages of it. */
  readonly hosts: Set<HostId>;
  /** Blocks of inner stages that have been read. */
  readonly read: SharedHandle[];
}

interface Handed {
  readonly job: JobId;
  readonly stage: number;
  readonly partition: number;
  readonly task: TaskId;
  readonly program: ProgramId | null;
}

interface Worker {
  readonly host: HostId;
  readonly ref: ActorRef<ToTaskWorker>;
  /** The first one runs, the others wait there. */
  readonly handed: Handed[];
  /** `job/stage` of the stages it was told. */
  readonly stages: Set<string>;
  timedOut: WireError | null;
}

interface Ready {
  readonly job: JobId;
  readonly stage: StageSpec;
  readonly task: TaskSpec;
}

interface State {
  readonly known: KnownOutputs;
  readonly jobs: Map<JobId, Job>;
  readonly workers: Map<HostId, Worker>;
  readonly ready: Ready[];
  /** Where a partition's last attempt failed: the next goes elsewhere where there is an elsewhere. */
  readonly failedAt: Map<string, HostId>;
  /** RDDs with entries in `known`. */
  readonly rdds: Map<ProgramId | null, Set<RddId>>;
  /** Programs that have ended, and have tasks running all the same: their memory is in use until those end. */
  readonly leaving: Set<ProgramId>;
  nextJob: number;
}

type Turning = Turn<ToTaskScheduler>;

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
        loadRecords: (block) => readBlock(block, read),
      });
      const job: Job = { request, plan, replyTo, hosts: new Set(), read };
      state.jobs.set(id, job);
      if (plan.ended !== null) endJob(state, id, job, plan.ended, turn);
      else goOn(state, id, job, turn);
    } catch (thrown) {
      state.jobs.delete(id);
      turn.reply(replyTo, { ok: false, error: toWireError(thrown) });
    }
    return handOut(state, turn);
  };

  const readBlock = (block: BlockRef, read: SharedHandle[]): readonly unknown[] => {
    if (block.place === null || !('slab' in block.place)) return [];
    read.push(block.place);
    return decodeRecords(services.pool.view(block.place));
  };

  const handOut = (state: State, turn: Turning): State => {
    const workers = [...state.workers.values()];
    for (let at = 0; at < state.ready.length;) {
      const next = state.ready[at] as Ready;
      const worker = chooseWorker(workers, next.task, state.failedAt.get(`${next.job}/${next.task.partition}`));
      if (worker === null) {
        // Who waits for the one worker that has its state holds nobody back.
        if (next.task.owner === null) return state;
        at += 1;
        continue;
      }
      state.ready.splice(at, 1);
      const key = `${next.job}/${next.stage.stage}`;
      if (!worker.stages.has(key)) {
        worker.stages.add(key);
        state.jobs.get(next.job)?.hosts.add(worker.host);
        turn.tell(worker.ref, { type: 'defineStage', stage: next.stage });
      }
      turn.tell(worker.ref, { type: 'runTask', job: next.job, stage: next.stage.stage, task: next.task });
      worker.handed.push({ job: next.job, stage: next.stage.stage, partition: next.task.partition, task: next.task.task, program: next.stage.program });
      if (worker.handed.length === 1) watchHead(worker, turn);
    }
    return state;
  };

  /** The time of a task counts from when it is the first of its worker. */
  const watchHead = (worker: Worker, turn: Turning): void => {
    const [head] = worker.handed;
    const timer = `task-${worker.host}`;
    if (head === undefined || !Number.isFinite(taskTimeoutMs)) turn.cancelTimer(timer);
    else turn.startTimer(timer, taskTimeoutMs, { type: 'taskTimedOut', host: worker.host, task: head.task });
  };

  const takeBack = (state: State, host: HostId, task: TaskId, turn: Turning): Handed | null => {
    const worker = state.workers.get(host);
    const at = worker?.handed.findIndex((handed) => handed.task === task) ?? -1;
    if (worker === undefined || at < 0) return null;
    const [handed] = worker.handed.splice(at, 1);
    if (at === 0) watchHead(worker, turn);
    releaseLeaving(state, turn);
    return handed ?? null;
  };

  const onSucceeded = (state: State, message: Extract<FromTaskWorker, { type: 'taskSucceeded' }>, turn: Turning): State => {
    const { job: id, report } = message;
    const handed = takeBack(state, message.host, message.task, turn);
    const job = state.jobs.get(id);
    if (handed === null || job === undefined) {
      giveBack(report, turn);
      return handOut(state, turn);
    }
    hold(state, job, report, turn);
    const events = taskSucceeded(job.plan, message.stage, message.task, report);
    noteState(state, job, message, handed.partition, turn);
    if (events.accepted && report.accumulators.length > 0 && job.request.program !== null) {
      const { accumulators } = report;
      turn.tell(programPlaces(job.request.program).outputs, { type: 'accumulated', updates: accumulators.map((update) => ({ ...update, batchTime: job.request.batchTime, partition: handed.partition })) });
    }
    return follow(state, id, job, events, turn);
  };

  const onFailed = (state: State, message: Extract<FromTaskWorker, { type: 'taskFailed' }>, turn: Turning): State => {
    const handed = takeBack(state, message.host, message.task, turn);
    const job = state.jobs.get(message.job);
    if (handed === null || job === undefined) return handOut(state, turn);
    state.failedAt.set(`${handed.job}/${handed.partition}`, message.host);
    return follow(state, message.job, job, taskFailed(job.plan, message.stage, message.task, message.error, message.missing, { taskFailuresMax }), turn);
  };

  const onWorkerDown = (state: State, host: HostId, error: WireError, turn: Turning): State => {
    const worker = state.workers.get(host);
    if (worker === undefined) return state;
    state.workers.delete(host);
    state.known.states.disown(host);
    turn.cancelTimer(`task-${host}`);
    worker.handed.forEach((handed, index) => {
      const job = state.jobs.get(handed.job);
      if (job === undefined) return;
      const own = index === 0 ? worker.timedOut : null;
      const events = taskFailed(job.plan, handed.stage, handed.task, own ?? error, null, { taskFailuresMax, hostLost: own === null });
      follow(state, handed.job, job, events, turn);
    });
    releaseLeaving(state, turn);
    return handOut(state, turn);
  };

  /** Queues the tasks that can run; a job that needs no (further) task ends. */
  const goOn = (state: State, id: JobId, job: Job, turn: Turning): void => {
    const { groups, events } = readyTasks(job.plan);
    for (const { stage, tasks } of groups) {
      for (const task of tasks) state.ready.push({ job: id, stage, task });
    }
    noteRdds(state, job);
    if (events.ended !== null) carryOut(state, id, job, events, turn);
  };

  const follow = (state: State, id: JobId, job: Job, events: JobEvents, turn: Turning): State => {
    carryOut(state, id, job, events, turn);
    return handOut(state, turn);
  };

  const carryOut = (state: State, id: JobId, job: Job, events: JobEvents, turn: Turning): void => {
    const { scope, resultScope } = job.request;
    const done = [...events.release.flatMap((place) => ('slab' in place ? [place] : [])), ...job.read.splice(0)];
    if (done.length > 0) {
      for (const from of [scope, resultScope]) turn.tell(places.blockManagerMaster, { type: 'release', scope: from, handles: done });
    }
    for (const task of events.cancel) cancel(state, task);
    if (events.ended === null) return goOn(state, id, job, turn);
    if (!events.ended.ok) settleStates(job, turn);
    endJob(state, id, job, events.ended, turn);
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
      if (worker.handed[0]?.task !== task) continue;
      const control = services.controls.get(worker.host);
      if (control !== undefined) Atomics.store(control, 0, task | 0);
    }
  };

  return {
    name: 'task-scheduler',
    mailbox: { messagesMax: 1_000_000, overflow: 'fail' },
    init: () => ({ known: new KnownOutputs(), jobs: new Map(), workers: new Map(), ready: [], failedAt: new Map(), rdds: new Map(), leaving: new Set(), nextJob: 1 }),
    receive(state, message, turn) {
      switch (message.type) {
        case 'runJob':
          return onRunJob(state, message.request, message.replyTo, turn);
        case 'workerUp':
          state.workers.set(message.host, { host: message.host, ref: message.worker, handed: [], stages: new Set(), timedOut: null });
          return handOut(state, turn);
        case 'workerDown':
          return onWorkerDown(state, message.host, message.error, turn);
        case 'taskSucceeded':
          return onSucceeded(state, message, turn);
        case 'taskFailed':
          return onFailed(state, message, turn);
        case 'forgetRdds': {
          for (const rdd of message.rdds) state.rdds.get(message.program)?.delete(rdd);
          giveUp(message.program, state.known.forgetRdds(message.rdds), turn);
          return state;
        }
        case 'forgetStored': {
          giveUp(message.program, state.known.forgetBlocks(message.rdd), turn);
          return state;
        }
        case 'forgetProgram':
          giveUp(message.program, [...state.known.forgetRdds([...(state.rdds.get(message.program) ?? [])]), ...state.known.states.forgetProgram(message.program)], turn);
          state.rdds.delete(message.program);
          state.leaving.add(message.program);
          releaseLeaving(state, turn);
          return state;
        case 'taskTimedOut': {
          const worker = state.workers.get(message.host);
          if (worker === undefined || worker.handed[0]?.task !== message.task) return state;
          worker.timedOut = toWireError(new MillraceError('TaskTimeout', `Expected task ${message.task} to end within taskTimeoutMs (${taskTimeoutMs} ms); it has not, so its thread was ended. Raise the bound, or look for an endless loop.`));
          turn.tell(places.hostManager, { type: 'killHost', host: message.host, how: 'terminate' });
          return state;
        }
        case 'cancelOutput':
          cancelJobs(state, message.error, ({ request }) => request.resultScope === message.resultScope, turn);
          return state;
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

function endJob(state: State, id: JobId, job: Job, end: NonNullable<JobState['ended']>, turn: Turning): void {
  state.jobs.delete(id);
  for (let index = state.ready.length - 1; index >= 0; index -= 1) {
    if (state.ready[index]?.job === id) state.ready.splice(index, 1);
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
    turn.tell(worker.ref, { type: 'forgetJobs', jobs: [id] });
  }
  turn.reply(job.replyTo, end.ok ? { ok: true, outputs: end.outputs } : { ok: false, error: toWireError(end.error) });
}

/** What state was not made by the end of its job will not be made any more. */
function settleStates({ plan, request }: Job, turn: Turning): void {
  for (const { purpose } of plan.stages.values()) {
    if (purpose.kind === 'state' && request.program !== null) turn.tell(programPlaces(request.program).jobGenerator, { type: 'stateSettled', rdd: purpose.rdd });
  }
}

/** A worker has made a partition of state: it has it from now on. Once all are made, nothing that they were made of is needed. */
function noteState(state: State, job: Job, { host, stage, report }: Extract<FromTaskWorker, { type: 'taskSucceeded' }>, partition: number, turn: Turning): void {
  if (report.output.kind !== 'state') return;
  const purpose = job.plan.byNumber.get(stage)?.purpose;
  if (purpose?.kind !== 'state') return;
  state.known.states.own(purpose.rdd, partition, host);
  if (job.request.program !== null && state.known.states.isMade(purpose.rdd)) turn.tell(programPlaces(job.request.program).jobGenerator, { type: 'stateSettled', rdd: purpose.rdd });
}

/** Enters what a report names: buckets and persisted partitions under the job's scope, results under their own. */
function hold(state: State, job: Job, report: TaskReport, turn: Turning): void {
  const { scope, resultScope } = job.request;
  const kept = handlesOf(placesKept(report));
  const results = handlesOf(placesOfResult(report));
  if (kept.length > 0) turn.tell(places.blockManagerMaster, { type: 'hold', scope, handles: kept });
  if (results.length > 0) turn.tell(places.blockManagerMaster, { type: 'hold', scope: resultScope, handles: results });
  if (report.stored.length === 0) return;
  const rdds = rddsOf(state, job);
  for (const { rdd } of report.stored) rdds.add(rdd);
}

/** RDDs of which something is known, or will be: all of it is forgotten with their batch. */
function noteRdds(state: State, job: Job): void {
  const rdds = rddsOf(state, job);
  for (const { purpose } of job.plan.stages.values()) {
    if (purpose.kind === 'shuffle') rdds.add(rddOfShuffle(purpose.shuffle));
    // Counts and bounds take no shared memory.
    if (purpose.kind === 'count' || purpose.kind === 'state') rdds.add(purpose.rdd);
    if (purpose.kind === 'bounds') rdds.add(purpose.owner);
  }
}

function rddsOf(state: State, job: Job): Set<RddId> {
  let rdds = state.rdds.get(job.request.program);
  if (rdds === undefined) state.rdds.set(job.request.program, (rdds = new Set()));
  return rdds;
}

/** A cancelled task may still read what its program left: the memory goes back when the last of them has ended. */
function releaseLeaving(state: State, turn: Turning): void {
  for (const program of state.leaving) {
    if ([...state.workers.values()].some(({ handed }) => handed.some((task) => task.program === program))) continue;
    state.leaving.delete(program);
    turn.tell(places.blockManagerMaster, { type: 'releaseProgram', program });
  }
}

/** Outputs that nobody will read again, in memory and on disk. */
function giveUp(program: ProgramId, named: readonly Place[], turn: Turning): void {
  const handles = handlesOf(named);
  const files = named.flatMap((place) => ('file' in place ? [place.file] : []));
  if (handles.length > 0) turn.tell(places.blockManagerMaster, { type: 'release', scope: programScope(program), handles });
  if (files.length > 0) turn.tell(places.blockManagerMaster, { type: 'removeFiles', files });
}

/** A report that came too late: its memory is entered and given back in one breath. */
function giveBack(report: TaskReport, turn: Turning): void {
  const handles = handlesOf([...placesKept(report), ...placesOfResult(report)]);
  if (handles.length === 0) return;
  turn.tell(places.blockManagerMaster, { type: 'hold', scope: 'late', handles });
  turn.tell(places.blockManagerMaster, { type: 'release', scope: 'late', handles });
}

function nodeOf(nodes: ReadonlyMap<RddId, RddNode>, rdd: RddId): RddNode {
  const node = nodes.get(rdd);
  if (node !== undefined) return node;
  throw new MillraceError('RddReleased', `RDD ${rdd} is not known: its batch is over. Use an RDD only until the promise that foreachRDD's function returned has settled.`, { details: { rdd } });
}
