/**
 * An RddContext that runs jobs on the calling thread: plans by the job's state machine, runs each task by `runTask`, one at a
 * time. Faults come from a seed: tasks that fail before or after their work, threads that die, inputs that are lost.
 *
 * Invariant: the order in which tasks run is chosen by the seed too, so nothing can rest on it; what a failed attempt has
 * written is given back.
 */
import type { BlockRef, FunctionRef, OperatorPlace, RddNode, Sink, StorageLevel } from '../../protocol/rdd.ts';
import type { RddId } from '../../protocol/ids.ts';
import { StateStore } from '../../lib/rdd/state/state-store.ts';
import type { StageSpec, TaskOutput, TaskReport, TaskSpec } from '../../protocol/task.ts';
import { MillraceError, toWireError } from '../../protocol/errors.ts';
import { asHostId, asJobId, rddIdOf } from '../../protocol/ids.ts';
import type { ProgramId } from '../../protocol/ids.ts';
import type { Prng } from '../../lib/base/prng.ts';
import { createPrng } from '../../lib/base/prng.ts';
import type { RddContext } from '../../lib/rdd/context.ts';
import type { RunningFunction } from '../../lib/rdd/function-scope.ts';
import { resolveBuiltin } from '../../lib/rdd/derived-functions.ts';
import type { JobEnd, JobEvents, JobState } from '../../lib/rdd/job-state.ts';
import { planJob, readyTasks, taskFailed, taskFailuresMaxDefault, taskSucceeded } from '../../lib/rdd/job-state.ts';
import type { Place } from '../../lib/rdd/known-outputs.ts';
import { KnownOutputs } from '../../lib/rdd/known-outputs.ts';
import { runTask } from '../../lib/rdd/run-task.ts';
import type { TaskEnvironment } from '../../lib/rdd/task-environment.ts';
import { MissingInput } from '../../lib/rdd/task-failure.ts';
import { LocalMemory } from './local-memory.ts';

/** Chances from 0 to 1, each looked at once for each task. */
export interface Faults {
  readonly failBefore?: number;
  readonly failAfter?: number;
  readonly hostLost?: number;
  /** A map output that is known is lost, all its buckets or one. */
  readonly bucketLost?: number;
  readonly blockLost?: number;
  /** Faults in all, so that a job ends. */
  readonly faultsMax?: number;
}

export interface LocalOptions {
  readonly defaultParallelism?: number;
  readonly seed?: number;
  readonly faults?: Faults;
  readonly taskFailuresMax?: number;
  /** What tasks leave beside their output is reported for a program only. */
  readonly program?: ProgramId;
  readonly running?: RunningFunction;
  /** Told of each report that counts. */
  readonly onReport?: (report: TaskReport) => void;
}

/** A stage as it was run: for tests of what was skipped. */
export interface RunLog {
  readonly job: number;
  readonly rdd: RddId;
  readonly sink: Sink['kind'];
  readonly partition: number;
  readonly attempt: number;
  readonly shape: string;
}

export class LocalRunner implements RddContext {
  readonly defaultParallelism: number;
  readonly known = new KnownOutputs();
  readonly memory = new LocalMemory();
  readonly log: RunLog[] = [];
  readonly places: string[] = [];
  readonly files = new Map<string, string>();
  faultCount = 0;
  readonly #nodes = new Map<RddId, RddNode>();
  readonly #functions: ((...args: never[]) => unknown)[] = [];
  readonly #prng: Prng;
  readonly #faults: Faults;
  readonly #taskFailuresMax: number;
  readonly #options: LocalOptions;
  readonly #states = new StateStore();
  #jobs = 0;

  constructor(options: LocalOptions = {}) {
    this.defaultParallelism = options.defaultParallelism ?? 2;
    this.#prng = createPrng(options.seed ?? 1);
    this.#options = options;
    this.#faults = options.faults ?? {};
    this.#taskFailuresMax = options.taskFailuresMax ?? taskFailuresMaxDefault;
  }

