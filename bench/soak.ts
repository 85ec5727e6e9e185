/**
 * soak: whether a stream under load holds flat memory, batch after batch.
 *
 * Invariant: the process under measurement is one of its own, and its resident memory is what the system says of it: heaps of all
 * threads, shared memory, code. A tenth is a tenth of the batches; of its samples the median counts, so that one collection of
 * garbage more or less does not.
 */
import { fileURLToPath } from 'node:url';
import { repeat } from './bench.ts';
import type { Bench, BenchOutcome, BenchRequest } from './bench.ts';
import { startLoadSource } from './load/source.ts';
import { startMeasuredProcess } from './measured-process.ts';
import type { Measured } from './result.ts';
import type { SoakSettings } from './soak-settings.ts';
import { median, significant, slope } from './statistics.ts';
import type { MemoryEvent } from './subject-events.ts';

const batchMsDefault = 100;
const batchesDefault = 10_000;
const linesPerSecondDefault = 2_000;
/** Batches are remembered for so long: together more than their share of the pool, so that blocks have to make room, too. */
const rememberMs = 1_000;
const poolBytes = 16 * 2 ** 20;
const slabBytes = 2 ** 18;
const samples = 100;
/** A window is so many batches, and comes every so many. */
const windowBatches = 20;
const slideBatches = 4;
/** Keys of state that have not come for so many batches are gone. */
const idleBatches = 20;
/** A machine that is busy may take this many times the time of the batches. */
const slownessMax = 10;

export const soak: Bench = {
  name: 'soak',
  summary: 'a stream under load for thousands of batches: growth of RSS and of shared memory in use',
  unit: 'MiB',
  better: 'lower',
  definition: 'RSS in the last tenth of the batches less RSS in the first (medians); 10,000 batches of 100 ms, 2,000 lines/s, with both forms of state and of windows over keys that come and go, remembered for 1 s, in a pool of 16 MiB; --seconds is for all batches',
  peers: [],
  defaults: { seconds: (batchesDefault * batchMsDefault) / 1_000, runs: 1 },
  run,
};

interface Run {
  readonly memory: readonly MemoryEvent[];
  readonly rssPeakMib: number;
  readonly version: string;
}

async function run(request: BenchRequest): Promise<BenchOutcome> {
  const batchMs = request.options.intervals?.[0] ?? batchMsDefault;
  const batches = request.options.batches ?? Math.round((request.seconds * 1_000) / batchMs);
  const spans = { windowMs: windowBatches * batchMs, slideMs: slideBatches * batchMs, idleMs: idleBatches * batchMs };
  const linesPerSecond = request.options.rate ?? linesPerSecondDefault;
  const master = request.options.master ?? 'local[2]';
  const runs = await repeat(request.runs, () => measure({ master, batchMs, batches, linesPerSecond, ...spans, log: request.log }));
  const figure = (name: string, unit: string, pick: (one: Run) => number): Measured => ({ name, unit, better: 'lower', runs: runs.map(pick) });
  const mib = (bytes: number): number => bytes / 2 ** 20;
  return {
    figures: [
      figure('RSS, last tenth less first', 'MiB', ({ memory }) => tenth(memory, 9, 'rssMib') - tenth(memory, 0, 'rssMib')),
      figure('RSS, last tenth less the one in the middle', 'MiB', ({ memory }) => tenth(memory, 9, 'rssMib') - tenth(memory, 5, 'rssMib')),
      figure('RSS, least of the last third less least of the middle one', 'MiB', ({ memory }) => leastOfThird(memory, 2) - leastOfThird(memory, 1)),
      figure('RSS, trend over the second half, a thousand batches', 'MiB', ({ memory }) => 1_000 * slope(memory.slice(memory.length >> 1).map(({ batch, rssMib }) => [batch, rssMib] as const))),
      figure('RSS, last tenth', 'MiB', ({ memory }) => tenth(memory, 9, 'rssMib')),
      figure('RSS, peak', 'MiB', ({ rssPeakMib }) => rssPeakMib),
      figure('shared memory in use, last tenth less the one in the middle', 'MiB', ({ memory }) => mib(tenth(memory, 9, 'usedBytes') - tenth(memory, 5, 'usedBytes'))),
      figure('shared memory in use at the end', 'MiB', ({ memory }) => mib(memory.at(-1)?.usedBytes ?? Number.NaN)),
      figure('shared memory in use, peak of the samples', 'MiB', ({ memory }) => mib(Math.max(...memory.map(({ usedBytes }) => usedBytes)))),
      figure('handles held, last tenth less the one in the middle', 'handles', ({ memory }) => tenth(memory, 9, 'heldHandles') - tenth(memory, 5, 'heldHandles')),
      figure('keys of state, last tenth less the one in the middle', 'keys', ({ memory }) => keysOf(memory, 9) - keysOf(memory, 5)),
      figure('keys of state and of a window, last tenth', 'keys', ({ memory }) => keysOf(memory, 9) + tenth(memory, 9, 'windowKeys')),
      figure('keys that have timed out', 'keys', ({ memory }) => memory.at(-1)?.timedOut ?? Number.NaN),
      figure('blocks moved to the disk', 'blocks', ({ memory }) => memory.at(-1)?.spilled ?? Number.NaN),
      figure('processing time, last tenth', 'ms', ({ memory }) => tenth(memory, 9, 'processingDelayMs')),
      figure('scheduling delay, last tenth', 'ms', ({ memory }) => tenth(memory, 9, 'schedulingDelayMs')),
    ],
    settings: { batchMs, batches, linesPerSecond, master, rememberMs, ...spans, poolBytes, slabBytes },
    details: { runs: runs.map(({ memory }) => memory) },
    versions: { millraceProcess: runs[0]?.version ?? 'unknown' },
  };
}

