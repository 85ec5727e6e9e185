/**
 * Makes room in shared memory for whoever needs it: moves blocks and kept outputs to the disk, or drops them, those first that were
 * used longest ago, and knows which ones running tasks read.
 *
 * Invariant: a block's memory is given back only when its new place is known (or it is forgotten) and no task that was handed out
 * still reads the old one; a task is handed out with places that are good at that moment. Only tasks that are handed out hold anything
 * fast, and they wait for nobody: so no two can wait for one another.
 *
 *   free slabs below the mark -----> round: choose -> drop: forgotten, released
 *   somebody found none (urgent)                  `-> move: spillBlock -> written -> place changed -> released (or with its last pin)
 *                                                       all ended -> blockStats answered: the memory is free -> roomMade -> enough? else again
 *
 * While somebody waits (lib/storage/room-line.ts) no task is handed out: those that failed for want of memory run after the round, not
 * into it. Where all that could go is being read, the running tasks end, and then it can.
 */
import { join } from 'node:path';
import type { Turn } from '../lib/actor/behavior.ts';
import type { KnownOutputs } from '../lib/rdd/known-outputs.ts';
import { handlesOf } from '../lib/rdd/report-places.ts';
import { slabsToFree } from '../lib/storage/eviction.ts';
import { RoomLine } from '../lib/storage/room-line.ts';
import type { RoomWanted } from '../lib/storage/room-line.ts';
import { StoredBlocks } from '../lib/storage/stored-blocks.ts';
import type { StoredBlock } from '../lib/storage/stored-blocks.ts';
import { programScope } from '../protocol/block.ts';
import type { BlockStats, Spilled, ToBlockManagerMaster } from '../protocol/block.ts';
import type { WireError } from '../protocol/errors.ts';
import type { ProgramId, RddId, TaskId } from '../protocol/ids.ts';
import type { JobRequest, RoomMade, StorageStats, ToTaskScheduler } from '../protocol/job.ts';
import type { BlockRef, SharedHandle } from '../protocol/rdd.ts';
import type { ReplyTo } from '../protocol/ref.ts';
import type { StageSpec, TaskReport, TaskSpec } from '../protocol/task.ts';
import { KeptOutputs } from './kept-outputs.ts';
import type { Held, KeptOutput } from './kept-outputs.ts';
import { places } from './places.ts';
import type { HostServices } from './services.ts';

type Turning = Turn<ToTaskScheduler>;

interface Reading {
  readonly handles: readonly SharedHandle[];
  /** Persisted RDDs of which the task stores a partition. */
  readonly storing: readonly RddId[];
}

/** All about room that comes as a message. */
type RoomMessage = Extract<ToTaskScheduler, { type: 'blockSpilled' | 'outputSpilled' | 'roomMade' | 'makeRoom' | 'sourceStored' | 'keepRoom' }>;

/** Who asked for room; null: tasks that have failed for want of it, and run again. */
type Waiting = ReplyTo<RoomMade> | null;

/** What an urgent round frees at least, as a part of the pool: with `memoryWaitsMax` rounds one gets all that can be had. */
const urgentShare = 1 / 8;

/** The block manager master lives on the same thread; it waits for an io thread no longer than 30 s. */
const askTimeoutMs = 60_000;

export class BlockEvictions {
  readonly #services: HostServices;
  readonly #known: KnownOutputs;
  readonly #blocks = new StoredBlocks();
  readonly #outputs: KeptOutputs;
  readonly #tasks = new Map<TaskId, Reading>();
  readonly #line = new RoomLine<Waiting>();
  /** Blocks on their way to the disk in this round; null: there is no round. */
  #moving: number | null = null;
  /** Free slabs when the round began. */
  #freeBefore = 0;
  /** Something was given back of which the ledger may not have heard yet: what is free is not all that will be. */
  #isReleasing = false;
  /** Handles that somebody outside of tasks reads. */
  #pinnedOutside = 0;
  #files = 0;
  #spilled = 0;
  #dropped = 0;
  #memoryWaits = 0;

  constructor(services: HostServices, known: KnownOutputs) {
    this.#services = services;
    this.#known = known;
    this.#outputs = new KeptOutputs(known);
  }

  /** Somebody found no memory, and it is being made: nothing is handed out meanwhile. */
  get isUrgent(): boolean {
    return !this.#line.isEmpty;
  }

  // Who reads what.