  newRddId(): RddId {
    return rddIdOf(asHostId(0), this.#nodes.size);
  }

  define(node: RddNode): void {
    if (this.#nodes.has(node.id)) throw new Error(`RDD ${node.id} is defined twice.`);
    // Plain data only: what survives this survives the way to another thread.
    this.#nodes.set(node.id, structuredClone(node));
  }

  node(id: RddId): RddNode {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new MillraceError('RddReleased', `RDD ${id} is not defined (any more).`);
    return node;
  }

  functionRef(fn: (...args: never[]) => unknown): FunctionRef {
    const index = this.#functions.indexOf(fn);
    return { kind: 'local', index: index >= 0 ? index : this.#functions.push(fn) - 1 };
  }

  functionOf(ref: FunctionRef): ((...args: never[]) => unknown) | null {
    return ref.kind === 'local' ? (this.#functions[ref.index] ?? null) : null;
  }

  place(name: string): OperatorPlace {
    return { uid: name, name, place: '' };
  }

  storeRecords(records: readonly unknown[]): BlockRef {
    return this.memory.storeRecords(records);
  }

  loadRecords(block: BlockRef): unknown[] {
    return this.memory.loadRecords(block);
  }

  setStorage(id: RddId, level: StorageLevel | null): void {
    this.#nodes.set(id, { ...this.node(id), storage: level });
    if (level === null) for (const place of this.known.forgetBlocks(id)) this.memory.release(place);
  }

  async runJob(target: RddId, partitions: readonly number[] | null, sink: Sink): Promise<readonly TaskOutput[]> {
    const state = planJob({
      job: asJobId((this.#jobs += 1)), target, partitions, sink, nodes: (id) => this.node(id), known: this.known,
      program: this.#options.program ?? null, batchTime: null, loadRecords: (block) => this.loadRecords(block),
    });
    let queue: { stage: StageSpec; task: TaskSpec }[] = [];
    while (state.ended === null) {
      const { groups, events: planned } = readyTasks(state);
      for (const { stage, tasks } of groups) for (const task of tasks) queue.push({ stage: structuredClone(stage), task: structuredClone(task) });
      if (planned.ended !== null) break;
      if (queue.length === 0) throw new Error('The job has not ended and has no task to run.');
      const [next] = queue.splice(this.#prng.int(queue.length), 1) as [(typeof queue)[number]];
      const events = await this.#runTask(state, next.stage, next.task);
      for (const place of events.release) this.memory.release(place);
      const cancelled = new Set(events.cancel);
      queue = queue.filter(({ task }) => !cancelled.has(task.task));
    }
    const end = state.ended as JobEnd;
    if (!end.ok) throw end.error;
    return end.outputs;
  }

  /** As at the end of a batch: forgets all RDDs and gives back what is known of them. */
  endBatch(): void {
    for (const place of this.known.forgetRdds([...this.#nodes.keys()])) this.memory.release(place);
    for (const node of this.#nodes.values()) {
      if (node.kind === 'source') for (const block of node.blocks.flat()) if (block.place !== null) this.memory.release(block.place);
    }
    this.#nodes.clear();
  }

  async #runTask(state: JobState, stage: StageSpec, task: TaskSpec): Promise<JobEvents> {
    this.log.push({ job: stage.job, rdd: stage.rdd, sink: stage.sink.kind, partition: task.partition, attempt: task.attempt, shape: stage.shape });
    if (this.#strikes(this.#faults.bucketLost)) this.#loseOne(task.shuffles.flatMap(({ buckets }) => buckets));
    if (this.#strikes(this.#faults.blockLost)) this.#loseOne(task.cached.map(({ block }) => block.place));
    const options = { taskFailuresMax: this.#taskFailuresMax };
    const injected = toWireError(new Error('A fault of the test.'));
    if (this.#strikes(this.#faults.failBefore)) return taskFailed(state, stage.stage, task.task, injected, null, options);
    if (this.#strikes(this.#faults.hostLost)) return taskFailed(state, stage.stage, task.task, injected, null, { ...options, hostLost: true });
    const written: Place[] = [];
    let report: TaskReport;
    try {
      report = structuredClone(await runTask(stage, task, this.#environment(written)));
    } catch (error) {
      for (const place of written) this.memory.release(place);
      const missing = error instanceof MissingInput ? error.missing : null;
      return taskFailed(state, stage.stage, task.task, structuredClone(toWireError(error)), missing, options);
    }
    if (this.#strikes(this.#faults.failAfter)) {
      for (const place of written) this.memory.release(place);
      return taskFailed(state, stage.stage, task.task, injected, null, options);
    }
    const events = taskSucceeded(state, stage.stage, task.task, report);
    if (events.accepted) this.#options.onReport?.(report);
    return events;
  }

  #environment(written: Place[]): TaskEnvironment {
    return {
      states: this.#states,
      resolve: (ref) => this.#resolve(ref),
      read: (place) => this.memory.read(place),
      write: (bytes) => {
        const { view, handle } = this.memory.write(bytes);
        written.push(handle);
        return { view, done: () => handle };
      },
      textChunks: (bytes, each) => each(new TextDecoder().decode(bytes)),
      files: {
        readRange: (file, start, end) => new TextEncoder().encode(this.files.get(file) ?? '').slice(start, end),
        size: (file) => new TextEncoder().encode(this.files.get(file) ?? '').length,
        writeAtomically: (path, bytes) => void this.files.set(path, new TextDecoder().decode(bytes)),
      },
      alive: () => undefined,
      running: this.#options.running ?? null,
      now: () => 0,
    };
  }

  #resolve(ref: FunctionRef): (...args: never[]) => unknown {
    if (ref.kind === 'builtin') return resolveBuiltin(ref, (inner) => this.#resolve(inner));
    const fn = ref.kind === 'local' ? this.#functions[ref.index] : undefined;
    if (fn === undefined) throw new Error(`No function here has the reference ${JSON.stringify(ref)}.`);
    return fn;
  }

  #strikes(chance: number | undefined): boolean {
    if (chance === undefined || this.faultCount >= (this.#faults.faultsMax ?? Infinity) || this.#prng.next() >= chance) return false;
    this.faultCount += 1;
    return true;
  }

  #loseOne(places: readonly (Place | null)[]): void {
    const some = places.filter((place) => place !== null);
    if (some.length > 0) this.memory.lose(this.#prng.pick(some));
  }
}
