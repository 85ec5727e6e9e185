/** Room in shared memory for those who found none, tasks and others: who waits for what, what goes for them, and when they are refused. */
import t from 'tap';
import { memoryWaitsMax } from '../../lib/rdd/job-state.ts';
import { StorageLevel } from '../../lib/rdd/storage-level.ts';
import { asRddId } from '../../protocol/ids.ts';
import { Cluster, program, slabBytes } from '../helpers/scheduler-cluster.ts';
import type { Given } from '../helpers/scheduler-cluster.ts';

t.test('a task that found no memory runs again when some was made, without an attempt being counted, but not for ever', (t) => {
  const cluster = new Cluster();
  const ask = cluster.runJob(9, null);
  let [task] = cluster.given() as [Given];
  const failuresMax = 4;
  for (let wait = 0; wait < memoryWaitsMax + failuresMax; wait += 1) {
    // Something to evict: another job has stored it.
    const other = cluster.runJob(20 + wait, StorageLevel.MEMORY_ONLY);
    for (const given of cluster.given()) cluster.succeed(given, 20 + wait);
    t.match(cluster.driven.replies.get(other), { ok: true });
    t.equal(cluster.driven.replies.get(ask), undefined);
    cluster.fail(task);
    if (wait === memoryWaitsMax + failuresMax - 1) break;
    t.same(cluster.given(), [], 'nothing is handed out before the memory is there');
    for (const slab of cluster.spilling) cluster.spilled(slab);
    cluster.confirm(16);
    [task] = cluster.given() as [Given];
    t.ok(task, `it runs again after wait ${wait + 1}`);
  }
  t.match(cluster.driven.replies.get(ask), { ok: false, error: { code: 'TaskFailed', cause: { code: 'BlockMemoryExhausted' } } });
  t.end();
});

t.test('where nothing can make room, a task without memory fails as often as any other', (t) => {
  const cluster = new Cluster();
  const ask = cluster.runJob(9, null);
  const [first] = cluster.given() as [Given];
  cluster.fail(first);
  t.same(cluster.spilling, [10_900], 'its own source\'s block is all that can go');
  cluster.spilled(10_900);
  cluster.confirm(1);
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const [given] = cluster.given() as [Given];
    t.ok(given);
    cluster.fail(given);
  }
  t.match(cluster.driven.replies.get(ask), { ok: false, error: { code: 'TaskFailed', cause: { code: 'BlockMemoryExhausted' } } });
  t.end();
});

t.test('only tasks that are handed out hold a source\'s blocks fast: what waits for its turn stays ahead of need, and goes where somebody needs room', (t) => {
  const cluster = new Cluster();
  cluster.runJob(1, null, 4);
  const handed = cluster.given() as [Given, Given];
  cluster.free = 4;
  cluster.driven.send({ type: 'keepRoom' });
  t.same(cluster.spilling, [], 'ahead of need nothing that is read, or is about to be');
  cluster.makeRoom(10);
  cluster.confirm(4);
  t.same(cluster.spilling.sort(), [10_102, 10_103], 'of the running job what its waiting tasks are to read');
  for (const slab of cluster.spilling) cluster.spilled(slab);
  cluster.confirm(7);
  cluster.succeed(handed[0], 1, false);
  t.match(cluster.given()[0]?.task.sources, [{ rdd: 1_001, partition: 2, blocks: [{ place: { file: /block-\d+$/ } }] }], 'the task that is to read it reads the file');
  t.same(handed.map(({ task }) => task.sources), [[], []], 'one whose blocks lie where its stage says is told nothing of them');
  t.end();
});

t.test('what lies behind persisted partitions that are there may go while a job runs on them', (t) => {
  const cluster = new Cluster();
  cluster.store(1, StorageLevel.MEMORY_AND_DISK);
  cluster.runJob(1, StorageLevel.MEMORY_AND_DISK);
  t.match(cluster.given(), [{ task: { cached: [{ rdd: 1 }], sources: [] } }]);
  cluster.free = 4;
  cluster.driven.send({ type: 'keepRoom' });
  t.same(cluster.spilling, [10_100]);
  t.end();
});

