/**
 * Says when a batch is due. The one owner of stream time.
 *
 * Invariant: batch times lie on the grid of the interval, each is announced once, in order, none is left out: a tick that
 * comes late announces every batch that has come due meanwhile, and of very many a portion at a time: the next one when that has run. Numbers
 * come from the grid, never from counting ticks.
 * Talks to: job generator, job scheduler (a manual clock waits for the batches it has ordered, and until the log has them).
 * A crash loses: which batch was last; the program then fails as a whole.
 *
 *   zero   |--interval--|--interval--|--interval--|
 *   0      1            2            3               tick n at zero + n * interval, at the earliest
 */
import type { Behavior, Turn } from '../lib/actor/behavior.ts';
import type { ToBatchTimer, ToJobGenerator } from '../protocol/batch.ts';
import type { ToJobScheduler } from '../protocol/job.ts';
import type { ProgramId } from '../protocol/ids.ts';
import type { ReplyTo } from '../protocol/ref.ts';
import { asBatchTime, floorToGrid } from '../protocol/time.ts';
import type { BatchTime } from '../protocol/time.ts';
import type { WireError } from '../protocol/errors.ts';
import { unreachable } from '../lib/base/assert.ts';
import { programPlaces } from './places.ts';
import type { HostServices } from './services.ts';

export interface BatchTimerArgs {
  readonly program: ProgramId;
  readonly intervalMs: number;
  readonly clock: 'system' | 'manual';
  readonly zeroTime: number;
  /** Batches up to this one have been announced before: the zero time, or the last one before a restart. */
  readonly lastTime: number;
  /** Complete batches go into the log. */
  readonly isDurable: boolean;
  /** How long an advance may take, in real milliseconds. */
  readonly advanceTimeoutMs: number;
}

interface State {
  readonly args: BatchTimerArgs;
  /** The last batch announced. */
  readonly last: BatchTime;
  readonly stopped: boolean;
}

type Turning = Turn<ToBatchTimer>;

/** Batches that are announced at once: after a month off, all of them would fill the mailboxes and the memory. */
export const announcedMax = 1_000;

export function batchTimer(services: HostServices): Behavior<State, ToBatchTimer, BatchTimerArgs> {
  return {
    name: 'batch-timer',
    init(turn, args) {
      const state: State = { args, last: asBatchTime(args.lastTime), stopped: false };
      if (args.clock === 'system') schedule(services, state, turn);
      return state;
    },
    receive(state, message, turn) {
      switch (message.type) {
        case 'tick': {
          if (state.stopped) return state;
          const { program, intervalMs, advanceTimeoutMs } = state.args;
          const due = floorToGrid(services.clock.wall(), intervalMs);
          const next = announceUpTo(state, asBatchTime(Math.min(due, state.last + announcedMax * intervalMs)), turn);
          if (next.last < due) turn.ask<ToJobScheduler, unknown>(programPlaces(program).jobScheduler, (replyTo) => ({ type: 'awaitBatch', time: next.last, replyTo }), advanceTimeoutMs, () => ({ type: 'tick' }));
          else schedule(services, next, turn);
          return next;
        }
        case 'advance': {
          const time = asBatchTime(state.last + message.batches * state.args.intervalMs);
          // After a halt the job scheduler answers why there will be none.
          const next = state.stopped ? state : announceUpTo(state, time, turn);
          const { jobScheduler } = programPlaces(state.args.program);
          turn.ask<ToJobScheduler, { readonly error: WireError | null }>(
            jobScheduler,
            (replyTo) => ({ type: 'awaitBatch', time, replyTo }),
            state.args.advanceTimeoutMs,
            (outcome) => ({ type: 'batchesRun', replyTo: message.replyTo, time, error: outcome.ok ? outcome.value.error : outcome.error }),
          );
          return next;
        }
        case 'batchesRun': {
          const { replyTo, time, error } = message;
          if (error !== null || !state.args.isDurable) return onAdvanced(state, { type: 'advanced', replyTo, time, error }, turn);
          const { jobGenerator } = programPlaces(state.args.program);
          turn.ask<ToJobGenerator, null>(
            jobGenerator,
            (committed) => ({ type: 'awaitCommits', replyTo: committed }),
            state.args.advanceTimeoutMs,
            (outcome) => ({ type: 'advanced', replyTo, time, error: outcome.ok ? null : outcome.error }),
          );
          return state;
        }
        case 'advanced':
          return onAdvanced(state, message, turn);
        case 'halt':
          turn.cancelTimer('tick');
          return { ...state, stopped: true };
        case 'stopTimer':
          turn.cancelTimer('tick');
          turn.reply(message.replyTo, state.last);
          return { ...state, stopped: true };
        case 'lastBatch': {
          const time = asBatchTime(state.last + state.args.intervalMs);
          const next = announceUpTo(state, time, turn);
          turn.reply(message.replyTo, time);
          return next;
        }
        default:
          return unreachable(message);
      }
    },
  };
}

function onAdvanced(state: State, { replyTo, time, error }: Extract<ToBatchTimer, { type: 'advanced' }>, turn: Turning): State {
  if (error === null) turn.reply(replyTo, time);
  else turn.replyError(replyTo as ReplyTo<never>, error);
  return state;
}

function announceUpTo(state: State, due: BatchTime, turn: Turning): State {
  const { jobGenerator } = programPlaces(state.args.program);
  let { last } = state;
  while (last + state.args.intervalMs <= due) {
    last = asBatchTime(last + state.args.intervalMs);
    turn.tell(jobGenerator, { type: 'generateJobs', time: last });
  }
  return { ...state, last };
}

/** One timer at a time, aimed at the grid: lateness of one tick never moves the next. */
function schedule(services: HostServices, state: State, turn: Turning): void {
  turn.startTimer('tick', Math.max(0, state.last + state.args.intervalMs - services.clock.wall()), { type: 'tick' });
}