  /** A task waits for its turn. The blocks of sources that it is to read may go to the disk, but not ahead of need. */
  taskMade({ sources }: TaskSpec, program: ProgramId | null): void {
    for (const { rdd, blocks } of sources) this.#keepSource(rdd, blocks, program);
    this.#blocks.expect(handlesOfSources(sources));
  }

  /** Its turn never comes: its job has ended. */
  taskDropped({ sources }: TaskSpec): void {
    this.#blocks.unexpect(handlesOfSources(sources));
  }

  /** The task with all that it reads where it lies now; null: one of them is gone, so the task has to be made anew. */
  taskHandedOut(stage: StageSpec, task: TaskSpec): TaskSpec | null {
    this.taskDropped(task);
    const handles: SharedHandle[] = [];
    let cached = task.cached;
    for (const [index, { rdd, partition, block }] of task.cached.entries()) {
      const known = this.#known.block(rdd, partition);
      if (known === null) return null;
      if (known !== block) cached = cached.map((entry, at) => (at === index ? { ...entry, block: known } : entry));
      if (known.place !== null && 'slab' in known.place) handles.push(known.place);
    }
    const sources = this.#movedOf(task.sources, handles);
    const storing = stage.nodes.filter(({ id, storage }) => storage !== null && !cached.some(({ rdd }) => rdd === id)).map(({ id }) => id);
    this.#blocks.pin(handles);
    this.#tasks.set(task.task, { handles, storing });
    return { ...this.#outputs.taskHandedOut(task, this.#blocks.use()), cached, sources };
  }

  taskEnded(task: TaskId, turn: Turning): void {
    const reading = this.#tasks.get(task);
    if (reading === undefined) return;
    this.#tasks.delete(task);
    this.#release(this.#blocks.unpin(reading.handles).map(heldBy), turn);
    this.#release(this.#outputs.taskEnded(task), turn);
  }

  /** Somebody outside of tasks reads these: they stay until they are unpinned as often. */
  pin(handles: readonly SharedHandle[]): void {
    this.#pinnedOutside += handles.length;
    this.#blocks.pin(handles);
    this.#outputs.pin(handles);
  }

  unpin(handles: readonly SharedHandle[], turn: Turning): void {
    this.#pinnedOutside -= handles.length;
    this.#release(this.#blocks.unpin(handles).map(heldBy), turn);
    this.#release(this.#outputs.unpin(handles), turn);
    if (this.isUrgent) this.keepRoom(turn);
  }

  // What there is.

  /** Blocks of a source that can't be made again: they may go to the disk. */
  #keepSource(rdd: RddId, blocks: readonly BlockRef[], program: ProgramId | null): void {
    for (const { place } of blocks) if (place !== null && 'slab' in place) this.#blocks.keepSource(rdd, place, program, programScope(program));
  }

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
    this.releasing(turn);
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

  /** Called wherever memory may have been taken, or something that was read may go: for those who wait, else ahead of need. */
  keepRoom(turn: Turning): void {
    if (this.#moving !== null) return;
    if (this.isUrgent) this.#serve(turn);
    else this.#startRound(turn);
  }

  /** A task failed with this. True: it was for want of memory, and some is being made, or may come with the end of another task. */
  relieves(error: WireError, turn: Turning): boolean {
    if (error.code !== 'BlockMemoryExhausted') return false;
    const { bytes } = (error.fields['details'] ?? {}) as { readonly bytes?: unknown };
    this.#wait(null, typeof bytes === 'number' ? bytes : this.#services.options.slabBytes, turn);
    if (this.isUrgent) this.#memoryWaits += 1;
    return this.isUrgent;
  }

  /** Memory goes back, or has a moment ago, by messages to the ledger: for those who wait it may be enough. */
  releasing(turn: Turning): void {
    this.#isReleasing = true;
    if (this.isUrgent) this.keepRoom(turn);
  }

  receive(message: RoomMessage, turn: Turning): void {
    switch (message.type) {
      case 'blockSpilled':
      case 'outputSpilled': return this.#spilledOne(message, turn);
      case 'roomMade': return this.#roomMade(turn);
      case 'makeRoom': return this.#makeRoom(message, turn);
      case 'keepRoom': return this.keepRoom(turn);
      case 'sourceStored':
        this.#keepSource(message.rdd, message.blocks, message.program);
        return this.keepRoom(turn);
    }
  }

  /** Somebody who is no task found no memory. Answered when it is worth while to try again, or when nothing can make room. */
  #makeRoom({ bytes, replyTo }: Extract<ToTaskScheduler, { type: 'makeRoom' }>, turn: Turning): void {
    this.#memoryWaits += 1;
    // Who else gives memory back tells the ledger alone.
    this.#isReleasing = true;
    this.#wait(replyTo, bytes, turn);
  }

