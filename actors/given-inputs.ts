/**
 * What the app gives to a running program: records for its queues, values for its broadcast variables.
 *
 * Invariant: what is given is in its place, and behind that in the log, in the order in which it came, before any batch that takes it;
 * it is answered when it is there, a push into a queue over its bound when a batch has taken from that. What finds no room in shared
 * memory waits, and all that came after it behind it; one that is refused is nowhere.
 *
 *   queuePushed, broadcastSet --> [ waits for room (makeRoom), up to memoryWaitsMax times ] --> in place --> log --> [ over bound ] --> answered
 */
import type { Turn } from '../lib/actor/behavior.ts';
import { memoryWaitsMax } from '../lib/rdd/job-state.ts';
import type { ToJobGenerator } from '../protocol/batch.ts';
import { MillraceError, toWireError } from '../protocol/errors.ts';
import type { ClusterOptions } from '../protocol/host.ts';
import type { RoomMade, ToTaskScheduler } from '../protocol/job.ts';
import type { RecoveryEvent, ToWriteAheadLog } from '../protocol/recovery.ts';
import type { ReplyTo } from '../protocol/ref.ts';
import { places, programPlaces } from './places.ts';
import type { HostProgram } from './programs.ts';

export type InputGiven = Extract<ToJobGenerator, { type: 'queuePushed' | 'broadcastSet' }>;

export interface GivenInputs {
  /** Pushes into queues that are over their bound: answered when batches have taken from them. */
  readonly pushing: readonly { readonly queue: number; readonly replyTo: ReplyTo<null> }[];
  /** Oldest first: room is being made for the first one. */
  readonly roomless: readonly InputGiven[];
  /** How often the first one has waited. */
  readonly waits: number;
}

export const nothingGiven: GivenInputs = { pushing: [], roomless: [], waits: 0 };

type Turning = Turn<ToJobGenerator>;

/** The log says itself what it can't do, and ends the program; this is for one that says nothing. */
export const logTimeoutMs = 120_000;

/** Where they come to. `isDurable`: what is given is written down. */
export interface Intake {
  readonly program: HostProgram;
  readonly isDurable: boolean;
  readonly options: Pick<ClusterOptions, 'actionTimeoutMs'>;
}

export function onGiven(given: GivenInputs, to: Intake, input: InputGiven, turn: Turning): GivenInputs {
  return given.roomless.length > 0 ? { ...given, roomless: [...given.roomless, input] } : take(given, to, [input], 0, turn);
}

/** The task scheduler has answered. `made` false: it is tried once more all the same, since others give memory back, too. */
export function onRoomForInput(given: GivenInputs, to: Intake, made: boolean, turn: Turning): GivenInputs {
  return take(given, to, given.roomless, made ? given.waits + 1 : memoryWaitsMax, turn);
}

export function onInputLogged(given: GivenInputs, { program }: Intake, { given: input, error }: Extract<ToJobGenerator, { type: 'inputLogged' }>, turn: Turning): GivenInputs {
  if (error === null) return answer(given, program, input, turn);
  turn.replyError(input.replyTo as ReplyTo<never>, error);
  return given;
}

/** A batch may have taken from the queues: who may go on now. */
export function answerPushes(given: GivenInputs, program: HostProgram, turn: Turning): GivenInputs {
  if (given.pushing.length === 0) return given;
  const pushing = given.pushing.filter(({ queue, replyTo }) => {
    if (program.isOverBound(queue)) return true;
    turn.reply(replyTo, null);
    return false;
  });
  return { ...given, pushing };
}

/** One after another, until one finds no room. `waits`: how often the first one has waited. */
function take(given: GivenInputs, to: Intake, line: readonly InputGiven[], waits: number, turn: Turning): GivenInputs {
  let at: GivenInputs = { ...given, roomless: [], waits: 0 };
  for (const [index, input] of line.entries()) {
    const waited = index === 0 ? waits : 0;
    try {
      at = put(at, to, input, turn);
    } catch (thrown) {
      const isFull = thrown instanceof MillraceError && thrown.code === 'BlockMemoryExhausted';
      if (isFull && waited < memoryWaitsMax) {
        askForRoom(bytesOf(input), to, turn);
        return { ...at, roomless: line.slice(index), waits: waited };
      }
      // What the app did wrong, or what there is no memory for, is its answer, and no failure of this actor.
      turn.replyError(input.replyTo as ReplyTo<never>, toWireError(thrown));
    }
  }
  return at;
}

/** Throws BlockMemoryExhausted; then it is as if it had not been given. */
function put(given: GivenInputs, { program, isDurable }: Intake, input: InputGiven, turn: Turning): GivenInputs {
  const event = eventOf(program, input);
  if (!isDurable) return answer(given, program, input, turn);
  const { writeAheadLog } = programPlaces(program.program);
  turn.ask<ToWriteAheadLog, null>(writeAheadLog, (replyTo) => ({ type: 'logEvent', event, replyTo }), logTimeoutMs, (outcome) => ({ type: 'inputLogged', given: input, error: outcome.ok ? null : outcome.error }));
  return given;
}

function eventOf(program: HostProgram, input: InputGiven): Extract<RecoveryEvent, { type: 'queuePushed' | 'broadcastSet' }> {
  if (input.type === 'queuePushed') return { type: 'queuePushed', queue: input.queue, item: program.push(input.queue, input.partitions).item, partitions: input.partitions };
  return { type: 'broadcastSet', broadcast: input.broadcast, version: program.setBroadcast(input.broadcast, input.value).version, value: input.value };
}

/** A queue over its bound holds the app back. */
function answer(given: GivenInputs, program: HostProgram, input: InputGiven, turn: Turning): GivenInputs {
  if (input.type === 'queuePushed' && program.isOverBound(input.queue)) return { ...given, pushing: [...given.pushing, { queue: input.queue, replyTo: input.replyTo }] };
  turn.reply(input.replyTo, null);
  return given;
}

function askForRoom(bytes: number, { options }: Intake, turn: Turning): void {
  turn.ask<ToTaskScheduler, RoomMade>(places.taskScheduler, (replyTo) => ({ type: 'makeRoom', bytes, replyTo }), options.actionTimeoutMs, (outcome) => ({ type: 'roomForInput', made: outcome.ok && outcome.value.made }));
}

function bytesOf(input: InputGiven): number {
  return input.type === 'queuePushed' ? input.partitions.reduce((sum, { bytes }) => sum + bytes.length, 0) : input.value.length;
}
