/**
 * The end of the listener bus on the app's thread: calls what the app has registered.
 *
 * Owns: nothing; the app's contexts are reached through the function given in. A listener that throws is logged, and the
 * others are called all the same.
 * Talks to: the listener bus. A crash loses: the event at hand.
 */
import type { Behavior } from '../lib/actor/behavior.ts';
import type { ListenerEvent, ToListenerBus } from '../protocol/listener.ts';
import type { ProgramId } from '../protocol/ids.ts';

export function appListeners(emit: (program: ProgramId | null, event: ListenerEvent) => void): Behavior<null, ToListenerBus> {
  return {
    name: 'app-listeners',
    mailbox: { messagesMax: 1_000_000, overflow: 'deadLetter' },
    init: () => null,
    receive(state, message, turn) {
      if (message.type === 'flush') {
        turn.reply(message.replyTo, null);
        return state;
      }
      turn.perform('listeners', () => emit(message.program, message.event), () => null);
      return state;
    },
  };
}
