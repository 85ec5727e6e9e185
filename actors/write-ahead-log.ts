/**
 * The log of one program: everything that it would go on from is written here before anybody acts on it.
 *
 * Owns: the files in the program's checkpoint directory, and the book (the fold of all events that are durable). Invariant: an event is
 * answered when it is durable, and is in the book from then on; a checkpoint is the book as it was after some event. An append that fails for good
 * ends the program.
 * Talks to: receiver tracker, job generator, checkpoint writer (what is to be logged), program manager (the end).
 * A crash loses: nothing that was answered. The program then fails as a whole, and can be recovered.
 *
 *   logEvent, logBlock ----------------------------> log/    --> answered, applied to the book ---(now and then)---> checkpoint-N
 *   logCompleted --> steps of its states --> state/ --> log/ --> the same                                                 `--> old segments go
 */
import type { Behavior, Turn } from '../lib/actor/behavior.ts';
import type { LogSettings, LogStats, RecoveryEvent, ToWriteAheadLog } from '../protocol/recovery.ts';
import type { BlockRef, FilePlace } from '../protocol/rdd.ts';
import type { ProgramIdentity } from '../protocol/recovery.ts';
import type { ReplyTo } from '../protocol/ref.ts';
import type { ProgramId } from '../protocol/ids.ts';
import type { WireError } from '../protocol/errors.ts';
import { unreachable } from '../lib/base/assert.ts';
import { applyEvent, checkSteps, emptyBook } from '../lib/recovery/book.ts';
import type { RecoveryBook } from '../lib/recovery/book.ts';
import { encodeCheckpoint } from '../lib/recovery/checkpoint-file.ts';
import { appendBlock, appendEvent, appendStates } from '../lib/recovery/log-entries.ts';
import { logNeedsOf } from '../lib/recovery/log-needs.ts';
import type { Recovered } from '../lib/recovery/recover.ts';
import { RecoveryFiles } from '../lib/recovery/recovery-files.ts';
import type { HostServices } from './services.ts';

export interface WriteAheadLogArgs {
  readonly program: ProgramId;
  readonly settings: LogSettings;
  readonly identity: ProgramIdentity;
  /** What the directory held; null: nothing. */
  readonly recovered: Recovered | null;
  /** By stream: the inputs' uids. */
  readonly uids: Readonly<Record<number, string>>;
}

interface State {
  readonly args: WriteAheadLogArgs;
  readonly files: RecoveryFiles;
  readonly book: RecoveryBook;
  /** Durable, and waiting for one with a smaller number: outcomes need not come in order. */
  readonly early: Map<number, { readonly event: RecoveryEvent; readonly place: FilePlace | null }>;
  /** Appends that have no outcome yet. */
  readonly underWay: number;
  /** Ends of batches whose states are being written, and how many of them are not to wait for the next sync: somebody waits for what was under way. */
  readonly writingStates: number;
  readonly hurried: number;
  /** Of the last checkpoint: when, and the number of its last event. */
  readonly checkpointAt: number;
  readonly checkpointed: number;
  readonly writing: boolean;
  readonly written: LogStats['checkpoints'];
  /** Another one was due while it was written. */
  readonly owed: boolean;
  readonly closing: ReplyTo<null> | null;
}

type Turning = Turn<ToWriteAheadLog>;

