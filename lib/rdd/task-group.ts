/**
 * Tasks that go to one worker in one message: those of a stage that has little to read, and those of the stages behind it.
 *
 *   map 0, map 1, reduce 0, reduce 1 --one message--> worker: map 0 > map 1 > reduce 0 > reduce 1 --one message--> four ends
 *
 * A message to a thread that sleeps and one back cost more than all else in a small batch. Which tasks go together is nobody's
 * business but the scheduler's and the worker's: each keeps its partition, reads the same buckets in the same order, and reports
 * for itself. So nothing of it is logged, and a batch that is run again may be grouped otherwise.
 *
 * Invariant: a task of a group needs nothing but what is known, and what tasks before it in the group write.
 */
import type { BlockRef, BucketRef, Sink } from '../../protocol/rdd.ts';
import type { ShuffleId } from '../../protocol/ids.ts';
import type { StageSpec, StageTask, TaskEnd, TaskReport, TaskSpec } from '../../protocol/task.ts';

/** Bytes that the tasks of a group read, before any of them runs. */
export const groupBytesMax = 256 * 1024;
export const groupTasksMax = 64;
/** What they take, one after another, as far as one knows: what two workers would gain by sharing it must be less than what waking them costs. */
export const groupRunMsMax = 4;
/** Shapes of stages whose times are remembered; the one that was noted longest ago goes first. */
const shapesMax = 512;
/** The newest time counts so much, those before it the rest: one task that was held up says little. */
const newestShare = 1 / 4;

/** How long a task of each shape of stage takes, lately. */
export class RunTimes {
  readonly #ms = new Map<string, number>();

  note(shape: string, runMs: number): void {
    const before = this.#ms.get(shape);
    this.#ms.delete(shape);
    this.#ms.set(shape, before === undefined ? runMs : before + (runMs - before) * newestShare);
    if (this.#ms.size > shapesMax) this.#ms.delete(this.#ms.keys().next().value as string);
  }

  /** Null: none has run. */
  expectedMs(shape: string): number | null {
    return this.#ms.get(shape) ?? null;
  }
}

/** What may still be added to a group. */
export class GroupRoom {
  readonly #times: RunTimes;
  #bytes = groupBytesMax;
  #tasks = groupTasksMax;
  #ms = groupRunMsMax;

  constructor(times: RunTimes) {
    this.#times = times;
  }

  /** True: tasks of this stage with these inputs are taken. A stage that has never run is not: its functions may take any time. */
  takes(stage: StageSpec, tasks: readonly TaskReads[]): boolean {
    const ms = this.#times.expectedMs(stage.shape);
    if (ms === null || !isPlainSink(stage.sink) || !stage.nodes.every(isPlainNode)) return false;
    this.#tasks -= tasks.length;
    this.#ms -= ms * tasks.length;
    for (const task of tasks) this.#bytes -= bytesOf(task);
    return this.#bytes >= 0 && this.#tasks >= 0 && this.#ms >= 0;
  }
}

/** What a task reads, of which it may not all be known yet. */
export interface TaskReads {
  readonly shuffles: readonly { readonly partition: number; readonly buckets?: readonly BucketRef[] }[];
  readonly sources: readonly { readonly blocks: readonly BlockRef[] }[];
  readonly cached: readonly unknown[];
  readonly offsets: readonly unknown[];
  readonly states: readonly unknown[];
  readonly base: unknown;
}

/** Whether a task is at its first attempt, and may run anywhere. Others go alone: who failed for an input or a thread does not take others with it. */
export function isGroupable({ attempt, owner }: TaskSpec): boolean {
  return attempt === 0 && owner === null;
}

/** A stage with state belongs to its worker, and what writes files has its own times. */
function isPlainSink({ kind }: Sink): boolean {
  return kind !== 'state' && kind !== 'saveText' && kind !== 'saveObjects';
}

/** Files may have any length, and what is persisted lies where it was made. */
function isPlainNode({ kind, storage }: StageSpec['nodes'][number]): boolean {
  return kind !== 'textFile' && kind !== 'state' && kind !== 'emitted' && storage === null;
}

/** Without end where it reads what is not in memory, or what makes one worker better than another. */
function bytesOf({ shuffles, sources, cached, offsets, states, base }: TaskReads): number {
  if (cached.length > 0 || offsets.length > 0 || states.length > 0 || base !== null) return Infinity;
  const places = [...sources.flatMap(({ blocks }) => blocks.map(({ place }) => place)), ...shuffles.flatMap(({ buckets = [] }) => buckets)];
  return places.reduce((sum, place) => sum + (place === null ? 0 : 'slab' in place ? place.bytes : Infinity), 0);
}

/** What the tasks of a group have written so far, for those behind them. The worker's. */
export class GroupOutputs {
  readonly #buckets = new Map<ShuffleId, Map<number, readonly BucketRef[]>>();

  add({ sink }: StageSpec, { partition }: TaskSpec, { output }: TaskReport): void {
    if (sink.kind !== 'shuffle' || output.kind !== 'shuffle') return;
    let maps = this.#buckets.get(sink.shuffle);
    if (maps === undefined) this.#buckets.set(sink.shuffle, (maps = new Map()));
    maps.set(partition, output.buckets);
  }

  /** The task with the places of all that it reads. */
  filled(task: TaskSpec): TaskSpec {
    if (!task.shuffles.some(({ shuffle }) => this.#buckets.has(shuffle))) return task;
    const shuffles = task.shuffles.map((input) => {
      const maps = this.#buckets.get(input.shuffle);
      return maps === undefined ? input : { ...input, buckets: input.buckets.map((bucket, map) => bucket ?? maps.get(map)?.[input.partition] ?? null) };
    });
    return { ...task, shuffles };
  }
}

/** Runs tasks one after another, up to the first that fails. A promise only where one of them is one. */
export function runGroup(tasks: readonly StageTask[], stages: ReadonlyMap<number, StageSpec>, run: (stage: StageSpec | undefined, task: TaskSpec) => TaskEnd | Promise<TaskEnd>): TaskEnd[] | Promise<TaskEnd[]> {
  const ends: TaskEnd[] = [];
  const outputs = new GroupOutputs();
  /** False: it was the last. */
  const goesOn = (end: TaskEnd): boolean => {
    const { stage: number, task } = tasks[ends.length] as StageTask;
    const stage = stages.get(number);
    ends.push(end);
    if (!('report' in end) || stage === undefined) return false;
    outputs.add(stage, task, end.report);
    return ends.length < tasks.length;
  };
  const runRest = (): TaskEnd[] | Promise<TaskEnd[]> => {
    for (;;) {
      const { stage, task } = tasks[ends.length] as StageTask;
      const end = run(stages.get(stage), outputs.filled(task));
      if (end instanceof Promise) return end.then((value) => (goesOn(value) ? runRest() : ends));
      if (!goesOn(end)) return ends;
    }
  };
  return runRest();
}
