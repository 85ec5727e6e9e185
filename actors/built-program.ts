/**
 * A program built on a host, as that host's actors use it.
 *
 * Invariant: one of these for each (host, program); inline, where all hosts are one thread, they share one builder, and the
 * driver's context serves the app too.
 */
import type { RunningFunction } from '../lib/rdd/function-scope.ts';
import { blocksRdd } from '../lib/rdd/make.ts';
import { andThen, guarded, inOrder } from '../lib/dstream/generated.ts';
import type { Eventually } from '../lib/dstream/generated.ts';
import type { BatchEnvironment } from '../lib/dstream/environment.ts';
import { LineageEnds } from '../lib/program/lineage-ends.ts';
import type { LocalFunctions } from '../lib/program/local-functions.ts';
import type { ProgramBuilder } from '../lib/program/program-builder.ts';
import { ReplayCache } from '../lib/program/replay.ts';
import type { AppJob, InputWaiting, SlicedRdds } from '../protocol/batch.ts';
import { decodeRecord } from '../protocol/codec.ts';
import type { Fingerprint } from '../protocol/host.ts';
import type { JobResult, ToTaskScheduler } from '../protocol/job.ts';
import type { BlockRef, BroadcastVersion, FunctionRef, RddNode, ReplayRecord, SharedHandle } from '../protocol/rdd.ts';
import type { StreamBlocks } from '../protocol/receiver.ts';
import type { ProgramId, RddId, StreamId } from '../protocol/ids.ts';
import { asBatchTime } from '../protocol/time.ts';
import type { BatchTime } from '../protocol/time.ts';
import { assert } from '../lib/base/assert.ts';
import { places } from './places.ts';
import type { Cleared, EncodedPartition, GeneratedBatch, HostProgram } from './programs.ts';
import { RuntimeRdds } from './runtime-rdds.ts';
import type { HostServices } from './services.ts';

export class BuiltProgram implements HostProgram {
  readonly program: ProgramId;
  readonly builder: ProgramBuilder;
  readonly fingerprint: Fingerprint;
  readonly #services: HostServices;
  readonly #local: LocalFunctions | null;
  readonly #replays: ReplayCache;
  readonly #lineageEnds: LineageEnds;
  /** Driver only. */
  readonly #rdds: RuntimeRdds | null;
  readonly #blocks = new Map<BatchTime, ReadonlyMap<StreamId, readonly BlockRef[]>>();
  readonly #broadcasts: BroadcastVersion[] = [];
  readonly #newValues = new Map<number, unknown>();
  /** Values that were set anew since, each with the last batch that may read it. */
  #superseded: { readonly lastUse: number; readonly handle: SharedHandle }[] = [];
  #broadcastsAt: { readonly time: BatchTime; readonly versions: readonly BroadcastVersion[] }[] = [];

