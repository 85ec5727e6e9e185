/**
 * One attempt at one task: what its parts share while it runs.
 *
 * Invariant: a persisted partition is computed at most once in a task, however many operators read it; what was stored is
 * reported. Nothing here outlives the attempt.
 */
import type { BlockRef, BucketRef, FunctionRef, OperatorPlace, RddNode, RecordPolicy, StorageLevel } from '../../protocol/rdd.ts';
import type { BlockId, RddId, ShuffleId } from '../../protocol/ids.ts';
import type { ShuffleInput, StageSpec, StateInput, TaskReport, TaskSpec } from '../../protocol/task.ts';
import { decodePairs, decodeRecords, encodePairs, encodeRecords } from '../../protocol/codec.ts';
import type { Allocate } from '../../protocol/codec.ts';
import { MillraceError } from '../../protocol/errors.ts';
import { asBlockId } from '../../protocol/ids.ts';
import type { LetterBudget, RunningFunction, ScopeName } from './function-scope.ts';
import { deadLettersPerTaskMaxDefault, FunctionScope, scopesThatCount } from './function-scope.ts';
import { onFrozen, takesRecords } from './freeze.ts';
import type { LoopCache, LoopShape, PairColumns, SinkForm, UserFunction } from './fuse.ts';
import { sharedLoops } from './fuse.ts';
import { LoopState } from './loop-state.ts';
import type { Piece } from './piece.ts';
import { migrationOf } from './state/migration.ts';
import type { LinkReader, StateStore } from './state/state-store.ts';
import type { StateTable } from './state/state-table.ts';
import type { Meaning } from './text/meaning.ts';
import { meaningOfBuiltin } from './text/meaning.ts';
import { meaningOfClosure } from './text/recognize.ts';
import { sharedWords } from './text/word-dictionary.ts';
import { wordPlanOf } from './text/word-plan.ts';
import { runWords } from './text/word-run.ts';
import type { TaskContext } from './task-context.ts';
import { sinkContextOf, taskContextOf } from './task-context.ts';
import type { TaskEnvironment } from './task-environment.ts';
import { noRecord, orMissing, taskFailure } from './task-failure.ts';

export class TaskRun {
  readonly stage: StageSpec;
  readonly task: TaskSpec;
  readonly env: TaskEnvironment;
  readonly context: TaskContext;
  /** For the function of the sink. */
  readonly sinkContext: TaskContext;
  readonly stored: TaskReport['stored'][number][] = [];
  readonly #nodes = new Map<RddId, RddNode>();
  readonly #shuffles = new Map<string, ShuffleInput>();
  readonly #loops: LoopCache;
  readonly #running: RunningFunction | null;
  readonly #scopes: FunctionScope[] = [];
  readonly #letters: LetterBudget;
  /** Persisted partitions that this task has made or read, by `rdd:partition`. */
  readonly #partitions = new Map<string, readonly unknown[]>();

  constructor(stage: StageSpec, task: TaskSpec, env: TaskEnvironment) {
    this.stage = stage;
    this.task = task;
    this.env = env;
    this.context = env.taskContext ?? taskContextOf(stage, task);
    this.sinkContext = sinkContextOf(this.context, stage, env.appName ?? 'millrace');
    this.#loops = env.loops ?? sharedLoops;
    this.#running = env.running ?? null;
    this.#letters = { left: env.deadLettersPerTaskMax ?? deadLettersPerTaskMaxDefault };
    for (const node of stage.nodes) this.#nodes.set(node.id, node);
    for (const input of task.shuffles) this.#shuffles.set(`${input.shuffle}:${input.partition}`, input);
  }

