/**
 * The listeners of one context: who wants which event.
 *
 * Invariant: listeners of an event are called in the order of their registration, each with errors as errors; one that
 * throws is logged, and the others are called all the same.
 */
import { fromWireError } from '../protocol/errors.ts';
import type { WireError } from '../protocol/errors.ts';
import type { ListenerEvent, ListenerEventName, ListenerEvents } from '../protocol/listener.ts';
import type { Logger } from './actor/logger.ts';

/** An event's information as listeners get it: errors are errors again. */
export type ListenerErrors<Info> = {
  readonly [Key in keyof Info]: Info[Key] extends WireError ? Error : Info[Key] extends WireError | null ? Error | null : Info[Key];
};

type Listener = (info: never) => void;

export class Listeners {
  readonly #logger: Logger;
  readonly #listeners = new Map<ListenerEventName, Set<Listener>>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  on<Name extends ListenerEventName>(name: Name, listener: (info: ListenerErrors<ListenerEvents[Name]>) => void): () => void {
    let all = this.#listeners.get(name);
    if (all === undefined) this.#listeners.set(name, (all = new Set()));
    const own = all.add(listener as Listener);
    return () => void own.delete(listener as Listener);
  }

  emit<Name extends ListenerEventName>(name: Name, info: ListenerErrors<ListenerEvents[Name]>): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(info as never);
      } catch (thrown) {
        this.#logger.log('error', `A listener of ${name} threw: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
      }
    }
  }

  /** An event as it came from another thread. */
  emitWire(event: ListenerEvent): void {
    if (!this.#listeners.has(event.type)) return;
    const info: Record<string, unknown> = { ...event.info };
    if ('error' in info && info['error'] !== null) info['error'] = fromWireError(info['error'] as WireError);
    this.emit(event.type, info as never);
  }
}
