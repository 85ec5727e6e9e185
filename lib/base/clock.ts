/**
 * Time, as it comes in by argument: reading it and being woken by it.
 *
 * Invariant: this is the only file of the runtime that asks the machine for the time or sets its timers. A timer never fires before its time.
 */

/** Nothing to look into: what `setTimer` gives and `clear` takes. */
export interface TimerHandle {
  /** True until it has fired or was cleared. */
  readonly active: boolean;
}

export interface Clock {
  /** Monotonic milliseconds, with fractions: for deadlines, back-off, ages. */
  now(): number;
  /** Milliseconds since the epoch: for what a human or another machine reads. */
  wall(): number;
  /** Calls `fire` once, `delayMs` from now at the earliest, never from within this call. */
  setTimer(delayMs: number, fire: () => void): TimerHandle;
  /** Nothing happens where it has fired or was cleared already. */
  clear(handle: TimerHandle): void;
}

/** Node's longest timer: 2^31 - 1 ms. Longer ones are set again. */
const timerDelayMsMax = 0x7fff_ffff;

class SystemTimer implements TimerHandle {
  readonly dueMs: number;
  readonly fire: () => void;
  readonly wake: () => void;
  active = true;
  timeout: NodeJS.Timeout | null = null;
  immediate: NodeJS.Immediate | null = null;

  constructor(dueMs: number, fire: () => void) {
    this.dueMs = dueMs;
    this.fire = fire;
    this.wake = () => this.#onWake();
  }

  arm(delayMs: number): void {
    if (delayMs < 1) {
      this.immediate = setImmediate(this.wake);
    } else {
      this.timeout = setTimeout(this.wake, Math.min(Math.round(delayMs), timerDelayMsMax));
    }
  }

  #onWake(): void {
    this.timeout = null;
    this.immediate = null;
    if (!this.active) return;
    // Node's timers count from the event loop's cached time, so they come up to 0.4 ms early; the rest is waited out.
    const restMs = this.dueMs - performance.now();
    if (restMs > 0) {
      this.arm(restMs);
      return;
    }
    this.active = false;
    this.fire();
  }
}

/** The machine's time. */
export class SystemClock implements Clock {
  now(): number {
    return performance.now();
  }

  wall(): number {
    // With fractions, and never backwards within a process, as differences of wall times are taken.
    return performance.timeOrigin + performance.now();
  }

  setTimer(delayMs: number, fire: () => void): TimerHandle {
    const timer = new SystemTimer(performance.now() + delayMs, fire);
    timer.arm(delayMs);
    return timer;
  }

  clear(handle: TimerHandle): void {
    const timer = handle as SystemTimer;
    timer.active = false;
    if (timer.timeout !== null) clearTimeout(timer.timeout);
    if (timer.immediate !== null) clearImmediate(timer.immediate);
    timer.timeout = null;
    timer.immediate = null;
  }
}

interface ManualTimer extends TimerHandle {
  readonly dueMs: number;
  readonly order: number;
  readonly fire: () => void;
  active: boolean;
}

/** Time that stands still until it is advanced: for tests and the simulator. Timers fire in the order of their times, then of their setting. */
export class ManualClock implements Clock {
  readonly #epochMs: number;
  #nowMs: number;
  #order = 0;
  /** Sorted by (dueMs, order), the next one last: taking it is a pop. */
  #timers: ManualTimer[] = [];

  /** `wall()` is `epochMs` + `now()`. */
  constructor(options: { readonly nowMs?: number; readonly epochMs?: number } = {}) {
    this.#nowMs = options.nowMs ?? 0;
    this.#epochMs = options.epochMs ?? 0;
  }

  now(): number {
    return this.#nowMs;
  }

  wall(): number {
    return this.#epochMs + this.#nowMs;
  }

  setTimer(delayMs: number, fire: () => void): TimerHandle {
    const timer: ManualTimer = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, fire, active: true };
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#timers[middle]!.dueMs > timer.dueMs) low = middle + 1;
      else high = middle;
    }
    this.#timers.splice(low, 0, timer);
    return timer;
  }

  clear(handle: TimerHandle): void {
    const timer = handle as ManualTimer;
    if (!timer.active) return;
    timer.active = false;
    const index = this.#timers.indexOf(timer);
    if (index >= 0) this.#timers.splice(index, 1);
  }

  /** The time of the next timer, or null. */
  nextDueMs(): number | null {
    return this.#timers.at(-1)?.dueMs ?? null;
  }

  /** Fires the next timer where it is due at `timeMs` or before, with `now()` at its time; false where there is none. */
  fireNext(timeMs: number): boolean {
    const timer = this.#timers.at(-1);
    if (timer === undefined || timer.dueMs > timeMs) return false;
    this.#timers.pop();
    timer.active = false;
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
    timer.fire();
    return true;
  }

  /** Moves to `timeMs`, firing what is due on the way, also timers that are set meanwhile. Time never goes back. */
  advanceTo(timeMs: number): void {
    while (this.fireNext(timeMs));
    this.#nowMs = Math.max(this.#nowMs, timeMs);
  }

  advanceBy(durationMs: number): void {
    this.advanceTo(this.#nowMs + durationMs);
  }
}
