/**
 * Makes the jobs of one batch after another: blocks from the tracker, RDDs from the graph, then on to the job scheduler.
 *
 * Owns: the driver's graph while it generates. Invariant: batches are generated one at a time, in order; a batch whose
 * generation fails is handed on as failed, never left out.
 * Talks to: batch timer, receiver tracker, job scheduler, block manager master, task scheduler.
 * A crash loses: batches announced and not yet handed on; the program then fails as a whole.
 *
 *   generateJobs(t) --> allocate(t) --> graph.generate(t) --> (log) --> submitJobSet(t) ... batchCompleted(t) --> (log) --> clear(t)
 *
 * With a checkpoint directory each step in brackets waits until it is durable.
 */
import type { Behavior, Turn } from '../lib/actor/behavior.ts';
import { isPromise } from '../lib/dstream/generated.ts';
import type { InputWaiting, ToJobGenerator } from '../protocol/batch.ts';
import { programScope } from '../protocol/block.ts';
import type { JobSet, ToJobScheduler, ToTaskScheduler } from '../protocol/job.ts';
import type { ToWriteAheadLog } from '../protocol/recovery.ts';
import type { StreamBlocks, ToReceiverTracker } from '../protocol/receiver.ts';
import type { ProgramId } from '../protocol/ids.ts';
import type { ReplyTo } from '../protocol/ref.ts';
import type { BatchTime } from '../protocol/time.ts';
import { toWireError } from '../protocol/errors.ts';
import { assert, unreachable } from '../lib/base/assert.ts';
import { unfinishedBatches } from '../lib/recovery/book.ts';
import type { RecoveryBook } from '../lib/recovery/book.ts';
import { missedGaps } from '../lib/dstream/missed.ts';
import { answerPushes, logTimeoutMs, nothingGiven, onGiven, onInputLogged, onRoomForInput } from './given-inputs.ts';
import type { GivenInputs, Intake } from './given-inputs.ts';
import { places, programPlaces } from './places.ts';
import type { HostProgram } from './programs.ts';
import type { HostServices } from './services.ts';

export interface JobGeneratorArgs {
  readonly program: ProgramId;
  readonly intervalMs: number;
  readonly zeroTime: number;
  /** When the start was asked for, in stream time. */
  readonly startTime: number;
  /** The first batch that is new is the one behind it. */
  readonly lastTime: number;
  readonly hasReceivers: boolean;
  /** What is written down: each batch's inputs before it runs, and its end. */
  readonly isDurable: boolean;
  /** Where the program goes on from; null: from its beginning. */
  readonly recovered: RecoveryBook | null;
  /** Where the files lie that it names. */
  readonly directory: string;
}

interface State {
  readonly args: JobGeneratorArgs;
  /** The last batch that was generated before the restart. */
  readonly generatedBefore: BatchTime | null;
  /** False while what was written down before a restart is put in place. */
  readonly ready: boolean;
  readonly waiting: readonly BatchTime[];
  /** The batch whose blocks or jobs are being waited for. */
  readonly current: BatchTime | null;
  readonly given: GivenInputs;
  /** Who asks what is left in the queues: answered when no batch is left to be generated. */
  readonly counting: readonly ReplyTo<InputWaiting>[];
}

type Turning = Turn<ToJobGenerator>;

const restoreTimeoutMs = 120_000;

type AppJobGiven = Extract<ToJobGenerator, { type: 'appJob' }>;

/** The tracker lives on the same thread: an answer that takes this long means that it is gone. */
const allocateTimeoutMs = 30_000;

