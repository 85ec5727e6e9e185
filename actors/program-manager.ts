/**
 * Starts and stops programs: builds them everywhere, hangs their actors into the tree, and takes them out again.
 *
 * Owns: in which step of its life each program is. Invariant: every start and every stop is answered, whatever happens on
 * the way; a program that fails is told to the app exactly once.
 * Talks to: the app's thread, host manager, /driver/programs, the program's own actors.
 * A crash loses: the answers under way; the cluster then ends (the driver's supervisor has no restarts).
 *
 *   start:  loadEverywhere --> startChild(streaming-P) --> active
 *   stop, graceful:  stopReceivers --> stopTimer --> countWaiting --> awaitBatch --> take down
 *                                                    ^        | blocks that no batch has, or queues that aren't empty
 *                                                    `-- lastBatch
 *     its time is over, or a receiver has not ended:                awaitBatch --> whatIsLeft, three times --> take down
 *   stop:            take down --> flush the app's outputs --> forget
 */
import type { Behavior, Turn } from '../lib/actor/behavior.ts';
import type { ChildSpec, ToSupervisor } from '../lib/actor/child-spec.ts';
import type { InputWaiting, ToBatchTimer, ToJobGenerator } from '../protocol/batch.ts';
import type { StreamingSpec, ToHostManager } from '../protocol/host.ts';
import type { ToAppOutputs, ToJobScheduler, WorkUnderWay } from '../protocol/job.ts';
import type { LeftUndone, ProgramStep, ToProgramManager } from '../protocol/program.ts';
import type { ToReceiverTracker } from '../protocol/receiver.ts';
import type { ToWriteAheadLog } from '../protocol/recovery.ts';
import { unfinishedBatches } from '../lib/recovery/book.ts';
import type { Recovered } from '../lib/recovery/recover.ts';
import type { ActorRef, ReplyTo } from '../protocol/ref.ts';
import type { HostId, ProgramId } from '../protocol/ids.ts';
import { asBatchTime, floorToGrid } from '../protocol/time.ts';
import type { BatchTime } from '../protocol/time.ts';
import { MillraceError, toWireError } from '../protocol/errors.ts';
import type { WireError } from '../protocol/errors.ts';
import { unreachable } from '../lib/base/assert.ts';
import { nothingLeft, stopTimeout, whatWasLeft } from './left-undone.ts';
import { places, programPlaces } from './places.ts';
import type { HostServices } from './services.ts';

interface Program {
  readonly spec: StreamingSpec;
  readonly zeroTime: number;
  /** Batches up to this one were announced before this run. */
  readonly lastTime: number;
  /** The last of them that runs again; null: none does. */
  readonly lastAgain: BatchTime | null;
  /** When the start was asked for, by the wall clock. */
  readonly askedAt: number;
  phase: 'loading' | 'starting' | 'active' | 'stopping';
  starting: ReplyTo<{ readonly zeroTime: number }> | null;
  stopping: { readonly replyTo: ReplyTo<null>; readonly timeoutMs: number; readonly deadline: number } | null;
  /** Others who have asked for the stop: answered when nothing of the program writes any more. */
  readonly alsoStopping: ReplyTo<null>[];
  /** Why it is taken down, where nobody has asked for that. The app is told at once, and again when it is down: its directory is free then. */
  broken: WireError | null;
  /** How many batches a graceful stop may still ask for; null: it has not looked yet. */
  lastBatchesLeft: number | null;
  /** Receivers that have not handed over what they have. */
  receiversRunning: number;
  /** What a graceful stop left undone; null: it has not asked, or need not. */
  left: LeftUndone | null;
  /** It was left since the time was over, and not since a batch has failed. */
  isLate: boolean;
}

/** In stream time: the grid's zero, and when the start was asked for, which is no earlier. */
export interface StreamingTimes {
  readonly zeroTime: number;
  readonly startTime: number;
  /** The last batch that was announced before a restart; else the zero time. */
  readonly lastTime: number;
}

/** How tree.ts hangs a program into the tree. */
export type StreamingTree = (spec: StreamingSpec, times: StreamingTimes, recordBytesMax: number, io: readonly HostId[]) => ChildSpec;

