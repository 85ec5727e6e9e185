/**
 * How an injected fault ends more than an actor.
 *
 * Invariant: nothing is closed or told before: it is as if the machine had done it.
 */

/** In a thread of its own neither call returns. */
export interface Endings {
  thread(): void;
  process(): void;
}

/** SIGKILL to this process, from any of its threads. */
export function killProcess(): void {
  process.kill(process.pid, 'SIGKILL');
}
