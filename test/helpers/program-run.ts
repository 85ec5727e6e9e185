/**
 * A program's graph on the calling thread: built as a runtime would build it, its jobs run by `LocalRunner`, batch after batch.
 *
 * Invariant: a batch is generated, run and cleared before the next one, and after each nothing is kept that nobody remembers.
 */
import { MillraceError } from '../../protocol/errors.ts';
import { asProgramId } from '../../protocol/ids.ts';
import type { RddId } from '../../protocol/ids.ts';
import type { BlockRef, FunctionRef, RddNode, Sink } from '../../protocol/rdd.ts';
import type { TaskOutput } from '../../protocol/task.ts';
import { asBatchTime } from '../../protocol/time.ts';
import type { BatchTime } from '../../protocol/time.ts';
import type { BatchEnvironment, FileEntry } from '../../lib/dstream/environment.ts';
import type { GeneratedJob } from '../../lib/dstream/output.ts';
import { cutEvenly } from '../../lib/dstream/rdd-queue.ts';
import { blocksRdd } from '../../lib/rdd/make.ts';
import type { RDD } from '../../lib/rdd/rdd.ts';
import { LocalFunctions } from '../../lib/program/local-functions.ts';
import { ProgramBuilder } from '../../lib/program/program-builder.ts';
import { ReplayCache } from '../../lib/program/replay.ts';
import { LocalRunner } from './local-runner.ts';

export const testProgram = asProgramId(1);
export const batchIntervalMsDefault = 1_000;

/** A builder as a worker thread (or, with `local`, an inline cluster) has it. */
export function builderFor(options: { readonly local?: LocalFunctions | null; readonly program?: number; readonly defaultParallelism?: number; readonly batchIntervalMs?: number } = {}): ProgramBuilder {
  return new ProgramBuilder({
    program: asProgramId(options.program ?? testProgram),
    batchIntervalMs: options.batchIntervalMs ?? batchIntervalMsDefault,
    defaultParallelism: options.defaultParallelism ?? 2,
    local: options.local ?? null,
    fileSizes: (path) => [{ file: path, bytes: 10 }],
  });
}

type AnyFunction = (...args: never[]) => unknown;

/** `LocalRunner`, where functions are named as the program names them: each name is resolved when a job starts. */
class ProgramRunner extends LocalRunner {
  readonly #resolve: (ref: FunctionRef) => AnyFunction | null;
  readonly #prepare: (target: RddId, sink: Sink) => Promise<void>;
  #jobsRunning = 0;

  constructor(defaultParallelism: number, prepare: (target: RddId, sink: Sink) => Promise<void>, resolve: (ref: FunctionRef) => AnyFunction | null) {
    super({ defaultParallelism });
    this.#prepare = prepare;
    this.#resolve = resolve;
  }

  override node(id: RddId): RddNode {
    const node = super.node(id);
    return this.#jobsRunning === 0 ? node : this.#named(node);
  }

  override async runJob(target: RddId, partitions: readonly number[] | null, sink: Sink): Promise<readonly TaskOutput[]> {
    await this.#prepare(target, sink);
    this.#jobsRunning += 1;
    try {
      return await super.runJob(target, partitions, this.#named(sink));
    } finally {
      this.#jobsRunning -= 1;
    }
  }

  /** The same data, with every program's and batch's function under a name of the runner's own. */
  #named<V>(value: V): V {
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
    if (Array.isArray(value)) return value.map((item) => this.#named(item as unknown)) as V;
    const fn = 'kind' in value && 'index' in value ? this.#resolve(value as unknown as FunctionRef) : null;
    if (fn !== null) return super.functionRef(fn) as V;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, this.#named(inner as unknown)])) as V;
  }
}

export interface RunOptions {
  readonly defaultParallelism?: number;
  readonly batchIntervalMs?: number;
  /** When the start was asked for, after the zero time 0. Default 0. */
  readonly startTime?: number;
  /** False: the graph is built and not started. */
  readonly start?: boolean;
  /** True: functions are resolved on a second copy of the program, as on a worker thread. Default: inline. */
  readonly threads?: boolean;
}

export class ProgramRun {
  readonly builder: ProgramBuilder;
  /** The worker's copy of the program, in a run with threads. */
  readonly worker: ProgramBuilder;
  readonly replays: ReplayCache;
  readonly runner: LocalRunner;
  /** Closures by number, in an inline run. */
  readonly localFunctions: LocalFunctions | null;
  readonly warnings: string[] = [];
  files: FileEntry[] = [];
  blocks = new Map<string, BlockRef[]>();
  /** How many RDDs made since the build were left after the last batch. */
  keptRdds = 0;

