/**
 * The RDDs of one program on the driver's or the app's thread: their nodes, their stored records, and jobs on them.
 *
 * Invariant: memory stored here is in the ledger, under the program, before anybody hears of it; `drop` names all of it
 * that belonged to the nodes dropped. What finds no room waits (lib/storage/late-records.ts): no job is asked for before all has its place.
 */
import type { RddContext } from '../lib/rdd/context.ts';
import { memoryWaitsMax } from '../lib/rdd/job-state.ts';
import { callerPlace } from '../lib/base/caller-place.ts';
import { LateRecords, noRoomFor } from '../lib/storage/late-records.ts';
import { decodeRecords, encodeRecords } from '../protocol/codec.ts';
import { programScope, resultScope } from '../protocol/block.ts';
import type { JobRequest, JobResult, RoomMade, ToTaskScheduler } from '../protocol/job.ts';
import type { BlockRef, FunctionRef, OperatorPlace, RddNode, SharedHandle, Sink, StorageLevel } from '../protocol/rdd.ts';
import type { TaskOutput } from '../protocol/task.ts';
import { asBlockId, rddIdOf } from '../protocol/ids.ts';
import type { ProgramId, RddId } from '../protocol/ids.ts';
import { fromWireError, MillraceError } from '../protocol/errors.ts';
import { isPromise } from '../lib/dstream/generated.ts';
import type { Eventually } from '../lib/dstream/generated.ts';
import type { ProgramBuilder } from '../lib/program/program-builder.ts';
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
  /** Stored, and of no node yet. */
  readonly #fresh = new Set<BlockRef>();
  readonly #late: LateRecords<BlockRef>;
  /** Whose blocks wait for their place. */
  readonly #lateNodes = new Map<BlockRef, RddId>();

  constructor(services: HostServices, { program, sc }: Pick<ProgramBuilder, 'program' | 'sc'>, run: JobRunner) {
    this.#services = services;
    this.#program = program;
    this.#run = run;
    this.defaultParallelism = sc.defaultParallelism;
    const { actionTimeoutMs, blockMemoryBytesMax } = services.options;
    this.#late = new LateRecords<BlockRef>({
      write: (bytes) => this.#written(bytes),
      makeRoom: async (bytes) => (await services.ask<ToTaskScheduler, RoomMade>(places.taskScheduler, (replyTo) => ({ type: 'makeRoom', bytes, replyTo }), actionTimeoutMs)).made,
      placed: (block, handle) => this.#placed(block, handle),
      waitsMax: memoryWaitsMax,
      poolBytes: blockMemoryBytesMax,
    });
  }

  newRddId(): RddId {
    return rddIdOf(this.#services.host, this.#services.nextRdd());
  }

  define(node: RddNode): void {
    this.#nodes.set(node.id, node);
    if (node.kind === 'source' && this.#fresh.size > 0) this.#stored(node);
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
    let late: Uint8Array | null = null;
    encodeRecords(records, (bytes) => {
      const allocated = this.#services.pool.allocate(bytes, 'kept');
      if (allocated === null) return (late = new Uint8Array(bytes));
      place = allocated.handle;
      return allocated.view;
    });
    return this.#unnamed(this.#held(place, records.length), late);
  }

  /** Bytes that are encoded records already. */
  storeEncoded(bytes: Uint8Array, records: number): BlockRef {
    const place = this.#written(bytes);
    return this.#unnamed(this.#held(place, records), place === null ? bytes : null);
  }

  /** The same, of several blocks that are stored together; null: there is no room for all of them, and none is stored. */
  storeAll(all: readonly { readonly bytes: Uint8Array; readonly records: number }[]): BlockRef[] | null {
    const written: SharedHandle[] = [];
    for (const { bytes } of all) {
      const place = this.#written(bytes);
      if (place !== null) written.push(place);
      else break;
    }
    if (written.length === all.length) return written.map((place, index) => this.#unnamed(this.#held(place, all[index]!.records), null));
    for (const place of written) this.#services.pool.release(place);
    return null;
  }

  /** What many batches read, and nobody names as a source: it stays in memory. Throws BlockMemoryExhausted. */
  storeValue(bytes: Uint8Array): BlockRef {
    const allocated = this.#services.pool.allocate(bytes.length);
    if (allocated === null) throw noRoomFor(bytes.length, this.#services.options.blockMemoryBytesMax);
    allocated.view.set(bytes);
    return this.#held(allocated.handle, 1);
  }

  /** Everything stored has its place: jobs can be asked for, and nodes told. Rejects with BlockMemoryExhausted. */
  settled(): Eventually<void> {
    return this.#late.isEmpty ? undefined : this.#late.place();
  }

  async runJob(target: RddId, partitions: readonly number[] | null, sink: Sink): Promise<readonly TaskOutput[]> {
    const settled = this.settled();
    if (isPromise(settled)) await settled;
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
      for (const block of node.blocks.flat()) {
        if (block.place !== null && 'slab' in block.place) handles.push(block.place);
        else if (this.#lateNodes.delete(block)) this.#late.drop(block);
      }
    }
    return handles;
  }

  get #resultScope(): string {
    return resultScope(this.#program, 'actions');
  }

  /** Null where there is no room. */
  #written(bytes: Uint8Array): SharedHandle | null {
    const allocated = this.#services.pool.allocate(bytes.length, 'kept');
    allocated?.view.set(bytes);
    return allocated?.handle ?? null;
  }

  #held(place: SharedHandle | null, records: number): BlockRef {
    if (place !== null) this.#services.tell(places.blockManagerMaster, { type: 'hold', scope: programScope(this.#program), handles: [place] });
    return { id: asBlockId(`stored-${this.#program}`), codec: 'records', place, records };
  }

  #unnamed(block: BlockRef, late: Uint8Array | null): BlockRef {
    this.#fresh.add(block);
    if (late !== null) this.#late.add(block, late);
    return block;
  }

  /** Records that were stored here are an RDD's now: they can't be made again, and may go to the disk, also before a job has read them. */
  #stored(node: Extract<RddNode, { kind: 'source' }>): void {
    const its = node.blocks.flat().filter((block) => this.#fresh.delete(block));
    for (const block of its) if (this.#late.has(block)) this.#lateNodes.set(block, node.id);
    this.#tellStored(node.id, its.filter(({ place }) => place !== null));
  }

  /** The ledger hears of it before anybody else; a program that has ended meanwhile has nothing. */
  #placed(late: BlockRef, handle: SharedHandle): void {
    const { role, programs, pool } = this.#services;
    const rdd = this.#lateNodes.get(late);
    const node = rdd === undefined ? undefined : this.#nodes.get(rdd);
    this.#lateNodes.delete(late);
    if (node?.kind !== 'source' || (role === 'driver' && !programs.has(this.#program))) return pool.release(handle);
    const block = this.#held(handle, late.records);
    this.#nodes.set(node.id, { ...node, blocks: node.blocks.map((partition) => partition.map((one) => (one === late ? block : one))) });
    this.#tellStored(node.id, [block]);
  }

  #tellStored(rdd: RddId, blocks: readonly BlockRef[]): void {
    if (blocks.length > 0) this.#services.tell(places.taskScheduler, { type: 'sourceStored', program: this.#program, rdd, blocks });
  }
}
