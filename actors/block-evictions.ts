/**
 * Makes room in shared memory for the task scheduler: moves blocks and kept outputs to the disk, or drops them, those first that were
 * used longest ago, and knows which ones running tasks read.
 *
 * Invariant: a block's memory is given back only when its new place is known (or it is forgotten) and no task that was handed out
 * still reads the old one; a task is handed out with places that are good at that moment.
 *
 *   free slabs below the mark -----> round: choose -> drop: forgotten, released
 *   a task found no memory (urgent)               `-> move: spillBlock -> written -> place changed -> released (or with its last pin)
 *                                                       all ended -> blockStats answered: the memory is free -> roomMade -> enough? else again
 *
 * While an urgent round lasts no task is handed out: those that failed for want of memory run after it, not into it.
 */
import { join } from 'node:path';
import type { Turn } from '../lib/actor/behavior.ts';
import type { KnownOutputs } from '../lib/rdd/known-outputs.ts';
import { slabsToFree } from '../lib/storage/eviction.ts';
import { StoredBlocks } from '../lib/storage/stored-blocks.ts';
import type { StoredBlock } from '../lib/storage/stored-blocks.ts';
import { programScope } from '../protocol/block.ts';
import type { BlockStats, Spilled, ToBlockManagerMaster } from '../protocol/block.ts';
import type { WireError } from '../protocol/errors.ts';
import type { JobId, ProgramId, RddId, TaskId } from '../protocol/ids.ts';
import type { JobRequest, StorageStats, ToTaskScheduler } from '../protocol/job.ts';
import type { BlockRef, RddNode, SharedHandle } from '../protocol/rdd.ts';
import type { StageSpec, TaskReport, TaskSpec } from '../protocol/task.ts';
import { KeptOutputs } from './kept-outputs.ts';
import type { Held, KeptOutput } from './kept-outputs.ts';
import { places } from './places.ts';
import type { HostServices } from './services.ts';

type Turning = Turn<ToTaskScheduler>;

interface Reading {
  readonly job: JobId;
  readonly handles: readonly SharedHandle[];
  /** Persisted RDDs of which the task stores a partition. */
  readonly storing: readonly RddId[];
}

interface JobReading {
  readonly handles: readonly SharedHandle[];
  /** Tasks of it that are on workers. */
  tasks: number;
  ended: boolean;
}

/** What an urgent round frees at least, as a part of the pool: with `memoryWaitsMax` rounds a task gets all that can be had. */
const urgentShare = 1 / 8;

/** The block manager master lives on the same thread; it waits for an io thread no longer than 30 s. */
const askTimeoutMs = 60_000;

export class BlockEvictions {
  readonly #services: HostServices;
  readonly #known: KnownOutputs;
  readonly #blocks = new StoredBlocks();
  readonly #outputs: KeptOutputs;
  readonly #tasks = new Map<TaskId, Reading>();
  readonly #jobs = new Map<JobId, JobReading>();
  /** Blocks on their way to the disk in this round; null: there is no round. */
  #moving: number | null = null;
  #roundIsUrgent = false;
  /** Free slabs when the round began. */
  #freeBefore = 0;
  /** What a task lacked. */
  #urgentBytes = 0;
  #files = 0;
  #spilled = 0;
  #dropped = 0;
  #memoryWaits = 0;

  constructor(services: HostServices, known: KnownOutputs) {
    this.#services = services;
    this.#known = known;
    this.#outputs = new KeptOutputs(known);
  }

  /** Tasks failed for want of memory, and it is being made: nothing is handed out meanwhile. */
  get isUrgent(): boolean {
    return this.#urgentBytes > 0;
  }

  // Who reads what.

