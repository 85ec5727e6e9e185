/**
 * Carries events to the app's thread.
 *
 * Owns: nothing. Talks to: everybody on the driver (events in), the listeners' actor of the app's thread (events out).
 * A crash loses: events on their way; nothing depends on them.
 */
import type { Behavior } from '../lib/actor/behavior.ts';
import type { ToListenerBus } from '../protocol/listener.ts';
import { places } from './places.ts';

export function listenerBus(): Behavior<null, ToListenerBus> {
  return {
    name: 'listener-bus',
    mailbox: { messagesMax: 100_000, overflow: 'deadLetter' },
    init: () => null,
    receive(state, message, turn) {
      turn.tell(places.appListeners, message);
      return state;
    },
  };
}
