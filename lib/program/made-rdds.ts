/**
 * The RDDs that were made since the program was built: what leads to each, and which nothing leads to any more.
 *
 * Invariant: an RDD is dropped at the second sweep in a row that finds no way to it from a root, since what was made a moment ago may be
 * about to be used; and not before what was made of it. A sweep costs by the roots and by what nothing leads to, not by all that is remembered: each RDD counts its
 * children, and one that goes lets go of its parents.
 *
 *   roots:  d        a <- b <- d         counts: a 2, b 1, c 0, d 0
 *                     `-- c              c is loose, and no root: dropped at the second sweep, and a's count is 1
 *
 * A version of state and what it has emitted are one: either may be asked for as long as the other is there.
 */
import type { RddNode } from '../../protocol/rdd.ts';
import type { RddId } from '../../protocol/ids.ts';

interface Made {
  /** The state's entry in place of what it has emitted. */
  readonly unit: RddId;
  /** The units that its node names as parents. */
  leadsTo: readonly RddId[];
  /** Units that lead to it. */
  children: number;
  /** How many sweeps there had been when it was made, or when the last one that led to it let go of it. */
  reachedAt: number;
  emitted: RddId | null;
}

export class MadeRdds {
  /** In the order of making. */
  readonly #made = new Map<RddId, Made>();
  /** Units that no other leads to. */
  readonly #loose = new Set<RddId>();
  #rootsBefore: ReadonlySet<RddId> = new Set();
  #sweeps = 0;

  has(id: RddId): boolean {
    return this.#made.has(id);
  }

  get ids(): Iterable<RddId> {
    return this.#made.keys();
  }

  get size(): number {
    return this.#made.size;
  }

  add(node: RddNode): void {
    const state = node.kind === 'emitted' ? this.#made.get(node.parents[0] as RddId) : undefined;
    if (state !== undefined) {
      state.emitted = node.id;
      this.#made.set(node.id, state);
      return;
    }
    const leadsTo = [...new Set(node.parents.flatMap((parent) => this.#made.get(parent)?.unit ?? []))];
    this.#made.set(node.id, { unit: node.id, leadsTo, children: 0, reachedAt: this.#sweeps, emitted: null });
    this.#loose.add(node.id);
    for (const parent of leadsTo) {
      this.#unitOf(parent).children += 1;
      this.#loose.delete(parent);
    }
  }

  /** Its node leads to nothing any more. */
  settle(id: RddId): void {
    const made = this.#made.get(id);
    if (made === undefined) return;
    // It may have been remembered itself until now, and they with it.
    for (const parent of made.leadsTo) {
      const of = this.#made.get(parent);
      if (of !== undefined) of.reachedAt = this.#sweeps;
    }
    this.#letGo(made);
  }

  /** False: it was not made here, or is gone. */
  delete(id: RddId): boolean {
    const made = this.#made.get(id);
    if (made === undefined) return false;
    if (made.unit !== id) made.emitted = null;
    else {
      this.settle(id);
      this.#loose.delete(id);
    }
    return this.#made.delete(id);
  }

  /** The ids that nothing has led to at this sweep and the one before: for the caller to delete. */
  sweep(held: Iterable<RddId>): RddId[] {
    const roots = new Set<RddId>();
    for (const id of held) {
      const made = this.#made.get(id);
      if (made !== undefined) roots.add(made.unit);
    }
    this.#sweeps += 1;
    const dropped: RddId[] = [];
    const left = [...this.#loose];
    for (let unit = left.pop(); unit !== undefined; unit = left.pop()) {
      const made = this.#unitOf(unit);
      if (roots.has(unit) || this.#rootsBefore.has(unit) || made.reachedAt > this.#sweeps - 2) continue;
      dropped.push(unit);
      if (made.emitted !== null) dropped.push(made.emitted);
      this.#loose.delete(unit);
      // Nothing but what goes led to them at the sweep before either, or they say so themselves.
      left.push(...this.#letGo(made));
    }
    this.#rootsBefore = roots;
    return dropped;
  }

  /** Its parents that nothing leads to now. */
  #letGo(made: Made): RddId[] {
    const loose: RddId[] = [];
    for (const parent of made.leadsTo) {
      const of = this.#made.get(parent);
      if (of === undefined) continue;
      of.children -= 1;
      if (of.children > 0) continue;
      this.#loose.add(parent);
      loose.push(parent);
    }
    made.leadsTo = [];
    return loose;
  }

  #unitOf(id: RddId): Made {
    return this.#made.get(id) as Made;
  }
}
