/**
 * Things that go through the same steps, one after another, in order: the blocks of one receiver on their way to the tracker.
 *
 * Invariant: the order of entering is kept in every step. A step works on as many groups at a time as it is wide, and a group is all
 * that the step before has finished: so under load groups grow, as in a group commit, and the questions of a step are bounded. Groups
 * leave a step in the order in which they began, whichever is done first.
 *
 *   enter -->  | ready | under way |  -->  | ready | under way, under way, done |  --> finished
 *                   step 0                      step 1 (wide)
 */
export interface Group<Item> {
  /** Never given twice by one line: an answer that comes after its group has failed is nobody's. */
  readonly id: number;
  readonly items: readonly Item[];
}

interface UnderWay<Item> extends Group<Item> {
  /** And waits for those that began before it. */
  isDone: boolean;
}

interface Step<Item> {
  readonly width: number;
  ready: Item[];
  /** The oldest first. */
  underWay: UnderWay<Item>[];
}

export class StepLine<Item> {
  readonly #steps: Step<Item>[];
  #nextGroup = 0;

  /** `widths`: of each step, on how many groups it works at a time. */
  constructor(widths: readonly number[]) {
    this.#steps = widths.map((width) => ({ width, ready: [], underWay: [] }));
  }

  enter(item: Item): void {
    this.#at(0).ready.push(item);
  }

  /** The next group of a step; null where it has nothing to do, or is at work on as many as it can. */
  begin(step: number): Group<Item> | null {
    const at = this.#at(step);
    if (at.underWay.length >= at.width || at.ready.length === 0) return null;
    const group: UnderWay<Item> = { id: this.#nextGroup++, items: at.ready, isDone: false };
    at.underWay.push(group);
    at.ready = [];
    return group;
  }

  /** A group that a step works on; null where it is one no longer. */
  groupAt(step: number, id: number): Group<Item> | null {
    return this.#at(step).underWay.find((group) => group.id === id && !group.isDone) ?? null;
  }

  /** The step is done with this group. Gives what has thereby finished the last step. */
  end(step: number, id: number): readonly Item[] {
    const at = this.#at(step);
    const ended = at.underWay.find((group) => group.id === id);
    if (ended === undefined) return [];
    ended.isDone = true;
    const finished: Item[] = [];
    while (at.underWay[0]?.isDone === true) finished.push(...(at.underWay.shift()?.items ?? []));
    if (step + 1 === this.#steps.length) return finished;
    this.#at(step + 1).ready.push(...finished);
    return [];
  }

  /** The step has failed for this group: takes it out, and all that is behind it, in order. What is ahead goes on. */
  fail(step: number, id: number): readonly Item[] {
    const index = this.#at(step).underWay.findIndex((group) => group.id === id);
    if (index === -1) return [];
    const taken: Item[] = [];
    for (let behind = step; behind >= 0; behind -= 1) {
      const at = this.#at(behind);
      for (const { items } of at.underWay.splice(behind === step ? index : 0)) taken.push(...items);
      taken.push(...at.ready);
      at.ready = [];
    }
    return taken;
  }

  /** All that has not finished, the oldest first. */
  *items(): Generator<Item> {
    for (const { ready, underWay } of [...this.#steps].reverse()) {
      for (const { items } of underWay) yield* items;
      yield* ready;
    }
  }

  get isEmpty(): boolean {
    return this.#steps.every(({ ready, underWay }) => ready.length === 0 && underWay.length === 0);
  }

  #at(step: number): Step<Item> {
    return this.#steps[step] as Step<Item>;
  }
}
