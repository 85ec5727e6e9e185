/**
 * What tasks have put out for later ones, and may leave shared memory for the disk: buckets of shuffles, and steps of keyed state.
 *
 * What lies there is in `KnownOutputs`, and is looked through when room is made; here is what that doesn't know: whose it is, when it was last read, who
 * reads it now, what is on its way. Invariant: memory is named for giving back only when its new place is known and no task that was
 * handed out with the old one is left; a task is handed out with the places as they are at that moment.
 *
 *   one map task's buckets in one slab, or one step --choose--> moving --moved--> in a file; its memory goes back with its last reader
 *                                                                 `---- not written: it stays, and so does all of its RDD
 */
import { bySlab, rddOfShuffle } from '../lib/rdd/known-outputs.ts';
import type { KnownOutputs, Place } from '../lib/rdd/known-outputs.ts';
import { handlesOf } from '../lib/rdd/report-places.ts';
import { placesOfLink } from '../lib/rdd/state/state-book.ts';
import type { Evictable } from '../lib/storage/eviction.ts';
import { placesInFile } from '../lib/storage/spill.ts';
import { programScope } from '../protocol/block.ts';
import type { Scope } from '../protocol/block.ts';
import { asTaskId } from '../protocol/ids.ts';
import type { ProgramId, RddId, ShuffleId, TaskId } from '../protocol/ids.ts';
import type { BucketRef, SharedHandle } from '../protocol/rdd.ts';
import type { ShuffleInput, StateInput, TaskSpec } from '../protocol/task.ts';

/** What is forgotten together, and lies in one slab. */
export interface KeptOutput extends Evictable {
  readonly of: { readonly shuffle: ShuffleId; readonly mapPartition: number } | { readonly state: RddId; readonly partition: number };
  /** Whose memory it is: of the shuffle's reader, or of the version of state. */
  readonly output: RddId;
  readonly handles: readonly SharedHandle[];
  readonly scope: Scope;
}

export interface MovedOutput {
  /** False: it was forgotten meanwhile, and the file is nobody's. */
  readonly isKnown: boolean;
  /** Whose memory goes back now. */
  readonly release: readonly Held[];
}

export interface Held {
  readonly scope: Scope;
  readonly handles: readonly SharedHandle[];
}

interface Shuffled {
  readonly program: ProgramId | null;
  lastUse: number;
  /** Some of its buckets lie in files: tasks that were made before have to be told. */
  isMoved: boolean;
}

interface Reader {
  readonly shuffles: ReadonlySet<ShuffleId>;
  /** Of chains of steps. */
  readonly steps: ReadonlySet<SharedHandle>;
}

interface Leaving extends Held {
  readonly output: KeptOutput;
  readonly readers: Set<TaskId>;
}

export class KeptOutputs {
  readonly #known: KnownOutputs;
  readonly #shuffles = new Map<RddId, Shuffled>();
  readonly #readers = new Map<TaskId, Reader>();
  /** By the file that they go to. */
  readonly #moving = new Map<string, KeptOutput>();
  readonly #leaving = new Set<Leaving>();
  /** Read by somebody outside of tasks, and how often: by slab and offset. */
  readonly #pins = new Map<string, number>();
  /** What could not be written is not tried again. */
  readonly #stuck = new Set<RddId>();

  constructor(known: KnownOutputs) {
    this.#known = known;
  }

  /** A map task has written its buckets. */
  written(shuffle: ShuffleId, program: ProgramId | null, now: number): void {
    const reader = rddOfShuffle(shuffle);
    const shuffled = this.#shuffles.get(reader);
    if (shuffled === undefined) this.#shuffles.set(reader, { program, lastUse: now, isMoved: false });
    else shuffled.lastUse = now;
  }

