/**
 * Knows what was received and to which batch it went.
 *
 * Owns: for each stream the blocks that no batch has yet, its receiver's lives and last position (actors/receiver-lives.ts), and
 * for each batch its blocks until the batch is forgotten. Invariant: a block is allocated to exactly one batch, in the order in
 * which it was added; asking twice for a batch gives the same blocks. A block is answered for only when it waits for its batch
 * here and the ledger holds its memory: so what was acknowledged outlives every thread but this one.
 * Talks to: block managers and receivers (io threads), the agents of their threads (do they answer?), host manager, program
 * manager, job generator, block manager master, listener bus.
 * A crash loses: which blocks had been received (without a write-ahead log); the program then fails as a whole.
 *
 *   addBlocks --> [ b4 b5 ]  unallocated   --allocate(t3)-->   t1: b0 b1 | t2: b2 | t3: b3 b4 b5   --forget(t1)-->  gone
 */
import type { Behavior, Turn } from '../lib/actor/behavior.ts';
import { programScope, receivedScope } from '../protocol/block.ts';
import type { ToBlockManagerMaster } from '../protocol/block.ts';
import type { ToHostAgent } from '../protocol/host.ts';
import type { ReplyTo } from '../protocol/ref.ts';
import type { ActorRef } from '../protocol/ref.ts';
import type { ReceivedBlock, StreamBlocks, ToReceiver, ToReceiverTracker } from '../protocol/receiver.ts';
import type { BlockRef, OperatorPlace, SharedHandle } from '../protocol/rdd.ts';
import type { HostId, ProgramId, StreamId } from '../protocol/ids.ts';
import type { BatchTime } from '../protocol/time.ts';
import type { ListenerEvent, ReceiverOf } from '../protocol/listener.ts';
import { MillraceError, sentenceOf, toWireError } from '../protocol/errors.ts';
import type { WireError } from '../protocol/errors.ts';
import { unreachable } from '../lib/base/assert.ts';
import { places } from './places.ts';
import { BlockLogging } from './block-logging.ts';
import { ReceiverLives } from './receiver-lives.ts';
import { nameOf, withInput } from './receiver-of.ts';
import type { RestartLimits } from './receiver-lives.ts';

export interface ReceiverTrackerArgs {
  readonly program: ProgramId;
  readonly inputs: readonly { readonly stream: StreamId; readonly operator: OperatorPlace }[];
  readonly limits: RestartLimits;
  /** A thread with receivers that doesn't answer for so long is ended. Infinity: never. */
  readonly receiverTimeoutMs: number;
  /** A batch waits no longer for an io thread that is busy, or for the log; what comes later goes into the next batch. */
  readonly flushTimeoutMs: number;
  /** A block counts when it is in the log. */
  readonly logsBlocks: boolean;
  /** What was received before a restart comes first. */
  readonly isRestored: boolean;
}

interface Stream {
  readonly operator: OperatorPlace;
  /** In order: those before the first that is not in the log can be given to a batch. */
  readonly waiting: { readonly block: BlockRef; readonly records: number; isLogged: boolean }[];
  readonly lives: ReceiverLives;
  receiver: ActorRef<ToReceiver> | null;
  host: HostId | null;
  /** It has started anew more often than it may. */
  isGivenUp: boolean;
}

interface State {
  readonly program: ProgramId;
  readonly limits: RestartLimits;
  readonly receiverTimeoutMs: number;
  readonly flushTimeoutMs: number;
  /** Null: there is no log. */
  readonly logging: BlockLogging | null;
  /** False while what was received before a restart is to come. */
  isReady: boolean;
  /** Questions to the ledger that are under way. */
  holding: number;
  readonly streams: Map<StreamId, Stream>;
  readonly batches: Map<BatchTime, readonly StreamBlocks[]>;
  /** Batches that wait for their receivers' open blocks. */
  readonly flushing: Map<BatchTime, { left: number; readonly replyTo: ReplyTo<readonly StreamBlocks[]> }>;
  /** Receivers that have still to hand over their last block, and who waits for them. */
  ending: { left: number; readonly replyTo: ReplyTo<{ readonly unallocated: number; readonly running: number }> } | null;
  /** Once intake is over: streams whose receiver has not handed over its last block. */
  readonly running: Set<StreamId>;
  /** How long a receiver may take to end, once intake is over; null: it is not. */
  readonly endTimeoutMs: number | null;
}

