/**
 * The words in shared memory by which the scheduler reaches a worker that is busy: it hears messages only between tasks.
 *
 *   cell 0   cancelled   the task that is to end, wherever it is
 *   cell 1   waiting     the task that waits there behind another one: +id; -id once the scheduler has taken it back
 *   cell 2   progress    records that the running task has read
 *
 * Invariant: a task that was handed over to wait is started or taken back, never both: either side moves the cell from +id, and who
 * comes second finds it moved. Ids are whole (53 bits), so none stands for two tasks, and 0 is none's.
 */
import type { TaskId } from '../../protocol/ids.ts';

const cells = { cancelled: 0, waiting: 1, progress: 2 } as const;

export class TaskControl {
  readonly #cells: BigInt64Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(Object.keys(cells).length * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.#cells = new BigInt64Array(shared);
  }

  /** To be given to the other thread. */
  get shared(): SharedArrayBuffer {
    return this.#cells.buffer as SharedArrayBuffer;
  }

  // The scheduler's.

  cancel(task: TaskId): void {
    Atomics.store(this.#cells, cells.cancelled, BigInt(task));
  }

  /** Before the task is handed over that will wait behind another one. */
  putBehind(task: TaskId): void {
    Atomics.store(this.#cells, cells.waiting, BigInt(task));
  }

  /** True: the worker will not start it. */
  takeBack(task: TaskId): boolean {
    return Atomics.compareExchange(this.#cells, cells.waiting, BigInt(task), -BigInt(task)) === BigInt(task);
  }

  // The worker's.

  /** False: the task was taken back, and is somebody else's. */
  begin(task: TaskId): boolean {
    Atomics.store(this.#cells, cells.progress, 0n);
    return Atomics.compareExchange(this.#cells, cells.waiting, BigInt(task), 0n) !== -BigInt(task);
  }

  progressed(records: number): void {
    Atomics.add(this.#cells, cells.progress, BigInt(records));
  }

  isCancelled(task: TaskId): boolean {
    return Atomics.load(this.#cells, cells.cancelled) === BigInt(task);
  }
}
