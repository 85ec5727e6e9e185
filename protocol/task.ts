/**
 * Task scheduler <-> task worker.
 *
 * Invariant: a task is named by (job, stage, partition, attempt) and told by plain data alone: the stage's nodes, the
 * partition, the places of its inputs. Running it twice gives the same records in the same order.
 */
import type { BatchTime } from './time.ts';
import type { HostId, JobId, ProgramId, RddId, ShuffleId, TaskId } from './ids.ts';
import type { BlockRef, BroadcastVersion, BucketRef, FunctionRef, OperatorPlace, RddNode, RecordPolicy, ReplayRecord, Sink, StateLink } from './rdd.ts';
import type { WireError } from './errors.ts';

/** What all tasks of one stage share. `shape` is equal for stages that run the same loops (ids and blocks left out). */
export interface StageSpec {
  readonly job: JobId;
  readonly stage: number;
  readonly shape: string;
  /** Parents before children; the last one is the stage's RDD. Holds all that its tasks walk, none beyond a shuffle. */
  readonly nodes: readonly RddNode[];
  readonly rdd: RddId;
  readonly sink: Sink;
  readonly program: ProgramId | null;
  readonly batchTime: BatchTime | null;
  /** For `batch` function refs among the nodes. */
  readonly replays: readonly ReplayRecord[];
  readonly broadcasts: readonly BroadcastVersion[];
}

/**
 * Where the reader of one reduce partition finds what the maps wrote for it: in map-partition order. A task has several
 * inputs of one shuffle where it computes several of its partitions (behind `coalesce`, or both sides of `cartesian`).
 */
export interface ShuffleInput {
  readonly shuffle: ShuffleId;
  /** The reduce partition: that of the node that reads, not the task's. */
  readonly partition: number;
  readonly buckets: readonly BucketRef[];
}

/** One partition of a version of keyed state, as a task finds it: in a table of its worker, or put together from `chain`. */
export interface StateInput {
  readonly rdd: RddId;
  readonly partition: number;
  readonly table: number;
  readonly time: BatchTime;
  /** How many older versions the table keeps at hand. */
  readonly versionsKept: number;
  /** Oldest first, from a snapshot on. Null: the worker has it. */
  readonly chain: readonly StateLink[] | null;
  /** Only of a restored version that was written otherwise. What is made of it must be a snapshot, since nothing can build on its bytes. */
  readonly origin?: StateOrigin;
}

/** How a partition of keyed state comes of what was written by another layout, or by an older or newer program. */
export interface StateOrigin {
  /** The partitions that hold keys of this one, each from a snapshot on; in their order, the keys are put in. Null: the layout is the same. */
  readonly resplit: { readonly partitions: number; readonly chains: readonly (readonly StateLink[])[] } | null;
  readonly migrate: { readonly fn: FunctionRef; readonly fromVersion: number } | null;
}

export interface TaskSpec {
  readonly task: TaskId;
  readonly partition: number;
  readonly attempt: number;
  readonly shuffles: readonly ShuffleInput[];
  /** For each partition of a `zipWithIndex` node (`rdd`) that the task computes: the index of its first record. */
  readonly offsets: readonly { readonly rdd: RddId; readonly partition: number; readonly first: number }[];
  /** Persisted partitions that this task can read instead of computing. */
  readonly cached: readonly { readonly rdd: RddId; readonly partition: number; readonly block: BlockRef }[];
  /**
   * Partitions of sources that this task reads, with their blocks. Those told to a worker are the ones that lie elsewhere by now than its
   * stage's nodes say.
   */
  readonly sources: readonly { readonly rdd: RddId; readonly partition: number; readonly blocks: readonly BlockRef[] }[];
  /** State that the task reads. */
  readonly states: readonly StateInput[];
  /** For a task that makes a version of state: the one before it, if there is any. */
  readonly base: StateInput | null;
  /** The worker that holds this state: as long as it lives, the task runs nowhere else. */
  readonly owner: HostId | null;
}

/**
 * The work of one operator's functions on one of its partitions, as it is named wherever it must count once: by (origin, batch
 * time, partition). A stream makes its RDD for a batch time once, so an RDD stands for (operator, batch time).
 */
export interface WorkName {
  readonly program: ProgramId;
  /** `rdd-N`: functions of that RDD's node; `shuffle-N`: the combining before it; `output-N`, `job-N`: functions of a sink; `task-N`: what has none of these names. */
  readonly origin: string;
  /** Of the operator's RDD where a stream made it, else of the job. */
  readonly batchTime: BatchTime | null;
  /** Of the operator's own RDD, whatever the task computes. */
  readonly partition: number;
}

