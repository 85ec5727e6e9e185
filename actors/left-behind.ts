/**
 * Where the task scheduler passes on what a task has left beside its output.
 *
 * Invariant: it is told before the end of the task's job, so that it is known when the batch is complete. Both receivers count
 * each piece of work once, so passing on the same work twice does no harm.
 */
import type { Turn } from '../lib/actor/behavior.ts';
import type { ToTaskScheduler } from '../protocol/job.ts';
import type { TaskReport } from '../protocol/task.ts';
import type { ProgramId } from '../protocol/ids.ts';
import { programPlaces } from './places.ts';

export function passOn(program: ProgramId | null, { accumulators, leftOut }: TaskReport, turn: Turn<ToTaskScheduler>): void {
  if (program === null) return;
  const { outputs, jobScheduler } = programPlaces(program);
  if (accumulators.length > 0) {
    turn.tell(outputs, { type: 'accumulated', updates: accumulators });
    turn.tell(jobScheduler, { type: 'accumulated', updates: accumulators });
  }
  if (leftOut !== undefined) turn.tell(jobScheduler, { type: 'recordsLeftOut', leftOut });
}