  /** Builds with `build`, and starts with the zero time 0. */
  constructor(build: (ssc: ProgramBuilder) => void, options: RunOptions = {}) {
    const local = options.threads === true ? null : new LocalFunctions();
    this.localFunctions = local;
    const make = (): ProgramBuilder => {
      const builder = builderFor({ ...options, local });
      build(builder);
      builder.seal();
      return builder;
    };
    this.builder = make();
    this.worker = local === null ? make() : this.builder;
    this.replays = new ReplayCache(this.worker.graph, this.worker.rdds);
    this.runner = new ProgramRunner(
      this.builder.sc.defaultParallelism,
      async (target, sink) => this.replays.prepare(this.builder.rdds.replaysFor(this.builder.rdds.lineage([target]), sink)),
      (ref) => {
        if (ref.kind === 'program') return this.worker.functions.resolve(ref.index);
        if (ref.kind === 'batch') return this.replays.resolve(ref);
        return ref.kind === 'local' && local !== null ? local.resolve(ref.index) : null;
      },
    );
    this.builder.rdds.attach(this.runner, { stores: true });
    if (options.start !== false) this.builder.graph.start(asBatchTime(0), options.startTime ?? 0);
  }

  get env(): BatchEnvironment {
    return {
      allocatedBlocks: (stream, time) => this.blocks.get(`${stream}@${time}`)?.map((block) => [block]) ?? null,
      recorded: () => null,
      listFiles: () => this.files,
      warn: (message) => void this.warnings.push(message),
    };
  }

  /** One batch: generated, its outputs collected by partition, then cleared. */
  async batch(time: number): Promise<{ readonly output: number; readonly partitions: unknown[][] }[]> {
    const jobs: readonly GeneratedJob[] = await this.builder.graph.generateJobs(asBatchTime(time), this.env);
    const results: { output: number; partitions: unknown[][] }[] = [];
    for (const { output, target } of jobs) results.push({ output, partitions: await (target as RDD<unknown>).collectPartitions() });
    this.clear(asBatchTime(time));
    return results;
  }

  /** As the app's push arrives on the driver. */
  push(queue: number, records: readonly unknown[], partitions = 1): void {
    const blocks = cutEvenly(records, partitions).map((part) => [this.runner.storeRecords(part)]);
    this.builder.queues[queue]?.enqueue(blocksRdd(this.builder.rdds, blocks, 'queue'));
  }

  /** The records of each RDD of the stream with the uid. */
  async slice(uid: string, from: number, to: number): Promise<unknown[][]> {
    const stream = this.builder.graph.operators.find(({ operatorUid }) => operatorUid === uid);
    const rdds = await this.builder.graph.computeSlice(stream?.index ?? -1, asBatchTime(from), asBatchTime(to), this.env);
    return Promise.all(rdds.map((rdd) => rdd.collect()));
  }

  clear(time: BatchTime): void {
    this.builder.graph.clearMetadata(time);
    this.builder.rdds.sweep(this.builder.graph.held());
    this.keptRdds = this.builder.rdds.made.length;
  }

  /** Batches 1..count; of each, what output 0 got: null where it was not called. */
  async batches(count: number): Promise<(unknown[][] | null)[]> {
    const seen: (unknown[][] | null)[] = [];
    for (let batch = 1; batch <= count; batch += 1) {
      const outputs = await this.batch(batch * this.builder.graph.batchIntervalMs);
      seen.push(outputs.find(({ output }) => output === 0)?.partitions ?? null);
    }
    return seen;
  }
}

/** The records of each batch, in order. */
export function flat(batches: readonly (readonly unknown[][] | null)[]): (unknown[] | null)[] {
  return batches.map((partitions) => (partitions === null ? null : partitions.flat()));
}

/** The code of the MillraceError that the call throws or rejects with; `none` where it does not. */
export async function codeOf(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (thrown) {
    return thrown instanceof MillraceError ? thrown.code : `not a MillraceError: ${String(thrown)}`;
  }
  return 'none';
}
