/**
 * A program built on a host, as that host's actors use it.
 *
 * Invariant: one of these for each (host, program); inline, where all hosts are one thread, they share one builder, and the
 * driver's context serves the app too.
 */
import type { RunningFunction } from '../lib/rdd/function-scope.ts';
import { partitionsOf } from '../lib/dstream/block-partitions.ts';
import type { BlockPartitions } from '../lib/dstream/block-partitions.ts';
import { blocksRdd } from '../lib/rdd/make.ts';
import { andThen, guarded, inOrder, isPromise } from '../lib/dstream/generated.ts';
import type { Eventually } from '../lib/dstream/generated.ts';
import type { BatchEnvironment } from '../lib/dstream/environment.ts';
import { LineageEnds } from '../lib/program/lineage-ends.ts';
import type { LocalFunctions } from '../lib/program/local-functions.ts';
import type { ProgramBuilder } from '../lib/program/program-builder.ts';
import { ProgramRecovery } from '../lib/program/program-recovery.ts';
import type { RestoreOrders } from '../lib/program/program-recovery.ts';
import { noRoomFor } from '../lib/storage/late-records.ts';
import { ReplayCache } from '../lib/program/replay.ts';
import { unfinishedBatches } from '../lib/recovery/book.ts';
import type { RecoveryBook } from '../lib/recovery/book.ts';
import type { MissedGap } from '../lib/dstream/missed.ts';
import type { AppJob, DueState, InputWaiting, SlicedRdds } from '../protocol/batch.ts';
import { decodeRecord } from '../protocol/codec.ts';
import type { Fingerprint } from '../protocol/host.ts';
import type { JobResult, ToTaskScheduler } from '../protocol/job.ts';
import type { BlockRef, BroadcastVersion, FunctionRef, RddNode, ReplayRecord, SharedHandle } from '../protocol/rdd.ts';
import type { StreamBlocks } from '../protocol/receiver.ts';
import type { InputRecord } from '../protocol/recovery.ts';
import type { AccumulatorUpdate } from '../protocol/task.ts';
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
  readonly appName: string;
  readonly builder: ProgramBuilder;
  readonly fingerprint: Fingerprint;
  readonly #services: HostServices;
  readonly #local: LocalFunctions | null;
  readonly #replays: ReplayCache;
  readonly #lineageEnds: LineageEnds;
  readonly #recovery: ProgramRecovery;
  /** Of batches that were generated before a restart and run again. */
  readonly #broadcastsThen = new Map<BatchTime, readonly (readonly [BroadcastVersion, Uint8Array | null])[]>();
  /** Driver only. */
  readonly #rdds: RuntimeRdds | null;
  readonly #blocks = new Map<BatchTime, ReadonlyMap<StreamId, BlockPartitions>>();
  readonly #broadcasts: BroadcastVersion[];
  /** By the newest batch. */
  #seen: readonly BroadcastVersion[] = [];
  /** The values of the newest versions that somebody has set. */
  readonly #newest = new Map<number, unknown>();
  /** Values that were set anew since, each with the last batch that may read it. */
  #superseded: { readonly lastUse: number; readonly handle: SharedHandle }[] = [];
  #broadcastsAt: { readonly time: BatchTime; readonly versions: readonly BroadcastVersion[] }[] = [];

  constructor(builder: ProgramBuilder, services: HostServices, local: LocalFunctions | null) {
    this.program = builder.program;
    this.appName = builder.appName;
    this.builder = builder;
    this.fingerprint = builder.fingerprint();
    this.#services = services;
    this.#local = local;
    this.#replays = new ReplayCache(builder.graph, builder.rdds);
    this.#lineageEnds = new LineageEnds(builder.graph, builder.rdds);
    this.#broadcasts = builder.sc.broadcasts.map((_broadcast, index) => ({ program: builder.program, broadcast: index, version: 0, block: null }));
    this.#recovery = new ProgramRecovery(builder);
    this.#rdds = services.role === 'driver' ? new RuntimeRdds(services, builder, (request) => this.#runJob(request)) : null;
    if (this.#rdds !== null) builder.rdds.attach(this.#rdds, { stores: true });
  }

  startAt(zeroTime: number, startTime: number, missed: readonly MissedGap[]): void {
    this.builder.graph.start(asBatchTime(zeroTime), startTime, missed);
  }

  generate(time: BatchTime, blocks: readonly StreamBlocks[]): Eventually<GeneratedBatch> {
    this.#blocks.set(time, new Map(blocks.map(({ stream, blocks: own }) => [stream, this.#recovery.blocksAt(stream, time) ?? partitionsOf(own, this.builder.sc.defaultParallelism)])));
    this.#seen = this.#installBroadcasts(time);
    const broadcasts = this.#seen;
    this.#broadcastsAt.push({ time, versions: broadcasts });
    // In order: each may be part of the next one's lineage.
    return this.#holding(() => {
      const made = inOrder(this.#lineageEnds.overdue(time), (rdd) => this.#computeInFull(rdd));
      return andThen(andThen(made, () => this.builder.graph.generateJobs(time, this.#environment())), (jobs) =>
        andThen(this.#lineage(jobs.map(({ rdd }) => rdd)), (nodes) => ({
          jobs: jobs.map(({ output, action, rdd }) => ({ output, action, rdd })),
          nodes,
          replays: this.builder.rdds.replaysFor(nodes),
          broadcasts,
        })));
    });
  }

  takenFor(time: BatchTime): { readonly inputs: readonly InputRecord[]; readonly broadcasts: readonly number[] } {
    return { inputs: this.#recovery.inputsOf(time, this.#blocks.get(time) ?? new Map()), broadcasts: this.#seen.map(({ version }) => version) };
  }

  restore(book: RecoveryBook, directory: string): RestoreOrders {
    this.#restoreBroadcasts(book);
    return this.#recovery.restore(book, directory, ({ bytes, records }) => (records === 0 ? [] : [this.#runtime.storeEncoded(bytes, records)]));
  }

  blocksOf(time: BatchTime): readonly StreamBlocks[] {
    return this.#recovery.blocksOf(time);
  }

  makeStates(time: BatchTime): Eventually<readonly DueState[]> {
    const due = this.#recovery.statesAt(time);
    const open = due.filter(({ rdd }) => !this.#recovery.isOver(rdd));
    return andThen(inOrder(open, ({ rdd }) => this.#computeInFull(rdd)), () => due);
  }

  accumulate(time: BatchTime, updates: readonly AccumulatorUpdate[]): void {
    this.#recovery.accumulate(time, updates);
  }

  totals(): readonly Uint8Array[] | null {
    return this.#recovery.totals();
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
    this.#recovery.forget(inputsUpTo);
    const unread = this.#superseded.filter(({ lastUse }) => lastUse <= inputsUpTo);
    this.#superseded = this.#superseded.filter(({ lastUse }) => lastUse > inputsUpTo);
    return { rdds: dropped, handles: [...this.#runtime.drop(dropped), ...unread.map(({ handle }) => handle)], inputsUpTo };
  }

  settle(rdd: RddId, made: boolean): void {
    this.#lineageEnds.settled(rdd, made);
  }

  async slice(operator: number, from: number, to: number): Promise<SlicedRdds> {
    return this.#holding(async () => {
      const rdds = await this.builder.graph.computeSlice(operator, asBatchTime(from), asBatchTime(to), this.#environment());
      const ids = rdds.map(({ id }) => id);
      const nodes = await this.#lineage(ids);
      return { rdds: ids, nodes, replays: this.builder.rdds.replaysFor(nodes), broadcasts: this.#broadcasts };
    });
  }

  push(queue: number, partitions: readonly EncodedPartition[]): { readonly item: number } {
    const item = this.builder.queues[queue]?.next ?? 0;
    const given = partitions.filter(({ records }) => records > 0);
    const stored = this.#runtime.storeAll(given);
    if (stored === null) throw noRoomFor(given.reduce((sum, { bytes }) => sum + bytes.length, 0), this.#services.options.blockMemoryBytesMax);
    const blocks = partitions.map((partition) => (partition.records === 0 ? [] : [stored[given.indexOf(partition)] as BlockRef]));
    this.builder.queues[queue]?.enqueue(blocksRdd(this.builder.rdds, blocks, 'queue'));
    return { item };
  }

  isOverBound(queue: number): boolean {
    const found = this.builder.queues[queue];
    return found !== undefined && found.length > found.bound;
  }

  waitingInput(): InputWaiting {
    return this.builder.graph.waitingInput;
  }

  setBroadcast(broadcast: number, value: Uint8Array): { readonly version: number } {
    const before = this.#broadcasts[broadcast];
    const version = (before?.version ?? 0) + 1;
    // First, since it may find no room: then nothing has changed.
    const block = this.#runtime.storeValue(value);
    const place = before?.block?.place ?? null;
    if (place !== null && 'slab' in place) this.#superseded.push({ lastUse: this.#broadcastsAt.at(-1)?.time ?? -Infinity, handle: place });
    this.#broadcasts[broadcast] = { program: this.program, broadcast, version, block };
    this.#newest.set(broadcast, decodeRecord(value));
    return { version };
  }

  completeJob({ target, sink, nodes: made, batchTime: time }: AppJob): Eventually<Pick<GeneratedBatch, 'nodes' | 'replays' | 'broadcasts'>> {
    const known = new Map(made.map((node) => [node.id, node]));
    const outside = [target, ...made.flatMap(({ parents }) => parents)].filter((id) => !known.has(id));
    return andThen(this.#lineage(outside), (lineage) => {
      const nodes = [...lineage, ...made];
      const broadcasts = this.#broadcastsAt.find((at) => at.time === time)?.versions ?? this.#broadcasts;
      return { nodes, replays: this.builder.rdds.replaysFor(nodes, sink), broadcasts };
    });
  }

  prepare(replays: readonly ReplayRecord[], broadcasts: readonly BroadcastVersion[], read: (version: BroadcastVersion) => Uint8Array): Eventually<void> {
    // Also inline, where a later batch may have been generated meanwhile; and back to version 0, for a task that runs again.
    for (const version of broadcasts) {
      const broadcast = this.builder.sc.broadcasts[version.broadcast];
      if (broadcast !== undefined && broadcast.version !== version.version) broadcast.install(version.version, version.version === 0 ? undefined : decodeRecord(read(version)));
    }
    if (this.#local !== null) return;
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

  /**
   * An action inside of a transform function: a job like any other, in the middle of generating a batch. Inline, one in an output's body, too, while
   * later batches may have been generated: so it works for the batch that its RDD is of.
   */
  async #runJob(request: Parameters<ConstructorParameters<typeof RuntimeRdds>[2]>[0]): Promise<JobResult> {
    const lineage = this.#lineage([request.target]);
    const nodes = isPromise(lineage) ? await lineage : lineage;
    const of = nodes.reduce<BatchTime | null>((latest, { batchTime = null }) => (batchTime !== null && (latest === null || batchTime > latest) ? batchTime : latest), null);
    const { time: batchTime, versions: broadcasts } = this.#broadcastsAt.find(({ time }) => time === of) ?? this.#broadcastsAt.at(-1) ?? { time: null, versions: this.#seen };
    return this.#services.ask<ToTaskScheduler, JobResult>(
      places.taskScheduler,
      (replyTo) => ({ type: 'runJob', replyTo, request: { ...request, nodes, program: this.program, batchTime, replays: this.builder.rdds.replaysFor(nodes, request.sink), broadcasts } }),
      this.#services.options.actionTimeoutMs,
    );
  }

  /** All of it in its place: looking at lineage brings the program's own records into memory, and that may be full just now. */
  #lineage(targets: readonly RddId[]): Eventually<RddNode[]> {
    const nodes = this.builder.rdds.lineage(targets);
    const settled = this.#runtime.settled();
    return isPromise(settled) ? settled.then(() => this.builder.rdds.lineage(targets)) : nodes;
  }

  /** The versions that the batch sees: the newest, or those of its first time. They are this thread's from now on. */
  #installBroadcasts(time: BatchTime): readonly BroadcastVersion[] {
    const then = this.#broadcastsThen.get(time);
    if (then !== undefined) {
      this.#broadcastsThen.delete(time);
      for (const [{ broadcast, version }, value] of then) this.builder.sc.broadcasts[broadcast]?.install(version, value === null ? undefined : decodeRecord(value));
      return then.map(([version]) => version);
    }
    for (const { broadcast, version } of this.#broadcasts) this.builder.sc.broadcasts[broadcast]?.install(version, this.#newest.get(broadcast));
    return [...this.#broadcasts];
  }

  #restoreBroadcasts(book: RecoveryBook): void {
    const stored = new Map<string, readonly [BroadcastVersion, Uint8Array | null]>();
    const versionOf = (broadcast: number, version: number): readonly [BroadcastVersion, Uint8Array | null] => {
      const known = stored.get(`${broadcast}@${version}`);
      if (known !== undefined) return known;
      const value = book.broadcasts.get(broadcast)?.get(version) ?? null;
      assert(value !== null || version === 0, 'the log has each version that a batch sees', `${broadcast}@${version}`);
      const made = [{ program: this.program, broadcast, version, block: value === null ? null : this.#runtime.storeValue(value) }, value] as const;
      stored.set(`${broadcast}@${version}`, made);
      return made;
    };
    for (const time of unfinishedBatches(book)) {
      this.#broadcastsThen.set(time, (book.batches.get(time)?.broadcasts ?? []).map((version, broadcast) => versionOf(broadcast, version)));
    }
    for (const [broadcast, versions] of book.broadcasts) {
      const [version, value] = versionOf(broadcast, Math.max(...versions.keys()));
      if (broadcast >= this.#broadcasts.length) continue;
      this.#broadcasts[broadcast] = version;
      if (value !== null) this.#newest.set(broadcast, decodeRecord(value));
    }
  }

  /** For its stored partitions only. What fails here fails in the outputs that read it, and theirs is the error to report. */
  async #computeInFull(rdd: RddId): Promise<void> {
    await this.builder.rdds.runJob(rdd, null, { kind: 'count' }).catch(() => {});
  }

  #environment(): BatchEnvironment {
    return {
      allocatedBlocks: (stream, time) => this.#blocks.get(time)?.get(stream) ?? this.#recovery.blocksAt(stream, time) ?? (this.#blocks.has(time) ? [] : null),
      recorded: (uid, time) => this.#recovery.recorded(uid, time),
      listFiles: (directory) => this.#services.listFiles(directory),
      warn: (message) => this.#services.log('warn', message),
    };
  }
}

