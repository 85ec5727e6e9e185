/**
 * Knows what was received and to which batch it went.
 *
 * Owns: for each stream the blocks that no batch has yet, and for each batch its blocks until the batch is forgotten.
 * Invariant: a block is allocated to exactly one batch, in the order in which it was added; asking twice for a batch gives
 * the same blocks.
 * Talks to: block managers and receivers (io threads), job generator, block manager master, listener bus.
 * A crash loses: which blocks had been received (without a write-ahead log); the program then fails as a whole.
 *
 *   addBlock -->  [ b4 b5 ]  unallocated   --allocate(t3)-->   t1: b0 b1 | t2: b2 | t3: b3 b4 b5   --forget(t1)-->  gone
 */
import type { Behavior, Turn } from '../lib/actor/behavior.ts';
import { programScope, receivedScope } from '../protocol/block.ts';
import type { ReplyTo } from '../protocol/ref.ts';
import type { ActorRef } from '../protocol/ref.ts';
import type { StreamBlocks, ToReceiver, ToReceiverTracker } from '../protocol/receiver.ts';
import type { BlockRef, OperatorPlace, SharedHandle } from '../protocol/rdd.ts';
import type { HostId, ProgramId, StreamId } from '../protocol/ids.ts';
import type { BatchTime } from '../protocol/time.ts';
import type { ListenerEvent, ReceiverOf } from '../protocol/listener.ts';
import { sentenceOf } from '../protocol/errors.ts';
import type { WireError } from '../protocol/errors.ts';
import { unreachable } from '../lib/base/assert.ts';
import { places } from './places.ts';

export interface ReceiverTrackerArgs {
  readonly program: ProgramId;
  readonly inputs: readonly { readonly stream: StreamId; readonly operator: OperatorPlace }[];
}

interface Stream {
  readonly operator: OperatorPlace;
  readonly waiting: { readonly block: BlockRef; readonly records: number }[];
  receiver: ActorRef<ToReceiver> | null;
  host: HostId | null;
}

interface State {
  readonly program: ProgramId;
  readonly streams: Map<StreamId, Stream>;
  readonly batches: Map<BatchTime, readonly StreamBlocks[]>;
  /** Batches that wait for their receivers' open blocks. */
  readonly flushing: Map<BatchTime, { left: number; readonly replyTo: ReplyTo<readonly StreamBlocks[]> }>;
  /** Receivers that have still to hand over their last block, and who waits for them. */
  ending: { left: number; readonly replyTo: ReplyTo<{ readonly unallocated: number }> } | null;
  /** How long a receiver may take to end, once intake is over; null: it is not. */
  readonly endTimeoutMs: number | null;
}

type Turning = Turn<ToReceiverTracker>;

/** A batch waits no longer for an io thread that is busy; its block then goes into the next batch. */
const flushTimeoutMs = 25;

export function receiverTracker(): Behavior<State, ToReceiverTracker, ReceiverTrackerArgs> {
  return {
    name: 'receiver-tracker',
    mailbox: { messagesMax: 1_000_000, overflow: 'fail' },
    init: (_turn, { program, inputs }) => ({
      program,
      streams: new Map(inputs.map(({ stream, operator }) => [stream, { operator, waiting: [], receiver: null, host: null }])),
      batches: new Map(),
      flushing: new Map(),
      ending: null,
      endTimeoutMs: null,
    }),
    receive(state, message, turn) {
      switch (message.type) {
        case 'addBlock':
          return onAddBlock(state, message, turn);
        case 'receiverStarted': {
          const stream = state.streams.get(message.stream);
          if (stream !== undefined) Object.assign(stream, { receiver: message.receiver, host: message.host });
          emit(state, turn, { type: 'receiverStarted', info: { ...inputOf(state, message.stream), host: message.host } });
          // One that comes back from a failure while the context stops: what it took would be in no batch.
          if (state.endTimeoutMs !== null) {
            if (state.ending !== null) state.ending.left += 1;
            endIntake(message.receiver, state.endTimeoutMs, turn);
          }
          return state;
        }
        case 'receiverError': {
          const { willRestart } = message;
          const input = inputOf(state, message.stream);
          const error = message.error === null ? null : withInput(message.error, input.operator);
          emit(state, turn, { type: 'receiverError', info: { ...input, message: message.message, error, willRestart } });
          turn.log('warn', `Receiver of ${nameOf(input)}: ${sentenceOf(message.message)}${willRestart ? ' It starts again with back-off.' : ''}`);
          return state;
        }
        case 'receiverStopped': {
          const stream = state.streams.get(message.stream);
          if (stream !== undefined) stream.receiver = null;
          emit(state, turn, { type: 'receiverStopped', info: { ...inputOf(state, message.stream), message: message.message } });
          return state;
        }
        case 'allocate':
          return onAllocate(state, message, turn);
        case 'flushed':
          return onFlushed(state, message.time, turn);
        case 'forgetBatches':
          return forget(state, message.upTo, turn);
        case 'ioHostDown':
          for (const [stream, { host }] of state.streams) {
            if (host === message.host) emit(state, turn, { type: 'recordsLost', info: { ...inputOf(state, stream), host, records: -1 } });
          }
          turn.reply(message.replyTo, null);
          return state;
        case 'stopReceivers':
          return onStopReceivers(state, message, turn);
        case 'receiversStopped':
          return onReceiverEnded(state, turn);
        default:
          return unreachable(message);
      }
    },
  };
}