/** A contribution to an accumulator: counted once for each (accumulator, work). */
export interface AccumulatorUpdate extends WorkName {
  readonly accumulator: number;
  /** The uid of the operator whose function added it. */
  readonly operator: string;
  /** False: the task read the beginning of the partition only (a limit was reached). Another's whole work counts in its place. */
  readonly whole: boolean;
  readonly value: Uint8Array;
}

/** The records that an operator's policy has left out of one partition. They are numbered from 0, alike in every attempt. */
export interface LeftOutRecords extends WorkName {
  readonly operator: OperatorPlace | null;
  readonly policy: RecordPolicy;
  /** How many there were. */
  readonly records: number;
  /** `deadLetter` only: the first of them, as many as the task may report. */
  readonly letters: readonly LetterRecord[];
}

export interface LetterRecord {
  readonly index: number;
  /** In the record codec; null where it can't be encoded, or is too large to be sent along. */
  readonly record: Uint8Array | null;
  readonly preview: string;
  readonly error: WireError;
}

export type TaskOutput =
  /** One bucket for each reducer. */
  | { readonly kind: 'shuffle'; readonly buckets: readonly BucketRef[]; readonly records: number }
  /** Encoded records: of collect, reduce, aggregate, takeOrdered, sampleKeys. */
  | { readonly kind: 'records'; readonly block: BlockRef; readonly total: number }
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'state'; readonly link: StateLink }
  | { readonly kind: 'done' };

/** What a task gives back beside its output. */
export interface TaskReport {
  readonly output: TaskOutput;
  /** Partitions of persisted RDDs that this task has stored. */
  readonly stored: readonly { readonly rdd: RddId; readonly partition: number; readonly block: BlockRef }[];
  readonly accumulators: readonly AccumulatorUpdate[];
  /** Absent: none. */
  readonly leftOut?: readonly LeftOutRecords[];
  readonly runMs: number;
}

/** Sent by the task scheduler. Lost with the thread: the scheduler sees the thread's death and runs the task elsewhere. */
export type ToTaskWorker =
  /** Once for each (worker, stage), before the first task of it. */
  | { readonly type: 'defineStage'; readonly stage: StageSpec }
  /**
   * `waits`: the place in shared memory from which it can be taken back while it waits behind another one; null: it is the worker's only one.
   * `then`: tasks of the job that follow on it here, in this order, without a word in between; they may read what those before them
   * have written, which is not named yet. All are cancelled by the first one's id. Absent: none.
   */
  | { readonly type: 'runTask'; readonly job: JobId; readonly stage: number; readonly task: TaskSpec; readonly waits: 0 | 1 | null; readonly then?: readonly StageTask[] }
  /** All tasks of these jobs have ended; the worker forgets their stages. */
  | { readonly type: 'forgetJobs'; readonly jobs: readonly JobId[] }
  /** The worker's own: what it had under way has ended. Behind a task that failed those that follow on it have no end. */
  | { readonly type: 'taskEnded'; readonly given: Extract<ToTaskWorker, { type: 'runTask' }>; readonly ends: readonly TaskEnd[] };

export interface StageTask {
  readonly stage: number;
  readonly task: TaskSpec;
}

/** How a task ended, as the worker knows it. */
export type TaskEnd = { readonly report: TaskReport } | { readonly error: WireError; readonly missing: MissingInputs };

/** The map output or persisted partition that was not to be had: it must be made again. `state`: it must be told with its chain. */
export type MissingInputs =
  | { readonly shuffle: ShuffleId; readonly mapPartition: number }
  | { readonly rdd: RddId; readonly partition: number }
  | { readonly state: RddId; readonly partition: number }
  | null;

/** Sent by the task worker. One comes at most for each task; none comes from a dead thread. */
export type FromTaskWorker =
  | { readonly type: 'taskSucceeded'; readonly host: HostId; readonly job: JobId; readonly stage: number; readonly task: TaskId; readonly report: TaskReport }
  | { readonly type: 'taskFailed'; readonly host: HostId; readonly job: JobId; readonly stage: number; readonly task: TaskId; readonly error: WireError; readonly missing: MissingInputs }
  /** It was to follow on another task, which has failed: its partition becomes a task anew. */
  | { readonly type: 'taskNotRun'; readonly host: HostId; readonly job: JobId; readonly stage: number; readonly task: TaskId };
