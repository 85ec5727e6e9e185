/** Which worker gets a task. */
import t from 'tap';
import { chooseWorker, preferredWorker, tasksPerWorkerMax, unevenLoad } from '../../../../lib/rdd/placement.ts';
import { asHostId } from '../../../../protocol/ids.ts';

const worker = (host: number, tasks = 0) => ({ host: asHostId(host), handed: Array.from({ length: tasks }), tookBack: false });
const free = { partition: 1, owner: null };
const full = tasksPerWorkerMax;

t.test('a partition has a worker of its own, where that has room and has not failed it', (t) => {
  t.same([0, 1, 2, 3].map((partition) => preferredWorker(partition, 3)), [0, 1, 2, 0]);
  t.equal(chooseWorker([worker(5, 1), worker(6, 1)], free, undefined)?.host, 6);
  t.equal(chooseWorker([worker(5), worker(6, 1)], free, undefined)?.host, 5, 'an idle one is better than a place behind another task');
  t.equal(chooseWorker([worker(5, full), { ...worker(6, 1), tookBack: true }], free, undefined), null);
  t.equal(chooseWorker([worker(5), worker(6, full)], free, undefined)?.host, 5);
  t.equal(chooseWorker([worker(5), worker(6)], free, asHostId(6))?.host, 5);
  t.equal(chooseWorker([worker(6)], free, asHostId(6))?.host, 6, 'there is no other');
  t.equal(chooseWorker([worker(5, full), worker(6, full)], free, undefined), null);
  t.equal(chooseWorker([], free, undefined), null);
  t.end();
});

t.test('a task whose state lies on a worker waits for it as long as it lives, also where it failed there', (t) => {
  const owned = { partition: 1, owner: asHostId(5) };
  t.equal(chooseWorker([worker(5, 1), worker(6)], owned, asHostId(5))?.host, 5);
  t.equal(chooseWorker([worker(5, full), worker(6)], owned, undefined), null);
  t.equal(chooseWorker([worker(6), worker(7)], owned, undefined)?.host, 7, 'its worker is gone: the partition\'s own');
  t.end();
});

t.test('what waits at one worker can move to an idle one, unless it is bound to the first', (t) => {
  const isBound = (): boolean => false;
  t.same(unevenLoad([worker(5, 2), worker(6)], isBound), { idle: worker(6), busy: worker(5, 2) });
  t.equal(unevenLoad([worker(5, 2), worker(6, 1)], isBound), null, 'nobody is idle');
  t.equal(unevenLoad([worker(5, 1), worker(6)], isBound), null, 'nothing waits');
  t.equal(unevenLoad([worker(5, 2), worker(6)], () => true), null);
  t.equal(unevenLoad([worker(5, 2), { ...worker(6), tookBack: true }], isBound), null);
  t.end();
});
