/**
 * Keeps the blocks that this io thread's receivers have cut, until the tracker on the driver knows them; and writes blocks to
 * the disk that make room for others.
 *
 * Owns: nothing for longer than a turn: the bytes lie in shared memory and outlive this thread.
 * Talks to: block generators (same thread), the receiver tracker of the block's program, the block manager master.
 * A crash loses: blocks whose message to the tracker was not yet on its way; their memory is reclaimed with the thread. A block
 * that was being written stays in memory.
 */
import type { Behavior } from '../lib/actor/behavior.ts';
import { spill } from '../lib/storage/spill.ts';
import type { ToBlockManager } from '../protocol/block.ts';
import { unreachable } from '../lib/base/assert.ts';
import { places, programPlaces } from './places.ts';
import type { HostServices } from './services.ts';

interface State {
  readonly stored: number;
}

export function blockManager(services: HostServices): Behavior<State, ToBlockManager> {
  return {
    name: 'block-manager',
    init(turn) {
      turn.tell(places.blockManagerMaster, { type: 'blockManagerUp', host: services.host, manager: turn.self });
      return { stored: 0 };
    },
    receive(state, message, turn) {
      switch (message.type) {
        case 'drained':
          turn.reply(message.replyTo, null);
          return state;
        case 'putBlock':
          turn.tell(programPlaces(message.program).receiverTracker, { type: 'addBlock', stream: message.stream, block: message.block, records: message.records });
          return { stored: state.stored + 1 };
        case 'spillBlock': {
          const { places: from, file, replyTo } = message;
          turn.perform('spill', () => spill(services.pool, services.files, from, file), (outcome) => ({ type: 'spillEnded', replyTo, spilled: outcome.ok }));
          return state;
        }
        case 'spillEnded':
          turn.reply(message.replyTo, { spilled: message.spilled });
          return state;
        default:
          return unreachable(message);
      }
    },
  };
}
