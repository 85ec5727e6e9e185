/**
 * Makes the jobs of one batch after another: blocks from the tracker, RDDs from the graph, then on to the job scheduler.
 *
 * Owns: the driver's graph while it generates. Invariant: batches are generated one at a time, in order; a batch whose
 * generation fails is handed on as failed, never left out.
 * Talks to: batch timer, receiver tracker, job scheduler, block manager master, task scheduler.
 * A crash loses: batches announced and not yet handed on; the program then fails as a whole.
 *
 *   generateJobs(t) --> allocate(t) --> graph.generate(t) --> submitJobSet(t) ... batchCompleted(t) --> clear(t)
 */
import type { Behavior, Turn } from '../lib/actor/behavior.ts';
import type { InputWaiting, ToJobGenerator } from '../protocol/batch.ts';
import { programScope } from '../protocol/block.ts';
import type { JobSet } from '../protocol/job.ts';
import type { StreamBlocks, ToReceiverTracker } from '../protocol/receiver.ts';
import type { ProgramId } from '../protocol/ids.ts';
import type { ReplyTo } from '../protocol/ref.ts';
import type { BatchTime } from '../protocol/time.ts';
import { toWireError } from '../protocol/errors.ts';
import { assert, unreachable } from '../lib/base/assert.ts';
import { places, programPlaces } from './places.ts';
import type { HostProgram } from './programs.ts';
import type { HostServices } from './services.ts';

export interface JobGeneratorArgs {
  readonly program: ProgramId;
  readonly intervalMs: number;
  readonly zeroTime: number;
  /** When the start was asked for, in stream time. */
  readonly startTime: number;
  readonly hasReceivers: boolean;
}

interface State {
  readonly args: JobGeneratorArgs;
  readonly waiting: readonly BatchTime[];
  /** The batch whose blocks or jobs are being waited for. */
  readonly current: BatchTime | null;
  /** Pushes into queues that are over their bound: answered when batches have taken from them. */
  readonly pushing: readonly { readonly queue: number; readonly replyTo: ReplyTo<null> }[];
  /** Who asks what is left in the queues: answered when no batch is left to be generated. */
  readonly counting: readonly ReplyTo<InputWaiting>[];
}

type Turning = Turn<ToJobGenerator>;

/** The tracker lives on the same thread: an answer that takes this long means that it is gone. */
const allocateTimeoutMs = 30_000;

export function jobGenerator(services: HostServices): Behavior<State, ToJobGenerator, JobGeneratorArgs> {
  const programOf = (state: State): HostProgram => {
    const program = services.programs.get(state.args.program);
    assert(program !== undefined, 'the program is built on the driver before its actors start', state.args.program);
    return program;
  };

  const next = (state: State, turn: Turning): State => {
    const [time, ...waiting] = state.waiting;
    if (state.current !== null) return state;
    if (time === undefined) return answerCounting(state, programOf(state), turn);
    if (!state.args.hasReceivers) return generate({ ...state, waiting, current: time }, time, [], turn);
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

  return {
    name: 'job-generator',
    init(_turn, args) {
      const state: State = { args, waiting: [], current: null, pushing: [], counting: [] };
      programOf(state).startAt(args.zeroTime, args.startTime);
      return state;
    },
    receive(state, message, turn) {
      const { jobScheduler } = programPlaces(state.args.program);
      switch (message.type) {
        case 'generateJobs':
          return next({ ...state, waiting: [...state.waiting, message.time] }, turn);
        case 'blocksAllocated':
          return generate(state, message.time, message.blocks, turn);
        case 'jobsGenerated':
          turn.tell(jobScheduler, { type: 'submitJobSet', jobSet: message.jobSet });
          return next({ ...state, current: null, pushing: answerPushes(state, programOf(state), turn) }, turn);
        case 'generationFailed':
          turn.tell(jobScheduler, { type: 'generationFailed', time: message.time, error: message.error });
          return next({ ...state, current: null }, turn);
        case 'batchCompleted':
          return clear(state, programOf(state), message.time, turn);
        case 'stateSettled':
          programOf(state).settle(message.rdd);
          return state;
        case 'slice':
          return onSlice(state, programOf(state), message, turn);
        case 'sliced':
          if (message.error === null && message.rdds !== null) turn.reply(message.replyTo, message.rdds);
          else if (message.error !== null) turn.replyError(message.replyTo as ReplyTo<never>, message.error);
          return state;
        case 'queuePushed':
          return onPush(state, programOf(state), message, turn);
        case 'countWaiting':
          return next({ ...state, counting: [...state.counting, message.replyTo] }, turn);
        case 'broadcastSet':
          answering(turn, message.replyTo, () => programOf(state).setBroadcast(message.broadcast, message.value));
          return state;
        case 'appJob':
          return onAppJob(state, programOf(state), message, turn);
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
  if (inputsUpTo !== null && state.args.hasReceivers) turn.tell(programPlaces(program.program).receiverTracker, { type: 'forgetBatches', upTo: inputsUpTo });
  return state;
}

/** A job of the app's thread: completed with what only the driver knows, and answered by the task scheduler itself. */
function onAppJob(state: State, program: HostProgram, message: Extract<ToJobGenerator, { type: 'appJob' }>, turn: Turning): State {
  const { request, replyTo } = message;
  try {
    const { nodes, replays, broadcasts } = program.completeJob(request);
    turn.tell(places.taskScheduler, { type: 'runJob', replyTo, request: { ...request, program: program.program, nodes, replays, broadcasts } });
  } catch (thrown) {
    turn.reply(replyTo, { ok: false, error: toWireError(thrown) });
  }
  return state;
}

function onPush(state: State, program: HostProgram, message: Extract<ToJobGenerator, { type: 'queuePushed' }>, turn: Turning): State {
  const { queue, partitions, replyTo } = message;
  try {
    program.push(queue, partitions);
  } catch (thrown) {
    turn.replyError(replyTo as ReplyTo<never>, toWireError(thrown));
    return state;
  }
  if (program.isOverBound(queue)) return { ...state, pushing: [...state.pushing, { queue, replyTo }] };
  turn.reply(replyTo, null);
  return state;
}

/** A batch may have taken from the queues: who may go on now. */
function answerPushes(state: State, program: HostProgram, turn: Turning): State['pushing'] {
  if (state.pushing.length === 0) return state.pushing;
  return state.pushing.filter(({ queue, replyTo }) => {
    if (program.isOverBound(queue)) return true;
    turn.reply(replyTo, null);
    return false;
  });
}

function answerCounting(state: State, program: HostProgram, turn: Turning): State {
  if (state.counting.length === 0) return state;
  for (const replyTo of state.counting) turn.reply(replyTo, program.waitingInput());
  return { ...state, counting: [] };
}

/** What the app did wrong, or what there is no memory for, is its answer, and no failure of this actor. */
function answering(turn: Turning, replyTo: ReplyTo<null>, act: () => void): void {
  try {
    act();
    turn.reply(replyTo, null);
  } catch (thrown) {
    turn.replyError(replyTo as ReplyTo<never>, toWireError(thrown));
  }
}

function onSlice(state: State, program: HostProgram, message: Extract<ToJobGenerator, { type: 'slice' }>, turn: Turning): State {
  turn.perform(
    'slice',
    () => program.slice(message.operator, message.from, message.to),
    (outcome) => ({ type: 'sliced', replyTo: message.replyTo, rdds: outcome.ok ? outcome.value : null, error: outcome.ok ? null : outcome.error }),
  );
  return state;
}
