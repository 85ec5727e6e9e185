/**
 * A program's run over several contexts: each goes on from the checkpoint directory of the one before.
 *
 * Invariant: what is put out for one batch time is the same each time that it is put out, or `outputs` says so.
 */
import { StreamingContext } from '../../lib/streaming-context.ts';
import type { StreamingProgram } from '../../lib/streaming-context.ts';
import { PublishedStream } from '../../lib/dstream/published-stream.ts';
import type { ExportsOf } from '../../lib/program/exports.ts';
import type { RecoveryOptions, StreamingOptions } from '../../lib/options.ts';
import { silent } from './running.ts';

interface Test {
  after(fn: () => unknown): void;
}

export type RunOptions = Partial<StreamingOptions> & RecoveryOptions;

/** What each published export has put out, by batch time, sorted; more than one where runs differed. */
export type Outputs = Map<string, Map<number, string[]>>;

export class Run<P extends StreamingProgram = StreamingProgram> {
  readonly ssc: StreamingContext<ExportsOf<P>>;
  readonly #reading: Promise<void>[];

  private constructor(ssc: StreamingContext<ExportsOf<P>>, reading: Promise<void>[]) {
    this.ssc = ssc;
    this.#reading = reading;
  }

  /** Inline, with a manual clock and batches of 1,000 ms. */
  static async begin<P extends StreamingProgram>(t: Test, directory: string, program: URL | P | null, outputs: Outputs, options: RunOptions = {}): Promise<Run<P>> {
    const full = { master: 'inline', clock: 'manual', defaultParallelism: 2, allowMultipleContexts: true, freezeRecords: true, logger: silent, print: () => {}, checkpointIntervalMs: 0, ...options };
    const identity = program === null || options.batchInterval !== undefined ? {} : { batchInterval: 1_000 };
    const ssc = await StreamingContext.getOrCreate<P>(directory, program, { ...full, ...identity } as never);
    t.after(() => ssc.stop());
    const reading = Object.entries((ssc.exports ?? {}) as Record<string, unknown>).flatMap(([name, value]) => (value instanceof PublishedStream ? [read(name, value as PublishedStream<unknown>, outputs)] : []));
    await ssc.start();
    return new Run<P>(ssc, reading);
  }

  get exports(): ExportsOf<P> {
    return this.ssc.exports;
  }

  /** One after another. Rejects where one has failed. */
  async advance(batches = 1): Promise<void> {
    for (let batch = 0; batch < batches; batch += 1) await this.ssc.clock.advance(1);
    await this.ssc.awaitTermination(0);
  }

  /** All that was put out is in `outputs` then. */
  async stop(): Promise<void> {
    await this.ssc.stop();
    await Promise.all(this.#reading);
  }

  /** As `stop`, of a context that has failed already. */
  async ended(): Promise<void> {
    await this.ssc.stop().catch(() => {});
    await Promise.all(this.#reading);
  }
}

async function read(name: string, stream: PublishedStream<unknown>, outputs: Outputs): Promise<void> {
  const byTime = outputs.get(name) ?? new Map<number, string[]>();
  outputs.set(name, byTime);
  try {
    for await (const { time, records } of stream) {
      const text = JSON.stringify([...records].map((record) => JSON.stringify(record)).sort().map((record) => JSON.parse(record) as unknown));
      const seen = byTime.get(time) ?? [];
      byTime.set(time, seen.includes(text) ? seen : [...seen, text]);
    }
  } catch {
    // A context that failed: what came before is there.
  }
}

/** Plain: names, then times, then what was seen. */
export function plain(outputs: Outputs): unknown {
  return [...outputs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, byTime]) => [name, [...byTime].sort(([a], [b]) => a - b)]);
}