type Turning = Turn<ToReceiverTracker>;

/** The ledger is on this thread, and answers as soon as its turn comes. */
const holdTimeoutMs = 60_000;
/** In place of `receiverTimeoutMs`, where a graceful stop's time is over: one that stands still would hold up the end of the program, too. */
const lateTimeoutMs = 2_000;
/** Of that time: the pause between two looks at a thread, and how long each of the two questions waits. */
const healthParts = { pause: 0.25, questions: [0.5, 0.25] } as const;

export function receiverTracker(): Behavior<State, ToReceiverTracker, ReceiverTrackerArgs> {
  return {
    name: 'receiver-tracker',
    mailbox: { messagesMax: 1_000_000, overflow: 'fail' },
    init(turn, { program, inputs, limits, receiverTimeoutMs, flushTimeoutMs, logsBlocks, isRestored }) {
      const state: State = {
        program,
        limits,
        receiverTimeoutMs,
        flushTimeoutMs,
        logging: logsBlocks ? new BlockLogging(program) : null,
        isReady: !isRestored,
        holding: 0,
        streams: new Map(inputs.map(({ stream, operator }) => [stream, { operator, waiting: [], lives: new ReceiverLives(), receiver: null, host: null, isGivenUp: false }])),
        batches: new Map(),
        flushing: new Map(),
        ending: null,
        running: new Set(),
        endTimeoutMs: null,
      };
      if (inputs.length > 0) nextHealthCheck(state, turn);
      return state;
    },
    receive(state, message, turn) {
      if (!state.isReady && (message.type === 'receiverStarted' || message.type === 'allocate')) {
        turn.stash(message);
        return state;
      }
      switch (message.type) {
        case 'addBlocks':
          return onAddBlocks(state, message, turn);
        case 'blocksHeld':
          state.holding -= 1;
          return onBlocksHeld(state, message, turn);
        case 'receiverStarted':
          return onReceiverStarted(state, message, turn);
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
          const input = inputOf(state, message.stream);
          emit(state, turn, { type: 'receiverStopped', info: { ...input, message: message.message, error: message.error === null ? null : withInput(message.error, input.operator) } });
          return state;
        }
        case 'blocksRefused': {
          const { stream, host, records } = message;
          const input = inputOf(state, stream);
          emit(state, turn, { type: 'recordsLost', info: { ...input, host, records } });
          turn.log('warn', `Receiver of ${nameOf(input)}: ${records} records were not stored: ${message.error.message}`);
          return state;
        }
        case 'allocate':
          return onAllocate(state, message, turn);
        case 'flushed':
          onHandedOver(state, message.stream, turn);
          return onFlushed(state, message.time, turn);
        case 'hurryLog':
          state.logging?.hurry(turn);
          return state;
        case 'forgetBatches':
          return forget(state, message.upTo, turn);
        case 'ioHostDown':
          for (const [id, stream] of state.streams) {
            if (stream.host !== message.host) continue;
            emit(state, turn, { type: 'recordsLost', info: { ...inputOf(state, id), host: message.host, records: -1 } });
            stream.lives.threadDied(turn.now, state.limits);
            Object.assign(stream, { host: null, receiver: null });
          }
          turn.reply(message.replyTo, null);
          return state;
        case 'blockLogged':
          return onBlockLogged(state, message, turn);
        case 'restoreBlocks':
          for (const { stream, blocks } of message.waiting) {
            state.streams.get(stream)?.waiting.push(...blocks.map((block) => ({ block, records: block.records, isLogged: true })));
          }
          for (const { stream, epoch, position } of message.lives) state.streams.get(stream)?.lives.goOn(epoch, position);
          state.isReady = true;
          turn.unstash();
          return state;
        case 'checkHealth':
          return onCheckHealth(state, turn);
        case 'healthChecked':
          return onHealthChecked(state, message, turn);
        case 'stopReceivers':
          return onStopReceivers(state, message, turn);
        case 'receiverEnded':
          if (message.ended) state.running.delete(message.stream);
          return onReceiverEnded(state, turn);
        case 'whatIsLeft': {
          for (const host of new Set([...state.running].map((stream) => state.streams.get(stream)?.host ?? null))) {
            if (host !== null) askHealth(host, lateTimeoutMs, 0, turn);
          }
          const waiting = [...state.streams.values()].flatMap((stream) => stream.waiting);
          turn.reply(message.replyTo, { blocks: waiting.length, records: waiting.reduce((sum, { records }) => sum + Math.max(0, records), 0), receivers: [...state.running].map((stream) => inputOf(state, stream)) });
          return state;
        }
        default:
          return unreachable(message);
      }
    },
  };
}

