/**
 * Several benchmarks, one after another, as one result: what a baseline is made of.
 *
 * Invariant: one that fails is named with its reason, and the others run all the same.
 */
import type { Bench } from './bench.ts';
import type { BenchResult, Figure } from './result.ts';

export interface AllResult {
  readonly bench: 'all';
  readonly unit: 'benchmarks';
  readonly better: 'higher';
  /** How many gave a result. */
  readonly value: number;
  readonly runs: readonly number[];
  readonly peers: Readonly<Record<string, never>>;
  /** Of all benchmarks, in their order. */
  readonly figures: readonly Figure[];
  readonly details: { readonly results: readonly Omit<BenchResult, 'figures' | 'details' | 'machine' | 'versions'>[]; readonly failed: readonly { readonly bench: string; readonly error: string }[] };
  readonly machine: BenchResult['machine'];
  readonly versions: BenchResult['versions'];
  readonly startedAt: string;
  readonly tookSeconds: number;
}

export async function runAll(benches: readonly Bench[], runOne: (bench: Bench) => Promise<BenchResult>, log: (text: string) => void): Promise<AllResult> {
  const results: BenchResult[] = [];
  const failed: { bench: string; error: string }[] = [];
  for (const bench of benches) {
    try {
      results.push(await runOne(bench));
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown.message : String(thrown);
      log(`${bench.name} failed: ${error}`);
      failed.push({ bench: bench.name, error });
    }
  }
  const [first] = results;
  if (first === undefined) throw new Error(`None of ${benches.length} benchmarks gave a result: ${failed.map(({ bench, error }) => `${bench}: ${error}`).join('; ')}`);
  return {
    bench: 'all',
    unit: 'benchmarks',
    better: 'higher',
    value: results.length,
    runs: [results.length],
    peers: {},
    figures: results.flatMap(({ figures }) => figures),
    details: { results: results.map(({ figures: _figures, details: _details, machine: _machine, versions: _versions, ...one }) => one), failed },
    machine: first.machine,
    versions: Object.assign({}, ...results.map(({ versions }) => versions)),
    startedAt: first.startedAt,
    tookSeconds: results.reduce((sum, { tookSeconds }) => sum + tookSeconds, 0),
  };
}
