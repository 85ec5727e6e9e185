/** The words by which a busy worker is reached: whole ids, and a task that is started or taken back, never both. */
import t from 'tap';
import { TaskControl } from '../../../lib/base/task-control.ts';
import { asTaskId } from '../../../protocol/ids.ts';

/** The same words seen from the two sides, as from two threads. */
function sides(): { scheduler: TaskControl; worker: TaskControl } {
  const scheduler = new TaskControl();
  return { scheduler, worker: new TaskControl(scheduler.shared) };
}

/**
 * Bug: ids were compared by their low 32 bits, and are job * 2^20 + n: of each 4,096th job the first task had the word's initial
 * value, and an old cancellation hit the same n 4,096 jobs later.
 */
t.test('only the very task that was cancelled is', (t) => {
  const { scheduler, worker } = sides();
  const taskOf = (job: number, n: number) => asTaskId(job * 2 ** 20 + n);
  t.equal(worker.isCancelled(taskOf(4_096, 0)), false, 'nothing was cancelled');
  scheduler.cancel(taskOf(3, 7));
  t.equal(worker.isCancelled(taskOf(3, 7)), true);
  t.equal(worker.isCancelled(taskOf(3 + 4_096, 7)), false);
  t.end();
});

t.test('a task that waits is started or taken back, whichever comes first', (t) => {
  const { scheduler, worker } = sides();
  const [a, b] = [asTaskId(1), asTaskId(2)];
  scheduler.putBehind(a, 0);
  t.equal(worker.begin(a, 0), true);
  t.equal(scheduler.takeBack(a, 0), false, 'it runs');
  scheduler.putBehind(b, 1);
  t.equal(scheduler.takeBack(b, 1), true);
  t.equal(worker.begin(b, 1), false, 'another worker has it');
  t.equal(worker.begin(asTaskId(3), null), true, 'one that never waited');
  // Taken back while it is still on its way, and the next one is put behind before it arrives.
  scheduler.putBehind(a, 0);
  t.equal(scheduler.takeBack(a, 0), true);
  scheduler.putBehind(b, 1);
  t.equal(worker.begin(a, 0), false, 'the other place keeps what became of it');
  t.equal(worker.begin(b, 1), true);
  t.end();
});
