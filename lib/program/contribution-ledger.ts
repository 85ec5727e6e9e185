/**
 * Which contributions to accumulators have been counted.
 *
 * Invariant: each (accumulator, work) is counted once, however often the work has been done. Work that was begun only, since no
 * more of the partition was wanted, is set aside until a task has done all of it, or until nobody will.
 */
import type { Accumulator } from './accumulator.ts';
import type { AccumulatorUpdate } from '../../protocol/task.ts';
import { decodeRecord } from '../../protocol/codec.ts';

/** Batches whose contributions can still come twice: recomputation reaches no further back than what is remembered. */
const batchesKept = 1_000;

type Entry = { readonly accumulator: Accumulator<unknown>; whole: boolean };

export class ContributionLedger {
  /** By batch time, oldest first (null for jobs of no batch), then by accumulator and work. */
  readonly #counted = new Map<number | null, Map<string, Entry>>();
  /** Batches up to this one were counted before a restart. */
  #passedOver = -Infinity;

  take(accumulators: readonly Accumulator<unknown>[], updates: readonly AccumulatorUpdate[]): void {
    for (const update of updates) {
      const accumulator = accumulators[update.accumulator];
      if (accumulator !== undefined) this.#takeOne(accumulator, update);
    }
  }

  /** After a restart: what comes of batches up to this one is in the totals already. */
  passOver(upTo: number): void {
    this.#passedOver = upTo;
  }

  #takeOne(accumulator: Accumulator<unknown>, { origin, batchTime, partition, whole, value }: AccumulatorUpdate): void {
    if (batchTime !== null && batchTime <= this.#passedOver) return;
    let entries = this.#counted.get(batchTime);
    if (entries === undefined) this.#counted.set(batchTime, (entries = new Map()));
    const key = `${accumulator.index}/${batchTime}/${origin}/${partition}`;
    if (entries.get(key)?.whole === true) return;
    entries.set(key, { accumulator, whole });
    if (whole) accumulator.absorb(key, decodeRecord(value));
    else accumulator.setAside(key, decodeRecord(value));
  }

  /** Called after each batch. Of work that was only begun, what there is counts for good. */
  forgetOldest(): void {
    for (const [time, entries] of this.#counted) {
      if (this.#counted.size <= batchesKept) return;
      for (const [key, { accumulator, whole }] of entries) if (!whole) accumulator.settle(key);
      this.#counted.delete(time);
    }
  }
}
