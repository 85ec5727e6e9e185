/**
 * The RDDs of one program on one thread: what all its RDD objects call their context.
 *
 * Invariant: while the program is built, RDDs get ids of the program's own range, in the order of making, so they are the
 * same on every thread; their records wait in this thread's memory and are stored by the driver alone, when first used.
 * Later RDDs get ids from the thread's own context (`attach`), and live until `sweep` finds that nothing leads to them. While
 * a transform call is replayed, all goes to a scratch table that is thrown away: a replay stores nothing and runs nothing.
 *
 *             building              attached                     replaying
 *   ids       program range         thread's context             scratch
 *   nodes     own table             thread's context             scratch
 *   records   kept aside            stored                       dropped
 *   jobs      NotInitialized        run (recorded in a scope)    none: actions give the recorded result
 */
import { MillraceError } from '../../protocol/errors.ts';
import { asBlockId, asHostId, rddIdOf } from '../../protocol/ids.ts';
import type { BlockId, ProgramId, RddId } from '../../protocol/ids.ts';
import type { BlockRef, FunctionRef, OperatorPlace, RddNode, ReplayRecord, Sink } from '../../protocol/rdd.ts';
import type { StorageLevel } from '../../protocol/rdd.ts';
import type { TaskOutput } from '../../protocol/task.ts';
import type { BatchTime } from '../../protocol/time.ts';
import type { GraphHost } from '../dstream/environment.ts';
import { guarded } from '../dstream/generated.ts';
import type { Eventually } from '../dstream/generated.ts';
import { callerPlace } from '../base/caller-place.ts';
import { parentsFirst } from '../base/parents-first.ts';
import type { RddContext } from '../rdd/context.ts';
import type { RDD } from '../rdd/rdd.ts';
import { settled } from '../rdd/state-rdd.ts';
import { BodyScope } from './body-scope.ts';
import type { FunctionTable } from './function-table.ts';
import { functionRefsOf, functionRefsOfSink } from './function-refs.ts';
import type { LocalFunctions } from './local-functions.ts';
import { MadeRdds } from './made-rdds.ts';
import { ReplayLedger } from './replay-ledger.ts';
import { TransformScope } from './transform-scope.ts';

/** Host numbers from here on name programs: their RDDs are made alike on all threads. */
const programHostBase = 0x1_0000;

export class ProgramRdds implements RddContext, GraphHost {
  readonly program: ProgramId;
  readonly functions: FunctionTable;
  readonly defaultParallelism: number;
  /** The body of foreachRDD that calls. */
  readonly body = new BodyScope();
  readonly #local: LocalFunctions | null;
  readonly #built = new Map<RddId, RddNode>();
  readonly #keptAside = new Map<BlockId, readonly unknown[]>();
  /** Built RDDs that the driver's context knows. */
  readonly #handedOver = new Set<RddId>();
  readonly #made = new MadeRdds();
  /** Inline: RDDs made since the build that name the function. */
  readonly #localUses = new Map<number, number>();
  /** What was made since each hold was opened. */
  readonly #holds = new Set<Set<RddId>>();
  readonly #replays = new ReplayLedger();
  #runtime: RddContext | null = null;
  #scratch: Map<RddId, RddNode> | null = null;
  #operator: OperatorPlace | null = null;
  #batchTime: BatchTime | null = null;
  #stores = false;
  #count = 0;

  constructor(functions: FunctionTable, defaultParallelism: number, local: LocalFunctions | null = null) {
    this.program = functions.program;
    this.functions = functions;
    this.defaultParallelism = defaultParallelism;
    this.#local = local;
  }

  get rdds(): RddContext {
    return this;
  }

  /**
   * By the runtime, once the program is built: the thread's own context, which knows nothing of programs. `stores`: this thread
   * is the driver, which brings the records of the program's own RDDs into memory when they are first used.
   */
  attach(runtime: RddContext, options: { readonly stores: boolean }): void {
    this.#runtime = runtime;
    this.#stores = options.stores;
  }

  // RddContext.

