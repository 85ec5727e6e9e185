/**
 * Seeds that have failed while the runtime or the chaos runs themselves were built, with what each has found. The tests run them again.
 *
 * Invariant: a seed stands for its run only as long as what draws it stays: whoever changes chaos-program.ts, chaos-run.ts or life.ts looks with
 * the bug put back in for a seed that finds it again, and enters that.
 */
export interface Found {
  readonly seed: number;
  readonly found: string;
}

export const trackRecord: readonly Found[] = [];
