/**
 * Runs the jobs of one batch after another, the outputs of a batch in the order in which they were defined.
 *
 * Owns: the queue of job sets and the run of the first. Invariant: a batch is completed exactly once, after every output
 * of it has ended in some way; with `stop`, none begins after a batch that failed.
 * Talks to: job generator, task scheduler, the app's outputs, listener bus.
 * A crash loses: batches submitted and not completed; the program then fails as a whole.
 *
 *   [ t3: o0 o1 | t4: o0 o1 | ... ]      running: t3, output 0  -->  ended  -->  output 1  -->  ended  -->  completed, t4
 */
import type { Behavior, Turn } from '../lib/actor/behavior.ts';
import { programScope, resultScope } from '../protocol/block.ts';
import type { JobRequest, JobResult, JobSet, OutputJob, ToAppOutputs, ToJobScheduler, ToTaskScheduler } from '../protocol/job.ts';
import type { BatchInfo, ListenerEvent, OutputInfo } from '../protocol/listener.ts';
import type { BlockRef, Sink } from '../protocol/rdd.ts';
import type { ReplyTo } from '../protocol/ref.ts';
import type { AccumulatorUpdate, LeftOutRecords } from '../protocol/task.ts';
import type { ProgramId } from '../protocol/ids.ts';
import type { BatchTime } from '../protocol/time.ts';
import { MillraceError, toWireError } from '../protocol/errors.ts';
import type { WireError } from '../protocol/errors.ts';
import { droppedOf, LeftOutLedger } from '../lib/rdd/left-out-ledger.ts';
import { assert, unreachable } from '../lib/base/assert.ts';
import { places, programPlaces } from './places.ts';
import type { HostServices } from './services.ts';

export interface JobSchedulerArgs {
  readonly program: ProgramId;
  readonly onBatchFailure: 'stop' | 'skip' | 'continue';
  readonly outputTimeoutMs: number;
  /** The ends of batches are written down, and with them what was added to accumulators. */
  readonly isDurable: boolean;
  /** Names of the outputs, for events: by output number. */
  readonly outputNames: readonly string[];
}

interface Running {
  readonly jobSet: JobSet;
  /** Index of the job that runs now. */
  readonly job: number;
  readonly startedAt: number;
  readonly jobStartedAt: number;
  readonly outputs: readonly OutputInfo[];
  /** Blocks of the first partition of a printed output, where the others are wanted too. */
  readonly printed: readonly BlockRef[] | null;
}

/** A batch in the queue; with an error, it could not be generated, and fails when its turn comes. */
interface Waiting {
  readonly jobSet: JobSet;
  readonly error: WireError | null;
}

interface State {
  readonly args: JobSchedulerArgs;
  readonly waiting: readonly Waiting[];
  readonly running: Running | null;
  /** The last batch that is complete; batches complete in order. */
  readonly completed: number;
  readonly failed: WireError | null;
  /** No further batch starts: `failed` says why. */
  readonly halted: boolean;
  /** Nor does one where the program is taken down: the one that runs is the last, and counts. */
  readonly ending: boolean;
  readonly awaiting: readonly { readonly time: BatchTime; readonly replyTo: ReplyTo<{ readonly error: WireError | null }> }[];
  /** Batches on their way to each published stream's reader. */
  readonly outstanding: ReadonlyMap<number, number>;
  /** A published output that waits for its reader. */
  readonly held: OutputJob | null;
  readonly leftOut: LeftOutLedger;
  /** Since the last batch was complete. */
  readonly accumulated: readonly AccumulatorUpdate[];
}

type Turning = Turn<ToJobScheduler>;

