/**
 * Which contributions to accumulators have been counted.
 *
 * Invariant: each (accumulator, operator, batch time, partition) is counted once, however often its task has run.
 */
import type { AccumulatorContribution } from '../protocol/task.ts';

/** Batches whose contributions can still come twice: recomputation reaches no further back than what is remembered. */
const batchesKept = 1_000;

export class ContributionLedger {
  /** Keys by batch time, oldest first; null for jobs of no batch. */
  readonly #counted = new Map<number | null, Set<string>>();

  /** True the first time. */
  take({ accumulator, operator, batchTime, partition }: AccumulatorContribution): boolean {
    let keys = this.#counted.get(batchTime);
    if (keys === undefined) this.#counted.set(batchTime, (keys = new Set()));
    const key = `${accumulator}/${operator}/${partition}`;
    if (keys.has(key)) return false;
    keys.add(key);
    return true;
  }

  /** Called after each batch. */
  forgetOldest(): void {
    for (const time of this.#counted.keys()) {
      if (this.#counted.size <= batchesKept) return;
      this.#counted.delete(time);
    }
  }
}