export function jobGenerator(services: HostServices): Behavior<State, ToJobGenerator, JobGeneratorArgs> {
  const programOf = (state: State): HostProgram => {
    const program = services.programs.get(state.args.program);
    assert(program !== undefined, 'the program is built on the driver before its actors start', state.args.program);
    return program;
  };

  const intake = (state: State): Intake => ({ program: programOf(state), isDurable: state.args.isDurable, options: services.options });

  const next = (state: State, turn: Turning): State => {
    const [time, ...waiting] = state.waiting;
    if (state.current !== null || !state.ready) return state;
    if (time === undefined) return answerCounting(state, programOf(state), turn);
    // It ran before the restart, or had begun to: with the same blocks.
    const again = isUnfinished(state, time);
    if (again || !state.args.hasReceivers) return generate({ ...state, waiting, current: time }, time, again ? programOf(state).blocksOf(time) : [], turn);
    turn.ask<ToReceiverTracker, readonly StreamBlocks[]>(
      programPlaces(state.args.program).receiverTracker,
      (replyTo) => ({ type: 'allocate', time, replyTo }),
      allocateTimeoutMs,
      (outcome) => (outcome.ok ? { type: 'blocksAllocated', time, blocks: outcome.value } : { type: 'generationFailed', time, error: outcome.error }),
    );
    return { ...state, waiting, current: time };
  };

  const generate = (state: State, time: BatchTime, blocks: readonly StreamBlocks[], turn: Turning): State => {
    const program = programOf(state);
    const submittedAt = services.clock.wall();
    const inputRecords = blocks.reduce((sum, { records }) => sum + records, 0);
    turn.perform(
      'generateJobs',
      () => program.generate(time, blocks),
      (outcome) => (outcome.ok ? { type: 'jobsGenerated', jobSet: { ...outcome.value, time, inputRecords, submittedAt } satisfies JobSet } : { type: 'generationFailed', time, error: outcome.error }),
    );
    return state;
  };

  /** What the batch takes is in the log before its jobs run: so it takes the same, if it must run again. */
  const submit = (state: State, time: BatchTime, message: Extract<ToJobScheduler, { type: 'submitJobSet' | 'generationFailed' }>, turn: Turning): State => {
    const taken = programOf(state).takenFor(time);
    if (!state.args.isDurable || isUnfinished(state, time)) return submitted(state, message, turn);
    turn.ask<ToWriteAheadLog, null>(
      programPlaces(state.args.program).writeAheadLog,
      (replyTo) => ({ type: 'logEvent', event: { type: 'batchGenerated', time, ...taken }, replyTo }),
      logTimeoutMs,
      (outcome) => ({ type: 'batchLogged', time, submit: message, error: outcome.ok ? null : outcome.error }),
    );
    return state;
  };

  const submitted = (state: State, message: Extract<ToJobScheduler, { type: 'submitJobSet' | 'generationFailed' }>, turn: Turning): State => {
    turn.tell(programPlaces(state.args.program).jobScheduler, message);
    const given = message.type === 'submitJobSet' ? answerPushes(state.given, programOf(state), turn) : state.given;
    return next({ ...state, current: null, given }, turn);
  };

  return {
    name: 'job-generator',
    init(turn, args) {
      // The log goes on with the same book: what it says is taken now.
      const state: State = { args, generatedBefore: args.recovered?.generated ?? null, ready: args.recovered === null, waiting: [], current: null, given: nothingGiven, counting: [] };
      const program = programOf(state);
      program.startAt(args.zeroTime, args.startTime, args.recovered === null ? [] : missedGaps(args.recovered, args));
      return args.recovered === null ? state : restore(state, program, args.recovered, turn);
    },
    receive(state, message, turn) {
      switch (message.type) {
        case 'generateJobs':
          return next({ ...state, waiting: [...state.waiting, message.time] }, turn);
        case 'blocksAllocated':
          return generate(state, message.time, message.blocks, turn);
        case 'jobsGenerated':
          return submit(state, message.jobSet.time, { type: 'submitJobSet', jobSet: message.jobSet }, turn);
        case 'generationFailed':
          return submit(state, message.time, { type: 'generationFailed', time: message.time, error: message.error }, turn);
        case 'batchLogged':
          if (message.error === null) return submitted(state, message.submit, turn);
          turn.stop({ type: 'error', error: message.error });
          return state;
        case 'restored':
          if (message.error === null) return next({ ...state, ready: true }, turn);
          turn.stop({ type: 'error', error: message.error });
          return state;
        case 'inputLogged':
          return { ...state, given: onInputLogged(state.given, intake(state), message, turn) };
        case 'batchCompleted':
          if (!state.args.isDurable) return clear(state, programOf(state), message.time, turn);
          turn.tell(programPlaces(state.args.program).checkpointWriter, { type: 'commitBatch', time: message.time, accumulated: message.accumulated });
          return state;
        case 'awaitCommits':
          // Behind the batches that this actor has passed on.
          turn.tell(programPlaces(state.args.program).checkpointWriter, message);
          return state;
        case 'batchCommitted':
          return clear(state, programOf(state), message.time, turn);
        case 'stateSettled':
          programOf(state).settle(message.rdd, message.made);
          return state;
        case 'slice':
          return onSlice(state, programOf(state), message, turn);
        case 'sliced':
          if (message.error === null && message.rdds !== null) turn.reply(message.replyTo, message.rdds);
          else if (message.error !== null) turn.replyError(message.replyTo as ReplyTo<never>, message.error);
          return state;
        case 'queuePushed':
        case 'broadcastSet':
          return { ...state, given: onGiven(state.given, intake(state), message, turn) };
        case 'roomForInput':
          return { ...state, given: onRoomForInput(state.given, intake(state), message.made, turn) };
        case 'countWaiting':
          return next({ ...state, counting: [...state.counting, message.replyTo] }, turn);
        case 'whatIsLeft':
          turn.reply(message.replyTo, { batches: [...(state.current === null ? [] : [state.current]), ...state.waiting], queued: programOf(state).waitingInput().reads });
          return state;
        case 'appJob':
          return onAppJob(state, programOf(state), message, turn);
        case 'appJobCompleted':
          runAppJob(state, message.given, message.completed, turn);
          return state;
        case 'appJobRefused':
          turn.reply(message.given.replyTo, { ok: false, error: message.error });
          return state;
        default:
          return unreachable(message);
      }
    },
  };
}