export function jobScheduler(services: HostServices): Behavior<State, ToJobScheduler, JobSchedulerArgs> {
  const now = (): number => services.clock.wall();

  /** Starts what can start: the next job of the running batch, or the next batch. */
  const advance = (state: State, turn: Turning): State => {
    let at = state;
    for (;;) {
      if (at.running === null) {
        const [next, ...waiting] = at.waiting;
        if (next === undefined || at.halted || at.ending) return answerAwaiting(at, turn);
        const { jobSet, error } = next;
        if (error !== null) at = fail(at, error, jobSet.time, null, turn);
        at = { ...at, waiting, running: { jobSet, job: 0, startedAt: now(), jobStartedAt: now(), outputs: [], printed: null } };
        emit(at, turn, { type: 'batchStarted', info: infoOf(at) });
        startJob(at, turn);
        if (jobSet.jobs.length > 0) return at;
      }
      const { running } = at;
      if (running === null || running.job < running.jobSet.jobs.length) return at;
      at = complete(at, turn);
    }
  };

  const startJob = (state: State, turn: Turning): void => {
    const { running } = state;
    const job = running?.jobSet.jobs[running.job];
    if (running === null || job === undefined) return;
    const { time } = running.jobSet;
    const { outputs } = programPlaces(state.args.program);
    const ended = (error: WireError | null): ToJobScheduler => ({ type: 'jobEnded', time, output: job.output, error });
    const { action } = job;
    switch (action.kind) {
      case 'foreachRDD': {
        const rdd = running.jobSet.nodes.find(({ id }) => id === job.rdd);
        assert(rdd !== undefined, 'a job set holds the nodes of its jobs', job.rdd);
        turn.ask<ToAppOutputs, { readonly error: WireError | null }>(outputs, (replyTo) => ({ type: 'runBody', output: job.output, time, rdd, replyTo }), state.args.outputTimeoutMs, (outcome) =>
          ended(outcome.ok ? outcome.value.error : outputError(outcome.error, state.args.outputTimeoutMs)),
        );
        return;
      }
      case 'print': {
        // As Spark's take: the first partition alone, where that gives enough; one record more shows that there are more.
        const count = partitionsOf(running.jobSet, job);
        const partitions = count < 2 ? null : running.printed === null ? [0] : range(1, count);
        runJob(state, running.jobSet, job, { kind: 'collect', limit: action.limit + 1 }, partitions, turn, (result) => ({ type: 'jobResult', time, output: job.output, result }));
        return;
      }
      case 'publish':
        runJob(state, running.jobSet, job, { kind: 'collect', limit: -1 }, null, turn, (result) => ({ type: 'jobResult', time, output: job.output, result }));
        return;
      case 'run': {
        const { sink } = action;
        if (!('directory' in sink)) {
          runJob(state, running.jobSet, job, sink, null, turn, (result) => ended(result.ok ? null : result.error));
          return;
        }
        // A directory of that name may be there from an earlier run of the program. As in Spark it is written anew.
        turn.perform(
          'claimDirectory',
          () => services.claimDirectory(sink.directory, true),
          (outcome) => (outcome.ok ? { type: 'directoryClaimed', time, output: job.output } : ended(outcome.error)),
        );
        return;
      }
      default:
        unreachable(action);
    }
  };

  const writeParts = (state: State, jobSet: JobSet, job: OutputJob, turn: Turning): void => {
    const { action, output } = job;
    const { time } = jobSet;
    assert(action.kind === 'run' && 'directory' in action.sink, 'only an output that saves has a directory', action.kind);
    const { directory } = action.sink;
    runJob(state, jobSet, job, action.sink, null, turn, (result) =>
      result.ok ? { type: 'partsWritten', time, output, directory } : { type: 'jobEnded', time, output, error: result.error },
    );
  };

  const complete = (state: State, turn: Turning): State => {
    const { running } = state;
    assert(running !== null, 'only a running batch completes');
    const info = { ...infoOf(state, now()), leftOut: state.leftOut.endBatch() };
    const { time } = running.jobSet;
    // One after which none starts is unfinished in the log: it runs again when the program goes on from there.
    if (!state.halted || !state.args.isDurable) turn.tell(programPlaces(state.args.program).jobGenerator, { type: 'batchCompleted', time, accumulated: state.accumulated });
    emit(state, turn, { type: 'batchCompleted', info });
    return answerAwaiting({ ...state, running: null, completed: time, accumulated: [] }, turn);
  };

  const endJob = (state: State, error: WireError | null, turn: Turning): State => {
    const { running } = state;
    const job = running?.jobSet.jobs[running.job];
    if (running === null || job === undefined) return state;
    // Nobody waits for it any more: its tasks end, and what it still puts out is given back.
    if (error?.code === 'OutputTimeout' && job.action.kind !== 'foreachRDD') {
      turn.tell(places.taskScheduler, { type: 'cancelOutput', resultScope: resultScopeOf(state.args.program, running.jobSet.time, job.output), error });
    }
    const output: OutputInfo = { output: job.output, name: state.args.outputNames[job.output] ?? '', durationMs: now() - running.jobStartedAt, error };
    const failed = error === null ? state : fail(state, error, running.jobSet.time, job.output, turn);
    const next: State = { ...failed, running: { ...running, job: running.job + 1, jobStartedAt: now(), outputs: [...running.outputs, output], printed: null } };
    startJob(next, turn);
    return advance(next, turn);
  };

  const onJobResult = (state: State, message: Extract<ToJobScheduler, { type: 'jobResult' }>, turn: Turning): State => {
    const { running } = state;
    const job = jobOf(running, message);
    if (running === null || job === null) return state;
    if (!message.result.ok) return endJob(state, message.result.error, turn);
    const records = message.result.outputs.flatMap((output) => (output.kind === 'records' ? [output.block] : []));
    const { outputs } = programPlaces(state.args.program);
    const scope = resultScopeOf(state.args.program, message.time, message.output);
    const { action } = job;
    if (action.kind === 'print') {
      const seen = message.result.outputs.reduce((sum, output) => sum + (output.kind === 'records' ? output.block.records : 0), 0);
      if (running.printed === null && seen <= action.limit && partitionsOf(running.jobSet, job) > 1) {
        const next: State = { ...state, running: { ...running, printed: records } };
        startJob(next, turn);
        return next;
      }
      turn.tell(outputs, { type: 'printBatch', output: job.output, time: message.time, limit: action.limit, records: [...(running.printed ?? []), ...records], scope });
      return endJob(state, null, turn);
    }
    assert(action.kind === 'publish', 'only printed and published outputs bring their records back', action.kind);
    turn.tell(outputs, { type: 'publishBatch', output: job.output, time: message.time, records, scope });
    const underWay = (state.outstanding.get(job.output) ?? 0) + 1;
    const next: State = { ...state, outstanding: new Map(state.outstanding).set(job.output, underWay) };
    // A reader that is `outstandingMax` batches behind holds this output until it has taken one.
    if (action.mode === 'hold' && underWay > action.outstandingMax) return { ...next, held: job };
    return endJob(next, null, turn);
  };

  return {
    name: 'job-scheduler',
    mailbox: { messagesMax: 1_000_000, overflow: 'fail' },
    init: (_turn, args) => ({ args, waiting: [], running: null, completed: -Infinity, failed: null, halted: false, ending: false, awaiting: [], outstanding: new Map(), held: null, leftOut: new LeftOutLedger(), accumulated: [] }),
    receive(state, message, turn) {
      switch (message.type) {
        case 'submitJobSet': {
          const next = { ...state, waiting: [...state.waiting, { jobSet: message.jobSet, error: null }] };
          emit(state, turn, { type: 'batchSubmitted', info: waitingInfo(message.jobSet) });
          return advance(next, turn);
        }
        case 'generationFailed': {
          const jobSet: JobSet = { time: message.time, jobs: [], nodes: [], replays: [], broadcasts: [], inputRecords: 0, submittedAt: now() };
          return advance({ ...state, waiting: [...state.waiting, { jobSet, error: message.error }] }, turn);
        }
        case 'jobEnded':
          return jobOf(state.running, message) === null ? state : endJob(state, message.error, turn);
        case 'directoryClaimed': {
          const { running } = state;
          const job = jobOf(running, message);
          if (running !== null && job !== null) writeParts(state, running.jobSet, job, turn);
          return state;
        }
        case 'partsWritten':
          // A reader of the directory then knows that no part is missing.
          turn.perform(
            'completeDirectory',
            () => services.completeDirectory(message.directory),
            (outcome) => ({ type: 'jobEnded', time: message.time, output: message.output, error: outcome.ok ? null : outcome.error }),
          );
          return state;
        case 'jobResult':
          return onJobResult(state, message, turn);
        case 'recordsLeftOut':
          for (const given of message.leftOut) {
            const fresh = state.leftOut.take(given);
            if (fresh?.policy === 'deadLetter') postLetters(state, fresh, turn);
          }
          return state;
        case 'accumulated':
          return state.args.isDurable ? { ...state, accumulated: [...state.accumulated, ...message.updates] } : state;
        case 'publishedTaken': {
          const left = Math.max(0, (state.outstanding.get(message.output) ?? 0) - 1);
          const next: State = { ...state, outstanding: new Map(state.outstanding).set(message.output, left) };
          if (next.held?.output !== message.output) return next;
          return endJob({ ...next, held: null }, null, turn);
        }
        case 'whatIsUnderWay': {
          const { running, held, waiting } = state;
          const job = running?.jobSet.jobs[running.job];
          turn.reply(message.replyTo, { batch: running?.jobSet.time ?? null, output: job?.output ?? null, held: held !== null, waiting: waiting.length, batches: [...(running === null ? [] : [running.jobSet.time]), ...waiting.map(({ jobSet }) => jobSet.time)] });
          return state;
        }
        case 'endBatches':
          return { ...state, ending: true };
        case 'awaitBatch':
          return answerAwaiting({ ...state, awaiting: [...state.awaiting, { time: message.time, replyTo: message.replyTo }] }, turn);
        default:
          return unreachable(message);
      }
    },
  };
}