export function writeAheadLog(services: HostServices): Behavior<State, ToWriteAheadLog, WriteAheadLogArgs> {
  /**
   * A batch's end is lazy, as what is forgotten is: nothing of the stream waits for it. Lost with a crash, it would have the batch run again, which
   * it might have had to anyway.
   */
  const append = (state: State, event: Exclude<RecoveryEvent, { type: 'blockAdded' }>, when: 'urgent' | 'lazy', replyTo: ReplyTo<null> | null, turn: Turning): State => {
    turn.perform(
      'appendLog',
      () => appendEvent(state.files, event, state.closing === null ? when : 'urgent'),
      (outcome) => ({ type: 'logged', event, replyTo, outcome: outcome.ok ? outcome.value : outcome.error }),
    );
    return { ...state, underWay: state.underWay + 1 };
  };

  const addBlock = (state: State, { stream, block, epoch, position, urgent, replyTo }: Extract<ToWriteAheadLog, { type: 'logBlock' }>, turn: Turning): State => {
    const event: Extract<RecoveryEvent, { type: 'blockAdded' }> = { type: 'blockAdded', uid: state.args.uids[stream] ?? '', block: block.id, codec: block.codec, records: block.records, epoch, position };
    turn.perform(
      'appendBlock',
      () => appendBlock(state.files, event, bytesOf(block), urgent),
      (outcome) => ({ type: 'logged', event, replyTo, outcome: outcome.ok ? outcome.value : outcome.error }),
    );
    return { ...state, underWay: state.underWay + 1 };
  };

  const writeStates = (state: State, { time, states, accumulators, replyTo }: Extract<ToWriteAheadLog, { type: 'logCompleted' }>, turn: Turning): State => {
    if (states.length === 0) return append(state, { type: 'batchCompleted', time, states, accumulators }, 'lazy', replyTo, turn);
    turn.perform(
      'appendState',
      () => appendStates(state.files, states, bytesOf),
      (outcome) => ({ type: 'statesWritten', time, accumulators, replyTo, outcome: outcome.ok ? outcome.value : outcome.error }),
    );
    return { ...state, underWay: state.underWay + 1, writingStates: state.writingStates + 1 };
  };

  const bytesOf = ({ place }: BlockRef): Uint8Array => {
    if (place === null) return new Uint8Array(0);
    return 'slab' in place ? services.pool.view(place) : services.files.readRange(place.file, place.offset, place.offset + place.bytes);
  };

  const onLogged = (state: State, { event, outcome, replyTo }: Extract<ToWriteAheadLog, { type: 'logged' }>, turn: Turning): State => {
    const next = { ...state, underWay: state.underWay - 1 };
    if (!('sequence' in outcome)) return failed(next, outcome, replyTo, turn);
    if (replyTo !== null) turn.reply(replyTo, null);
    next.early.set(outcome.sequence, { event, place: outcome.place });
    for (let one = next.early.get(next.book.sequence + 1); one !== undefined; one = next.early.get(next.book.sequence + 1)) {
      next.early.delete(next.book.sequence + 1);
      checkSteps(next.book, one.event);
      applyEvent(next.book, next.book.sequence + 1, one.event, one.place);
    }
    const isDue = turn.now - next.checkpointAt >= next.args.settings.checkpointIntervalMs;
    const isStep = event.type === 'batchGenerated' || event.type === 'batchCompleted';
    return closeWhenDone(isStep && isDue ? writeCheckpoint(next, turn) : next, turn);
  };

  /** Of the book as it is now. One at a time: one that is due meanwhile follows it. */
  const writeCheckpoint = (state: State, turn: Turning): State => {
    if (state.writing) return { ...state, owed: true };
    if (state.book.sequence === state.checkpointed || state.book.generated === null) return state;
    const { sequence, generated } = state.book;
    // The only part of it that holds up the thread.
    const heldFrom = services.clock.now();
    const parts = encodeCheckpoint(state.book);
    const needs = logNeedsOf(state.book);
    const heldMs = services.clock.now() - heldFrom;
    turn.perform(
      'writeCheckpoint',
      () => state.files.writeCheckpoint(generated, parts, needs),
      (outcome) => ({ type: 'checkpointWritten', sequence, error: outcome.ok ? null : outcome.error }),
    );
    const { written, bytes, heldMs: heldBefore, heldMsMax } = state.written;
    const all = { written: written + 1, bytes: parts.reduce((sum, part) => sum + part.length, bytes), heldMs: heldBefore + heldMs, heldMsMax: Math.max(heldMsMax, heldMs) };
    return { ...state, writing: true, owed: false, checkpointAt: turn.now, written: all };
  };

  const closeWhenDone = (state: State, turn: Turning): State => {
    if (state.closing === null || state.underWay > 0 || state.writing) return state;
    const withLast = writeCheckpoint(state, turn);
    if (withLast.writing) return withLast;
    turn.perform('closeLog', () => state.files.close(), () => ({ type: 'logClosed' }));
    return { ...state, writing: true };
  };

  return {
    name: 'write-ahead-log',
    mailbox: { messagesMax: 1_000_000, overflow: 'fail' },
    init(turn, args) {
      const { settings, recovered, identity } = args;
      const book = recovered?.book ?? emptyBook();
      const files = new RecoveryFiles({ disk: services.disk, clock: services.clock, settings, next: { log: recovered?.nextSequence ?? 1, state: recovered?.nextStateSequence ?? 1 }, warn: (text) => services.log('warn', text) });
      turn.perform('openLog', () => files.open(), (outcome) => ({ type: 'logOpened', error: outcome.ok ? null : outcome.error }));
      const state: State = { args, files, book, early: new Map(), underWay: 0, writingStates: 0, hurried: 0, checkpointAt: -Infinity, checkpointed: recovered?.book.sequence ?? 0, writing: false, owed: false, written: { written: 0, bytes: 0, heldMs: 0, heldMsMax: 0 }, closing: null };
      return append(state, { type: 'programStarted', identity }, 'urgent', null, turn);
    },
    receive(state, message, turn) {
      switch (message.type) {
        case 'logEvent':
          return append(state, message.event, message.event.type === 'batchesForgotten' ? 'lazy' : 'urgent', message.replyTo, turn);
        case 'logBlock':
          return addBlock(state, message, turn);
        case 'syncNow':
          return hurry(state, turn);
        case 'logStats':
          turn.perform('countLog', () => state.files.statistics(), (outcome) => ({ type: 'logCounted', counted: outcome.ok ? outcome.value : outcome.error, replyTo: message.replyTo }));
          return state;
        case 'logCounted': {
          const { counted, replyTo } = message;
          if ('code' in counted) turn.replyError(replyTo as ReplyTo<never>, counted);
          else turn.reply(replyTo, { program: state.args.program, directory: state.args.settings.directory, ...counted, checkpoints: state.written });
          return state;
        }
        case 'logCompleted':
          return writeStates(state, message, turn);
        case 'statesWritten': {
          const next = { ...state, underWay: state.underWay - 1, writingStates: state.writingStates - 1, hurried: Math.max(0, state.hurried - 1) };
          const { time, accumulators, outcome, replyTo } = message;
          if ('code' in outcome) return failed(next, outcome, replyTo, turn);
          return append(next, { type: 'batchCompleted', time, states: outcome, accumulators }, state.hurried > 0 ? 'urgent' : 'lazy', replyTo, turn);
        }
        case 'logged':
          return onLogged(state, message, turn);
        case 'checkpointWritten': {
          if (message.error !== null) turn.log('warn', `A checkpoint could not be written, the log goes on without it: ${message.error.message}`);
          // With an error too: the next one is tried after the same pause.
          const next = { ...state, writing: false, owed: false, checkpointed: message.sequence };
          return closeWhenDone(state.owed ? writeCheckpoint(next, turn) : next, turn);
        }
        case 'closeLog':
          return closeWhenDone({ ...hurry(state, turn), closing: message.replyTo }, turn);
        case 'logOpened':
          if (message.error !== null) turn.stop({ type: 'error', error: message.error });
          return state;
        case 'logClosed':
          if (state.closing !== null) turn.reply(state.closing, null);
          return state;
        default:
          return unreachable(message);
      }
    },
    stopped(state, _reason, turn) {
      turn.perform('closeLog', () => state.files.close(), () => null);
    },
  };
}

function hurry(state: State, turn: Turning): State {
  turn.perform('syncNow', () => state.files.hurry(), () => null);
  return { ...state, hurried: state.writingStates };
}

/** Nobody was told that it is durable, and without it nothing could be recovered: the program ends. */
function failed(state: State, error: WireError, replyTo: ReplyTo<null> | null, turn: Turning): State {
  if (replyTo !== null) turn.replyError(replyTo as ReplyTo<never>, error);
  turn.stop({ type: 'error', error });
  return state;
}
