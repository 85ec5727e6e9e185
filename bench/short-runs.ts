/**
 * The shortest run of each benchmark that still goes all its ways: for CI, which looks whether they work, and asserts no time.
 *
 * Invariant: every benchmark has one. What it measures says nothing.
 */
import type { BenchOptions } from './bench.ts';

export interface ShortRun {
  readonly seconds: number;
  readonly options: Partial<BenchOptions>;
}

export const shortRuns: Readonly<Record<string, ShortRun>> = {
  'word-count-socket': { seconds: 2, options: { rate: 5_000 } },
  overload: { seconds: 2, options: { rate: 5_000 } },
  'word-count-engine': { seconds: 20, options: { lines: 5_000, batches: 3 } },
  'state-update': { seconds: 1, options: { keys: 2_000, updates: 100, interval: 100 } },
  window: { seconds: 4, options: { window: 2 } },
  shuffle: { seconds: 60, options: { lines: 20_000, keys: 1_000, batches: 3 } },
  scaling: { seconds: 20, options: { lines: 5_000, batches: 3 } },
  'many-programs': { seconds: 60, options: { lines: 1_000, batches: 3 } },
  wal: { seconds: 2, options: { rate: 2_000 } },
  recovery: { seconds: 1, options: { keys: 20_000, rate: 1_000 } },
  checkpoint: { seconds: 2, options: { keys: 2_000, updates: 100, interval: 200 } },
  'batch-overhead': { seconds: 2, options: { intervals: [100] } },
  messages: { seconds: 0.05, options: {} },
  startup: { seconds: 0.5, options: {} },
  soak: { seconds: 20, options: { batches: 40, intervals: [50], rate: 500 } },
};
