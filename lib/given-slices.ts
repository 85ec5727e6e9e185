/**
 * The RDDs that `slice` has given to the app's thread, and until when they can be used.
 *
 * Invariant: what was given is forgotten after as many completed batches as its stream remembers, and two: by then the driver, which
 * has told of it, may have given it back. So a thread that slices for hours holds no more than the last slices.
 */
import type { RddId } from '../protocol/ids.ts';

/** The driver gives back at the second sweep that finds nothing. */
const batchesSpared = 2;

export class GivenSlices {
  /** In the order of the slices, by RDD: how many batches it is still good for. Asked for again it is good for longer. */
  readonly #given = new Map<RddId, number>();

  take(ids: readonly RddId[], rememberedBatches: number): void {
    for (const id of ids) this.#given.set(id, Math.max(this.#given.get(id) ?? 0, Math.ceil(rememberedBatches) + batchesSpared));
  }

  /** A batch is complete. Returns what is to be forgotten. */
  batchCompleted(): RddId[] {
    const over: RddId[] = [];
    for (const [id, left] of this.#given) {
      if (left > 1) {
        this.#given.set(id, left - 1);
        continue;
      }
      this.#given.delete(id);
      over.push(id);
    }
    return over;
  }
}
