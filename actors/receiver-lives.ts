/**
 * The lives of one stream's receiver, as the tracker decides about them: which blocks count, and whether and when it may start again.
 *
 * Invariant: a block is received at most once. Where the receiver gives positions, its source sends again what is behind the last
 * one: so a life that is over can add nothing more, and of one life no block is received before those in front of it.
 * Then every record behind the position is in exactly one block. Where it gives none, nothing would come again: late blocks count.
 *
 *   epoch 1:  0 1 2 3*         * the position that the next life is told
 *   epoch 2:  0 1 2 ...        epoch 1's block 4, when it comes now: `over` (with positions), or received late (without)
 */
import { addRestart, backoffDelayMs } from '../lib/actor/supervision.ts';
import type { ReceivedBlock, Resume } from '../protocol/receiver.ts';

/** Lives whose last blocks can still come. Those before are over for every receiver. */
const epochsKeptMax = 64;
const passedOverMax = 10_000;

export interface RestartLimits {
  /** Infinity: for ever. */
  readonly restartsMax: number;
  readonly restartsMs: number;
  /** The back-off after the death of its thread: from `minMs`, doubled, to `maxMs`; a life of `resetAfterMs` begins it anew. */
  readonly backoff: { readonly minMs: number; readonly maxMs: number; readonly jitter: number; readonly resetAfterMs: number };
}

/** `received`: new, it counts. `again`: it was received before. `over`: its life is. `gap`: a block before it is missing. */
export type Admission = 'received' | 'again' | 'over' | 'gap';

export class ReceiverLives {
  /** The next sequence number of each life, the oldest life first. */
  readonly #next = new Map<number, number>();
  /** Numbers that were passed over, as `epoch/sequence`: another block manager may have these blocks, and report them later. */
  readonly #passedOver = new Set<string>();
  #epoch = 0;
  #position: Uint8Array | null = null;
  #starts: readonly number[] = [];
  #startedAtMs = 0;
  #deaths = 0;

  /** After a restart of the process: lives up to this one are over. */
  goOn(epoch: number, position: Uint8Array | null): void {
    this.#epoch = Math.max(this.#epoch, epoch);
    this.#position = position ?? this.#position;
  }

  /** A life begins. Null: it has begun anew more often than it may. */
  start(nowMs: number, { restartsMax, restartsMs, backoff }: RestartLimits): Resume | null {
    if (this.#next.size > 0 && restartsMax !== Infinity) {
      const { history, allowed } = addRestart(this.#starts, nowMs, restartsMax, restartsMs);
      this.#starts = history;
      if (!allowed) return null;
    }
    this.#epoch += 1;
    this.#next.set(this.#epoch, 0);
    for (const epoch of this.#next.keys()) if (epoch <= this.#epoch - epochsKeptMax) this.#next.delete(epoch);
    // The first death costs the start of a thread as it is.
    const delayMs = this.#deaths > 1 ? backoffDelayMs(backoff, this.#deaths - 2, 0.5) : 0;
    this.#startedAtMs = nowMs + delayMs;
    return { epoch: this.#epoch, lastAcknowledged: this.#position, delayMs };
  }

  /** Its thread has died. */
  threadDied(nowMs: number, { backoff }: RestartLimits): void {
    this.#deaths = nowMs - this.#startedAtMs >= backoff.resetAfterMs ? 1 : this.#deaths + 1;
  }

  admit({ epoch, sequence, resumes }: ReceivedBlock): Admission {
    const next = this.#next.get(epoch);
    if (next === undefined) return 'over';
    if (sequence < next && !this.#passedOver.has(`${epoch}/${sequence}`)) return 'again';
    if (!resumes) return 'received';
    if (epoch < this.#epoch) return 'over';
    return sequence > next ? 'gap' : 'received';
  }

  /** It was admitted, and its memory is held. */
  received({ epoch, sequence, position }: ReceivedBlock): void {
    const next = this.#next.get(epoch) ?? 0;
    this.#passedOver.delete(`${epoch}/${sequence}`);
    for (let passed = next; passed < sequence && this.#passedOver.size < passedOverMax; passed += 1) this.#passedOver.add(`${epoch}/${passed}`);
    this.#next.set(epoch, Math.max(next, sequence + 1));
    if (position !== null) this.#position = position;
  }

  get epoch(): number {
    return this.#epoch;
  }
}
