/**
 * Which worker runs a task. Pure.
 *
 *   its own, where idle > one that is idle > its own, where one more can wait > the one with the fewest
 *
 * Invariant: a task whose state lies on a worker runs there as long as it lives, or waits for it; every other task goes to a worker with
 * room where there is one.
 */
import type { HostId } from '../../protocol/ids.ts';
import type { TaskSpec } from '../../protocol/task.ts';

/** Tasks that a worker has at most: one runs, one waits, so that it need not wait for the scheduler between two. */
export const tasksPerWorkerMax = 2;

export interface WorkerLoad {
  readonly host: HostId;
  readonly handed: readonly unknown[];
  /** A task that waited there was taken back, and the worker may not know yet: no other takes its place until the running one has ended. */
  readonly tookBack: boolean;
}

/** Which of `workers` workers should run the task, if it is free: always the same for a partition, so that what it cached is at hand. */
export function preferredWorker(partition: number, workers: number): number {
  return partition % workers;
}

/** Null: none has room. `avoided`: where the partition failed last, which is taken only where it is the only one. */
export function chooseWorker<W extends WorkerLoad>(workers: readonly W[], task: Pick<TaskSpec, 'partition' | 'owner'>, failedAt: HostId | undefined): W | null {
  const owner = task.owner === null ? undefined : workers.find(({ host }) => host === task.owner);
  if (owner !== undefined) return load(owner) < tasksPerWorkerMax ? owner : null;
  const avoided = workers.length > 1 ? failedAt : undefined;
  const preferred = workers[preferredWorker(task.partition, Math.max(1, workers.length))];
  let best = preferred !== undefined && preferred.host !== avoided && load(preferred) < tasksPerWorkerMax ? preferred : null;
  if (best !== null && load(best) === 0) return best;
  for (const worker of workers) {
    if (worker.host === avoided || load(worker) >= tasksPerWorkerMax) continue;
    // To wait at its own worker is no worse than to wait at another one: only one that is idle is better.
    if (best === null || (load(worker) < load(best) && (best !== preferred || load(worker) === 0))) best = worker;
  }
  return best;
}

/** Undefined: each has something to do. */
export function idleWorker<W extends WorkerLoad>(workers: readonly W[]): W | undefined {
  return workers.find((worker) => load(worker) === 0);
}

/** A worker with nothing to do, and one behind whose running task another waits: that one can be moved. Null: no such two. */
export function unevenLoad<W extends WorkerLoad>(workers: readonly W[], isBound: (worker: W) => boolean): { readonly idle: W; readonly busy: W } | null {
  const idle = idleWorker(workers);
  const busy = idle === undefined ? undefined : workers.find((worker) => worker.handed.length === tasksPerWorkerMax && !isBound(worker));
  return idle === undefined || busy === undefined ? null : { idle, busy };
}

function load({ handed, tookBack }: WorkerLoad): number {
  return handed.length + (tookBack ? 1 : 0);
}
