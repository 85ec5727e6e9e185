/**
 * The one depth-first walk of lineage: whatever is reached, parents before children, each once.
 *
 * Invariant: what is not entered (`parentsOf` gives null) is not told, nor is anything that can be reached by way of it alone. An own
 * stack, since lineage can be as long as a user's loop.
 */

/**
 * `parentsOf` is called once for each time that something is reached, and says where to go on; null: it has been reached before, or is
 * of no interest. `done` is called once for each that was entered, after all of its parents.
 */
export function parentsFirst<T>(starts: Iterable<T>, parentsOf: (item: T) => readonly T[] | null, done: (item: T, parents: readonly T[]) => void): void {
  const stack: { readonly item: T; readonly parents: readonly T[]; next: number }[] = [];
  const enter = (item: T): void => {
    const parents = parentsOf(item);
    if (parents !== null) stack.push({ item, parents, next: 0 });
  };
  for (const start of starts) {
    enter(start);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      if (top.next < top.parents.length) {
        enter(top.parents[top.next++] as T);
        continue;
      }
      stack.pop();
      done(top.item, top.parents);
    }
  }
}