function onAddBlock(state: State, message: Extract<ToReceiverTracker, { type: 'addBlock' }>, turn: Turning): State {
  const stream = state.streams.get(message.stream);
  const { place } = message.block;
  if (place !== null && 'slab' in place) {
    const hold = { scope: receivedScope(state.program), handles: [place] } as const;
    turn.tell(places.blockManagerMaster, { type: 'hold', ...hold });
    // Of a stream that the program doesn't have: nobody will ever read it.
    if (stream === undefined) turn.tell(places.blockManagerMaster, { type: 'release', ...hold });
  }
  if (stream === undefined) return state;
  stream.waiting.push({ block: message.block, records: message.records });
  return state;
}

/** A batch holds what had come when it was due: so every receiver hands over its open block first, or is not waited for. */
function onAllocate(state: State, { time, replyTo }: Extract<ToReceiverTracker, { type: 'allocate' }>, turn: Turning): State {
  const live = [...state.streams.values()].flatMap(({ receiver }) => (receiver === null ? [] : [receiver]));
  if (live.length === 0 || state.batches.has(time)) {
    turn.reply(replyTo, allocate(state, time, turn));
    return state;
  }
  state.flushing.set(time, { left: live.length, replyTo });
  for (const receiver of live) {
    turn.ask<ToReceiver, null>(receiver, (flushed) => ({ type: 'flushBlock', replyTo: flushed }), flushTimeoutMs, () => ({ type: 'flushed', time }));
  }
  return state;
}

function onFlushed(state: State, time: BatchTime, turn: Turning): State {
  const flushing = state.flushing.get(time);
  if (flushing === undefined) return state;
  flushing.left -= 1;
  if (flushing.left > 0) return state;
  state.flushing.delete(time);
  turn.reply(flushing.replyTo, allocate(state, time, turn));
  return state;
}

function allocate(state: State, time: BatchTime, turn: Turning): readonly StreamBlocks[] {
  const known = state.batches.get(time);
  if (known !== undefined) return known;
  const allocated: StreamBlocks[] = [];
  const handles: SharedHandle[] = [];
  for (const [stream, { waiting }] of state.streams) {
    const taken = waiting.splice(0);
    for (const { block } of taken) {
      if (block.place !== null && 'slab' in block.place) handles.push(block.place);
    }
    allocated.push({ stream, blocks: taken.map(({ block }) => block), records: taken.reduce((sum, { records }) => sum + Math.max(0, records), 0) });
  }
  if (handles.length > 0) {
    turn.tell(places.blockManagerMaster, { type: 'moveHold', from: receivedScope(state.program), to: programScope(state.program), handles });
  }
  state.batches.set(time, allocated);
  return allocated;
}

/** Gives back what the batches were given: also of streams that no output depends on. */
function forget(state: State, upTo: BatchTime, turn: Turning): State {
  for (const [time, allocated] of state.batches) {
    if (time > upTo) continue;
    state.batches.delete(time);
    const handles = allocated.flatMap(({ blocks }) => blocks.flatMap(({ place }): SharedHandle[] => (place !== null && 'slab' in place ? [place] : [])));
    if (handles.length > 0) turn.tell(places.blockManagerMaster, { type: 'release', scope: programScope(state.program), handles });
  }
  return state;
}

function onStopReceivers(state: State, message: Extract<ToReceiverTracker, { type: 'stopReceivers' }>, turn: Turning): State {
  const live = [...state.streams.values()].flatMap(({ receiver }) => (receiver === null ? [] : [receiver]));
  for (const receiver of live) endIntake(receiver, message.timeoutMs, turn);
  // One more than the receivers: so that the last step is the same where there are none.
  return onReceiverEnded({ ...state, ending: { left: live.length + 1, replyTo: message.replyTo }, endTimeoutMs: message.timeoutMs }, turn);
}

function endIntake(receiver: ActorRef<ToReceiver>, timeoutMs: number, turn: Turning): void {
  turn.ask<ToReceiver, null>(receiver, (replyTo) => ({ type: 'endIntake', replyTo }), timeoutMs, () => ({ type: 'receiversStopped' }));
}

function onReceiverEnded(state: State, turn: Turning): State {
  if (state.ending === null) return state;
  state.ending.left -= 1;
  if (state.ending.left > 0) return state;
  turn.reply(state.ending.replyTo, { unallocated: [...state.streams.values()].reduce((sum, { waiting }) => sum + waiting.length, 0) });
  return { ...state, ending: null };
}

function emit(state: State, turn: Turning, event: ListenerEvent): void {
  turn.tell(places.listenerBus, { type: 'emit', program: state.program, event });
}

function inputOf(state: State, stream: StreamId): ReceiverOf {
  return { stream, operator: state.streams.get(stream)?.operator ?? null };
}

function nameOf({ stream, operator }: ReceiverOf): string {
  if (operator === null) return `stream ${stream}`;
  return `stream ${stream}, ${operator.place === '' ? operator.name : `${operator.name} at ${operator.place}`}`;
}

/** A receiver knows its stream's number only: which operator that is, its error's details say from here on. */
function withInput(error: WireError, operator: OperatorPlace | null): WireError {
  if (operator === null || error.name !== 'MillraceError') return error;
  const { details } = error.fields;
  const given = typeof details === 'object' && details !== null ? details : {};
  return { ...error, fields: { ...error.fields, details: { operator: operator.uid, name: operator.name, place: operator.place, ...given } } };
}
