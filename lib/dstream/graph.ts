/**
 * The graph of a program: its operators in the order of making, its inputs and outputs, and what generating a batch means.
 *
 * Invariant: after `seal` nothing is added. One batch is generated at a time, in the order of their times; only streams that
 * an output depends on are computed.
 *
 *   building --seal--> sealed --start(zeroTime)--> started --stop--> stopped
 */
import type { RDD } from '../rdd/rdd.ts';
import { MillraceError, previewOf } from '../../protocol/errors.ts';
import type { Fingerprint } from '../../protocol/host.ts';
import type { InputRecord } from '../../protocol/recovery.ts';
import type { RddId } from '../../protocol/ids.ts';
import type { OperatorPlace } from '../../protocol/rdd.ts';
import { asBatchTime } from '../../protocol/time.ts';
import type { BatchTime } from '../../protocol/time.ts';
import { gapAt, timeBefore } from './missed.ts';
import type { MissedGap } from './missed.ts';
import { callError, callerPlace } from '../base/caller-place.ts';
import { checkDuration, checkText } from './arguments.ts';
import { validateCheckpoints } from './checkpoint-rules.ts';
import type { DStream } from './dstream.ts';
import type { BatchEnvironment, GraphHost } from './environment.ts';
import { fingerprintOf } from './fingerprint.ts';
import { andThen, inOrder, isPromise } from './generated.ts';
import type { Eventually } from './generated.ts';
import { jobOf } from './output.ts';
import type { GeneratedJob, OutputKind, OutputOperation } from './output.ts';
import { numberedUid } from './uid.ts';

export type GraphPhase = 'building' | 'sealed' | 'started' | 'stopped';

/** How a `slice` call reaches the driver: given by the runtime on each thread. */
export type Slicer = (operator: number, from: BatchTime, to: BatchTime) => Promise<RDD<unknown>[]>;

export class DStreamGraph {
  readonly host: GraphHost;
  readonly batchIntervalMs: number;
  readonly operators: DStream<unknown>[] = [];
  readonly outputs: OutputOperation[] = [];
  /** Set by the runtime; null before start. */
  slicer: Slicer | null = null;

  #phase: GraphPhase = 'building';
  #zeroTime: BatchTime | null = null;
  #startTime: number | null = null;
  #missed: readonly MissedGap[] = [];
  #rememberMs: number | null = null;
  #checkpointDirectory: string | null;
  /** Of each output, before the number of those that share it. Explicit uids change them while the graph is built. */
  readonly #outputUids: (() => string)[] = [];
  #uids = new Map<string, DStream<unknown>>();
  #uidChanges = 0;
  #generating: Promise<unknown> | null = null;

  constructor(host: GraphHost, batchIntervalMs: number, checkpointDirectory: string | null = null) {
    this.host = host;
    this.batchIntervalMs = batchIntervalMs;
    this.#checkpointDirectory = checkpointDirectory;
  }

  get phase(): GraphPhase {
    return this.#phase;
  }

  /** The start of the first batch; null before start. */
  get zeroTime(): BatchTime | null {
    return this.#zeroTime;
  }

  /** The stream time at which the start was asked for: zero time or later, since that lies on the grid. Null before start. */
  get startTime(): number | null {
    return this.#startTime;
  }