async function measure({ linesPerSecond, log, ...given }: Pick<SoakSettings, 'master' | 'batchMs' | 'batches' | 'windowMs' | 'slideMs' | 'idleMs'> & { readonly linesPerSecond: number; readonly log: BenchRequest['log'] }): Promise<Run> {
  const { batchMs, batches } = given;
  const source = await startLoadSource({ pace: [{ linesPerSecond, seconds: Infinity }] });
  const settings: SoakSettings = { ...given, samples: Math.min(samples, batches), port: source.port, rememberMs, poolBytes, slabBytes };
  const script = fileURLToPath(new URL('./soak-process.js', import.meta.url));
  const measured = startMeasuredProcess('Millrace', { file: process.execPath, args: [script, JSON.stringify(settings)] });
  try {
    await measured.until(`the end of ${batches} batches`, () => measured.ended !== null, 60_000 + batches * batchMs * slownessMax);
    const { memory } = measured;
    const last = memory.at(-1);
    if (last === undefined) throw new Error('The process ended without a sample.');
    log(`${last.batch} batches, ${last.lines} lines: RSS ${significant(tenth(memory, 0, 'rssMib'), 3)} MiB in the first tenth, ${significant(tenth(memory, 9, 'rssMib'), 3)} MiB in the last`);
    return { memory: [...memory], rssPeakMib: measured.ended?.rssPeakMib ?? Number.NaN, version: measured.main?.version ?? 'unknown' };
  } finally {
    await measured.end(5_000);
    await source.stop();
  }
}

/** Collections of garbage make RSS a saw: its lowest points tell a leak apart from how long ago the last collection was. */
function leastOfThird(memory: readonly MemoryEvent[], which: 0 | 1 | 2): number {
  return Math.min(...memory.slice(Math.floor((memory.length * which) / 3), Math.floor((memory.length * (which + 1)) / 3)).map(({ rssMib }) => rssMib));
}

/** Of both states, in a tenth of the samples. */
function keysOf(memory: readonly MemoryEvent[], which: number): number {
  return tenth(memory, which, 'updateKeys') + tenth(memory, which, 'mapKeys');
}

/** The median over a tenth of the samples, 0 to 9. */
function tenth(memory: readonly MemoryEvent[], which: number, what: 'rssMib' | 'usedBytes' | 'heldHandles' | 'processingDelayMs' | 'schedulingDelayMs' | 'updateKeys' | 'mapKeys' | 'windowKeys'): number {
  const from = Math.floor((memory.length * which) / 10);
  return median(memory.slice(from, Math.max(from + 1, Math.floor((memory.length * (which + 1)) / 10))).map((event) => event[what]));
}