function onAddBlocks(state: State, { blocks, drained, replyTo }: Extract<ToReceiverTracker, { type: 'addBlocks' }>, turn: Turning): State {
  // What was received before is held, or was read and given back: its handle is not to be entered again.
  // One behind a gap may be received all the same: the block that is missing can be another one of these.
  const handles = blocks.flatMap((received) => (['received', 'gap'].includes(state.streams.get(received.stream)?.lives.admit(received) ?? 'over') ? handlesOf(received) : []));
  // Those that ask nothing stay behind those that did.
  if (handles.length === 0 && state.holding === 0) return onBlocksHeld(state, { type: 'blocksHeld', blocks, held: [], drained, replyTo }, turn);
  state.holding += 1;
  turn.ask<ToBlockManagerMaster, readonly boolean[]>(places.blockManagerMaster, (answer) => ({ type: 'holdLive', scope: receivedScope(state.program), handles, replyTo: answer }), holdTimeoutMs, (outcome) => ({
    type: 'blocksHeld',
    blocks,
    held: outcome.ok ? heldOf(blocks, handles, outcome.value) : null,
    drained,
    replyTo,
  }));
  return state;
}

/** By block: is its memory there. One without memory, such as an empty block, always is. */
function heldOf(blocks: readonly ReceivedBlock[], handles: readonly SharedHandle[], held: readonly boolean[]): readonly boolean[] {
  return blocks.map((received) => handlesOf(received).every((handle) => held[handles.indexOf(handle)] ?? true));
}

function onBlocksHeld(state: State, { blocks, held, drained, replyTo }: Extract<ToReceiverTracker, { type: 'blocksHeld' }>, turn: Turning): State {
  let refused: string | null = null;
  const toLog: ReceivedBlock[] = [];
  const notReceived: SharedHandle[] = [];
  for (const [index, received] of blocks.entries()) {
    const stream = state.streams.get(received.stream);
    // Once more: much may have come between the question to the ledger and its answer.
    const admission = stream?.lives.admit(received) ?? 'over';
    if (admission === 'again') {
      if (state.logging?.has(received.block.id) === true) toLog.push(received);
      continue;
    }
    const isHeld = held !== null && (held[index] ?? true);
    if (stream === undefined || admission !== 'received' || !isHeld) {
      refused ??= isHeld ? refusals[admission] : 'its memory is gone with its thread.';
      if (isHeld) notReceived.push(...handlesOf(received));
      continue;
    }
    stream.lives.received(received);
    // An empty block says only how far the receiver has come.
    if (received.block.place !== null) stream.waiting.push({ block: received.block, records: received.records, isLogged: state.logging === null });
    if (state.logging === null) continue;
    toLog.push(received);
    state.logging.log(received, state.ending !== null, turn);
  }
  if (notReceived.length > 0) turn.tell(places.blockManagerMaster, { type: 'release', scope: receivedScope(state.program), handles: notReceived });
  if (drained !== null) onHandedOver(state, drained, turn);
  if (refused === null && toLog.length > 0) state.logging?.await(toLog, replyTo);
  else if (refused === null) turn.reply(replyTo, null);
  else turn.replyError(replyTo as ReplyTo<never>, toWireError(new MillraceError('BlockNotStored', `Expected the block to be stored; it was not, since ${refused} Don't acknowledge its records: their source has to send them again.`)));
  return state;
}

function onBlockLogged(state: State, { stream, block, error }: Extract<ToReceiverTracker, { type: 'blockLogged' }>, turn: Turning): State {
  const waiting = state.streams.get(stream)?.waiting.find((one) => one.block.id === block);
  if (waiting !== undefined && error === null) waiting.isLogged = true;
  state.logging?.logged(block, error, turn);
  return state;
}

