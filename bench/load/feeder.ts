/**
 * Feeds one reader with lines from the pool, at a rate or as fast as it reads.
 *
 * Invariant: at most one chunk is on its way, so `linesWritten` is what the kernel has taken; what is due is sent, late
 * or not, and never dropped. Lines are sent in the pool's order, around and around. What is due is looked at once a turn:
 * at 500,000 lines/s another line is due by the end of any write, and looking after each one would make an endless run of small writes.
 *
 *   pool   ┌────────────┬───────────────────────────┐
 *          │ sent again │ next lines                │   one chunk never runs over the pool's end
 *          └────────────┴───────────────────────────┘
 *                       ▲ position = (firstLine + linesHanded) % pool lines
 */
import { lineBytes } from './zipf-lines.ts';

/** So many lines a second for so many seconds; the last step goes on for ever. Without a step: as fast as it goes. */
export interface PaceStep {
  readonly linesPerSecond: number;
  readonly seconds: number;
}

export interface FeederOptions {
  readonly pool: Uint8Array;
  readonly pace: readonly PaceStep[];
  /** Where in the endless text it begins. Default: 0. */
  readonly firstLine?: number;
  /** Infinity: no end. */
  readonly linesMax: number;
  /** Puts `t<16 digits of epoch microseconds> ` before each line, stamped just before its chunk is handed over. */
  readonly stamped: boolean;
  readonly monotonicMs: () => number;
  readonly epochUs: () => number;
  /** Hands a chunk to the reader; `flushed` is called once the kernel has all of it. */
  readonly write: (chunk: Uint8Array, flushed: () => void) => void;
  /** The last of `linesMax` lines is written. */
  readonly ended: () => void;
}

/** One chunk at most: 240 KiB of plain lines. */
export const chunkLinesMax = 4_096;
const stampBytes = 18;

export class Feeder {
  linesWritten = 0;
  bytesWritten = 0;
  readonly #options: FeederOptions;
  readonly #startMs: number;
  #linesHanded = 0;
  /** Lines that were due at the last turn. */
  #linesDue = 0;
  #onItsWay = false;
  #inTurn = false;

  constructor(options: FeederOptions) {
    this.#options = options;
    this.#startMs = options.monotonicMs();
  }

  get elapsedSeconds(): number {
    return (this.#options.monotonicMs() - this.#startMs) / 1_000;
  }

  /** Lines that should have been written by now and are not. */
  get lag(): number {
    const due = this.#due();
    return due === Infinity ? 0 : Math.max(0, due - this.linesWritten);
  }

  /** Hands over what is due now, chunk after chunk; those behind one that stays on its way follow it. Called every few milliseconds. */
  turn(): void {
    this.#linesDue = Math.floor(this.#due());
    this.#goOn();
  }

  #goOn(): void {
    if (this.#inTurn) return;
    this.#inTurn = true;
    while (!this.#onItsWay) {
      const lines = this.#linesNow();
      if (lines === 0) break;
      this.#hand(lines);
    }
    this.#inTurn = false;
  }

  #hand(lines: number): void {
    const { pool, stamped } = this.#options;
    const position = this.#position();
    const plain = pool.subarray(position * lineBytes, (position + lines) * lineBytes);
    const chunk = stamped ? stamp(plain, this.#options.epochUs()) : plain;
    this.#linesHanded += lines;
    this.#onItsWay = true;
    this.#options.write(chunk, () => {
      this.#onItsWay = false;
      this.linesWritten += lines;
      this.bytesWritten += chunk.length;
      if (this.linesWritten === this.#options.linesMax) this.#options.ended();
      else this.#goOn();
    });
  }

  #linesNow(): number {
    const { pool } = this.#options;
    const poolLinesLeft = pool.length / lineBytes - this.#position();
    return Math.max(0, Math.min(this.#linesDue - this.#linesHanded, chunkLinesMax, poolLinesLeft));
  }

  #position(): number {
    const { pool, firstLine = 0 } = this.#options;
    return (firstLine + this.#linesHanded) % (pool.length / lineBytes);
  }

  #due(): number {
    const { pace, linesMax } = this.#options;
    return Math.min(linesMax, pace.length === 0 ? Infinity : linesDue(pace, this.elapsedSeconds));
  }
}

/** Lines due after so many seconds of a pace. */
export function linesDue(pace: readonly PaceStep[], elapsedSeconds: number): number {
  let due = 0;
  let left = elapsedSeconds;
  for (const [index, step] of pace.entries()) {
    if (index === pace.length - 1 || left <= step.seconds) return due + left * step.linesPerSecond;
    due += step.linesPerSecond * step.seconds;
    left -= step.seconds;
  }
  return due;
}

/** A copy of the lines with the stamp before each. */
export function stamp(plain: Uint8Array, epochUs: number): Uint8Array {
  const lines = plain.length / lineBytes;
  const prefix = Buffer.from(`t${String(Math.trunc(epochUs)).padStart(16, '0')} `, 'latin1');
  const stamped = Buffer.allocUnsafe(lines * (stampBytes + lineBytes));
  for (let line = 0; line < lines; line += 1) {
    const at = line * (stampBytes + lineBytes);
    stamped.set(prefix, at);
    stamped.set(plain.subarray(line * lineBytes, (line + 1) * lineBytes), at + stampBytes);
  }
  return stamped;
}

/** `r:s,r:s` as steps: r lines/s for s seconds each. Null where it is something else. */
export function parsePace(text: string): PaceStep[] | null {
  const steps = text.split(',').map((part) => {
    const [linesPerSecond, seconds] = part.split(':').map(Number);
    return { linesPerSecond: linesPerSecond ?? Number.NaN, seconds: seconds ?? Infinity };
  });
  const valid = steps.every(({ linesPerSecond, seconds }) => linesPerSecond >= 0 && seconds >= 0);
  return valid ? steps : null;
}
