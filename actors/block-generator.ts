/**
 * Orders the cut of its receiver's open block at each block interval, names the blocks, has them stored, and says how that went.
 *
 * Invariant: block ids of a stream are unique over restarts (they hold the epoch of the receiver's life and its own number of
 * the block), and blocks go on in the order in which they were cut. The receiver hears of each block exactly once.
 * Talks to: its receiver and the block manager, both on its own thread; the block manager master.
 * A crash loses: nothing that was cut before; its receiver is restarted with it (rest_for_one), and has acknowledged nothing that
 * was under way.
 */
import type { Behavior } from '../lib/actor/behavior.ts';
import type { ToBlockManager } from '../protocol/block.ts';
import type { ReceiverSpec, ToBlockGenerator, ToReceiver } from '../protocol/receiver.ts';
import type { ActorRef } from '../protocol/ref.ts';
import { asBlockId } from '../protocol/ids.ts';
import { places } from './places.ts';
import { unreachable } from '../lib/base/assert.ts';
import type { HostServices } from './services.ts';

interface State {
  readonly spec: ReceiverSpec;
  readonly blockManager: ActorRef<ToBlockManager>;
  readonly receiver: ActorRef<ToReceiver> | null;
}

/** All steps of a block together, each tried as often as it is: a log on a slow disk may take a while. */
const putTimeoutMs = 120_000;

export function blockGenerator(services: HostServices): Behavior<State, ToBlockGenerator, ReceiverSpec> {
  return {
    name: 'block-generator',
    init(turn, spec) {
      turn.startTimer('tick', spec.blockIntervalMs, { type: 'blockTick' });
      return { spec, blockManager: places.blockManager(services.host, services.index), receiver: null };
    },
    receive(state, message, turn) {
      switch (message.type) {
        case 'receiverReady':
          return { ...state, receiver: message.receiver };
        case 'blockTick': {
          if (state.receiver !== null) turn.tell(state.receiver, { type: 'cutBlock' });
          // On the wall clock's grid, as batches are, so that a block is cut just before its batch is due.
          const { blockIntervalMs } = state.spec;
          const now = services.clock.wall();
          const due = (Math.floor(now / blockIntervalMs) + 1) * blockIntervalMs;
          turn.startTimer('tick', due - now, { type: 'blockTick' });
          return state;
        }
        case 'blockCut': {
          const { program, stream } = state.spec;
          const { cut, copies } = message;
          const id = asBlockId(`input-${program}-${stream}-${cut.epoch}-${cut.sequence}`);
          const put = { ...cut, program, stream, copies, block: { ...cut.block, id } };
          turn.ask<ToBlockManager, null>(state.blockManager, (replyTo) => ({ type: 'putBlock', put, replyTo }), putTimeoutMs, (outcome) => ({ type: 'blockPut', cut, error: outcome.ok ? null : outcome.error }));
          return state;
        }
        case 'blockPut': {
          const { cut, error } = message;
          if (state.receiver !== null) turn.tell(state.receiver, { type: 'blockSettled', epoch: cut.epoch, sequence: cut.sequence, error });
          // A block manager that has crashed has given nothing back.
          const { place } = cut.block;
          if (error !== null && error.code === 'ActorGone' && place !== null && 'slab' in place) turn.tell(places.blockManagerMaster, { type: 'releaseUnheld', handles: [place] });
          return state;
        }
        case 'drained': {
          const { program, stream } = state.spec;
          turn.tell(state.blockManager, { ...message, program, stream });
          return state;
        }
        default:
          return unreachable(message);
      }
    },
  };
}
