/**
 * scaling: what a second task worker is worth.
 *
 * Invariant: both sides run the same batches of the same two partitions; they differ in the number of workers alone. A machine with as many cores as
 * workers lends the driver's thread one of these.
 */
import { repeat } from './bench.ts';
import type { Bench, BenchOutcome, BenchRequest } from './bench.ts';
import { millrace } from './subjects.ts';
import { measureMemoryWordCount } from './word-count-engine.ts';

const defaultLines = 1_000_000;
const defaultBatches = 15;

export const scaling: Bench = {
  name: 'scaling',
  summary: 'word count over 1 M lines in memory with one task worker and with two: the speed-up',
  unit: 'times',
  better: 'higher',
  definition: 'lines per second of processing time with local[2] / with local[1], closures called',
  peers: [],
  defaults: { seconds: 120, runs: 5 },
  run,
};

async function run(request: BenchRequest): Promise<BenchOutcome> {
  const size = { lines: request.options.lines ?? defaultLines, batches: request.options.batches ?? defaultBatches };
  const figures = [];
  for (const way of ['called', 'recognized'] as const) {
    const rate = async (master: string): Promise<number> => (await measureMemoryWordCount(millrace, `closures ${way}, ${master}`, { ...size, master, recognizeClosures: way === 'recognized' }, request)).linesPerSecond;
    // In turn: a machine that becomes slower is so for both.
    const runs = await repeat(request.runs, async () => ({ one: await rate('local[1]'), two: await rate('local[2]') }));
    figures.push({ name: `speed-up from one worker to two, closures ${way}`, unit: 'times', better: 'higher' as const, runs: runs.map(({ one, two }) => two / one) });
  }
  return { figures, settings: size };
}