type State = Map<ProgramId, Program>;
type Turning = Turn<ToProgramManager>;

const stepTimeoutMs = 120_000;
const takeDownTimeoutMs = 15_000;
/** The trackers live on the same thread: an answer that takes this long means that it is gone. */
const trackerTimeoutMs = 30_000;
/** So do all who know what is left. */
const leftTimeoutMs = 2_000;
/** Of a graceful stop's time, receivers have at most this part for their end: the rest is for what they have handed over. */
const intakeShare = 0.5;

export function programManager(services: HostServices, treeOf: StreamingTree): Behavior<State, ToProgramManager> {
  const step = (program: ProgramId, value: ProgramStep): ToProgramManager => ({ type: 'programStep', program, step: value });

  const startTree = (program: Program, io: readonly HostId[], turn: Turning): void => {
    const { program: id } = program.spec.descriptor;
    program.phase = 'starting';
    const now = services.clock.wall();
    const times = timesOf(program, now);
    const book = (program.spec.durability?.recovered as Recovered | null | undefined)?.book;
    const aheadMs = times.lastTime - now;
    if (program.spec.clock === 'system' && aheadMs > 0) turn.log('warn', `The clock is ${aheadMs} ms behind the last batch of the run before, at ${times.lastTime} ms: it was set back. No batch comes until it is past that.`);
    Object.assign(program, { zeroTime: times.zeroTime, lastTime: times.lastTime, lastAgain: (book === undefined ? [] : unfinishedBatches(book)).at(-1) ?? null });
    const spec = treeOf(program.spec, times, services.options.recordBytesMax, io);
    turn.ask<ToSupervisor, ActorRef<never>>(places.programs, (replyTo) => ({ type: 'startChild', spec, replyTo }), stepTimeoutMs, (outcome) => step(id, { type: 'treeStarted', error: outcome.ok ? null : outcome.error }));
  };

  /** With a log: what is complete is written down first, and the files are closed. */
  const takeDown = (state: State, id: ProgramId, turn: Turning): void => {
    // Of many that are due the rest would go on meanwhile, and their ends be waited for.
    turn.tell(programPlaces(id).batchTimer, { type: 'halt' });
    turn.tell(programPlaces(id).jobScheduler, { type: 'endBatches' });
    if (state.get(id)?.spec.durability == null) terminate(id, turn);
    else turn.ask<ToJobGenerator, null>(programPlaces(id).jobGenerator, (replyTo) => ({ type: 'awaitCommits', replyTo }), takeDownTimeoutMs, () => step(id, { type: 'commitsDone' }));
  };

  const terminate = (id: ProgramId, turn: Turning): void => {
    turn.ask<ToSupervisor, null>(places.programs, (replyTo) => ({ type: 'terminateChild', id: `streaming-${id}`, replyTo }), takeDownTimeoutMs, () => step(id, { type: 'treeStopped' }));
  };

  /** What was held for the program, and the program itself on every host. */
  const forget = (state: State, id: ProgramId, turn: Turning): void => {
    for (const replyTo of state.get(id)?.alsoStopping ?? []) turn.reply(replyTo, null);
    state.delete(id);
    const error = toWireError(new MillraceError('ContextStopped', 'The job was cancelled: its context has been stopped.'));
    turn.tell(places.taskScheduler, { type: 'cancelProgram', program: id, error });
    turn.tell(places.taskScheduler, { type: 'forgetProgram', program: id });
    turn.tell(places.hostManager, { type: 'forgetProgram', program: id });
  };

  const onStep = (state: State, id: ProgramId, value: ProgramStep, turn: Turning): State => {
    const program = state.get(id);
    if (program === undefined) return state;
    const at = programPlaces(id);
    switch (value.type) {
      case 'loaded':
        if (program.phase !== 'loading') return state;
        if (value.error === null) startTree(program, value.io, turn);
        else failStart(state, program, value.error, turn);
        return state;
      case 'treeStarted': {
        if (program.phase !== 'starting') return state;
        if (value.error !== null) {
          failStart(state, program, value.error, turn);
          return state;
        }
        program.phase = 'active';
        turn.watch(at.streaming as ActorRef<never>);
        if (program.starting !== null) turn.reply(program.starting, { zeroTime: program.zeroTime });
        program.starting = null;
        return state;
      }
      case 'receiversEnded':
        program.receiversRunning = value.running;
        turn.ask<ToBatchTimer, BatchTime>(at.batchTimer, (replyTo) => ({ type: 'stopTimer', replyTo }), stepTimeoutMs, (outcome) =>
          step(id, { type: 'timerStopped', time: outcome.ok ? outcome.value : null, unallocated: value.unallocated }),
        );
        return state;
      case 'timerStopped': {
        const { time, unallocated } = value;
        if (time === null) takeDown(state, id, turn);
        else {
          turn.ask<ToJobGenerator, InputWaiting>(at.jobGenerator, (replyTo) => ({ type: 'countWaiting', replyTo }), timeLeft(program, turn), (outcome) =>
            step(id, { type: 'inputCounted', time, unallocated, waiting: outcome.ok ? outcome.value : { reads: 0, batchesMax: 0 } }),
          );
        }
        return state;
      }
      case 'inputCounted': {
        const { time, unallocated, waiting } = value;
        // What lies in the queues now bounds how many: what is pushed from now on could go on for ever.
        const batchesLeft = program.lastBatchesLeft ?? Math.max(waiting.batchesMax, Math.min(1, unallocated));
        if (batchesLeft > 0 && (unallocated > 0 || waiting.reads > 0)) {
          program.lastBatchesLeft = batchesLeft - 1;
          turn.ask<ToBatchTimer, BatchTime>(at.batchTimer, (replyTo) => ({ type: 'lastBatch', replyTo }), stepTimeoutMs, (outcome) => step(id, { type: 'timerStopped', time: outcome.ok ? outcome.value : null, unallocated: 0 }));
        } else awaitLast(program, time > program.lastTime ? asBatchTime(time) : program.lastAgain, turn);
        return state;
      }
      case 'lastBatchRun':
        program.isLate = value.late || program.receiversRunning > 0;
        if (program.isLate || value.halted) askTracker(program, turn);
        else takeDown(state, id, turn);
        return state;
      case 'leftTold':
        program.left = { ...nothingLeft, ...program.left, ...value.left, batches: [...new Set([...(program.left?.batches ?? []), ...(value.left.batches ?? [])])].sort((a, b) => a - b) };
        if (value.next === 'generator') askGenerator(program, turn);
        else if (value.next === 'scheduler') askScheduler(program, turn);
        else {
          // A failure that ends the batches is told as that; what it leaves is said here alone.
          const { batches, blocks, queued } = program.left;
          if (!program.isLate && batches.length + blocks + queued > 0) turn.log('warn', `The graceful stop did not process everything, since a batch has failed: ${whatWasLeft(program.left, program.spec)}.`);
          takeDown(state, id, turn);
        }
        return state;
      case 'commitsDone':
        turn.ask<ToWriteAheadLog, null>(at.writeAheadLog, (replyTo) => ({ type: 'closeLog', replyTo }), takeDownTimeoutMs, () => step(id, { type: 'logClosed' }));
        return state;
      case 'logClosed':
        terminate(id, turn);
        return state;
      case 'treeStopped':
        // Results that are on their way to the app lie in memory that `forget` gives back: it reads them first.
        turn.ask<ToAppOutputs, null>(at.outputs, (replyTo) => ({ type: 'flush', replyTo }), takeDownTimeoutMs, () => step(id, { type: 'outputsFlushed' }));
        return state;
      case 'outputsFlushed': {
        const { stopping, left, isLate, spec, broken } = program;
        forget(state, id, turn);
        if (broken !== null) tellEnded(id, broken, turn);
        if (stopping === null) return state;
        if (isLate) turn.replyError(stopping.replyTo as ReplyTo<never>, toWireError(stopTimeout(left ?? nothingLeft, stopping.timeoutMs, spec)));
        else turn.reply(stopping.replyTo, null);
        return state;
      }
      default:
        return unreachable(value);
    }
  };

  /** Null: no batch of this run is under way. */
  const awaitLast = (program: Program, time: BatchTime | null, turn: Turning): void => {
    const { program: id } = program.spec.descriptor;
    if (time === null) {
      turn.tell(places.programManager, step(id, { type: 'lastBatchRun', late: false, halted: false }));
      return;
    }
    turn.ask<ToJobScheduler, { readonly error: WireError | null }>(programPlaces(id).jobScheduler, (replyTo) => ({ type: 'awaitBatch', time, replyTo }), timeLeft(program, turn), (outcome) =>
      step(id, { type: 'lastBatchRun', late: !outcome.ok && outcome.error.code === 'AskTimeout', halted: outcome.ok && outcome.value.error !== null }),
    );
  };

  // Asked in the order in which a block becomes part of a batch: what moves on meanwhile is met again, and nothing is missed.
  const askTracker = ({ spec: { descriptor: { program: id } } }: Program, turn: Turning): void => {
    turn.ask<ToReceiverTracker, Pick<LeftUndone, 'blocks' | 'records' | 'receivers'>>(programPlaces(id).receiverTracker, (replyTo) => ({ type: 'whatIsLeft', replyTo }), leftTimeoutMs, (outcome) => step(id, { type: 'leftTold', next: 'generator', left: outcome.ok ? outcome.value : {} }));
  };

  const askGenerator = ({ spec: { descriptor: { program: id } } }: Program, turn: Turning): void => {
    turn.ask<ToJobGenerator, Pick<LeftUndone, 'batches' | 'queued'>>(programPlaces(id).jobGenerator, (replyTo) => ({ type: 'whatIsLeft', replyTo }), leftTimeoutMs, (outcome) => step(id, { type: 'leftTold', next: 'scheduler', left: outcome.ok ? outcome.value : {} }));
  };

  const askScheduler = ({ spec: { descriptor: { program: id } } }: Program, turn: Turning): void => {
    turn.ask<ToJobScheduler, WorkUnderWay>(programPlaces(id).jobScheduler, (replyTo) => ({ type: 'whatIsUnderWay', replyTo }), leftTimeoutMs, (outcome) => step(id, { type: 'leftTold', next: 'nobody', left: outcome.ok ? leftOf(outcome.value) : {} }));
  };

  const failStart = (state: State, program: Program, error: WireError, turn: Turning): void => {
    const { program: id } = program.spec.descriptor;
    if (program.starting !== null) turn.replyError(program.starting as ReplyTo<never>, error);
    forget(state, id, turn);
  };

  return {
    name: 'program-manager',
    init: () => new Map(),
    receive(state, message, turn) {
      switch (message.type) {
        case 'startProgram': {
          const { spec } = message;
          const { program: id } = spec.descriptor;
          state.set(id, { spec, zeroTime: 0, askedAt: services.clock.wall(), phase: 'loading', starting: message.replyTo, stopping: null, alsoStopping: [], broken: null, lastTime: 0, lastAgain: null, lastBatchesLeft: null, receiversRunning: 0, left: null, isLate: false });
          turn.ask<ToHostManager, { readonly io: readonly HostId[] }>(places.hostManager, (replyTo) => ({ type: 'loadEverywhere', descriptor: spec.descriptor, expected: spec.fingerprint, replyTo }), stepTimeoutMs, (outcome) =>
            step(id, { type: 'loaded', error: outcome.ok ? null : outcome.error, io: outcome.ok ? outcome.value.io : [] }),
          );
          return state;
        }
        case 'stopProgram': {
          const program = state.get(message.program);
          if (program === undefined) {
            turn.reply(message.replyTo, null);
            return state;
          }
          if (program.phase === 'stopping') {
            program.alsoStopping.push(message.replyTo);
            return state;
          }
          const active = program.phase === 'active';
          program.phase = 'stopping';
          program.stopping = { replyTo: message.replyTo, timeoutMs: message.timeoutMs, deadline: turn.now + message.timeoutMs };
          if (program.starting !== null) {
            turn.replyError(program.starting as ReplyTo<never>, toWireError(new MillraceError('ContextStopped', 'The context was stopped while it was starting.')));
            program.starting = null;
          }
          turn.unwatch(programPlaces(message.program).streaming as ActorRef<never>);
          if (active && message.graceful) {
            const timeoutMs = Math.max(1, message.timeoutMs * intakeShare);
            turn.ask<ToReceiverTracker, { readonly unallocated: number; readonly running: number }>(programPlaces(message.program).receiverTracker, (replyTo) => ({ type: 'stopReceivers', timeoutMs, replyTo }), timeoutMs + trackerTimeoutMs, (outcome) =>
              step(message.program, outcome.ok ? { type: 'receiversEnded', ...outcome.value } : { type: 'receiversEnded', unallocated: 0, running: 0 }),
            );
          } else {
            takeDown(state, message.program, turn);
          }
          return state;
        }
        case 'programStep':
          return onStep(state, message.program, message.step, turn);
        case 'programBroken': {
          const program = state.get(message.program);
          if (program?.phase !== 'active') return state;
          program.phase = 'stopping';
          turn.unwatch(programPlaces(message.program).streaming as ActorRef<never>);
          program.broken = message.error;
          tellFailed(message.program, message.error, turn);
          takeDown(state, message.program, turn);
          return state;
        }
        case 'ioHostDown': {
          const { host, error, entered } = message;
          const next = [...state.keys()].find((id) => !entered.includes(id));
          if (next === undefined) turn.tell(places.blockManagerMaster, { type: 'hostExited', host });
          else {
            turn.ask<ToReceiverTracker, null>(programPlaces(next).receiverTracker, (replyTo) => ({ type: 'ioHostDown', host, error, replyTo }), trackerTimeoutMs, () => ({ ...message, entered: [...entered, next] }));
          }
          return state;
        }
        default:
          return unreachable(message);
      }
    },
    signal(state, signal, turn) {
      if (signal.type !== 'terminated') return state;
      for (const [id, program] of state) {
        if (programPlaces(id).streaming.cell !== signal.ref.cell || program.phase !== 'active') continue;
        const { reason } = signal;
        const error = 'error' in reason && reason.error !== undefined ? reason.error : toWireError(new MillraceError('ContextFailed', `The program's actors ended: ${reason.type}.`));
        tellFailed(id, error, turn);
        forget(state, id, turn);
        tellEnded(id, error, turn);
      }
      return state;
    },
  };
}