  /** The job's nodes with their sources' blocks where they lie now. These blocks stay until the last task of the job has ended. */
  jobStarted(job: JobId, { nodes, program }: Pick<JobRequest, 'nodes' | 'program'>): readonly RddNode[] {
    const handles: SharedHandle[] = [];
    const placed = nodes.map((node) => (node.kind === 'source' ? this.#placeSource(node, program, handles) : node));
    this.#blocks.pin(handles);
    this.#jobs.set(job, { handles, tasks: 0, ended: false });
    return placed;
  }

  jobEnded(job: JobId, turn: Turning): void {
    const reading = this.#jobs.get(job);
    if (reading === undefined) return;
    reading.ended = true;
    this.#letGo(job, reading, turn);
  }

  /** The task with all that it reads where it lies now; null: one of them is gone, so the task has to be made anew. */
  taskHandedOut(job: JobId, stage: StageSpec, task: TaskSpec): TaskSpec | null {
    const handles: SharedHandle[] = [];
    let cached = task.cached;
    for (const [index, { rdd, partition, block }] of task.cached.entries()) {
      const known = this.#known.block(rdd, partition);
      if (known === null) return null;
      if (known !== block) cached = cached.map((entry, at) => (at === index ? { ...entry, block: known } : entry));
      if (known.place !== null && 'slab' in known.place) handles.push(known.place);
    }
    const storing = stage.nodes.filter(({ id, storage }) => storage !== null && !cached.some(({ rdd }) => rdd === id)).map(({ id }) => id);
    this.#blocks.pin(handles);
    this.#tasks.set(task.task, { job, handles, storing });
    const reading = this.#jobs.get(job);
    if (reading !== undefined) reading.tasks += 1;
    const placed = this.#outputs.taskHandedOut(task, this.#blocks.use());
    return cached === task.cached ? placed : { ...placed, cached };
  }

  taskEnded(task: TaskId, turn: Turning): void {
    const reading = this.#tasks.get(task);
    if (reading === undefined) return;
    this.#tasks.delete(task);
    this.#release(this.#blocks.unpin(reading.handles).map(heldBy), turn);
    this.#release(this.#outputs.taskEnded(task), turn);
    const job = this.#jobs.get(reading.job);
    if (job === undefined) return;
    job.tasks -= 1;
    this.#letGo(reading.job, job, turn);
  }

  /** Somebody outside of tasks reads these: they stay until they are unpinned as often. */
  pin(handles: readonly SharedHandle[]): void {
    this.#blocks.pin(handles);
    this.#outputs.pin(handles);
  }

  unpin(handles: readonly SharedHandle[], turn: Turning): void {
    this.#release(this.#blocks.unpin(handles).map(heldBy), turn);
    this.#release(this.#outputs.unpin(handles), turn);
  }

  // What there is.

  /** What a task has put out that others read: it may leave memory again. Of persisted partitions those that are now known by these bytes. */
  stored({ stored }: TaskReport, { sink }: Pick<StageSpec, 'sink'>, { program, scope, nodes }: Pick<JobRequest, 'program' | 'scope' | 'nodes'>): void {
    if (sink.kind === 'shuffle') this.#outputs.written(sink.shuffle, program, this.#blocks.use());
    for (const { rdd, partition, block } of stored) {
      if (block.place === null || !('slab' in block.place) || this.#known.block(rdd, partition) !== block) continue;
      const node = nodes.find(({ id }) => id === rdd);
      // What state functions have emitted can't be made again, so it is never dropped. A job that asks for the state alone doesn't name it.
      const toDisk = node === undefined || node.kind === 'emitted' || node.storage?.useDisk === true;
      this.#blocks.keepPartition(rdd, partition, block.place, program, scope, toDisk);
    }
  }

  forgetRdds(rdds: readonly RddId[], turn: Turning): void {
    this.#removeFiles(this.#blocks.forget(rdds), turn);
    this.#outputs.forgetRdds(rdds);
  }

  forgetPartitions(rdd: RddId): void {
    this.#blocks.forgetPartitions(rdd);
  }

  forgetProgram(program: ProgramId, turn: Turning): void {
    this.#removeFiles(this.#blocks.forgetProgram(program), turn);
    this.#outputs.forgetProgram(program);
  }

  stats(): StorageStats {
    const { mapOutputs, blocks, blocksInMemory, memoryBytes, diskBytes, rdds, outputsOnDisk } = this.#known.counts();
    return {
      persistedPartitions: blocks, persistedInMemory: blocksInMemory, memoryBytes, diskBytes, mapOutputs, rdds, outputsOnDisk,
      evictable: this.#blocks.resident, sourceBlocksOnDisk: this.#blocks.onDisk,
      spilled: this.#spilled, dropped: this.#dropped, memoryWaits: this.#memoryWaits,
    };
  }

  // Making room.

  /** Ahead of need: called wherever memory may have been taken. */
  keepRoom(turn: Turning): void {
    if (this.#moving === null) this.#startRound(turn);
  }

  /** A task failed with this. True: it was for want of memory, and some is being made. */
  relieves(error: WireError, turn: Turning): boolean {
    if (error.code !== 'BlockMemoryExhausted') return false;
    const { bytes } = (error.fields['details'] ?? {}) as { readonly bytes?: unknown };
    const urgentBytes = typeof bytes === 'number' ? bytes : this.#services.options.slabBytes;
    this.#urgentBytes = Math.max(this.#urgentBytes, urgentBytes);
    if (this.#moving === null) this.#startRound(turn);
    if (this.isUrgent) this.#memoryWaits += 1;
    return this.isUrgent;
  }

  /** A move has ended, well or not. */
  spilled(message: Extract<ToTaskScheduler, { type: 'blockSpilled' | 'outputSpilled' }>, turn: Turning): void {
    if (message.type === 'blockSpilled') this.#blockSpilled(message, turn);
    else this.#outputSpilled(message, turn);
    if (this.#moving === null) return;
    this.#moving -= 1;
    if (this.#moving === 0) this.#confirm(turn);
  }

  #blockSpilled({ from, to }: Extract<ToTaskScheduler, { type: 'blockSpilled' }>, turn: Turning): void {
    const moved = this.#blocks.moved(from, to);
    if (moved.kind === 'moved' && to !== null) {
      const { rdd, partition } = moved.block;
      this.#spilled += 1;
      // Lost and made again meanwhile: nobody will read this copy.
      if (rdd !== null && !this.#known.moveBlock(rdd as RddId, partition, from, to)) this.#removeFiles([to.file], turn);
      if (moved.release) this.#release([heldBy(moved.block)], turn);
    } else if (to !== null) {
      this.#removeFiles([to.file], turn);
    }
    if (moved.kind === 'kept') turn.log('warn', `A block of ${from.bytes} bytes could not be written to ${this.#services.options.scratchDirectory}: it stays in shared memory, or is dropped.`);
  }

  #outputSpilled({ file, written }: Extract<ToTaskScheduler, { type: 'outputSpilled' }>, turn: Turning): void {
    const { isKnown, release } = this.#outputs.moved(file, written);
    if (isKnown) this.#spilled += 1;
    else if (written) this.#removeFiles([file], turn);
    if (!written) turn.log('warn', `Outputs of tasks could not be written to ${this.#services.options.scratchDirectory}: they stay in shared memory.`);
    this.#release(release, turn);
  }

  /** All that the round has given back is free: enough, or another round; none where this one has gained nothing. */
  roomMade(turn: Turning): void {
    this.#moving = null;
    if (this.#roundIsUrgent) this.#urgentBytes = 0;
    if (this.isUrgent || this.#services.pool.freeSlabs > this.#freeBefore) this.#startRound(turn);
  }

  /** Where nothing is to be done, or nothing can be, nothing is urgent any more. */
  #startRound(turn: Turning): void {
    const { pool, options } = this.#services;
    const isUrgent = this.isUrgent;
    const ahead = slabsToFree({ slabs: pool.slabs, free: pool.freeSlabs });
    const slabs = isUrgent ? Math.max(ahead, Math.ceil(this.#urgentBytes / options.slabBytes) + 1, Math.ceil(pool.slabs * urgentShare)) : ahead;
    const wanted = { slabs, slabBytes: options.slabBytes, storing: isUrgent ? new Set<RddId>() : this.#storing(), isUrgent, useOf: (slab: number) => pool.slabUse(slab) };
    const { drop, move, others } = slabs > 0 ? this.#blocks.choose(wanted, this.#outputs.inMemory()) : { drop: [], move: [], others: [] };
    if (drop.length + move.length + others.length === 0) {
      this.#urgentBytes = 0;
      return;
    }
    this.#moving = move.length + others.length;
    this.#freeBefore = pool.freeSlabs;
    this.#roundIsUrgent = isUrgent;
    this.#drop(drop, turn);
    for (const { handle } of move) this.#move(handle, turn);
    for (const output of others) this.#moveOutput(output, turn);
    if (this.#moving === 0) this.#confirm(turn);
  }

  /** Each is known by its handle alone: whoever asked for the partition computes it again. */
  #drop(blocks: readonly StoredBlock[], turn: Turning): void {
    this.#dropped += blocks.length;
    for (const { rdd, partition, handle } of blocks) this.#known.evictBlock(rdd as RddId, partition, handle);
    this.#release(blocks.map(heldBy), turn);
  }

  #move(handle: SharedHandle, turn: Turning): void {
    const file = join(this.#services.options.scratchDirectory, `block-${this.#files++}`);
    turn.ask<ToBlockManagerMaster, Spilled>(places.blockManagerMaster, (replyTo) => ({ type: 'spillBlock', places: [handle], file, replyTo }), askTimeoutMs, (outcome) => ({
      type: 'blockSpilled',
      from: handle,
      to: outcome.ok && outcome.value.spilled ? { file, offset: 0, bytes: handle.bytes } : null,
    }));
  }

  #moveOutput(output: KeptOutput, turn: Turning): void {
    const file = join(this.#services.options.scratchDirectory, `output-${this.#files++}`);
    this.#outputs.moving(output, file);
    turn.ask<ToBlockManagerMaster, Spilled>(places.blockManagerMaster, (replyTo) => ({ type: 'spillBlock', places: output.handles, file, replyTo }), askTimeoutMs, (outcome) => ({
      type: 'outputSpilled',
      file,
      written: outcome.ok && outcome.value.spilled,
    }));
  }

  #confirm(turn: Turning): void {
    turn.ask<ToBlockManagerMaster, BlockStats>(places.blockManagerMaster, (replyTo) => ({ type: 'blockStats', replyTo }), askTimeoutMs, () => ({ type: 'roomMade' }));
  }

  #storing(): Set<RddId> {
    return new Set([...this.#tasks.values()].flatMap(({ storing }) => storing));
  }

  #placeSource(node: Extract<RddNode, { kind: 'source' }>, program: ProgramId | null, handles: SharedHandle[]): RddNode {
    let isMoved = false;
    const placed = (block: BlockRef): BlockRef => {
      if (block.place === null || !('slab' in block.place)) return block;
      this.#blocks.keepSource(node.id, block.place, program, programScope(program));
      handles.push(block.place);
      const place = this.#blocks.placeOf(block.place);
      if (place === block.place) return block;
      isMoved = true;
      return { ...block, place };
    };
    const blocks = node.blocks.map((partition) => partition.map(placed));
    return isMoved ? { ...node, blocks } : node;
  }

  #letGo(job: JobId, { ended, tasks, handles }: JobReading, turn: Turning): void {
    if (!ended || tasks > 0) return;
    this.#jobs.delete(job);
    this.#release(this.#blocks.unpin(handles).map(heldBy), turn);
  }

  #release(held: readonly Held[], turn: Turning): void {
    const byScope = new Map<string, SharedHandle[]>();
    for (const { scope, handles } of held) byScope.set(scope, [...(byScope.get(scope) ?? []), ...handles]);
    for (const [scope, handles] of byScope) turn.tell(places.blockManagerMaster, { type: 'release', scope, handles });
  }

  #removeFiles(files: readonly string[], turn: Turning): void {
    if (files.length > 0) turn.tell(places.blockManagerMaster, { type: 'removeFiles', files });
  }
}

function heldBy({ scope, handle }: StoredBlock): Held {
  return { scope, handles: [handle] };
}