/** Gives back what no stream remembers any longer. */
function clear(state: State, program: HostProgram, completed: BatchTime, turn: Turning): State {
  const { rdds, handles, inputsUpTo } = program.clear(completed);
  if (rdds.length > 0) turn.tell(places.taskScheduler, { type: 'forgetRdds', program: program.program, rdds });
  if (handles.length > 0) turn.tell(places.blockManagerMaster, { type: 'release', scope: programScope(program.program), handles });
  const { receiverTracker, writeAheadLog } = programPlaces(program.program);
  if (inputsUpTo !== null && state.args.hasReceivers) turn.tell(receiverTracker, { type: 'forgetBatches', upTo: inputsUpTo });
  if (inputsUpTo !== null && state.args.isDurable) turn.tell(writeAheadLog, { type: 'logEvent', event: { type: 'batchesForgotten', upTo: inputsUpTo }, replyTo: null });
  return state;
}

/** It was generated before the restart: its inputs are in the log. */
function isUnfinished({ generatedBefore }: State, time: BatchTime): boolean {
  return generatedBefore !== null && time <= generatedBefore;
}

/** Blocks that no batch has go to the tracker, versions of state to the task scheduler; batches that were not finished come first. */
function restore(state: State, program: HostProgram, book: RecoveryBook, turn: Turning): State {
  const { waiting, lives, states } = program.restore(book, state.args.directory);
  turn.tell(programPlaces(state.args.program).receiverTracker, { type: 'restoreBlocks', waiting, lives });
  turn.ask<ToTaskScheduler, null>(
    places.taskScheduler,
    (replyTo) => ({ type: 'restoreState', program: program.program, tables: states, replyTo }),
    restoreTimeoutMs,
    (outcome) => ({ type: 'restored', error: outcome.ok ? null : outcome.error }),
  );
  return { ...state, waiting: unfinishedBatches(book) };
}

/** A job of the app's thread: completed with what only the driver knows, and answered by the task scheduler itself. */
function onAppJob(state: State, program: HostProgram, message: AppJobGiven, turn: Turning): State {
  try {
    const completed = program.completeJob(message.request);
    if (!isPromise(completed)) runAppJob(state, message, completed, turn);
    else turn.perform('completeJob', () => completed, (outcome) => (outcome.ok ? { type: 'appJobCompleted', given: message, completed: outcome.value } : { type: 'appJobRefused', given: message, error: outcome.error }));
  } catch (thrown) {
    turn.reply(message.replyTo, { ok: false, error: toWireError(thrown) });
  }
  return state;
}

function runAppJob({ args }: State, { request, replyTo }: AppJobGiven, completed: Extract<ToJobGenerator, { type: 'appJobCompleted' }>['completed'], turn: Turning): void {
  turn.tell(places.taskScheduler, { type: 'runJob', replyTo, request: { ...request, program: args.program, ...completed } });
}

function answerCounting(state: State, program: HostProgram, turn: Turning): State {
  if (state.counting.length === 0) return state;
  for (const replyTo of state.counting) turn.reply(replyTo, program.waitingInput());
  return { ...state, counting: [] };
}

function onSlice(state: State, program: HostProgram, message: Extract<ToJobGenerator, { type: 'slice' }>, turn: Turning): State {
  turn.perform(
    'slice',
    () => program.slice(message.operator, message.from, message.to),
    (outcome) => ({ type: 'sliced', replyTo: message.replyTo, rdds: outcome.ok ? outcome.value : null, error: outcome.ok ? null : outcome.error }),
  );
  return state;
}