/** The running job, where the message is about it; null: that one has ended, or passed its time. */
function jobOf(running: Running | null, { time, output }: { readonly time: BatchTime; readonly output: number }): OutputJob | null {
  const job = running?.jobSet.jobs[running.job];
  return running?.jobSet.time === time && job?.output === output ? job : null;
}

function runJob(state: State, jobSet: JobSet, job: OutputJob, sink: Sink, partitions: readonly number[] | null, turn: Turning, adapt: (result: JobResult) => ToJobScheduler): void {
  const { program, outputTimeoutMs } = state.args;
  const request: JobRequest = {
    target: job.rdd,
    partitions,
    sink,
    nodes: jobSet.nodes,
    program,
    batchTime: jobSet.time,
    scope: programScope(program),
    resultScope: resultScopeOf(program, jobSet.time, job.output),
    replays: jobSet.replays,
    broadcasts: jobSet.broadcasts,
  };
  turn.ask<ToTaskScheduler, JobResult>(places.taskScheduler, (replyTo) => ({ type: 'runJob', request, replyTo }), outputTimeoutMs, (outcome) =>
    adapt(outcome.ok ? outcome.value : { ok: false, error: outputError(outcome.error, outputTimeoutMs) }),
  );
}

function postLetters(state: State, letters: LeftOutRecords, turn: Turning): void {
  const { operator, batchTime, partition } = letters;
  turn.tell(programPlaces(state.args.program).outputs, { type: 'deadLetters', letters });
  emit(state, turn, { type: 'deadLetters', info: { operator, batchTime, partition, records: letters.letters.length, dropped: droppedOf(letters), error: letters.letters[0]?.error ?? null } });
}

