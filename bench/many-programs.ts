/**
 * many-programs: what ten different programs cost each other in one process.
 *
 * Invariant: each program is measured in its second round, alone in a process, and in a process where all ten have run before it on the same threads:
 * by then every place of our own code that handles records has met all kinds of them.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { repeat } from './bench.ts';
import type { Bench, BenchOutcome, BenchRequest } from './bench.ts';
import type { ManyProgramsSettings, RoundTimes } from './many-programs-process.ts';
import { kinds } from './programs/ten-kinds.ts';
import type { Kind } from './programs/ten-kinds.ts';
import { median, significant } from './statistics.ts';

const defaultRecords = 100_000;
const defaultBatches = 15;
const rounds = 2;
const run = promisify(execFile);

export const manyPrograms: Bench = {
  name: 'many-programs',
  summary: 'ten different programs one after another in one process: the speed that each keeps, as a part of its speed alone',
  unit: 'of 1',
  better: 'higher',
  definition: 'the least of ten programs: median processing time alone in a process / with the nine others on the same threads, in the second round of each',
  peers: [],
  defaults: { seconds: 120, runs: 3 },
  run: measureAll,
};

async function measureAll(request: BenchRequest): Promise<BenchOutcome> {
  const records = request.options.lines ?? defaultRecords;
  const batches = request.options.batches ?? defaultBatches;
  const master = request.options.master ?? 'local[2]';
  const settings = { rounds, records, batches, master };
  const runs = await repeat(request.runs, async () => {
    const together = await timesOf({ ...settings, kinds }, request.seconds);
    const kept = new Map<Kind, number>();
    for (const kind of kinds) {
      const alone = await timesOf({ ...settings, kinds: [kind] }, request.seconds);
      kept.set(kind, alone.get(kind)! / together.get(kind)!);
      request.log(`${kind}: ${significant(alone.get(kind)!, 3)} ms alone, ${significant(together.get(kind)!, 3)} ms with the others`);
    }
    return kept;
  });
  return {
    figures: [
      { name: 'speed kept beside nine others, the least', unit: 'of 1', better: 'higher', runs: runs.map((kept) => Math.min(...kept.values())) },
      ...kinds.map((kind) => ({ name: `speed kept: ${kind}`, unit: 'of 1', better: 'higher' as const, runs: runs.map((kept) => kept.get(kind)!) })),
    ],
    settings,
  };
}

/** Median of the last round's batches, without the first third. */
async function timesOf(settings: ManyProgramsSettings, seconds: number): Promise<ReadonlyMap<Kind, number>> {
  const { stdout } = await run(process.execPath, [fileURLToPath(new URL('./many-programs-process.js', import.meta.url)), JSON.stringify(settings)], { timeout: seconds * 1_000 });
  const lines = stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as RoundTimes);
  return new Map(lines.filter(({ round }) => round === rounds - 1).map(({ kind, processingMs }) => [kind, median(processingMs.slice(Math.floor(processingMs.length / 3)))]));
}
