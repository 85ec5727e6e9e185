/**
 * Brings complete batches into the log: with their states, and what they have added to accumulators.
 *
 * Owns: the queue of complete batches that are not in the log. Invariant: one at a time, in their order; a batch counts as complete in the log
 * only when what it has printed and published is with the app, and each of its states that could be made is in the log. Until then it
 * runs again after a crash. The stream does not wait: later batches run meanwhile; only what is given back of a batch waits for it.
 * Talks to: job generator, task scheduler, the app's outputs, the write-ahead log.
 * A crash loses: nothing; the batches run again.
 *
 *   commitBatch(t) --> states are made --> outputs flushed --> stateLinks --> logCompleted --> batchCommitted(t)
 */
import type { Behavior, Turn } from '../lib/actor/behavior.ts';
import type { DueState } from '../protocol/batch.ts';
import type { ToAppOutputs, ToTaskScheduler } from '../protocol/job.ts';
import type { StateCommit, ToCheckpointWriter, ToWriteAheadLog } from '../protocol/recovery.ts';
import type { StateVersionLinks } from '../protocol/state.ts';
import type { ReplyTo } from '../protocol/ref.ts';
import type { ProgramId } from '../protocol/ids.ts';
import { assert, unreachable } from '../lib/base/assert.ts';
import { places, programPlaces } from './places.ts';
import type { HostProgram } from './programs.ts';
import type { HostServices } from './services.ts';

export interface CheckpointWriterArgs {
  readonly program: ProgramId;
}

type Commit = Extract<ToCheckpointWriter, { type: 'commitBatch' }>;

interface State {
  readonly program: ProgramId;
  readonly waiting: readonly Commit[];
  readonly current: Commit | null;
  readonly due: readonly DueState[];
  readonly awaiting: readonly ReplyTo<null>[];
}

type Turning = Turn<ToCheckpointWriter>;

/** All of these answer at once, or are gone; a published stream's reader is not waited for. */
const stepTimeoutMs = 120_000;

export function checkpointWriter(services: HostServices): Behavior<State, ToCheckpointWriter, CheckpointWriterArgs> {
  const programOf = (state: State): HostProgram => {
    const program = services.programs.get(state.program);
    assert(program !== undefined, 'the program is built on the driver before its actors start', state.program);
    return program;
  };

  const next = (state: State, turn: Turning): State => {
    const [current, ...waiting] = state.waiting;
    if (state.current !== null) return state;
    if (current === undefined) {
      for (const replyTo of state.awaiting) turn.reply(replyTo, null);
      return state.awaiting.length === 0 ? state : { ...state, awaiting: [] };
    }
    const program = programOf(state);
    program.accumulate(current.time, current.accumulated);
    turn.perform('makeStates', () => program.makeStates(current.time), (outcome) => ({ type: 'statesMade', due: outcome.ok ? outcome.value : [] }));
    return { ...state, current, waiting };
  };

  const askLinks = (state: State, turn: Turning): State => {
    const { program, due } = state;
    if (due.length === 0) return logIt(state, [], turn);
    turn.ask<ToTaskScheduler, readonly StateVersionLinks[]>(
      places.taskScheduler,
      (replyTo) => ({ type: 'stateLinks', program, rdds: due.map(({ rdd }) => rdd), replyTo }),
      stepTimeoutMs,
      (outcome) => ({ type: 'linksKnown', versions: outcome.ok ? outcome.value : [], error: outcome.ok ? null : outcome.error }),
    );
    return state;
  };

  const logIt = (state: State, versions: readonly StateVersionLinks[], turn: Turning): State => {
    const { current, program, due } = state;
    assert(current !== null, 'only a complete batch is logged');
    const states = due.flatMap(({ uid, rdd, time: of, oldest }): StateCommit[] => {
      const found = versions.find((version) => version.rdd === rdd);
      // One that was restored is in the log; one that failed was passed over.
      if (found?.restored === true) return [];
      if (found === undefined || !found.made) return [{ uid, oldest, time: of, version: null }];
      const { time, base, stateVersion, links } = found;
      return [{ uid, oldest, time, version: { time, base, stateVersion, links } }];
    });
    const accumulators = programOf(state).totals();
    turn.ask<ToWriteAheadLog, null>(
      programPlaces(program).writeAheadLog,
      (replyTo) => ({ type: 'logCompleted', time: current.time, states, accumulators, replyTo }),
      stepTimeoutMs,
      (outcome) => ({ type: 'completionLogged', error: outcome.ok ? null : outcome.error }),
    );
    if (state.awaiting.length > 0) turn.tell(programPlaces(program).writeAheadLog, { type: 'syncNow' });
    return state;
  };

  const flush = ({ program }: State, turn: Turning): void =>
    turn.ask<ToAppOutputs, null>(programPlaces(program).outputs, (replyTo) => ({ type: 'flush', replyTo }), stepTimeoutMs, (outcome) => ({ type: 'outputsFlushed', error: outcome.ok ? null : outcome.error }));

  return {
    name: 'checkpoint-writer',
    mailbox: { messagesMax: 1_000_000, overflow: 'fail' },
    init: (_turn, { program }) => ({ program, waiting: [], current: null, due: [], awaiting: [] }),
    receive(state, message, turn) {
      switch (message.type) {
        case 'commitBatch':
          return next({ ...state, waiting: [...state.waiting, message] }, turn);
        case 'statesMade':
          flush(state, turn);
          return { ...state, due: message.due };
        case 'outputsFlushed':
          if (message.error === null) return askLinks(state, turn);
          // The app's thread is busy, or stands still in a debugger: nothing is lost while it does.
          if (message.error.code === 'AskTimeout') flush(state, turn);
          // What was on its way to outputs that are gone is nowhere: the batch runs again in the next life of the program.
          else turn.stop({ type: 'error', error: message.error });
          return state;
        case 'linksKnown':
          if (message.error === null) return logIt(state, message.versions, turn);
          turn.stop({ type: 'error', error: message.error });
          return state;
        case 'completionLogged': {
          const { current, due, program } = state;
          if (message.error !== null || current === null) {
            if (message.error !== null) turn.stop({ type: 'error', error: message.error });
            return state;
          }
          if (due.length > 0) turn.tell(places.taskScheduler, { type: 'stateLinksRead', program, rdds: due.map(({ rdd }) => rdd) });
          turn.tell(programPlaces(program).jobGenerator, { type: 'batchCommitted', time: current.time });
          return next({ ...state, current: null, due: [] }, turn);
        }
        case 'awaitCommits':
          // A batch's end does not wait for the next sync then.
          if (state.current !== null) turn.tell(programPlaces(state.program).writeAheadLog, { type: 'syncNow' });
          return next({ ...state, awaiting: [...state.awaiting, message.replyTo] }, turn);
        default:
          return unreachable(message);
      }
    },
  };
}
