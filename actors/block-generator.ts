/**
 * Orders the cut of its receiver's open block at each block interval, names the blocks, and passes them on.
 *
 * Owns: the stream's block numbers. Invariant: block ids of a stream are unique over restarts (they hold the host and the
 * incarnation), and blocks go on in the order in which they were cut.
 * Talks to: its receiver and the block manager, both on its own thread.
 * A crash loses: nothing that was cut before; its receiver is restarted with it (rest_for_one).
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
  readonly sequence: number;
}

export function blockGenerator(services: HostServices): Behavior<State, ToBlockGenerator, ReceiverSpec> {
  return {
    name: 'block-generator',
    init(turn, spec) {
      turn.startTimer('tick', spec.blockIntervalMs, { type: 'blockTick' });
      return { spec, blockManager: places.blockManager(services.host, services.index), receiver: null, sequence: 0 };
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
          const id = asBlockId(`input-${program}-${stream}-${services.host}-${turn.incarnation}-${state.sequence}`);
          turn.tell(state.blockManager, { type: 'putBlock', program, stream, block: { ...message.block, id }, records: message.records });
          return { ...state, sequence: state.sequence + 1 };
        }
        case 'drained':
          turn.tell(state.blockManager, message);
          return state;
        default:
          return unreachable(message);
      }
    },
  };
}
