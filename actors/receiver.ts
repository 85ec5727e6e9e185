/**
 * One receiver: runs a source, hands over its blocks, and fails where the source fails, so that its supervisor starts it
 * again with back-off.
 *
 * Owns: the source (a connection, or a user's receiver) and its open block.
 * Talks to: its block generator (blocks), the receiver tracker (news).
 * A crash loses: what the source had read and not yet cut. An orderly failure (the connection closes) loses nothing: what
 * was read is cut and handed over first.
 */
import type { Behavior, Turn } from '../lib/actor/behavior.ts';
import type { Source, SourceBlock } from '../lib/sources/source.ts';
import type { ReceiverSpec, SourceEvent, SourceReport, ToBlockGenerator, ToReceiver, ToReceiverTracker } from '../protocol/receiver.ts';
import type { ActorRef } from '../protocol/ref.ts';
import type { WireError } from '../protocol/errors.ts';
import { clauseOf, MillraceError, toWireError } from '../protocol/errors.ts';
import { asBlockId } from '../protocol/ids.ts';
import { unreachable } from '../lib/base/assert.ts';
import type { HostServices } from './services.ts';
import { programPlaces, receiverPlaces } from './places.ts';
import { sourceFor } from './sources.ts';

interface State {
  readonly spec: ReceiverSpec;
  readonly generator: ActorRef<ToBlockGenerator>;
  readonly source: Source;
  /** Set once intake has ended: nothing is cut after it. */
  readonly ended: boolean;
}

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
      turn.tell(tracker(spec), { type: 'receiverStarted', stream: spec.stream, host: services.host, receiver: self });
      turn.perform('startSource', () => source.start(), (outcome) => ({ type: 'sourceEvent', event: outcome.ok ? { type: 'connected', peer: '' } : { type: 'failed', message: outcome.error.message, error: outcome.error } }));
      return { spec, generator, source, ended: false };
    },
    receive(state, message, turn) {
      switch (message.type) {
        case 'cutBlock':
          if (!state.ended) handOver(state, 'cut', turn);
          return state;
        case 'flushBlock':
          if (!state.ended) handOver(state, 'cut', turn);
          turn.tell(state.generator, { type: 'drained', replyTo: message.replyTo });
          return state;
        case 'endIntake':
          if (!state.ended) handOver(state, 'end', turn);
          // It lives on until the tree is taken down: whoever asks an actor that ends is answered by its end, not by what it handed over.
          turn.tell(state.generator, { type: 'drained', replyTo: message.replyTo });
          return { ...state, ended: true };
        case 'restartNow':
          turn.stop({ type: 'error', error: message.error });
          return state;
        case 'sourceEvent':
          return onSourceEvent(state, message.event, turn);
        default:
          return unreachable(message);
      }
    },
    stopped(state, _reason, turn) {
      if (!state.ended) handOver(state, 'end', turn);
    },
  };
}

function onSourceEvent(state: State, event: SourceEvent, turn: Turn<ToReceiver>): State {
  if (state.ended) return state;
  const { spec } = state;
  switch (event.type) {
    case 'connected':
      return state;
    case 'blockFull':
      handOver(state, 'cut', turn);
      return state;
    case 'closed':
      return restart(state, event.message, null, null, turn);
    case 'failed':
      return restart(state, event.message, event.error, null, turn);
    case 'restart':
      return restart(state, event.message, event.error, event.delayMs, turn);
    case 'stopped':
      handOver(state, 'end', turn);
      turn.tell(tracker(spec), { type: 'receiverStopped', stream: spec.stream, message: event.message });
      turn.stop({ type: 'normal' });
      return { ...state, ended: true };
    default:
      return unreachable(event);
  }
}

/** Hands over what there is, says so, and fails, after the delay that was asked for: the supervisor's back-off does the rest. */
function restart(state: State, message: string, error: WireError | null, delayMs: number | null, turn: Turn<ToReceiver>): State {
  const { spec } = state;
  handOver(state, 'end', turn);
  turn.tell(tracker(spec), { type: 'receiverError', stream: spec.stream, message, error, willRestart: true });
  const cause = error ?? toWireError(new MillraceError('ReceiverFailed', `The source of stream ${spec.stream} ended: ${clauseOf(message)}. The receiver starts again with back-off.`));
  if (delayMs === null) turn.stop({ type: 'error', error: cause });
  else turn.startTimer('restart', delayMs, { type: 'restartNow', error: cause });
  return { ...state, ended: true };
}

/** What a source throws here is told, and the receiver goes on (or ends) without what it would have given. */
function handOver(state: State, how: 'cut' | 'end', turn: Turn<ToReceiver>): void {
  let blocks: readonly SourceBlock[] = [];
  try {
    blocks = how === 'cut' ? state.source.cut() : state.source.end();
  } catch (thrown) {
    const error = toWireError(thrown);
    turn.tell(tracker(state.spec), { type: 'receiverError', stream: state.spec.stream, message: error.message, error, willRestart: false });
  }
  for (const { codec, place, records } of blocks) {
    turn.tell(state.generator, { type: 'blockCut', block: { id: asBlockId(''), codec, place, records }, records });
  }
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

function tracker(spec: ReceiverSpec): ActorRef<ToReceiverTracker> {
  return programPlaces(spec.program).receiverTracker;
}