  node(id: RddId): RddNode {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`Stage ${this.stage.stage} of job ${this.stage.job} lacks the node of RDD ${id}, which its tasks walk.`);
    return node;
  }

  /** What the maps wrote for one reduce partition. */
  shuffle(id: ShuffleId, partition: number): ShuffleInput {
    const input = this.#shuffles.get(`${id}:${partition}`);
    if (input === undefined) throw new Error(`Task ${this.task.task} was given no buckets for partition ${partition} of shuffle ${id}, which it reads.`);
    return input;
  }

  /** The table from which a new version of keyed state starts. Throws MissingInput. */
  stateTable(base: StateInput | null, table: number, partition: number): StateTable {
    return this.#states.tableAt(base, table, partition, this.#linkReader(this.node(this.stage.rdd)));
  }

  /** The pairs of a version of keyed state: read them before the task changes any. Throws MissingInput. */
  stateColumns(rdd: RddId, partition: number): PairColumns {
    const input = this.task.states.find((one) => one.rdd === rdd && one.partition === partition);
    if (input === undefined) throw new Error(`Task ${this.task.task} was given no place of the state of RDD ${rdd}, partition ${partition}, which it reads.`);
    return this.#states.columnsAt(input, this.#linkReader(this.node(rdd)));
  }

  get #states(): StateStore {
    if (this.env.states === undefined) throw new Error('This task needs keyed state, and its thread keeps none.');
    return this.env.states;
  }

  /** `node`: the state, which names the operator whose `migrate` is called. */
  #linkReader({ operator }: RddNode): LinkReader {
    return {
      pairs: ({ pairs }) => (pairs?.place == null ? { keys: [], values: [] } : decodePairs(this.env.read(pairs.place))),
      extra: ({ extra }) => (extra?.place == null ? [] : decodeRecords(this.env.read(extra.place))),
      migration: ({ fn, fromVersion }) => {
        this.enter(this.taskScope());
        return migrationOf(this.resolve(fn), fromVersion, operator, this.context, () => this.env.alive(0));
      },
    };
  }

  resolve(ref: FunctionRef): UserFunction {
    return this.env.resolve(ref) as UserFunction;
  }

  /** What is known of a function; null: nothing. */
  meaningOf(ref: FunctionRef): Meaning | null {
    if (ref.kind === 'builtin') return meaningOfBuiltin(ref);
    return this.env.recognizeClosures === false ? null : meaningOfClosure(this.resolve(ref));
  }

  /** The function of an operator or a sink: where records are frozen, that argument of it is one. */
  resolveOnRecords(ref: FunctionRef, record: 'first' | 'last' = 'last'): UserFunction {
    const { freeze } = this.env;
    const fn = this.resolve(ref);
    return freeze === undefined ? fn : onFrozen(fn, freeze, record);
  }

  /** Freezes records that lie in an array, where they are to be frozen. The array itself is not: it is the task's own. */
  frozen<R extends readonly unknown[]>(records: R): R {
    const { freeze } = this.env;
    if (freeze !== undefined) for (const record of records) freeze(record);
    return records;
  }

  /** Where the sink's function was given; else the last operator that a user has made. */
  sinkOperator(): OperatorPlace | null {
    const own = this.stage.sink.operator;
    if (own !== undefined && own !== null) return own;
    for (let index = this.stage.nodes.length - 1; index >= 0; index -= 1) {
      const operator = this.stage.nodes[index]!.operator;
      if (operator !== null) return operator;
    }
    return null;
  }

  /** For the functions of a node; null where nothing asks for it: neither a policy, nor an accumulator. */
  nodeScope(node: RddNode, partition: number, onError: RecordPolicy | undefined): FunctionScope | null {
    return this.#scope({ origin: `rdd-${node.id}`, operator: node.operator, batchTime: node.batchTime ?? this.stage.batchTime, partition }, onError);
  }

  /** For the functions of the task's sink. */
  sinkScope(onError?: RecordPolicy): FunctionScope | null {
    const { sink, job, batchTime } = this.stage;
    const origin = sink.kind === 'shuffle' ? `shuffle-${sink.shuffle}` : sink.output === undefined ? `job-${job}` : `output-${sink.output}`;
    return this.#scope({ origin, operator: this.sinkOperator(), batchTime: sink.batchTime ?? batchTime, partition: this.task.partition }, onError);
  }

  #scope(name: ScopeName, onError: RecordPolicy | undefined): FunctionScope | null {
    if (this.#running === null && onError === undefined) return null;
    const scope = new FunctionScope(name, onError ?? null, this.#letters);
    this.#scopes.push(scope);
    return scope;
  }

  /** For functions that run under no scope of their own: those of codecs, say. */
  taskScope(): FunctionScope | null {
    const { rdd, batchTime } = this.stage;
    return this.#scope({ origin: `task-${rdd}`, operator: this.sinkOperator(), batchTime: this.node(rdd).batchTime ?? batchTime, partition: this.task.partition }, undefined);
  }

  /** From now on a function of this scope runs: for functions that are called outside of a loop. */
  enter(scope: FunctionScope | null): void {
    if (this.#running !== null) this.#running.scope = scope;
  }

  /** What the task's functions leave beside its output. */
  leftBehind(): Pick<TaskReport, 'accumulators' | 'leftOut'> {
    const { program } = this.stage;
    if (program === null || this.#scopes.length === 0) return { accumulators: [] };
    const scopes = scopesThatCount(this.#scopes);
    const leftOut = scopes.flatMap((scope) => scope.leftOutRecords(program) ?? []);
    return {
      accumulators: this.#running === null ? [] : scopes.flatMap((scope) => scope.accumulatorUpdates(program)),
      ...(leftOut.length === 0 ? {} : { leftOut }),
    };
  }

  /** A state for one run of a sink whose functions are `refs`. */
  state(sink: SinkForm, refs: readonly FunctionRef[], operator: OperatorPlace | null, scope: FunctionScope | null = null): LoopState {
    return new LoopState({
      context: sink === 'foreach' ? this.sinkContext : this.context,
      alive: (records) => this.env.alive(records),
      sink,
      sinkOperator: operator,
      sinkFns: refs.map((ref) => (takesRecords(sink) ? this.resolveOnRecords(ref, sink === 'foreach' ? 'first' : 'last') : this.resolve(ref))),
      sinkScope: scope,
      running: this.#running,
    });
  }

  /** Runs the pieces, one after another, into the state's sink. Ends early where the sink wants no more. */
  run(pieces: readonly Piece[], state: LoopState, refs: readonly FunctionRef[]): void {
    const sinkOnError = state.sinkScope !== null && state.sinkScope.onError !== null;
    const sinkMeanings = state.sink === 'combine' ? refs.map((ref) => this.meaningOf(ref)) : [];
    for (const piece of pieces) {
      if (state.done) return;
      const shape: LoopShape = { source: piece.form, ops: piece.ops, sink: state.sink, refs, sinkOnError, tracked: this.#running !== null };
      const plan = wordPlanOf(piece.form, piece.ops, state.sink, sinkMeanings, sinkOnError);
      state.enter(piece.ops);
      if (plan === null) {
        const loop = this.#loops.loopOf(shape);
        piece.feed((feed) => loop(feed, state));
      } else {
        const loops = { plain: () => this.#loops.loopOf(shape), words: plan.counted === null ? this.#loops.loopOf({ ...shape, source: 'words' }) : null };
        runWords(piece, plan, loops, state, this.env.words ?? sharedWords);
      }
      if (state.done) for (const { scope } of piece.ops) if (scope !== null && scope !== undefined) scope.whole = false;
    }
  }

  /** The records of the pieces as an array. */
  collect(pieces: readonly Piece[]): unknown[] {
    const state = this.state('collect', [], null);
    this.run(pieces, state, []);
    return state.out;
  }

  /**
   * The partition of a persisted RDD: from what this task has, from a cached block, or by `compute`, which is then stored.
   * A full pool of memory is no failure here, as in Spark: the partition is not stored, and computed again by the next one who asks.
   */
  persisted(node: RddNode, partition: number, compute: () => unknown[]): readonly unknown[] {
    const name = `${node.id}:${partition}`;
    const known = this.#partitions.get(name);
    if (known !== undefined) return known;
    let records = this.#cached(node.id, partition);
    if (records === null) {
      records = compute();
      this.#store(node, partition, records);
    }
    // Others of this task read the same objects.
    this.#partitions.set(name, this.frozen(records));
    return records;
  }

  /** A source's blocks, where they lie by now. */
  blocksOf(node: Extract<RddNode, { kind: 'source' }>, partition: number): readonly BlockRef[] {
    return this.task.sources.find((moved) => moved.rdd === node.id && moved.partition === partition)?.blocks ?? node.blocks[partition] ?? [];
  }

  isCached(rdd: RddId, partition: number): boolean {
    return this.task.cached.some((cached) => cached.rdd === rdd && cached.partition === partition);
  }

  #cached(rdd: RddId, partition: number): readonly unknown[] | null {
    const cached = this.task.cached.find((entry) => entry.rdd === rdd && entry.partition === partition);
    if (cached === undefined) return null;
    const { place, compression } = cached.block;
    if (place === null) return [];
    return orMissing(() => ({ rdd, partition }), () => {
      const bytes = this.env.read(place);
      return decodeRecords(compression === undefined ? bytes : this.#decompressed(bytes));
    });
  }

  #store(node: RddNode, partition: number, records: readonly unknown[]): void {
    const id = asBlockId(`rdd-${node.id}-${partition}`);
    const compress = node.storage !== null && !node.storage.deserialized && records.length > 0 ? this.env.compress : undefined;
    try {
      const block = compress === undefined ? this.writeRecords(id, records, node.operator, node.storage) : this.#writeCompressed(id, records, node, compress);
      this.stored.push({ rdd: node.id, partition, block });
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'BlockMemoryExhausted') return;
      throw error;
    }
  }

  #writeCompressed(id: BlockId, records: readonly unknown[], { operator, storage }: RddNode, compress: (bytes: Uint8Array) => Uint8Array): BlockRef {
    let encoded: Uint8Array;
    try {
      encoded = encodeRecords(records);
    } catch (error) {
      throw taskFailureOfCodec(error, operator, this.context);
    }
    const bytes = compress(encoded);
    const written = this.env.write(bytes.length, storage);
    written.view.set(bytes);
    return { id, codec: 'records', place: written.done(), records: records.length, compression: 'deflate' };
  }

  #decompressed(bytes: Uint8Array): Uint8Array {
    if (this.env.decompress === undefined) throw new Error('A block is compressed, and this thread has nothing to undo it.');
    return this.env.decompress(bytes);
  }

  /** Records as a block; no bytes for none. */
  writeRecords(id: BlockId, records: readonly unknown[], operator: OperatorPlace | null, storage: StorageLevel | null = null): BlockRef {
    const place = records.length === 0 ? null : this.#write(operator, storage, (allocate) => encodeRecords(records, allocate));
    return { id, codec: 'records', place, records: records.length };
  }

  /** Pairs as a block of [key, value] records. */
  writePairsBlock(id: BlockId, keys: readonly unknown[], values: readonly unknown[], operator: OperatorPlace | null, storage: StorageLevel | null = null): BlockRef {
    return { id, codec: 'records', place: this.writePairs(keys, values, operator, storage), records: keys.length };
  }

  /** Pairs as a bucket; null for none. */
  writePairs(keys: readonly unknown[], values: readonly unknown[], operator: OperatorPlace | null, storage: StorageLevel | null = null): BucketRef {
    return keys.length === 0 ? null : this.#write(operator, storage, (allocate) => encodePairs(keys, values, allocate));
  }

  /** Records as a bucket; null for none. */
  writeBucket(records: readonly unknown[], operator: OperatorPlace | null): BucketRef {
    return records.length === 0 ? null : this.#write(operator, null, (allocate) => encodeRecords(records, allocate));
  }

  #write(operator: OperatorPlace | null, storage: StorageLevel | null, encode: (allocate: Allocate) => Uint8Array): NonNullable<BucketRef> {
    let written: ReturnType<TaskEnvironment['write']> | null = null;
    try {
      encode((bytes) => {
        written = this.env.write(bytes, storage);
        return written.view;
      });
    } catch (error) {
      // The codec knows the path inside the records, but not whose records they are.
      throw taskFailureOfCodec(error, operator, this.context);
    }
    if (written === null) throw new Error('The codec has encoded records without asking for memory.');
    return (written as ReturnType<TaskEnvironment['write']>).done();
  }
}

function taskFailureOfCodec(error: unknown, operator: OperatorPlace | null, context: TaskContext): unknown {
  return error instanceof MillraceError ? taskFailure(error, operator, noRecord, context) : error;
}
