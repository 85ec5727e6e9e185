/**
 * When a system's run queue is drained: injected, so that the simulator can do it step by step.
 *
 * Invariant: `run` is called exactly once per `schedule`, never from within it.
 */
export interface Scheduler {
  /** `soon`: before the thread goes back to its event loop. `afterIo`: once the event loop has looked at timers, sockets and ports. */
  schedule(run: () => void, when: 'soon' | 'afterIo'): void;
}

/**
 * The scheduler of a thread. A message that comes in by a port or a socket is handled in the microtask right behind that
 * callback, so a hop costs no trip around the event loop (some 10 µs). Microtasks alone would starve the ports, though, so a
 * system that has used up its budget (`turnBudgetMs`) asks for `afterIo`: setImmediate runs behind the poll phase.
 */
export const threadScheduler: Scheduler = {
  schedule(run, when) {
    if (when === 'soon') queueMicrotask(run);
    else setImmediate(run);
  },
};

/** A scheduler that keeps `run` until `runAll` is called: for tests that step through a system by hand. */
export class HeldScheduler implements Scheduler {
  #held: (() => void)[] = [];

  schedule(run: () => void): void {
    this.#held.push(run);
  }

  /** Runs what is held, and what that schedules, until nothing is. */
  runAll(): void {
    for (let next = this.#held.shift(); next !== undefined; next = this.#held.shift()) next();
  }
}