  /** A move has ended, well or not. */
  #spilledOne(message: Extract<RoomMessage, { type: 'blockSpilled' | 'outputSpilled' }>, turn: Turning): void {
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
  #roomMade(turn: Turning): void {
    this.#moving = null;
    this.#answer(this.#line.roundEnded(), true, turn);
    if (this.isUrgent) this.#serve(turn);
    else if (this.#services.pool.freeSlabs > this.#freeBefore) this.#startRound(turn);
  }

  #wait(who: Waiting, bytes: number, turn: Turning): void {
    this.#line.add(who, bytes, this.#services.pool.freeSlabs);
    if (this.#moving === null) this.#serve(turn);
  }

  /** There is no round: those who wait get what is free by now, or a round, or wait for the end of a task, or are refused. */
  #serve(turn: Turning): void {
    const { pool, options } = this.#services;
    this.#answer(this.#line.served(pool.freeSlabs, options.slabBytes), true, turn);
    if (!this.isUrgent) return;
    if (this.#isReleasing) this.#confirm(turn);
    else if (!this.#startRound(turn) && this.#tasks.size === 0 && this.#pinnedOutside === 0) this.#answer(this.#line.givenUp(), false, turn);
  }

  #answer(served: readonly RoomWanted<Waiting>[], made: boolean, turn: Turning): void {
    for (const { who } of served) if (who !== null) turn.reply(who, { made });
  }

  /** False: nothing is to be done, or nothing can be. */
  #startRound(turn: Turning): boolean {
    const { pool, options } = this.#services;
    const { isUrgent } = this;
    const ahead = slabsToFree({ slabs: pool.slabs, free: pool.freeSlabs });
    const slabs = isUrgent ? Math.max(ahead, Math.ceil(this.#line.bytes / options.slabBytes) + 1, Math.ceil(pool.slabs * urgentShare)) : ahead;
    const wanted = { slabs, slabBytes: options.slabBytes, storing: isUrgent ? new Set<RddId>() : this.#storing(), isUrgent, useOf: (slab: number) => pool.slabUse(slab) };
    const { drop, move, others } = slabs > 0 ? this.#blocks.choose(wanted, this.#outputs.inMemory()) : { drop: [], move: [], others: [] };
    if (drop.length + move.length + others.length === 0) return false;
    this.#moving = move.length + others.length;
    this.#freeBefore = pool.freeSlabs;
    this.#line.roundBegan();
    this.#drop(drop, turn);
    for (const { handle } of move) this.#move(handle, turn);
    for (const output of others) this.#moveOutput(output, turn);
    if (this.#moving === 0) this.#confirm(turn);
    return true;
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

  /** Asked behind all that was given back, answered behind it, too. */
  #confirm(turn: Turning): void {
    this.#moving = 0;
    this.#isReleasing = false;
    turn.ask<ToBlockManagerMaster, BlockStats>(places.blockManagerMaster, (replyTo) => ({ type: 'blockStats', replyTo }), askTimeoutMs, () => ({ type: 'roomMade' }));
  }

  #storing(): Set<RddId> {
    return new Set([...this.#tasks.values()].flatMap(({ storing }) => storing));
  }

  /** The partitions of which something lies elsewhere by now. `handles` gets what still lies in memory. */
  #movedOf(sources: TaskSpec['sources'], handles: SharedHandle[]): TaskSpec['sources'] {
    return sources.flatMap((source) => {
      let isMoved = false;
      const blocks = source.blocks.map((block): BlockRef => {
        if (block.place === null || !('slab' in block.place)) return block;
        const place = this.#blocks.placeOf(block.place);
        if ('slab' in place) handles.push(place);
        if (place === block.place) return block;
        isMoved = true;
        return { ...block, place };
      });
      return isMoved ? [{ ...source, blocks }] : [];
    });
  }

  #release(held: readonly Held[], turn: Turning): void {
    const byScope = new Map<string, SharedHandle[]>();
    if (held.length > 0) this.#isReleasing = true;
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

function handlesOfSources(sources: TaskSpec['sources']): SharedHandle[] {
  return handlesOf(sources.flatMap(({ blocks }) => blocks.map(({ place }) => place)));
}
