/**
 * One receiver: runs a source, hands over its blocks, tells the source which of them are stored, and fails where the source
 * fails, so that its supervisor starts it again with back-off.
 *
 * Owns: the source (a connection, or a user's receiver), its open block, and the numbers of its blocks. Invariant: the source is
 * told of each block exactly once, stored or refused; a block that was refused ends this life, since no later one counts then.
 * At most `blocksInFlightMax` blocks are under way before the source is held back.
 * Talks to: its block generator (blocks), the receiver tracker (where to begin; news).
 * A crash loses: what the source had read and not yet cut. An orderly failure (the connection closes) loses nothing: what
 * was read is cut and handed over first, and the life ends when that is settled.
 *
 *   init --receiverStarted--> tracker --resumed--> source runs --closed, failed, restart, refused--> ends --settled--> restarted
 */
import type { Behavior, ExitReason, Turn } from '../lib/actor/behavior.ts';
import type { Source, SourceBlock } from '../lib/sources/source.ts';
import type { ReceiverSpec, Resume, SourceEvent, SourceReport, ToBlockGenerator, ToReceiver, ToReceiverTracker } from '../protocol/receiver.ts';
import type { ActorRef } from '../protocol/ref.ts';
import type { WireError } from '../protocol/errors.ts';
import { clauseOf, fromWireError, MillraceError, toWireError } from '../protocol/errors.ts';
import { asBlockId } from '../protocol/ids.ts';
import { unreachable } from '../lib/base/assert.ts';
import type { HostServices } from './services.ts';
import { programPlaces, receiverPlaces } from './places.ts';
import { sourceFor } from './sources.ts';

interface State {
  readonly spec: ReceiverSpec;
  readonly host: HostServices['host'];
  readonly generator: ActorRef<ToBlockGenerator>;
  readonly source: Source;
  /** Null until the tracker has answered. */
  resume: Resume | null;
  /** Cut and not settled, by number: how many records. */
  readonly underWay: Map<number, number>;
  nextSequence: number;
  isHeldBack: boolean;
  /** Set once intake has ended: nothing is cut after it. */
  ended: boolean;
  /** How this life ends when all blocks are settled, and the delay that was asked for is over; null: not yet. */
  ending: { readonly reason: ExitReason; readonly stopped: { readonly message: string; readonly error: WireError | null } | null } | null;
  delayed: boolean;
}

type Turning = Turn<ToReceiver>;

const startTimeoutMs = 30_000;
/** A life that ends waits so long for its last blocks. Then they count as not stored. */
const settleTimeoutMs = 5_000;

