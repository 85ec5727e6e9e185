/**
 * `stopGracefullyOnShutdown`: what SIGTERM and SIGINT mean to the contexts of this process that have asked for it.
 *
 * Invariant: there are handlers on the process only while such a context is active, or is being stopped because of a signal. When all of
 * them have stopped, or at a second signal, the handlers are gone and the signal is raised once more: so the process ends as it would
 * have without them, unless somebody else listens for that signal; then the end is theirs to decide.
 *
 *   signal --> all contexts stop gracefully, side by side --> their threads end --> handlers removed --> the signal once more
 *                  `-- a second signal: handlers removed --> the signal once more, at once
 */
import { isMainThread } from 'node:worker_threads';
import { MillraceError } from '../protocol/errors.ts';
import { SystemClock } from './base/clock.ts';
import type { Clock } from './base/clock.ts';
import type { Logger } from './actor/logger.ts';
import type { StopOptions } from './options.ts';

/** What of a context is needed. */
export interface ShutdownMember {
  readonly appName: string;
  readonly sparkContext: { readonly internals: { readonly logger: Logger } };
  stop(options?: StopOptions): Promise<void>;
}

/** What of the process is needed. */
export interface SignalPort {
  on(signal: NodeJS.Signals, handler: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, handler: (signal: NodeJS.Signals) => void): unknown;
  listenerCount(signal: NodeJS.Signals): number;
  kill(pid: number, signal: NodeJS.Signals): unknown;
  readonly pid: number;
}

const signals = ['SIGTERM', 'SIGINT'] as const;

/** npm and shells pass on what the terminal has sent to this process already: two signals so close together are one. */
export const sameSignalMs = 400;

export class Shutdown {
  readonly #process: SignalPort;
  readonly #clock: Clock;
  /** With their starts. */
  readonly #members = new Map<ShutdownMember, Promise<unknown>>();
  /** When the first signal came, by the clock; null: none has. */
  #firstMs: number | null = null;
  #listening = false;

  constructor(process: SignalPort, clock: Clock) {
    this.#process = process;
    this.#clock = clock;
  }

  /** From the start of a context, under way as `starting`, to its end. One that joins while the others are being stopped is stopped, too. */
  join(member: ShutdownMember, starting: Promise<unknown>): void {
    this.#members.set(member, starting);
    if (this.#listening) return;
    this.#listening = true;
    for (const signal of signals) this.#process.on(signal, this.#onSignal);
  }

  leave(member: ShutdownMember): void {
    if (!this.#members.delete(member)) return;
    if (this.#members.size === 0 && this.#firstMs === null) this.#forget();
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (this.#firstMs === null) {
      this.#firstMs = this.#clock.now();
      void this.#stopAll(signal);
      return;
    }
    if (this.#clock.now() - this.#firstMs >= sameSignalMs) this.#goOn(signal);
  };

  async #stopAll(signal: NodeJS.Signals): Promise<void> {
    const stopped = new Set<ShutdownMember>();
    for (let left = [...this.#members]; left.length > 0; left = [...this.#members].filter(([member]) => !stopped.has(member))) {
      for (const [member] of left) stopped.add(member);
      await Promise.all(left.map(([member, starting]) => drain(member, starting, signal)));
    }
    await Promise.allSettled([...stopped].map((member) => member.stop()));
    // Who waits for the end of a context has one turn to act on it.
    this.#clock.setTimer(0, () => {
      if (this.#listening) this.#goOn(signal);
    });
  }

  #goOn(signal: NodeJS.Signals): void {
    this.#forget();
    if (this.#process.listenerCount(signal) === 0) this.#process.kill(this.#process.pid, signal);
  }

  #forget(): void {
    for (const signal of signals) this.#process.off(signal, this.#onSignal);
    this.#listening = false;
    this.#firstMs = null;
  }
}

/** A start under way comes to its end first: one that was cut short would be a failure of the app. Leaves the threads: another context may share them. */
async function drain(member: ShutdownMember, starting: Promise<unknown>, signal: NodeJS.Signals): Promise<void> {
  await starting.catch(() => {});
  try {
    await member.stop({ graceful: true, stopSparkContext: false });
  } catch (thrown) {
    member.sparkContext.internals.logger.log('error', `${member.appName}, stopped by ${signal}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  }
}

/** This process's. */
export const processShutdown = new Shutdown(process, new SystemClock());

/** Throws InvalidOption on a thread to which no signal comes. */
export function checkSignalsCome(): void {
  if (isMainThread) return;
  throw new MillraceError('InvalidOption', 'Expected stopGracefullyOnShutdown to be false on a worker thread; it is true, and signals come to the main thread alone. Listen for them there, and have stop({ graceful: true }) called here.', { details: { option: 'stopGracefullyOnShutdown' } });
}
