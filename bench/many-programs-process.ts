/**
 * Runs programs of programs/ten-kinds.ts one after another on the same threads, round by round, and says how long their batches took.
 *
 * Invariant: each program has a context of its own in each round; the threads, and what V8 knows of our own code, are those of all.
 *
 *   node many-programs-process.js '{"kinds":["words","join"],"rounds":2,"records":100000,"batches":12,"master":"local[2]"}'
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SparkContext, StreamingContext } from 'millrace';
import type tenKinds from './programs/ten-kinds.ts';
import type { Kind } from './programs/ten-kinds.ts';

export interface ManyProgramsSettings {
  readonly kinds: readonly Kind[];
  readonly rounds: number;
  readonly records: number;
  readonly batches: number;
  readonly master: string;
}

/** A line of stdout: the processing time of each batch of a program, of one round, in ms. */
export interface RoundTimes {
  readonly kind: Kind;
  readonly round: number;
  readonly processingMs: readonly number[];
}

const { kinds, rounds, records, batches, master } = JSON.parse(process.argv[2] ?? '{}') as ManyProgramsSettings;
const sparkContext = new SparkContext({ master });
const work = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
try {
  for (let round = 0; round < rounds; round += 1) for (const kind of kinds) process.stdout.write(`${JSON.stringify(await measure(kind, round))}\n`);
} finally {
  await sparkContext.stop();
  rmSync(work, { recursive: true, force: true });
}

async function measure(kind: Kind, round: number): Promise<RoundTimes> {
  const processingMs: number[] = [];
  const args = { kind, records, batches, checkpointDirectory: join(work, `${kind}-${round}`) };
  const ssc = await StreamingContext.create<typeof tenKinds>(new URL('./programs/ten-kinds.js', import.meta.url), { sparkContext, batchInterval: 1_000, clock: 'manual', app: { onCount: () => {} }, args });
  ssc.on('batchCompleted', ({ processingDelayMs }) => void processingMs.push(processingDelayMs ?? Number.NaN));
  await ssc.start();
  for (let batch = 0; batch < batches; batch += 1) await ssc.clock.advance();
  await ssc.stop({ stopSparkContext: false });
  return { kind, round, processingMs };
}