export function receiver(services: HostServices): Behavior<State, ToReceiver, ReceiverSpec> {
  return {
    name: 'receiver',
    init(turn, spec) {
      const generator = receiverPlaces(services.host, spec.program, spec.stream).blockGenerator;
      const { self } = turn;
      // A report is nothing that this actor acts on, and it may have ended before it gets to it: straight to the tracker.
      const source = sourceFor(services, spec, (event) => {
        if (isReport(event)) services.tell(tracker(spec), reportOf(spec, event));
        else services.tell(self, { type: 'sourceEvent', event });
      });
      turn.tell(generator, { type: 'receiverReady', receiver: self });
      turn.ask<ToReceiverTracker, Resume>(tracker(spec), (replyTo) => ({ type: 'receiverStarted', stream: spec.stream, host: services.host, receiver: self, replyTo }), startTimeoutMs, (outcome) => ({
        type: 'resumed',
        resume: outcome.ok ? outcome.value : null,
        error: outcome.ok ? null : outcome.error,
      }));
      return { spec, host: services.host, generator, source, resume: null, underWay: new Map(), nextSequence: 0, isHeldBack: false, ended: false, ending: null, delayed: false };
    },
    receive(state, message, turn) {
      switch (message.type) {
        case 'resumed':
          return onResumed(state, message, turn);
        case 'startNow':
          if (!state.ended) start(state, turn);
          return state;
        case 'cutBlock':
          // While too much is under way the open block grows instead, up to where the source is held back.
          if (!state.ended && !state.isHeldBack) handOver(state, 'cut', turn);
          return state;
        case 'flushBlock':
          if (!state.ended) handOver(state, 'cut', turn);
          drained(state, message.replyTo, turn);
          return state;
        case 'endIntake':
          if (!state.ended) handOver(state, 'end', turn);
          state.ended = true;
          // It lives on until the tree is taken down: whoever asks an actor that ends is answered by its end, not by what it handed over.
          drained(state, message.replyTo, turn);
          return state;
        case 'blockSettled':
          return onBlockSettled(state, message, turn);
        case 'restartNow':
          state.delayed = false;
          return endIfSettled(state, turn);
        case 'settleOver':
          turn.stop(state.ending?.reason ?? { type: 'normal' });
          return state;
        case 'sourceEvent':
          return onSourceEvent(state, message.event, turn);
        default:
          return unreachable(message);
      }
    },
    stopped(state, reason, turn) {
      if (!state.ended) handOver(state, 'end', turn);
      const why = 'error' in reason && reason.error !== undefined ? reason.error.message : 'it has stopped.';
      for (const sequence of state.underWay.keys()) state.source.refused(sequence, notStored(state.spec, `its receiver ended before that was known: ${why}`));
      const stopped = state.ending?.stopped;
      if (stopped != null) turn.tell(tracker(state.spec), { type: 'receiverStopped', stream: state.spec.stream, ...stopped });
    },
  };
}

function onResumed(state: State, { resume, error }: Extract<ToReceiver, { type: 'resumed' }>, turn: Turning): State {
  if (resume === null) {
    turn.stop({ type: 'error', error: error ?? toWireError(notStored(state.spec, 'nobody knows where to begin.')) });
    return state;
  }
  state.resume = resume;
  if (state.ended) return state;
  if (resume.delayMs > 0) turn.startTimer('start', resume.delayMs, { type: 'startNow' });
  else start(state, turn);
  return state;
}

function start({ source, resume }: State, turn: Turning): void {
  const position = resume?.lastAcknowledged ?? null;
  turn.perform('startSource', () => source.start(position), (outcome) => ({ type: 'sourceEvent', event: outcome.ok ? { type: 'connected', peer: '' } : { type: 'failed', message: outcome.error.message, error: outcome.error } }));
}

function onSourceEvent(state: State, event: SourceEvent, turn: Turning): State {
  if (state.ended) return state;
  switch (event.type) {
    case 'connected':
      return state;
    case 'blockFull':
      if (!state.isHeldBack) handOver(state, 'cut', turn);
      return state;
    case 'closed':
      return restart(state, event.message, null, null, turn);
    case 'failed':
      return restart(state, event.message, event.error, null, turn);
    case 'restart':
      return restart(state, event.message, event.error, event.delayMs, turn);
    case 'stopped':
      handOver(state, 'end', turn);
      return end(state, { reason: { type: 'normal' }, stopped: { message: event.message, error: event.error } }, null, turn);
    default:
      return unreachable(event);
  }
}

/** Hands over what there is, says so, and fails, after the delay that was asked for: the supervisor's back-off does the rest. */
function restart(state: State, message: string, error: WireError | null, delayMs: number | null, turn: Turning): State {
  const { spec } = state;
  handOver(state, 'end', turn);
  turn.tell(tracker(spec), { type: 'receiverError', stream: spec.stream, message, error, willRestart: true });
  const cause = error ?? toWireError(new MillraceError('ReceiverFailed', `The source of stream ${spec.stream} ended: ${clauseOf(message)}. The receiver starts again with back-off.`));
  return end(state, { reason: { type: 'error', error: cause }, stopped: null }, delayMs, turn);
}

/** What is under way may still be acknowledged; and the next life is told a position behind it. */
function end(state: State, ending: NonNullable<State['ending']>, delayMs: number | null, turn: Turning): State {
  Object.assign(state, { ended: true, ending, delayed: delayMs !== null });
  if (delayMs !== null) turn.startTimer('restart', delayMs, { type: 'restartNow' });
  turn.startTimer('settle', (delayMs ?? 0) + settleTimeoutMs, { type: 'settleOver' });
  return endIfSettled(state, turn);
}

