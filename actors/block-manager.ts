/**
 * Keeps the blocks that this io thread's receivers have cut, until the tracker on the driver knows them.
 *
 * Owns: nothing for longer than a turn: the bytes lie in shared memory and outlive this thread.
 * Talks to: block generators (same thread), the receiver tracker of the block's program.
 * A crash loses: blocks whose message to the tracker was not yet on its way; their memory is reclaimed with the thread.
 */
import type { Behavior } from '../lib/actor/behavior.ts';
import type { ToBlockManager } from '../protocol/block.ts';
import { programPlaces } from './places.ts';

interface State {
  readonly stored: number;
}

export function blockManager(): Behavior<State, ToBlockManager> {
  return {
    name: 'block-manager',
    init: () => ({ stored: 0 }),
    receive(state, message, turn) {
      if (message.type === 'drained') {
        turn.reply(message.replyTo, null);
        return state;
      }
      turn.tell(programPlaces(message.program).receiverTracker, { type: 'addBlock', stream: message.stream, block: message.block, records: message.records });
      return { stored: state.stored + 1 };
    },
  };
}
