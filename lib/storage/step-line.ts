/**
 * Things that go through the same steps, one after another, in order: the blocks of one receiver on their way to the tracker.
 *
 * Invariant: the order of entering is kept in every step. A step works on one group at a time, and a group is all that the step
 * before has finished: so under load groups grow, as in a group commit, and there is never more than one question for each step.
 *
 *   enter -->  | ready | under way |  -->  | ready | under way |  --> finished
 *                   step 0                      step 1
 */
export interface Group<Item> {
  /** Never given twice by one line: an answer that comes after its group has failed is nobody's. */
  readonly id: number;
  readonly items: readonly Item[];
}

interface Step<Item> {
  ready: Item[];
  underWay: Group<Item> | null;
}

export class StepLine<Item> {
  readonly #steps: Step<Item>[];
  #nextGroup = 0;

  constructor(steps: number) {
    this.#steps = Array.from({ length: steps }, () => ({ ready: [], underWay: null }));
  }

  enter(item: Item): void {
    this.#at(0).ready.push(item);
  }

  /** The next group of a step; null where it has nothing to do, or is at work. */
  begin(step: number): Group<Item> | null {
    const at = this.#at(step);
    if (at.underWay !== null || at.ready.length === 0) return null;
    at.underWay = { id: this.#nextGroup++, items: at.ready };
    at.ready = [];
    return at.underWay;
  }

  /** The group that a step works on; null where it is another one by now. */
  groupAt(step: number, id: number): Group<Item> | null {
    const { underWay } = this.#at(step);
    return underWay?.id === id ? underWay : null;
  }

  /** The step is done with this group. Gives what has thereby finished the last step. */
  end(step: number, id: number): readonly Item[] {
    const group = this.groupAt(step, id);
    if (group === null) return [];
    this.#at(step).underWay = null;
    if (step + 1 === this.#steps.length) return group.items;
    this.#at(step + 1).ready.push(...group.items);
    return [];
  }

  /** The step has failed for this group: takes it out, and all that is behind it, in order. What is ahead goes on. */
  fail(step: number, id: number): readonly Item[] {
    if (this.groupAt(step, id) === null) return [];
    const taken: Item[] = [];
    for (let behind = step; behind >= 0; behind -= 1) {
      const at = this.#at(behind);
      taken.push(...(at.underWay?.items ?? []), ...at.ready);
      at.underWay = null;
      at.ready = [];
    }
    return taken;
  }

  /** All that has not finished, the oldest first. */
  *items(): Generator<Item> {
    for (const { ready, underWay } of [...this.#steps].reverse()) {
      yield* underWay?.items ?? [];
      yield* ready;
    }
  }

  get isEmpty(): boolean {
    return this.#steps.every(({ ready, underWay }) => ready.length === 0 && underWay === null);
  }

  #at(step: number): Step<Item> {
    return this.#steps[step] as Step<Item>;
  }
}