function endIfSettled(state: State, turn: Turning): State {
  if (state.ending !== null && !state.delayed && state.underWay.size === 0) turn.stop(state.ending.reason);
  return state;
}

function onBlockSettled(state: State, { epoch, sequence, error }: Extract<ToReceiver, { type: 'blockSettled' }>, turn: Turning): State {
  const records = state.underWay.get(sequence);
  if (epoch !== state.resume?.epoch || records === undefined) return state;
  state.underWay.delete(sequence);
  if (error === null) state.source.stored(sequence);
  else {
    state.source.refused(sequence, fromWireError(error));
    turn.tell(tracker(state.spec), { type: 'blocksRefused', stream: state.spec.stream, host: state.host, records, error });
    if (!state.ended) return restart(state, `A block was not stored: ${error.message}`, error, null, turn);
  }
  if (!state.ended && state.isHeldBack && state.underWay.size < state.spec.blocksInFlightMax) {
    state.isHeldBack = false;
    state.source.holdBack(false);
    // What filled up meanwhile has been told once, and is not told again.
    handOver(state, 'cut', turn);
  }
  return endIfSettled(state, turn);
}

/** What a source throws here is told, and the receiver goes on (or ends) without what it would have given. */
function handOver(state: State, how: 'cut' | 'end', turn: Turning): void {
  let blocks: readonly SourceBlock[] = [];
  try {
    blocks = how === 'cut' ? state.source.cut() : state.source.end();
  } catch (thrown) {
    const error = toWireError(thrown);
    turn.tell(tracker(state.spec), { type: 'receiverError', stream: state.spec.stream, message: error.message, error, willRestart: false });
  }
  const copies = state.spec.copies ?? state.source.copies;
  for (const { codec, place, records, position = null, resumes = false } of blocks) {
    const sequence = state.nextSequence++;
    state.underWay.set(sequence, Math.max(0, records));
    const cut = { epoch: state.resume?.epoch ?? 0, sequence, block: { id: asBlockId(''), codec, place, records }, records, position, resumes };
    turn.tell(state.generator, { type: 'blockCut', cut, copies });
  }
  if (how === 'cut' && !state.isHeldBack && state.underWay.size >= state.spec.blocksInFlightMax) {
    state.isHeldBack = true;
    state.source.holdBack(true);
  }
}

function drained({ generator, resume }: State, replyTo: Extract<ToReceiver, { type: 'flushBlock' }>['replyTo'], turn: Turning): void {
  if (resume === null) turn.reply(replyTo, null);
  else turn.tell(generator, { type: 'drained', epoch: resume.epoch, replyTo });
}

function isReport(event: SourceEvent | SourceReport): event is SourceReport {
  return event.type === 'recordTooLarge' || event.type === 'reported';
}

function reportOf(spec: ReceiverSpec, event: SourceReport): ToReceiverTracker {
  const { stream, recordBytesMax } = spec;
  if (event.type === 'reported') return { type: 'receiverError', stream, message: event.message, error: event.error, willRestart: false };
  const error = new MillraceError('RecordTooLarge', `Expected lines of at most ${recordBytesMax} bytes; got one of ${event.bytes}. It was left out, and the stream goes on; raise recordBytesMax to take it.`, {
    details: { stream, bytes: event.bytes, recordBytesMax },
  });
  return { type: 'receiverError', stream, message: error.message, error: toWireError(error), willRestart: false };
}

function notStored({ stream }: ReceiverSpec, why: string): MillraceError {
  return new MillraceError('BlockNotStored', `Expected a block of stream ${stream} to be stored; nobody can say that it was, since ${why} Don't acknowledge its records: their source has to send them again.`, { details: { stream } });
}

function tracker(spec: ReceiverSpec): ActorRef<ToReceiverTracker> {
  return programPlaces(spec.program).receiverTracker;
}