const refusals = {
  received: '',
  again: '',
  over: 'its receiver has been started again.',
  gap: 'a block before it is missing.',
} as const;

function handlesOf({ block: { place } }: ReceivedBlock): readonly SharedHandle[] {
  return place !== null && 'slab' in place ? [place] : [];
}

/** One that has started anew more often than it may ends the program. */
function onReceiverStarted(state: State, { stream: id, host, receiver, replyTo }: Extract<ToReceiverTracker, { type: 'receiverStarted' }>, turn: Turning): State {
  const stream = state.streams.get(id);
  const resume = stream?.lives.start(turn.now, state.limits) ?? null;
  if (stream === undefined || resume === null) {
    const { restartsMax, restartsMs } = state.limits;
    const error = toWireError(new MillraceError('RestartIntensityReached', `Expected the receiver of ${nameOf(inputOf(state, id))} to start again at most ${restartsMax} times within ${restartsMs} ms; it has failed once more. Look at its last receiverError, or raise receiverRestartsMax.`, { details: { stream: id, restartsMax, restartsMs } }));
    turn.replyError(replyTo as ReplyTo<never>, error);
    if (stream === undefined || stream.isGivenUp) return state;
    stream.isGivenUp = true;
    return giveUp(state, id, error, turn);
  }
  Object.assign(stream, { receiver, host });
  turn.reply(replyTo, resume);
  emit(state, turn, { type: 'receiverStarted', info: { ...inputOf(state, id), host } });
  // One that comes back from a failure while the context stops: what it took would be in no batch.
  if (state.endTimeoutMs !== null) {
    if (state.ending !== null) state.ending.left += 1;
    endIntake(state, id, receiver, state.endTimeoutMs, turn);
  }
  return state;
}

/** The program ends with that, in good order: this actor goes on until then, so that no batch fails for another reason first. */
function giveUp(state: State, stream: StreamId, error: WireError, turn: Turning): State {
  const input = inputOf(state, stream);
  const known = withInput(error, input.operator);
  emit(state, turn, { type: 'receiverStopped', info: { ...input, message: error.message, error: known } });
  turn.tell(places.programManager, { type: 'programBroken', program: state.program, error: known });
  return state;
}

function nextHealthCheck({ receiverTimeoutMs }: State, turn: Turning): void {
  if (Number.isFinite(receiverTimeoutMs)) turn.startTimer('health', receiverTimeoutMs * healthParts.pause, { type: 'checkHealth' });
}

/** A quiet source is no sign of anything; a thread that doesn't answer is. */
function onCheckHealth(state: State, turn: Turning): State {
  for (const host of new Set([...state.streams.values()].map((stream) => stream.host))) {
    if (host !== null) askHealth(host, state.receiverTimeoutMs, 0, turn);
  }
  nextHealthCheck(state, turn);
  return state;
}

function askHealth(host: HostId, withinMs: number, missed: number, turn: Turning): void {
  const timeoutMs = withinMs * (healthParts.questions[missed] ?? 0);
  turn.ask<ToHostAgent, null>(places.agent(host), (replyTo) => ({ type: 'ping', replyTo }), timeoutMs, (outcome) => ({ type: 'healthChecked', host, answered: outcome.ok || outcome.error.code !== 'AskTimeout', missed, withinMs }));
}

/** Asked twice, since it may have been this thread that stood still: then the second question finds the answer to the first on its way. */
function onHealthChecked(state: State, { host, answered, missed, withinMs }: Extract<ToReceiverTracker, { type: 'healthChecked' }>, turn: Turning): State {
  const its = [...state.streams].filter(([, stream]) => stream.host === host);
  if (answered || its.length === 0) return state;
  if (missed + 1 < healthParts.questions.length) {
    askHealth(host, withinMs, missed + 1, turn);
    return state;
  }
  const what = state.endTimeoutMs === null ? 'onStart: the thread is ended, and the receiver starts again on another.' : 'onStop: the thread is ended.';
  const error = toWireError(new MillraceError('ReceiverFailed', `Expected the thread of the receiver to answer within ${withinMs} ms; it does not. Something on it doesn't return, such as a loop in ${what}`, { details: { host, receiverTimeoutMs: withinMs } }));
  for (const [id] of its) {
    const input = inputOf(state, id);
    emit(state, turn, { type: 'receiverError', info: { ...input, message: error.message, error: withInput(error, input.operator), willRestart: true } });
    turn.log('warn', `Receiver of ${nameOf(input)}: ${error.message}`);
  }
  turn.tell(places.hostManager, { type: 'killHost', host, how: 'terminate' });
  return state;
}