  /** No batch was made for it, and none will be: no stream has an RDD then. */
  isMissed(time: number): boolean {
    return gapAt(this.#missed, time) !== null;
  }

  /** The time before in a stream with that slide, over what was missed. Only once it has started. */
  timeBefore(time: BatchTime, slideMs: number): BatchTime {
    return timeBefore(this.#missed, time, slideMs, this.#zeroTime ?? asBatchTime(0));
  }

  /** Grows with each explicit uid. */
  get uidChanges(): number {
    return this.#uidChanges;
  }

  /** What `remember` was given. */
  get rememberMs(): number | null {
    return this.#rememberMs;
  }

  /** Where checkpoints go: what `checkpoint` was given, else the option; null: there are none. */
  get checkpointDirectory(): string | null {
    return this.#checkpointDirectory;
  }

  /** The streams without parents. */
  get inputs(): readonly DStream<unknown>[] {
    return this.operators.filter((stream) => stream.parents.length === 0);
  }

  // Building.

  /** Takes the next place. Called by every DStream's constructor. */
  addOperator(stream: DStream<unknown>): number {
    this.checkBuilding(stream.kind);
    for (const { fn, role, runsOn } of stream.spec.functions ?? []) {
      if (runsOn !== 'driver') this.host.registerFunction(fn, role, { uid: '', name: stream.kind, place: stream.place }, runsOn === 'workersAsync');
    }
    return this.operators.push(stream) - 1;
  }

  addOutput<T>(stream: DStream<T>, name: string, operation: OutputKind | ((place: OperatorPlace) => OutputKind)): void {
    this.checkBuilding(name);
    const graph = this;
    const place = callerPlace();
    const kind = typeof operation === 'function' ? operation({ uid: '', name, place }) : operation;
    const index = this.outputs.length;
    const uidOf = (): string => `${stream.operatorUid}/${name}`;
    this.#outputUids.push(uidOf);
    const output: OutputOperation = {
      index,
      stream: stream as unknown as DStream<unknown>,
      operation: kind,
      get operator() {
        const uid = uidOf();
        return { uid: numberedUid(uid, graph.#outputUids.slice(0, index).filter((other) => other() === uid).length), name, place };
      },
    };
    this.outputs.push(output);
  }

  /** Throws DuplicateUid where another operator has it. */
  claimUid(id: string, stream: DStream<unknown>): void {
    this.checkBuilding('uid');
    const owner = this.#uids.get(id);
    if (owner !== undefined && owner !== stream) {
      throw callError('DuplicateUid', 'uid', `Two operators have the uid ${JSON.stringify(id)}: ${nameOf(owner)} and ${nameOf(stream)}. Give each a uid of its own.`);
    }
    // A stream that is named anew gives its old name free.
    for (const [other, holder] of this.#uids) if (holder === stream) this.#uids.delete(other);
    this.#uids.set(id, stream);
    this.#uidChanges += 1;
  }

  /** Every stream remembers its RDDs at least that long. Throws RememberAlreadySet. */
  remember(durationMs: number): void {
    this.checkBuilding('remember');
    checkDuration('remember', 'the duration', durationMs);
    if (this.#rememberMs !== null) {
      throw callError('RememberAlreadySet', 'remember', `The remember duration is already set to ${this.#rememberMs} ms and can't be set again, to ${durationMs} ms. Call remember() once.`);
    }
    this.#rememberMs = durationMs;
  }

  /** Where checkpoints go. The last call counts, and more than the option. */
  checkpoint(directory: string): void {
    this.checkBuilding('checkpoint');
    this.#checkpointDirectory = checkText('checkpoint', 'the directory', directory);
  }

  /** The program's function has returned: nothing is added from now on. */
  seal(): void {
    if (this.#phase === 'building') this.#phase = 'sealed';
  }

  fingerprint(): Fingerprint {
    return fingerprintOf(this);
  }

  // Life.

  /** What must hold before a start. Throws NoOutputOperation, and what validateCheckpoints throws. */
  validate(): void {
    if (this.outputs.length === 0) {
      throw new MillraceError('NoOutputOperation', 'The graph has no output operation, so there is nothing to execute. Add print, foreachRDD, foreach, publish or another output to at least one stream.');
    }
    validateCheckpoints(this.#needed(), this.#checkpointDirectory);
  }

  /** Sets the zero time and how long streams remember. Calls `validate`. Throws ContextStopped. */
  start(zeroTime: BatchTime, startTime: number = zeroTime, missed: readonly MissedGap[] = []): void {
    if (this.#phase === 'stopped') throw new MillraceError('ContextStopped', 'The context has been stopped and can\'t be started again. Make a new one.');
    this.validate();
    this.#phase = 'started';
    this.#zeroTime = zeroTime;
    this.#startTime = startTime;
    this.#missed = missed;
    for (const stream of this.#needed()) stream.initialize();
    if (this.#rememberMs !== null) for (const { stream } of this.outputs) stream.remember(this.#rememberMs);
  }

  stop(): void {
    this.#phase = 'stopped';
  }

  // Batches: on the driver only.

  /**
   * The batch's jobs, in the order of the outputs; none for an output whose stream has no RDD at this time. A promise only
   * where a transform's function or a listing of files was async, or an earlier generation is still under way.
   * What fails here fails the batch.
   */
  generateJobs(time: BatchTime, env: BatchEnvironment): Eventually<readonly GeneratedJob[]> {
    return this.#oneAtATime(() =>
      andThen(
        inOrder(this.outputs, (output) => andThen(output.stream.getOrCompute(time, env), (rdd) => (rdd === null ? null : jobOf(output, rdd, time)))),
        (jobs) => jobs.filter((job) => job !== null),
      ),
    );
  }

  /** What the inputs have taken since the last call. */
  takenSince(): readonly InputRecord[] {
    return this.inputs.flatMap((input) => input.takenSince().map((one) => ({ uid: input.operatorUid, ...one })));
  }

  /** The streams of keyed state that an output depends on. */
  get states(): readonly DStream<unknown>[] {
    const needed = this.#needed();
    return this.operators.filter((stream) => stream.spec.keepsNewest === true && needed.has(stream));
  }

  /** Forgets RDDs that are older than their streams remember. Returns the ids that nobody remembers any more. */
  clearMetadata(time: BatchTime): readonly RddId[] {
    const forgotten = new Set<RddId>();
    for (const stream of this.operators) for (const rdd of stream.forget(time)) forgotten.add(rdd.id);
    for (const id of this.remembered()) forgotten.delete(id);
    return [...forgotten].filter((id) => !this.host.isProgramRdd(id));
  }

  /** The ids of all RDDs that streams remember. */
  remembered(): readonly RddId[] {
    return [...new Set(this.operators.flatMap((stream) => stream.remembered()))];
  }

  /** The roots of the lineage that is still of use: remembered RDDs, and those that wait in queues. */
  held(): readonly RddId[] {
    return [...new Set(this.operators.flatMap((stream) => stream.held()))];
  }

  /** The longest time for which an input must be readable again. */
  get maxInputRememberMs(): number {
    return this.inputs.reduce((most, input) => Math.max(most, input.rememberMs), 0);
  }

  /**
   * How many more times an input must be read until all that was pushed is in a batch, and in how many batches that has
   * happened at the latest: behind a window, an input is read once for each slide.
   */
  get waitingInput(): { readonly reads: number; readonly batchesMax: number } {
    const needed = [...this.#needed()];
    const reads = needed.reduce((most, { batchesWaiting }) => Math.max(most, batchesWaiting), 0);
    const slideMs = needed.reduce((most, stream) => Math.max(most, stream.slideMs), this.batchIntervalMs);
    return { reads, batchesMax: reads * Math.ceil(slideMs / this.batchIntervalMs) };
  }

  /** The RDDs of a stream for the times from..to, by way of the driver. Throws NotInitialized before start. */
  slice(stream: DStream<unknown>, from: number, to: number): Promise<RDD<unknown>[]> {
    if (this.slicer === null || this.#zeroTime === null) {
      throw new MillraceError('NotInitialized', `The stream ${nameOf(stream)} has not been initialized: call start() before slice().`);
    }
    if (!Number.isFinite(from) || !Number.isFinite(to)) throw new MillraceError('InvalidArgument', `slice expects two times in ms, and got ${previewOf(from)} and ${previewOf(to)}.`);
    return this.slicer(stream.index, from as BatchTime, to as BatchTime);
  }

  /** What `slice` means, on the driver: both ends included and floored to the slide; times without RDD are left out. Throws SliceUnavailable. */
  computeSlice(operator: number, from: BatchTime, to: BatchTime, env: BatchEnvironment): Eventually<readonly RDD<unknown>[]> {
    const stream = this.operators[operator];
    if (stream === undefined) throw new MillraceError('InvalidArgument', `slice was asked of operator ${operator}, and the graph has ${this.operators.length}.`);
    if (this.#zeroTime === null) throw new MillraceError('NotInitialized', `The stream ${nameOf(stream)} has not been initialized: call start() before slice().`);
    return this.#oneAtATime(() => stream.rddsBetween(from, to, { ...env, slicing: { along: null } }));
  }

  /** The streams that an output depends on. */
  #needed(): Set<DStream<unknown>> {
    const needed = new Set<DStream<unknown>>();
    const visit = (stream: DStream<unknown>): void => {
      if (needed.has(stream)) return;
      needed.add(stream);
      stream.parents.forEach(visit);
    };
    for (const { stream } of this.outputs) visit(stream);
    return needed;
  }

  /** Generations don't overlap, since what a transform's function makes is recorded by who is generating. */
  #oneAtATime<R>(generate: () => Eventually<R>): Eventually<R> {
    const result = this.#generating === null ? generate() : this.#generating.then(generate);
    if (!isPromise(result)) return result;
    const settled: Promise<unknown> = result.then(() => {}, () => {}).then(() => {
      if (this.#generating === settled) this.#generating = null;
    });
    this.#generating = settled;
    return result;
  }

  /** Throws ContextAlreadyStarted or ContextStopped where nothing can be added any more. */
  checkBuilding(what: string): void {
    switch (this.#phase) {
      case 'building':
        return;
      case 'sealed':
      case 'started':
        throw callError('ContextAlreadyStarted', what, `${what} can't be added after the program's function has returned: streams, operations and outputs are made while the graph is built.`);
      case 'stopped':
        throw callError('ContextStopped', what, `${what} can't be added: the context has been stopped. Make a new one.`);
    }
  }
}

function nameOf(stream: DStream<unknown>): string {
  return stream.place === '' ? stream.kind : `${stream.kind} at ${stream.place}`;
}
