/**
 * The search for the highest sustained rate. It decides which rate is tried next; measuring comes in by argument.
 *
 * Invariant: every rate tried is a whole number of steps, and the rate found is one that held in most of `runs` full runs.
 *
 *   quick runs:  start, x2, x2 ... until one fails (or, where the start fails, /2 ... until one holds),
 *                then halves of the gap down to one step,
 *   full runs:   the rate found, `runs` times: held in most of them, or one step down and again.
 */
export interface SearchOptions {
  readonly startRate: number;
  /** Rates are whole multiples of this. */
  readonly step: number;
  readonly rateMax: number;
  /** Full runs at the rate found. */
  readonly runs: number;
  /** One short run. */
  readonly probe: (rate: number) => Promise<boolean>;
  /** One run with the full window. */
  readonly confirm: (rate: number) => Promise<boolean>;
}

export interface SearchResult {
  /** 0 where not even one step was sustained. */
  readonly rate: number;
  /** Rates in the order they were tried. */
  readonly tried: readonly { readonly rate: number; readonly kind: 'probe' | 'confirm'; readonly stable: boolean }[];
}

export async function searchHighestRate(options: SearchOptions): Promise<SearchResult> {
  const { step, runs } = options;
  const tried: { rate: number; kind: 'probe' | 'confirm'; stable: boolean }[] = [];
  const stepsMax = Math.max(1, Math.floor(options.rateMax / step));
  const holds = async (steps: number): Promise<boolean> => {
    const stable = await options.probe(steps * step);
    tried.push({ rate: steps * step, kind: 'probe', stable });
    return stable;
  };

  let steps = await highestProbed(Math.min(stepsMax, Math.max(1, Math.round(options.startRate / step))), stepsMax, holds);
  for (; steps > 0; steps -= 1) {
    let held = 0;
    let failed = 0;
    while (held * 2 <= runs && failed * 2 < runs) {
      const stable = await options.confirm(steps * step);
      tried.push({ rate: steps * step, kind: 'confirm', stable });
      if (stable) held += 1;
      else failed += 1;
    }
    if (held * 2 > runs) break;
  }
  return { rate: steps * step, tried };
}

/** The highest number of steps that a single short run held at; 0 where none did. */
async function highestProbed(start: number, stepsMax: number, holds: (steps: number) => Promise<boolean>): Promise<number> {
  let low = 0;
  /** The lowest that failed; null as long as none has. */
  let high: number | null = null;
  let next = start;
  while (next > low && (high === null || next < high)) {
    if (await holds(next)) {
      low = next;
      next = high === null ? Math.min(stepsMax, next * 2) : (low + high) >> 1;
    } else {
      high = next;
      next = low === 0 ? next >> 1 : (low + high) >> 1;
    }
  }
  return low;
}