  newRddId(): RddId {
    if (this.#scratch === null && this.#runtime !== null) return this.#runtime.newRddId();
    const id = rddIdOf(asHostId(programHostBase + this.program), this.#count);
    this.#count += 1;
    return id;
  }

  define(given: RddNode): void {
    const node = this.#batchTime === null ? given : { ...given, batchTime: this.#batchTime };
    if (this.#scratch !== null) this.#scratch.set(node.id, node);
    else if (this.#runtime === null) this.#built.set(node.id, node);
    else {
      this.#runtime.define(node);
      this.#made.add(node);
      this.#useLocals(node, 1);
      for (const hold of this.#holds) hold.add(node.id);
      this.#replays.noteNode(node);
    }
  }

  node(id: RddId): RddNode {
    const built = this.#scratch?.get(id) ?? this.#built.get(id);
    if (built !== undefined) return this.#stored(built);
    if (this.#runtime !== null) return this.#runtime.node(id);
    throw new MillraceError('RddReleased', `RDD ${id} is not known on this thread: use an RDD only where it was given to you, and until its batch is over.`);
  }

  functionRef(fn: (...args: never[]) => unknown, role: string): FunctionRef {
    return this.functions.refOf(fn, role);
  }

  functionOf(ref: FunctionRef): ((...args: never[]) => unknown) | null {
    if (ref.kind === 'program') return this.functions.resolve(ref.index);
    return ref.kind === 'local' && this.#local !== null ? this.#local.resolve(ref.index) : null;
  }

  place(name: string): OperatorPlace | null {
    if (this.#operator !== null) return this.#operator;
    if (this.#scratch !== null) return null;
    return this.#runtime === null ? { uid: '', name, place: callerPlace() } : this.#runtime.place(name);
  }

  storeRecords(records: readonly unknown[]): BlockRef {
    if (this.#scratch === null && this.#runtime !== null) return this.#runtime.storeRecords(records);
    const id = asBlockId(`program-${this.program}-${this.#keptAside.size}`);
    if (this.#scratch === null) this.#keptAside.set(id, records);
    return { id, codec: 'records', place: null, records: records.length };
  }

  runJob(target: RddId, partitions: readonly number[] | null, sink: Sink): Promise<readonly TaskOutput[]> {
    if (this.#scratch !== null) return new Promise<never>(() => {});
    return this.#running('run a job').runJob(target, partitions, this.body.named(sink));
  }

  loadRecords(block: BlockRef): unknown[] {
    return this.#running('load records').loadRecords(block);
  }

  setStorage(id: RddId, level: StorageLevel | null): void {
    const table = this.#scratch ?? this.#built;
    const node = table.get(id);
    if (node !== undefined) table.set(id, { ...node, storage: level });
    if (this.#scratch === null && (node === undefined || this.#handedOver.has(id))) this.#running('persist').setStorage(id, level);
  }

  action<R>(name: string, run: () => Promise<R>): Promise<R> {
    if (this.functions.scope !== null) return this.functions.scope.action(run);
    return this.#runtime?.action === undefined ? run() : this.#runtime.action(name, run);
  }

  claimDirectory(directory: string, overwrite: boolean): Promise<void> {
    if (this.#scratch !== null) return new Promise<never>(() => {});
    return this.#runtime?.claimDirectory?.(directory, overwrite) ?? Promise.resolve();
  }

  completeDirectory(directory: string): Promise<void> {
    return this.#runtime?.completeDirectory?.(directory) ?? Promise.resolve();
  }

  // GraphHost.

  registerFunction(fn: Function, role: string, place: OperatorPlace, mayBeAsync: boolean): FunctionRef {
    return this.functions.register(fn, role, place.place, mayBeAsync);
  }

  whileMaking<R>(place: OperatorPlace, make: () => Eventually<R>, time: BatchTime | null = null): Eventually<R> {
    const [operator, before] = [this.#operator, this.#batchTime];
    this.#operator = place;
    this.#batchTime = time;
    return guarded(make, (thrown) => thrown, () => {
      this.#operator = operator;
      this.#batchTime = before;
    });
  }

  runTransform<R>(operator: number, time: BatchTime, parents: readonly RDD<unknown>[], call: () => Eventually<R>): Eventually<R> {
    // While an async call waits for its actions, nothing leads to what it has made so far.
    const letGo = this.holdWhatIsMade();
    // Where every function has a local name there is nothing to replay.
    if (this.#local !== null) return guarded(call, (thrown) => thrown, letGo);
    const scope = TransformScope.recording(this.program, operator, time, parents.map((parent) => parent.node));
    this.functions.scope = scope;
    return guarded(call, (thrown) => thrown, () => {
      letGo();
      this.functions.scope = null;
      this.#replays.keep(scope.record());
    });
  }

  isProgramRdd(id: RddId): boolean {
    return this.#built.has(id);
  }

  // For the runtime.

  /** A replay: `parents` are known as RDDs of so many partitions and no records, `call` runs, and nothing of it stays. */
  replay<R>(scope: TransformScope, stubs: readonly RddNode[], call: () => Eventually<R>): Eventually<R> {
    if (this.functions.scope !== null) throw new Error('A transform call is being replayed or recorded already.');
    const count = this.#count;
    this.#scratch = new Map(stubs.map((stub) => [stub.id, stub]));
    this.functions.scope = scope;
    return guarded(call, (thrown) => thrown, () => {
      this.#scratch = null;
      this.functions.scope = null;
      this.#count = count;
    });
  }

  /**
   * Nodes and their ancestors, parents first, as plain data. On the driver this stores what the program's own RDDs hold.
   * `madeHere`: only RDDs made on this thread since the build (on the app's thread the driver has all others).
   */
  lineage(targets: Iterable<RddId>, options: { readonly madeHere?: boolean } = {}): RddNode[] {
    const entered = new Map<RddId, RddNode>();
    const found: RddNode[] = [];
    parentsFirst(
      targets,
      (id) => {
        if (entered.has(id) || (options.madeHere === true && !this.#made.has(id))) return null;
        const node = this.node(id);
        entered.set(id, node);
        return node.parents;
      },
      (id) => void found.push(entered.get(id) as RddNode),
    );
    return found;
  }

  /** The recorded calls that the functions of these nodes, and of the job's sink, come from. */
  replaysFor(nodes: Iterable<RddNode>, sink: Sink | null = null): ReplayRecord[] {
    const refs = [...nodes].flatMap(functionRefsOf).concat(sink === null ? [] : functionRefsOfSink(sink));
    return this.#replays.of(refs, this.functions.scope);
  }

  /** From now until the function that it returns is called, no sweep forgets what is made. */
  holdWhatIsMade(): () => void {
    const hold = new Set<RddId>();
    this.#holds.add(hold);
    return () => void this.#holds.delete(hold);
  }

  /**
   * Forgets RDDs that were made since the build and that none of `roots` leads to, with their functions and recorded calls: see MadeRdds.
   * Returns the ids, so that the runtime can drop the nodes and give back what they hold.
   */
  sweep(roots: Iterable<RddId>): RddId[] {
    const held = [...this.#holds].flatMap((hold) => [...hold]);
    return this.release(this.#made.sweep([...roots, ...held]));
  }

  /** Forgets these RDDs. For RDDs of a foreachRDD body, when it has settled. */
  release(ids: readonly RddId[]): RddId[] {
    const dropped = ids.filter((id) => this.#made.delete(id));
    for (const id of dropped) {
      const node = this.node(id);
      this.#replays.dropNode(node);
      this.#useLocals(node, -1);
    }
    return dropped;
  }

  /** A version of keyed state is made, or never will be: its lineage ends there. */
  settle(id: RddId, made: boolean): void {
    if (!this.#made.has(id)) return;
    this.#runtime?.define(settled(this.node(id), made));
    this.#made.settle(id);
  }

  /** The RDDs made here that `root` leads to by their ancestors: what a foreachRDD body made of its RDD. */
  descendantsOf(root: RddId): RddId[] {
    const found = new Set<RddId>([root]);
    // Parents are made before children, so one pass in the order of making will do.
    for (const id of this.#made.ids) if (this.node(id).parents.some((parent) => found.has(parent))) found.add(id);
    found.delete(root);
    return [...found];
  }

  /** Transform calls that are kept for replays. */
  get recordedCalls(): number {
    return this.#replays.size;
  }

  /** The RDDs made since the build and not yet released, oldest first. */
  get made(): readonly RddId[] {
    return [...this.#made.ids];
  }

  /** A function that no RDD names any more is forgotten. */
  #useLocals(node: RddNode, change: 1 | -1): void {
    if (this.#local === null) return;
    for (const ref of functionRefsOf(node)) {
      if (ref.kind !== 'local') continue;
      const uses = (this.#localUses.get(ref.index) ?? 0) + change;
      if (uses > 0) {
        this.#localUses.set(ref.index, uses);
        continue;
      }
      this.#localUses.delete(ref.index);
      this.#local.forget(ref.index);
    }
  }

  /** A built RDD, known to the driver's own context from its first use on, with its records stored. */
  #stored(node: RddNode): RddNode {
    const runtime = this.#runtime;
    if (runtime === null || !this.#stores || this.#scratch !== null) return node;
    // Its records may have come into memory later than it.
    if (this.#handedOver.has(node.id)) return runtime.node(node.id);
    this.#handedOver.add(node.id);
    for (const parent of node.parents) this.node(parent);
    const stored = node.kind === 'source' ? { ...node, blocks: node.blocks.map((partition) => partition.map((block) => this.#storeBlock(runtime, block))) } : node;
    this.#built.set(node.id, stored);
    runtime.define(stored);
    return stored;
  }

  #storeBlock(runtime: RddContext, block: BlockRef): BlockRef {
    const records = this.#keptAside.get(block.id);
    if (records === undefined) return block;
    this.#keptAside.delete(block.id);
    return runtime.storeRecords(records);
  }

  #running(what: string): RddContext {
    if (this.#runtime !== null && this.#scratch === null) return this.#runtime;
    throw new MillraceError('NotInitialized', `The program can't ${what} while its graph is built. Do it in foreachRDD or transform, or from the app after start().`);
  }
}
