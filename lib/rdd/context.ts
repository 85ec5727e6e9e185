/**
 * What an RDD needs from the thread on which it lives: ids, a table of nodes, names for functions, and jobs.
 *
 * Invariant: RDD code keeps nothing beside it. The driver, the app's thread, a worker that replays a `transform` call and a
 * test each give a context of their own, and the same calls in the same order define the same nodes in each of them.
 */
import type { BlockRef, FunctionRef, OperatorPlace, RddNode, Sink, StorageLevel } from '../../protocol/rdd.ts';
import type { RddId } from '../../protocol/ids.ts';
import type { TaskOutput } from '../../protocol/task.ts';

export interface RddContext {
  /** Partitions of what is made without a number: as Spark's `spark.default.parallelism`, which counts as set here. */
  readonly defaultParallelism: number;
  newRddId(): RddId;
  define(node: RddNode): void;
  /** Throws RddReleased after the RDD's batch is over. */
  node(id: RddId): RddNode;
  /**
   * The name by which workers find `fn`. `role` is the method that was given it, for messages. Throws FunctionMadeTooLate
   * where no worker could have it, AsyncRecordFunction where it is declared async.
   */
  functionRef(fn: (...args: never[]) => unknown, role: string): FunctionRef;
  /** The function behind a reference of this program's, for `explain`; null: it is not known on this thread. Absent: none is. */
  functionOf?(ref: FunctionRef): ((...args: never[]) => unknown) | null;
  /** Where the user called the method `name`, for messages; null where nobody knows. */
  place(name: string): OperatorPlace | null;
  /** Stores records given by the caller (`parallelize`). An empty list may give a block without a place. */
  storeRecords(records: readonly unknown[]): BlockRef;
  /**
   * Runs a job: outputs in the order of `partitions` (null: all, ascending). Rejects with the job's own error.
   * The blocks among the outputs belong to the caller, who gives each back by `loadRecords`.
   */
  runJob(target: RddId, partitions: readonly number[] | null, sink: Sink): Promise<readonly TaskOutput[]>;
  /** Reads the block of a TaskOutput and gives its memory back: once for each block. */
  loadRecords(block: BlockRef): unknown[];
  /** Persists from the next computation on, or (null) drops what is stored. */
  setStorage(id: RddId, level: StorageLevel | null): void;
  /**
   * Wraps each action once, however many jobs it runs: a context that records or replays a `transform` call keeps or gives
   * back the action's result here. Absent: the action is just run.
   */
  action?<R>(name: string, run: () => Promise<R>): Promise<R>;
  /**
   * Called before tasks write into `directory`. Makes it; throws FileExists where it holds something and `overwrite` is
   * false. Absent: the tasks make it, and nothing is refused.
   */
  claimDirectory?(directory: string, overwrite: boolean): Promise<void>;
  /** Called when all tasks have written into `directory`. Marks it as complete. Absent: nothing does. */
  completeDirectory?(directory: string): Promise<void>;
}
