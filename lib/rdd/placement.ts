/**
 * Which worker runs a task. Pure.
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
}

/** Which of `workers` workers should run the task, if it is free: always the same for a partition, so that what it cached is at hand. */
export function preferredWorker(partition: number, workers: number): number {
  return partition % workers;
}

/** Null: none has room. `avoided`: where the partition failed last, which is taken only where it is the only one. */
export function chooseWorker<W extends WorkerLoad>(workers: readonly W[], task: Pick<TaskSpec, 'partition' | 'owner'>, failedAt: HostId | undefined): W | null {
  const hasRoom = ({ handed }: W): boolean => handed.length < tasksPerWorkerMax;
  const owner = task.owner === null ? undefined : workers.find(({ host }) => host === task.owner);
  if (owner !== undefined) return hasRoom(owner) ? owner : null;
  const avoided = workers.length > 1 ? failedAt : undefined;
  const preferred = workers[preferredWorker(task.partition, Math.max(1, workers.length))];
  if (preferred !== undefined && preferred.host !== avoided && hasRoom(preferred)) return preferred;
  let best: W | null = null;
  for (const worker of workers) {
    if (worker.host === avoided || !hasRoom(worker)) continue;
    if (best === null || worker.handed.length < best.handed.length) best = worker;
  }
  return best;
}
