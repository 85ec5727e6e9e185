/**
 * The RDDs of one program on the driver's or the app's thread: their nodes, their stored records, and jobs on them.
 *
 * Invariant: memory stored here is in the ledger, under the program, before anybody hears of it; `drop` names all of it
 * that belonged to the nodes dropped.
 */
import type { RddContext } from '../lib/rdd/context.ts';
import { callerPlace } from '../lib/base/caller-place.ts';
import { decodeRecords, encodeRecords } from '../protocol/codec.ts';
import { programScope, resultScope } from '../protocol/block.ts';
import type { JobRequest, JobResult } from '../protocol/job.ts';
import type { BlockRef, FunctionRef, OperatorPlace, RddNode, SharedHandle, Sink, StorageLevel } from '../protocol/rdd.ts';
import type { TaskOutput } from '../protocol/task.ts';
import { asBlockId, rddIdOf } from '../protocol/ids.ts';
import type { ProgramId, RddId } from '../protocol/ids.ts';
import { fromWireError, MillraceError } from '../protocol/errors.ts';
import { places } from './places.ts';
import type { HostServices } from './services.ts';

/** How a job leaves this thread: on the driver straight to the task scheduler, from the app by way of the program's actors. */
export type JobRunner = (request: Pick<JobRequest, 'target' | 'partitions' | 'sink' | 'scope' | 'resultScope'>) => Promise<JobResult>;

export class RuntimeRdds implements RddContext {
  readonly defaultParallelism: number;
  readonly #services: HostServices;
  readonly #program: ProgramId;
  readonly #run: JobRunner;
  readonly #nodes = new Map<RddId, RddNode>();

  constructor(services: HostServices, program: ProgramId, run: JobRunner) {
    this.#services = services;
    this.#program = program;
    this.#run = run;
    this.defaultParallelism = services.options.defaultParallelism;
  }

  newRddId(): RddId {
    return rddIdOf(this.#services.host, this.#services.nextRdd());
  }

  define(node: RddNode): void {
    this.#nodes.set(node.id, node);
  }

  node(id: RddId): RddNode {
    const node = this.#nodes.get(id);
    if (node !== undefined) return node;
    throw new MillraceError('RddReleased', `RDD ${id} is not known any more: its batch is over. Use an RDD only until the promise that foreachRDD's function returned has settled.`, { details: { rdd: id } });
  }

  functionRef(_fn: (...args: never[]) => unknown, role: string): FunctionRef {
    throw new MillraceError('FunctionMadeTooLate', `The function given to ${role} was made after the graph was built. Make it while the graph is built: const f = ssc.task(fn), and use f here.`);
  }

  place(name: string): OperatorPlace | null {
    return { uid: '', name, place: callerPlace() };
  }

  storeRecords(records: readonly unknown[]): BlockRef {
    let place: SharedHandle | null = null;
    encodeRecords(records, (bytes) => {
      const allocated = this.#allocate(bytes);
      place = allocated.handle;
      return allocated.view;
    });
    return this.#held(place, records.length);
  }

  /** Bytes that are encoded records already. */
  storeEncoded(bytes: Uint8Array, records: number): BlockRef {
    const { handle, view } = this.#allocate(bytes.length);
    view.set(bytes);
    return this.#held(handle, records);
  }

  async runJob(target: RddId, partitions: readonly number[] | null, sink: Sink): Promise<readonly TaskOutput[]> {
    const result = await this.#run({ target, partitions, sink, scope: programScope(this.#program), resultScope: this.#resultScope });
    if (!result.ok) throw fromWireError(result.error);
    return result.outputs;
  }

  loadRecords(block: BlockRef): unknown[] {
    if (block.place === null || !('slab' in block.place)) return [];
    const records = decodeRecords(this.#services.pool.view(block.place));
    this.#services.tell(places.blockManagerMaster, { type: 'release', scope: this.#resultScope, handles: [block.place] });
    return records;
  }

  setStorage(id: RddId, level: StorageLevel | null): void {
    this.#nodes.set(id, { ...this.node(id), storage: level });
    if (level === null) this.#services.tell(places.taskScheduler, { type: 'forgetStored', program: this.#program, rdd: id });
  }

  async claimDirectory(directory: string, overwrite: boolean): Promise<void> {
    await this.#services.claimDirectory(directory, overwrite);
  }

  async completeDirectory(directory: string): Promise<void> {
    await this.#services.completeDirectory(directory);
  }

  /** On the app's thread: an RDD that the driver has told of, and what was made of it here, are over. What they hold is given back. */
  forget(given: RddId, made: readonly RddId[]): void {
    const handles = this.drop(made);
    this.drop([given]);
    if (handles.length > 0) this.#services.tell(places.blockManagerMaster, { type: 'release', scope: programScope(this.#program), handles });
    if (made.length > 0) this.#services.tell(places.taskScheduler, { type: 'forgetRdds', program: this.#program, rdds: made });
  }

  /** Forgets nodes. Returns the memory that was stored for them. */
  drop(ids: readonly RddId[]): SharedHandle[] {
    const handles: SharedHandle[] = [];
    for (const id of ids) {
      const node = this.#nodes.get(id);
      this.#nodes.delete(id);
      if (node?.kind !== 'source') continue;
      for (const { place } of node.blocks.flat()) {
        if (place !== null && 'slab' in place) handles.push(place);
      }
    }
    return handles;
  }

  get #resultScope(): string {
    return resultScope(this.#program, 'actions');
  }

  #allocate(bytes: number): { readonly handle: SharedHandle; readonly view: Uint8Array } {
    const allocated = this.#services.pool.allocate(bytes);
    if (allocated !== null) return allocated;
    const { blockMemoryBytesMax } = this.#services.options;
    throw new MillraceError('BlockMemoryExhausted', `Expected ${bytes} free bytes of shared memory; the pool of blockMemoryBytesMax (${blockMemoryBytesMax}) is full. Raise it, or keep less at a time.`, { details: { bytes, blockMemoryBytesMax } });
  }

  #held(place: SharedHandle | null, records: number): BlockRef {
    if (place !== null) this.#services.tell(places.blockManagerMaster, { type: 'hold', scope: programScope(this.#program), handles: [place] });
    return { id: asBlockId(`stored-${this.#program}`), codec: 'records', place, records };
  }
}