function partitionsOf(jobSet: JobSet, job: OutputJob): number {
  return jobSet.nodes.find(({ id }) => id === job.rdd)?.partitions ?? 0;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
}

/** The first failure is what the context reports; with `stop`, it is also the last batch's. With `skip` it is a dead letter, and nothing more. */
function fail(state: State, error: WireError, time: BatchTime, output: number | null, turn: Turning): State {
  if (state.args.onBatchFailure === 'skip') {
    turn.log('warn', `An output of the batch at ${time} ms failed and is skipped: ${error.message}`);
    turn.tell(programPlaces(state.args.program).outputs, { type: 'outputSkipped', output, time, error });
    return state;
  }
  emit(state, turn, { type: 'failed', info: { error, time } });
  if (state.args.onBatchFailure === 'stop') turn.tell(programPlaces(state.args.program).batchTimer, { type: 'halt' });
  return { ...state, failed: state.failed ?? error, halted: state.halted || state.args.onBatchFailure === 'stop' };
}

/** Who waits for a batch that will never run is told why. */
function answerAwaiting(state: State, turn: Turning): State {
  const still: State['awaiting'][number][] = [];
  for (const waiter of state.awaiting) {
    if (waiter.time <= state.completed) turn.reply(waiter.replyTo, { error: null });
    else if (state.halted && state.running === null) turn.reply(waiter.replyTo, { error: state.failed });
    else still.push(waiter);
  }
  return still.length === state.awaiting.length ? state : { ...state, awaiting: still };
}

function outputError(error: WireError, timeoutMs: number): WireError {
  if (error.code !== 'AskTimeout') return error;
  return toWireError(new MillraceError('OutputTimeout', `Expected the output to end within outputTimeoutMs (${timeoutMs} ms); it has not. Raise the bound, or see what the output waits for.`));
}

function resultScopeOf(program: ProgramId, time: BatchTime, output: number): string {
  return resultScope(program, `${time}/${output}`);
}

function infoOf(state: State, endedAt: number | null = null): BatchInfo {
  const { running } = state;
  assert(running !== null, 'only a running batch has times');
  const { jobSet, startedAt, outputs } = running;
  return {
    ...waitingInfo(jobSet),
    processingStartTime: startedAt,
    processingEndTime: endedAt,
    schedulingDelayMs: startedAt - jobSet.submittedAt,
    processingDelayMs: endedAt === null ? null : endedAt - startedAt,
    totalDelayMs: endedAt === null ? null : endedAt - jobSet.submittedAt,
    outputs,
  };
}

function waitingInfo(jobSet: JobSet): BatchInfo {
  return {
    batchTime: jobSet.time,
    submissionTime: jobSet.submittedAt,
    processingStartTime: null,
    processingEndTime: null,
    schedulingDelayMs: null,
    processingDelayMs: null,
    totalDelayMs: null,
    records: jobSet.inputRecords,
    outputs: [],
    leftOut: [],
  };
}

function emit(state: State, turn: Turning, event: ListenerEvent): void {
  turn.tell(places.listenerBus, { type: 'emit', program: state.args.program, event });
}