/** A batch holds what had come when it was due: so every receiver hands over its open block first, or is not waited for. */
function onAllocate(state: State, { time, replyTo }: Extract<ToReceiverTracker, { type: 'allocate' }>, turn: Turning): State {
  const live = liveReceivers(state);
  if (live.length === 0 || state.batches.has(time)) {
    turn.reply(replyTo, allocate(state, time, turn));
    return state;
  }
  state.flushing.set(time, { left: live.length, replyTo });
  state.logging?.batchIsDue(state.flushTimeoutMs, turn);
  for (const { stream, receiver } of live) {
    turn.ask<ToReceiver, null>(receiver, (flushed) => ({ type: 'flushBlock', replyTo: flushed }), state.flushTimeoutMs, () => ({ type: 'flushed', time, stream }));
  }
  return state;
}

/** What waits for the next sync of the log belongs to the batch that is due, or nothing comes behind it any more. */
function onHandedOver(state: State, id: StreamId, turn: Turning): void {
  const { logging } = state;
  if (logging === null) return;
  const isLast = logging.handedOver(id, liveReceivers(state).map(({ stream }) => stream));
  if (state.ending !== null || (state.flushing.size > 0 && isLast)) logging.sync(turn);
}

function liveReceivers({ streams }: State): { readonly stream: StreamId; readonly receiver: ActorRef<ToReceiver> }[] {
  return [...streams].flatMap(([stream, { receiver }]) => (receiver === null ? [] : [{ stream, receiver }]));
}

function onFlushed(state: State, time: BatchTime, turn: Turning): State {
  const flushing = state.flushing.get(time);
  if (flushing === undefined) return state;
  flushing.left -= 1;
  if (flushing.left > 0) return state;
  state.flushing.delete(time);
  if (state.flushing.size === 0) state.logging?.batchHasAll(turn);
  turn.reply(flushing.replyTo, allocate(state, time, turn));
  return state;
}

function allocate(state: State, time: BatchTime, turn: Turning): readonly StreamBlocks[] {
  const known = state.batches.get(time);
  if (known !== undefined) return known;
  const allocated: StreamBlocks[] = [];
  const handles: SharedHandle[] = [];
  for (const [stream, { waiting }] of state.streams) {
    const unlogged = waiting.findIndex(({ isLogged }) => !isLogged);
    const taken = waiting.splice(0, unlogged === -1 ? waiting.length : unlogged);
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
  const live = liveReceivers(state);
  for (const { stream, receiver } of live) endIntake(state, stream, receiver, message.timeoutMs, turn);
  // One more than the receivers: so that the last step is the same where there are none.
  return onReceiverEnded({ ...state, ending: { left: live.length + 1, replyTo: message.replyTo }, endTimeoutMs: message.timeoutMs }, turn);
}

/** One that fails, or whose thread dies, has ended, too: what it had is its source's again. */
function endIntake(state: State, stream: StreamId, receiver: ActorRef<ToReceiver>, timeoutMs: number, turn: Turning): void {
  state.running.add(stream);
  turn.ask<ToReceiver, null>(receiver, (replyTo) => ({ type: 'endIntake', replyTo }), timeoutMs, (outcome) => ({ type: 'receiverEnded', stream, ended: outcome.ok || outcome.error.code !== 'AskTimeout' }));
}

function onReceiverEnded(state: State, turn: Turning): State {
  if (state.ending === null) return state;
  state.ending.left -= 1;
  if (state.ending.left > 0) return state;
  turn.reply(state.ending.replyTo, { unallocated: [...state.streams.values()].reduce((sum, { waiting }) => sum + waiting.length, 0), running: state.running.size });
  return { ...state, ending: null };
}

function emit(state: State, turn: Turning, event: ListenerEvent): void {
  turn.tell(places.listenerBus, { type: 'emit', program: state.program, event });
}

function inputOf(state: State, stream: StreamId): ReceiverOf {
  return { stream, operator: state.streams.get(stream)?.operator ?? null };
}
