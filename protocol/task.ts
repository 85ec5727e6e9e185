/**
 * Task scheduler <-> task worker.
 *
 * Invariant: a task is named by (job, stage, partition, attempt) and told by plain data alone: the stage's nodes, the
 * partition, the places of its inputs. Running it twice gives the same records in the same order.
 */
import type { BatchTime } from './time.ts';
import type { HostId, JobId, ProgramId, RddId, ShuffleId, TaskId } from './ids.ts';
import type { BlockRef, BroadcastVersion, BucketRef, RddNode, ReplayRecord, Sink } from './rdd.ts';
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

/** Where the reducer of a partition finds what the maps wrote for it: in map-partition order. */
export interface ShuffleInput {
  readonly shuffle: ShuffleId;
  readonly buckets: readonly BucketRef[];
}

export interface TaskSpec {
  readonly task: TaskId;
  readonly partition: number;
  readonly attempt: number;
  readonly shuffles: readonly ShuffleInput[];
  /** First index of each of the parent's partitions, for the `zipWithIndex` nodes of the stage. */
  readonly offsets: readonly { readonly rdd: RddId; readonly first: number }[];
  /** Persisted partitions that this task can read instead of computing. */
  readonly cached: readonly { readonly rdd: RddId; readonly partition: number; readonly block: BlockRef }[];
}

/** A contribution to an accumulator: counted once per (accumulator, operator, batch time, partition). */
export interface AccumulatorUpdate {
  readonly program: ProgramId;
  readonly accumulator: number;
  /** The operator whose function added it. */
  readonly operator: string;
  readonly value: Uint8Array;
}

export type TaskOutput =
  /** One bucket for each reducer. */
  | { readonly kind: 'shuffle'; readonly buckets: readonly BucketRef[]; readonly records: number }
  /** Encoded records: of collect, reduce, aggregate, takeOrdered, sampleKeys. */
  | { readonly kind: 'records'; readonly block: BlockRef; readonly total: number }
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'done' };

/** What a task gives back beside its output. */
export interface TaskReport {
  readonly output: TaskOutput;
  /** Partitions of persisted RDDs that this task has stored. */
  readonly stored: readonly { readonly rdd: RddId; readonly partition: number; readonly block: BlockRef }[];
  readonly accumulators: readonly AccumulatorUpdate[];
  readonly runMs: number;
}

/** Sent by the task scheduler. Lost with the thread: the scheduler sees the thread's death and runs the task elsewhere. */
export type ToTaskWorker =
  /** Once for each (worker, stage), before the first task of it. */
  | { readonly type: 'defineStage'; readonly stage: StageSpec }
  | { readonly type: 'runTask'; readonly job: JobId; readonly stage: number; readonly task: TaskSpec }
  /** All tasks of these jobs have ended; the worker forgets their stages. */
  | { readonly type: 'forgetJobs'; readonly jobs: readonly JobId[] };

/** Sent by the task worker. Comes at most once for each task; none comes from a dead thread. */
export type FromTaskWorker =
  | { readonly type: 'taskSucceeded'; readonly host: HostId; readonly job: JobId; readonly stage: number; readonly task: TaskId; readonly report: TaskReport }
  | { readonly type: 'taskFailed'; readonly host: HostId; readonly job: JobId; readonly stage: number; readonly task: TaskId; readonly error: WireError;
      /** Set where an input was not to be had: the map output (or persisted block) must be made again. */
      readonly missing: { readonly shuffle: ShuffleId; readonly mapPartition: number } | { readonly rdd: RddId; readonly partition: number } | null };