  constructor(builder: ProgramBuilder, services: HostServices, local: LocalFunctions | null) {
    this.program = builder.program;
    this.builder = builder;
    this.fingerprint = builder.fingerprint();
    this.#services = services;
    this.#local = local;
    this.#replays = new ReplayCache(builder.graph, builder.rdds);
    this.#lineageEnds = new LineageEnds(builder.graph, builder.rdds);
    this.#rdds = services.role === 'driver' ? new RuntimeRdds(services, builder.program, (request) => this.#runJob(request)) : null;
    if (this.#rdds !== null) builder.rdds.attach(this.#rdds, { stores: true });
  }

  startAt(zeroTime: number, startTime: number): void {
    this.builder.graph.start(asBatchTime(zeroTime), startTime);
  }

  generate(time: BatchTime, blocks: readonly StreamBlocks[]): Eventually<GeneratedBatch> {
    this.#blocks.set(time, new Map(blocks.map(({ stream, blocks: own }) => [stream, own])));
    for (const [index, value] of this.#newValues) this.builder.sc.broadcasts[index]?.install(this.#broadcasts[index]?.version ?? 0, value);
    this.#newValues.clear();
    const broadcasts = this.#broadcasts.filter(({ version }) => version > 0);
    this.#broadcastsAt.push({ time, versions: broadcasts });
    // In order: each may be part of the next one's lineage.
    return this.#holding(() => {
      const made = inOrder(this.#lineageEnds.overdue(time), (rdd) => this.#computeInFull(rdd));
      return andThen(andThen(made, () => this.builder.graph.generateJobs(time, this.#environment())), (jobs) => {
        const nodes = this.builder.rdds.lineage(jobs.map(({ rdd }) => rdd));
        return { jobs: jobs.map(({ output, action, rdd }) => ({ output, action, rdd })), nodes, replays: this.builder.rdds.replaysFor(nodes), broadcasts };
      });
    });
  }

  clear(time: BatchTime): Cleared {
    const { graph, rdds } = this.builder;
    graph.clearMetadata(time);
    const dropped = rdds.sweep(graph.held());
    const keepMs = Math.max(graph.maxInputRememberMs, graph.batchIntervalMs);
    const inputsUpTo = asBatchTime(time - keepMs);
    for (const known of this.#blocks.keys()) {
      if (known <= inputsUpTo) this.#blocks.delete(known);
    }
    this.#broadcastsAt = this.#broadcastsAt.filter((at) => at.time > inputsUpTo);
    const unread = this.#superseded.filter(({ lastUse }) => lastUse <= inputsUpTo);
    this.#superseded = this.#superseded.filter(({ lastUse }) => lastUse > inputsUpTo);
    return { rdds: dropped, handles: [...this.#runtime.drop(dropped), ...unread.map(({ handle }) => handle)], inputsUpTo };
  }

  settle(rdd: RddId): void {
    this.#lineageEnds.settled(rdd);
  }

  async slice(operator: number, from: number, to: number): Promise<SlicedRdds> {
    return this.#holding(async () => {
      const rdds = await this.builder.graph.computeSlice(operator, asBatchTime(from), asBatchTime(to), this.#environment());
      const ids = rdds.map(({ id }) => id);
      const nodes = this.builder.rdds.lineage(ids);
      return { rdds: ids, nodes, replays: this.builder.rdds.replaysFor(nodes), broadcasts: this.#broadcasts };
    });
  }

  push(queue: number, partitions: readonly EncodedPartition[]): void {
    const blocks = partitions.map(({ bytes, records }) => (records === 0 ? [] : [this.#runtime.storeEncoded(bytes, records)]));
    this.builder.queues[queue]?.enqueue(blocksRdd(this.builder.rdds, blocks, 'queue'));
  }

  isOverBound(queue: number): boolean {
    const found = this.builder.queues[queue];
    return found !== undefined && found.length > found.bound;
  }

  waitingInput(): InputWaiting {
    return this.builder.graph.waitingInput;
  }

  setBroadcast(broadcast: number, value: Uint8Array): void {
    for (let index = this.#broadcasts.length; index <= broadcast; index += 1) this.#broadcasts.push({ program: this.program, broadcast: index, version: 0, block: null });
    const before = this.#broadcasts[broadcast];
    const version = (before?.version ?? 0) + 1;
    const place = before?.block?.place ?? null;
    if (place !== null && 'slab' in place) this.#superseded.push({ lastUse: this.#broadcastsAt.at(-1)?.time ?? -Infinity, handle: place });
    this.#broadcasts[broadcast] = { program: this.program, broadcast, version, block: this.#runtime.storeEncoded(value, 1) };
    this.#newValues.set(broadcast, decodeRecord(value));
  }

  completeJob({ target, sink, nodes: made, batchTime: time }: AppJob): Pick<GeneratedBatch, 'nodes' | 'replays' | 'broadcasts'> {
    const known = new Map(made.map((node) => [node.id, node]));
    const outside = [target, ...made.flatMap(({ parents }) => parents)].filter((id) => !known.has(id));
    const nodes = [...this.builder.rdds.lineage(outside), ...made];
    const broadcasts = this.#broadcastsAt.find((at) => at.time === time)?.versions ?? this.#broadcasts;
    return { nodes, replays: this.builder.rdds.replaysFor(nodes, sink), broadcasts };
  }

  prepare(replays: readonly ReplayRecord[], broadcasts: readonly BroadcastVersion[], read: (version: BroadcastVersion) => Uint8Array): Eventually<void> {
    if (this.#local !== null) return;
    for (const version of broadcasts) {
      const broadcast = this.builder.sc.broadcasts[version.broadcast];
      if (broadcast !== undefined && broadcast.version !== version.version) broadcast.install(version.version, version.version === 0 ? undefined : decodeRecord(read(version)));
    }
    return this.#replays.prepare(replays);
  }

  resolve(ref: FunctionRef): (...args: never[]) => unknown {
    switch (ref.kind) {
      case 'program':
        return this.builder.functions.resolve(ref.index);
      case 'batch':
        return this.#replays.resolve(ref);
      case 'local':
        assert(this.#local !== null, 'a local function is named only inline');
        return this.#local.resolve(ref.index);
      case 'builtin':
        throw new TypeError(`The builtin ${ref.name} is resolved by the engine.`);
    }
  }

  duringTask<R>(work: () => R): R {
    const { builder } = this;
    builder.taskRuns = true;
    try {
      return work();
    } finally {
      builder.taskRuns = false;
    }
  }

  get running(): RunningFunction | null {
    return this.builder.sc.accumulators.length === 0 ? null : this.builder.sc.running;
  }

  factory(stream: StreamId): unknown {
    const input = this.builder.receiverInputs.find((one) => one.stream === stream);
    return input !== undefined && 'factory' in input.source ? input.source.factory : undefined;
  }

  /** Where generating waits, older batches may end and be cleared meanwhile: what it has made, no stream may remember yet. */
  #holding<R>(generate: () => Eventually<R>): Eventually<R> {
    return guarded(generate, (thrown) => thrown, this.builder.rdds.holdWhatIsMade());
  }

  get #runtime(): RuntimeRdds {
    assert(this.#rdds !== null, 'only the driver generates batches');
    return this.#rdds;
  }

  /** An action inside of a transform function: a job like any other, in the middle of generating a batch. */
  #runJob(request: Parameters<ConstructorParameters<typeof RuntimeRdds>[2]>[0]): Promise<JobResult> {
    const nodes = this.builder.rdds.lineage([request.target]);
    const broadcasts = this.#broadcasts.filter(({ version }) => version > 0);
    return this.#services.ask<ToTaskScheduler, JobResult>(
      places.taskScheduler,
      (replyTo) => ({ type: 'runJob', replyTo, request: { ...request, nodes, program: this.program, batchTime: this.#broadcastsAt.at(-1)?.time ?? null, replays: this.builder.rdds.replaysFor(nodes, request.sink), broadcasts } }),
      this.#services.options.actionTimeoutMs,
    );
  }

  /** For its stored partitions only. What fails here fails in the outputs that read it, and theirs is the error to report. */
  async #computeInFull(rdd: RddId): Promise<void> {
    await this.builder.rdds.runJob(rdd, null, { kind: 'count' }).catch(() => {});
  }

  #environment(): BatchEnvironment {
    return {
      allocatedBlocks: (stream, time) => this.#blocks.get(time)?.get(stream) ?? [],
      listFiles: (directory) => this.#services.listFiles(directory),
      warn: (message) => this.#services.log('warn', message),
    };
  }
}

