/**
 * The words in shared memory by which the scheduler reaches a worker that is busy: it hears messages only between tasks.
 *
 *   cell 0      cancelled   the task that is to end, wherever it is
 *   cells 1, 2  waiting     the task that waits there behind another one: +id; -id once the scheduler has taken it back
 *   cell 3      progress    records that the running task has read
 *   cell 4      running     the task that was begun last: of tasks that were handed over together, the one whose turn it is
 *
 * There are two places to wait, used in turn: a task that was taken back may still be on its way when the next one is put behind. A third
 * can't be, since a task handed over after the first has ended by then, and tasks arrive in order.
 *
 * Invariant: a task that was handed over to wait is started or taken back, never both: either side moves the cell from +id, and who
 * comes second finds it moved. Ids are whole (53 bits), so none stands for two tasks, and 0 is none's.
 */
import type { TaskId } from '../../protocol/ids.ts';

const cells = { cancelled: 0, waiting: 1, progress: 3, running: 4 } as const;
const cellCount = 5;

/** Where a task waits: taken in turn. */
export type WaitingPlace = 0 | 1;

export class TaskControl {
  readonly #cells: BigInt64Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(cellCount * BigInt64Array.BYTES_PER_ELEMENT)) {
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
  putBehind(task: TaskId, place: WaitingPlace): void {
    Atomics.store(this.#cells, cells.waiting + place, BigInt(task));
  }

  /** True: the worker will not start it. */
  takeBack(task: TaskId, place: WaitingPlace): boolean {
    return Atomics.compareExchange(this.#cells, cells.waiting + place, BigInt(task), -BigInt(task)) === BigInt(task);
  }

  /** 0: none was ever begun. */
  get running(): number {
    return Number(Atomics.load(this.#cells, cells.running));
  }

  // The worker's.

  /** `place`: null where it did not wait. False: the task was taken back, and is somebody else's. */
  begin(task: TaskId, place: WaitingPlace | null): boolean {
    if (place !== null && Atomics.compareExchange(this.#cells, cells.waiting + place, BigInt(task), 0n) === -BigInt(task)) return false;
    Atomics.store(this.#cells, cells.progress, 0n);
    Atomics.store(this.#cells, cells.running, BigInt(task));
    return true;
  }

  progressed(records: number): void {
    Atomics.add(this.#cells, cells.progress, BigInt(records));
  }

  isCancelled(task: TaskId): boolean {
    return Atomics.load(this.#cells, cells.cancelled) === BigInt(task);
  }
}
