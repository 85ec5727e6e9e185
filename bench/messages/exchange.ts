/**
 * What is measured of a way to bring messages from here to there: how many a second, and how long there and back.
 *
 * Invariant: at most `windowsUnderWay` windows of messages are unacknowledged, so that no queue grows with the length of the
 * measurement; the first quarter of the time is warm-up and counts for nothing.
 *
 *   source ──item──item── ... ──item──► sink      one `taken` for each window of items
 *          ◄────────── taken ─────────
 */
export interface Exchange {
  /** Messages per second. */
  readonly stream: (durationMs: number) => Promise<number>;
  /** Samples, in microseconds for one round trip. */
  readonly roundTrips: (durationMs: number) => Promise<number[]>;
  readonly close: () => Promise<void>;
}

export type ToSink = { readonly type: 'item'; readonly value: number } | { readonly type: 'ping'; readonly value: number };
export type ToSource = { readonly type: 'taken' } | { readonly type: 'pong'; readonly value: number };

export const windowItems = 1_000;
export const windowsUnderWay = 2;
const warmFraction = 1 / 4;

/** Counts windows over the measured part of the time. */
export class StreamMeter {
  readonly #startMs: number;
  readonly #durationMs: number;
  #measuredFromMs: number | null = null;
  #windows = 0;
  #lastMs = 0;

  constructor(nowMs: number, durationMs: number) {
    this.#startMs = nowMs;
    this.#durationMs = durationMs;
  }

  /** A window was taken. True while another one shall be sent. */
  onTaken(nowMs: number): boolean {
    if (this.#measuredFromMs !== null) {
      this.#windows += 1;
      this.#lastMs = nowMs;
    } else if (nowMs >= this.#startMs + this.#durationMs * warmFraction) {
      this.#measuredFromMs = nowMs;
    }
    return nowMs < this.#startMs + this.#durationMs || this.#windows === 0;
  }

  get perSecond(): number {
    return (this.#windows * windowItems * 1_000) / (this.#lastMs - (this.#measuredFromMs ?? 0));
  }
}

/** Times round trips, several to a sample where one is too short for the clock. */
export class TripMeter {
  readonly samples: number[] = [];
  readonly #warmUntilMs: number;
  readonly #endMs: number;
  readonly #tripsPerSample: number;
  #trips = 0;
  #sampleStartMs: number;

  constructor(nowMs: number, durationMs: number, tripsPerSample: number) {
    this.#warmUntilMs = nowMs + durationMs * warmFraction;
    this.#endMs = nowMs + durationMs;
    this.#tripsPerSample = tripsPerSample;
    this.#sampleStartMs = nowMs;
  }

  /** A pong came; `nowMs` is called only at the end of a sample. True while another ping shall be sent. */
  onPong(nowMs: () => number): boolean {
    this.#trips += 1;
    if (this.#trips < this.#tripsPerSample) return true;
    const now = nowMs();
    if (now >= this.#warmUntilMs) this.samples.push(((now - this.#sampleStartMs) * 1_000) / this.#trips);
    this.#trips = 0;
    this.#sampleStartMs = now;
    return now < this.#endMs;
  }
}