  /** The task with its buckets and steps where they lie now. It reads them until `taskEnded`. */
  taskHandedOut(task: TaskSpec, now: number): TaskSpec {
    const chained = [...task.states, ...(task.base === null ? [] : [task.base])].some(({ chain }) => chain !== null);
    if (task.shuffles.length === 0 && !chained) return task;
    const shuffles = new Set<ShuffleId>();
    let isMoved = chained;
    for (const { shuffle } of task.shuffles) {
      shuffles.add(shuffle);
      const shuffled = this.#shuffles.get(rddOfShuffle(shuffle));
      if (shuffled === undefined) continue;
      shuffled.lastUse = now;
      isMoved ||= shuffled.isMoved;
    }
    const placed: TaskSpec = isMoved
      ? { ...task, shuffles: task.shuffles.map((input) => this.#bucketsOf(input)), states: task.states.map((input) => this.#chainOf(input)), base: task.base === null ? null : this.#chainOf(task.base) }
      : task;
    const steps = chained ? new Set([...placed.states, ...(placed.base === null ? [] : [placed.base])].flatMap(handlesOfChain)) : none;
    this.#readers.set(task.task, { shuffles, steps });
    return placed;
  }

  /** What goes back now. */
  taskEnded(task: TaskId): Held[] {
    if (!this.#readers.delete(task)) return [];
    const released: Held[] = [];
    for (const leaving of this.#leaving) {
      if (!leaving.readers.delete(task) || leaving.readers.size > 0) continue;
      this.#leaving.delete(leaving);
      released.push(leaving);
    }
    return released;
  }

  /** Somebody outside of tasks reads these: where they are moved, their memory stays until they are unpinned as often. */
  pin(handles: readonly SharedHandle[]): void {
    for (const handle of handles) this.#pins.set(keyOf(handle), (this.#pins.get(keyOf(handle)) ?? 0) + 1);
  }

  /** What goes back now. */
  unpin(handles: readonly SharedHandle[]): Held[] {
    for (const handle of handles) {
      const left = (this.#pins.get(keyOf(handle)) ?? 0) - 1;
      if (left > 0) this.#pins.set(keyOf(handle), left);
      else this.#pins.delete(keyOf(handle));
    }
    const released: Held[] = [];
    for (const leaving of this.#leaving) {
      if (!leaving.readers.has(outside) || leaving.handles.some((handle) => this.#pins.has(keyOf(handle)))) continue;
      leaving.readers.delete(outside);
      if (leaving.readers.size > 0) continue;
      this.#leaving.delete(leaving);
      released.push(leaving);
    }
    return released;
  }

  /** All that lies in memory, also what can't go just now: who looks for whole slabs has to know of it. */
  inMemory(): KeptOutput[] {
    const found: KeptOutput[] = [];
    const shuffles = new Set([...this.#readers.values()].flatMap((reader) => [...reader.shuffles]));
    const steps = new Set([...this.#readers.values()].flatMap((reader) => [...reader.steps]));
    for (const { shuffle, mapPartition, handles } of this.#known.bucketsInMemory()) {
      const output = rddOfShuffle(shuffle);
      const shuffled = this.#shuffles.get(output);
      if (shuffled === undefined) continue;
      found.push(this.#keptOutput({ shuffle, mapPartition }, output, handles, shuffled.program, shuffled.lastUse, shuffles.has(shuffle)));
    }
    for (const { rdd, partition, program, places } of this.#known.states.steps()) {
      for (const own of bySlab(places)) {
        // Nobody reads them while their worker lives, so they go before anything else.
        found.push(this.#keptOutput({ state: rdd, partition }, rdd, own, program, 0, own.some((handle) => steps.has(handle) || this.#pins.has(keyOf(handle)))));
      }
    }
    const moving = new Set([...this.#moving.values()].flatMap(({ handles }) => handles));
    const onTheirWay = found.map((output) => (moving.has(output.handles[0] as SharedHandle) ? { ...output, phase: 'moving' as const } : output));
    return [...onTheirWay, ...[...this.#leaving].map(({ output }) => ({ ...output, phase: 'leaving' as const }))];
  }

  /** It is being written. */
  moving(output: KeptOutput, file: string): void {
    this.#moving.set(file, output);
  }

  /** The end of a move. `written` false: there is no file. */
  moved(file: string, written: boolean): MovedOutput {
    const output = this.#moving.get(file);
    this.#moving.delete(file);
    if (output === undefined) return { isKnown: false, release: [] };
    const { of, handles, scope } = output;
    if (!written) {
      this.#stuck.add(output.output);
      return { isKnown: false, release: [] };
    }
    const to: readonly Place[] = placesInFile(handles, file);
    const isKnown = 'shuffle' in of ? this.#known.moveBuckets(of.shuffle, of.mapPartition, handles, to) : this.#known.states.moveStep(of.state, of.partition, handles, to);
    // Who has forgotten it has given its memory back.
    if (!isKnown) return { isKnown, release: [] };
    const shuffled = this.#shuffles.get(output.output);
    if ('shuffle' in of && shuffled !== undefined) shuffled.isMoved = true;
    const readers = 'shuffle' in of ? this.#readersOf(of.shuffle) : this.#readersOfSteps(handles);
    if (readers.length === 0) return { isKnown, release: [{ scope, handles }] };
    this.#leaving.add({ output, scope, handles, readers: new Set(readers) });
    return { isKnown, release: [] };
  }

  forgetRdds(rdds: readonly RddId[]): void {
    for (const rdd of rdds) {
      this.#shuffles.delete(rdd);
      this.#stuck.delete(rdd);
    }
  }

  forgetProgram(program: ProgramId): void {
    for (const [rdd, shuffled] of this.#shuffles) if (shuffled.program === program) this.#shuffles.delete(rdd);
  }

  #keptOutput(of: KeptOutput['of'], output: RddId, handles: readonly SharedHandle[], program: ProgramId | null, lastUse: number, isRead: boolean): KeptOutput {
    const bytes = handles.reduce((sum, handle) => sum + handle.bytes, 0);
    return {
      of, output, handles, lastUse, pins: isRead ? 1 : 0, bytes, rdd: null, slab: (handles[0] as SharedHandle).slab, handleCount: handles.length,
      scope: programScope(program), mayGo: !this.#stuck.has(output), phase: 'resident',
    };
  }

  #readersOf(shuffle: ShuffleId): TaskId[] {
    return [...this.#readers].filter(([, { shuffles }]) => shuffles.has(shuffle)).map(([task]) => task);
  }

  #readersOfSteps(handles: readonly SharedHandle[]): TaskId[] {
    const tasks = [...this.#readers].filter(([, { steps }]) => steps.size > 0 && handles.some((handle) => steps.has(handle))).map(([task]) => task);
    return handles.some((handle) => this.#pins.has(keyOf(handle))) ? [...tasks, outside] : tasks;
  }

  /** One that is lost is left as it was: the task says so, and it is made again. */
  #bucketsOf(input: ShuffleInput): ShuffleInput {
    const buckets = input.buckets.map((bucket, mapPartition): BucketRef => {
      const known = this.#known.mapOutput(input.shuffle, mapPartition);
      return known === null ? bucket : (known[input.partition] ?? null);
    });
    return { ...input, buckets };
  }

  #chainOf(input: StateInput): StateInput {
    return input.chain === null ? input : { ...input, chain: this.#known.states.chain(input.rdd, input.partition) ?? input.chain };
  }
}

const none: ReadonlySet<SharedHandle> = new Set();
/** Stands for all readers that are no tasks. */
const outside = asTaskId(-1);

function keyOf({ slab, offset }: SharedHandle): string {
  return `${slab}/${offset}`;
}

function handlesOfChain({ chain }: StateInput): SharedHandle[] {
  return handlesOf((chain ?? []).flatMap(placesOfLink));
}