/** Batch times are multiples of the interval, as in Spark: the first batch is the first grid point after now. After a restart the grid is the old one. */
function timesOf({ spec, askedAt }: Program, now: number): StreamingTimes {
  const { clock, descriptor: { batchIntervalMs }, durability } = spec;
  const book = (durability?.recovered as Recovered | null | undefined)?.book ?? null;
  if (book === null || book.identity === null) {
    const zeroTime = clock === 'manual' ? 0 : floorToGrid(now, batchIntervalMs);
    return { zeroTime, startTime: clock === 'manual' ? zeroTime : Math.max(zeroTime, askedAt), lastTime: zeroTime };
  }
  const { zeroTime, startTime } = book.identity;
  const generated = book.generated ?? zeroTime;
  const latest = durability?.missedBatches === 'latest' && clock !== 'manual' ? floorToGrid(now, batchIntervalMs, zeroTime) - batchIntervalMs : generated;
  return { zeroTime, startTime, lastTime: Math.max(generated, latest) };
}

function leftOf({ batch, output, held, batches }: WorkUnderWay): Partial<LeftUndone> {
  return { batches, output: batch === null || output === null ? null : { output, batchTime: batch, held } };
}

/** Of what a graceful stop may take, in ms. */
function timeLeft(program: Program, turn: Turning): number {
  return Math.max(1, (program.stopping?.deadline ?? turn.now) - turn.now);
}

function tellFailed(program: ProgramId, error: WireError, turn: Turning): void {
  turn.tell(places.listenerBus, { type: 'emit', program, event: { type: 'failed', info: { error, time: null } } });
}

function tellEnded(program: ProgramId, error: WireError, turn: Turning): void {
  turn.tell(places.listenerBus, { type: 'emit', program, event: { type: 'programEnded', info: { error } } });
}
