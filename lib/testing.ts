/**
 * The test kit: streams under a manual clock, input as batches, output collected batch by batch, faults to inject.
 *
 * Invariant: nothing here waits for a time to pass; `advance` resolves when the batches are complete and everything that
 * they put out has been collected.
 */
import { StreamingContext } from './streaming-context.ts';
import type { StreamingProgram } from './streaming-context.ts';
import type { OptionsFor, StreamingOptions } from './options.ts';
import { DStream } from './dstream/dstream.ts';
import { PublishedStream } from './dstream/published-stream.ts';
import type { PublishedBatch } from './dstream/published-stream.ts';
import type { ArgsOf, ExportsOf } from './program/exports.ts';
import { MillraceError } from '../protocol/errors.ts';
import type { BatchInfo, ListenerEventName } from '../protocol/listener.ts';
import type { BatchTime } from '../protocol/time.ts';

export { TestProbe } from './actor/test-probe.ts';
export { ManualClock } from './base/clock.ts';
export { faults } from './fault-injection.ts';
export { faultPlan } from './fault-plan.ts';
export type { FaultPlan, FaultPlanOptions, InjectedFault } from './fault-plan.ts';
export type { ActorName, DiskRule, FaultRule, KillRule, MessageName, MessageRule, NetworkRule, Striking } from '../protocol/fault.ts';

/** Any option of a context; those that a test needs have defaults. */
export type TestOptions<Args = unknown> = Partial<StreamingOptions<Args>>;

/** A running program under a manual clock: batch n is at n * batchInterval (default 1,000 ms). */
export interface StreamTest<Exports> {
  readonly ssc: StreamingContext<Exports>;
  readonly exports: Exports;
  /** Runs the next batches; see `StreamClock.advance`. */
  advance(batches?: number): Promise<BatchTime>;
  /** What a published stream has put out so far, one entry for each batch that it had an RDD for. */
  output<T>(stream: PublishedStream<T>): readonly PublishedBatch<T>[];
  /** All that `print` has written. */
  readonly printed: string;
  /** Every batch that is complete, oldest first. */
  readonly batches: readonly BatchInfo[];
  /** Resolves with the next event of that name. */
  next(name: ListenerEventName): Promise<unknown>;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a program for a test. Default: inline, a manual clock, batches of 1,000 ms, two partitions by default; records are frozen, so
 * that a function which changes what it was given fails.
 * With `master: 'local[n]'` the same on threads; the program must then be a module.
 */
export async function startTest<P extends StreamingProgram = StreamingProgram>(program: URL | string | P, options: TestOptions<ArgsOf<P>> = {}): Promise<StreamTest<ExportsOf<P>>> {
  let printed = '';
  const print = (text: string): void => void (printed += text);
  const full = { master: 'inline', batchInterval: 1_000, clock: 'manual', defaultParallelism: 2, allowMultipleContexts: true, freezeRecords: true, print, ...options } as unknown as OptionsFor<P>;
  const ssc = await StreamingContext.create<P>(program, full);
  const collected = new Map<PublishedStream<never>, PublishedBatch<never>[]>();
  const batches: BatchInfo[] = [];
  ssc.on('batchCompleted', (info) => void batches.push(info as unknown as BatchInfo));
  for (const value of Object.values((ssc.exports ?? {}) as Record<string, unknown>)) {
    if (value instanceof PublishedStream) collected.set(value as PublishedStream<never>, collect(value as PublishedStream<never>));
  }
  const stop = (): Promise<void> => ssc.stop({ stopSparkContext: options.sparkContext === undefined });
  try {
    await ssc.start();
  } catch (thrown) {
    await stop();
    throw thrown;
  }
  return {
    ssc,
    exports: ssc.exports,
    async advance(count = 1) {
      const time = await ssc.clock.advance(count);
      // The collectors take what was delivered before the clock's answer, each batch in a microtask of its own.
      await new Promise((resolve) => setImmediate(resolve));
      return time;
    },
    output<T>(stream: PublishedStream<T>) {
      const found = collected.get(stream as unknown as PublishedStream<never>);
      if (found === undefined) throw new MillraceError('InvalidArgument', 'Expected a published stream among the program\'s exports; this one isn\'t returned by the program.');
      return found as unknown as readonly PublishedBatch<T>[];
    },
    get printed() {
      return printed;
    },
    batches,
    next: (name) => new Promise((resolve) => {
      const off = ssc.on(name, (info) => {
        off();
        resolve(info);
      });
    }),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/**
 * Batches in, batches out: runs one operation over the input, inline, and gives the records of each batch (null: no RDD).
 * As many batches run as the input has, or `batchesToRun`. Rejects where a batch fails, unless `onBatchFailure` says otherwise.
 */
export async function testOperation<T, U>(
  input: readonly (readonly T[] | null)[],
  operation: (stream: DStream<T>) => DStream<U>,
  options: TestOptions & { readonly partitions?: number; readonly batchesToRun?: number } = {},
): Promise<readonly (readonly U[] | null)[]> {
  const { partitions = 2, batchesToRun = input.length, ...rest } = options;
  const intervalMs = Number(rest.batchInterval ?? 1_000);
  const test = await startTest((ssc: StreamingContext) => ({ output: operation(ssc.batchesStream(input, partitions)).publish({ bound: 1_000_000 }) }), rest as never);
  try {
    if (batchesToRun > 0) await test.advance(batchesToRun);
    // A batch that failed has no output: its error says more than the missing records.
    if ((rest.onBatchFailure ?? 'stop') === 'stop') await test.ssc.awaitTermination(0);
    const found = new Map(test.output((test.exports as { output: PublishedStream<U> }).output).map(({ time, records }) => [Number(time), records]));
    return Array.from({ length: batchesToRun }, (_, index) => found.get((index + 1) * intervalMs) ?? null);
  } finally {
    await test.stop();
  }
}

function collect<T>(stream: PublishedStream<T>): PublishedBatch<T>[] {
  const batches: PublishedBatch<T>[] = [];
  const read = async (): Promise<void> => {
    for await (const batch of stream) batches.push(batch);
  };
  // A stream that ends with the context's failure has been read to its end all the same.
  void read().catch(() => {});
  return batches;
}