t.test('who found no room is answered when some was made, and nothing is handed out before', (t) => {
  const cluster = new Cluster();
  cluster.store(1, StorageLevel.MEMORY_AND_DISK);
  cluster.free = 0;
  const ask = cluster.makeRoom(slabBytes);
  t.same(cluster.spilling, [], 'first it is looked at what others may have given back');
  cluster.confirm(0);
  t.same(cluster.spilling.sort(), [100, 10_100]);
  cluster.runJob(1, StorageLevel.MEMORY_AND_DISK);
  t.same(cluster.given(), []);
  for (const slab of cluster.spilling) cluster.spilled(slab);
  t.equal(cluster.driven.replies.get(ask), undefined, 'the memory is not free before the ledger has said so');
  cluster.confirm(2);
  t.same(cluster.driven.replies.get(ask), { made: true });
  t.match(cluster.given(), [{ task: { cached: [{ block: { place: { file: /block-\d+$/ } } }] } }]);
  t.match(cluster.stats(), { memoryWaits: 1 });
  t.end();
});

t.test('where all that could go is being read, who waits gets room with the end of the task that reads it', (t) => {
  const cluster = new Cluster();
  cluster.runJob(1, null);
  const [reading] = cluster.given() as [Given];
  cluster.free = 0;
  const asks = [cluster.makeRoom(10), cluster.makeRoom(10)];
  for (const _ask of asks) cluster.confirm(0);
  t.same([cluster.spilling, asks.map((ask) => cluster.driven.replies.get(ask))], [[], [undefined, undefined]]);
  cluster.succeed(reading, 1, false);
  t.same(cluster.spilling, [10_100]);
  cluster.spilled(10_100);
  cluster.confirm(1);
  t.same(asks.map((ask) => cluster.driven.replies.get(ask)), [{ made: true }, { made: true }], 'both try: one of them will find it taken, and ask once more');
  t.end();
});

t.test('a task without memory waits for the end of another one that reads all there is, and that counts as no failure of it', (t) => {
  const cluster = new Cluster();
  const ask = cluster.runJob(1, null, 2);
  const [first, second] = cluster.given() as [Given, Given];
  cluster.free = 0;
  cluster.fail(first);
  cluster.spilled(10_100, false);
  cluster.confirm(0);
  let [again] = cluster.given() as [Given];
  cluster.fail(again);
  t.same([cluster.spilling, cluster.given()], [[], []], 'nothing can go, and nothing is handed out');
  cluster.succeed(second, 1, false);
  t.same(cluster.spilling, [10_101], 'what the other one has read');
  cluster.spilled(10_101);
  cluster.confirm(1);
  [again] = cluster.given() as [Given];
  t.equal(again.task.attempt, 2);
  cluster.succeed(again, 1, false);
  t.match(cluster.driven.replies.get(ask), { ok: true });
  t.end();
});

t.test('memory that somebody gives back meanwhile is as good as a round; where nothing can go and nobody reads anything, who waits is refused', (t) => {
  const cluster = new Cluster();
  cluster.free = 1;
  const large = cluster.makeRoom(3 * slabBytes);
  cluster.confirm(3);
  t.same(cluster.driven.replies.get(large), { made: true });
  const refused = cluster.makeRoom(4 * slabBytes);
  cluster.confirm(3);
  t.same(cluster.driven.replies.get(refused), { made: false });
  cluster.runJob(1, null);
  t.equal(cluster.given().length, 1, 'and tasks are handed out again');
  t.end();
});

t.test('records that the app or the program has stored may go before any job has read them, oldest first', (t) => {
  const cluster = new Cluster();
  for (const id of [7, 8]) cluster.driven.send({ type: 'sourceStored', program, rdd: asRddId(1_000 + id), blocks: [cluster.source(id, 0)] });
  t.same(cluster.spilling, []);
  cluster.free = 5;
  cluster.driven.send({ type: 'keepRoom' });
  t.same(cluster.spilling, []);
  cluster.free = 4;
  cluster.driven.send({ type: 'keepRoom' });
  t.same(cluster.spilling, [10_700, 10_800]);
  for (const slab of cluster.spilling) cluster.spilled(slab);
  cluster.confirm(6);
  cluster.runJob(8, null);
  t.match(cluster.given(), [{ task: { sources: [{ rdd: 1_008, blocks: [{ place: { file: /block-\d+$/ } }] }] } }]);
  t.end();
});
