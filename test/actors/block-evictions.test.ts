/** Room in shared memory: when blocks go, and what tasks that are handed out read. */
import t from 'tap';
import { StorageLevel } from '../../lib/rdd/storage-level.ts';
import { asBlockId, asRddId } from '../../protocol/ids.ts';
import type { BlockRef } from '../../protocol/rdd.ts';
import { Cluster, program, slabBytes } from '../helpers/scheduler-cluster.ts';
import type { Given } from '../helpers/scheduler-cluster.ts';
import { wireError } from '../helpers/stub-turn.ts';

t.test('while enough is free nothing goes', (t) => {
  const cluster = new Cluster();
  cluster.store(1, StorageLevel.MEMORY_ONLY);
  cluster.free = 5;
  cluster.store(2, StorageLevel.MEMORY_AND_DISK);
  t.same([cluster.spilling, cluster.stats().dropped], [[], 0]);
  t.end();
});

t.test('below the mark what was used longest ago goes: a source\'s block to the disk, a MEMORY_ONLY partition altogether', (t) => {
  const cluster = new Cluster();
  cluster.store(1, StorageLevel.MEMORY_ONLY);
  cluster.store(2, StorageLevel.MEMORY_AND_DISK);
  cluster.free = 4;
  cluster.runJob(3, StorageLevel.MEMORY_ONLY);
  t.same(cluster.spilling, [10_100], 'the source that was read first');
  t.same(cluster.released(), [100], 'and the partition made of it, 2 slabs in all');
  cluster.spilled(10_100);
  t.same(cluster.released(), [10_100], 'its memory goes back once it is written');
  cluster.confirm(6);
  t.same(cluster.spilling, [], 'two were enough');
  t.match(cluster.stats(), { dropped: 1, spilled: 1, sourceBlocksOnDisk: 1, persistedInMemory: 1 });
  t.end();
});

t.test('a job finds a partition that was moved in its file, and one that was dropped is computed again', (t) => {
  const cluster = new Cluster();
  cluster.store(1, StorageLevel.MEMORY_AND_DISK);
  cluster.store(2, StorageLevel.MEMORY_ONLY);
  cluster.free = 0;
  cluster.runJob(3, StorageLevel.MEMORY_ONLY);
  for (const slab of cluster.spilling) cluster.spilled(slab);
  cluster.confirm(6);
  for (const given of cluster.given()) cluster.succeed(given, 3, false);
  cluster.runJob(1, StorageLevel.MEMORY_AND_DISK);
  const [moved] = cluster.given() as [Given];
  t.match(moved.task.cached, [{ rdd: 1, block: { place: { file: /block-\d+$/, offset: 0, bytes: slabBytes } } }]);
  cluster.succeed(moved, 1, false);
  cluster.runJob(2, StorageLevel.MEMORY_ONLY);
  const [again] = cluster.given() as [Given];
  t.same(again.task.cached, []);
  t.match(again.task.sources, [{ rdd: 1_002, partition: 0, blocks: [{ place: { file: /block-\d+$/ } }] }], 'from the source\'s block in its file');
  t.end();
});

t.test('what a task that was handed out reads stays until it has ended, also where it moves meanwhile', (t) => {
  const cluster = new Cluster();
  cluster.store(1, StorageLevel.MEMORY_ONLY);
  cluster.store(2, StorageLevel.MEMORY_AND_DISK);
  cluster.runJob(1, StorageLevel.MEMORY_ONLY);
  const [reading] = cluster.given() as [Given];
  cluster.free = 0;
  cluster.runJob(3, StorageLevel.MEMORY_ONLY);
  cluster.given();
  t.notOk(cluster.released().includes(100), 'the dropped ones are not what is being read');
  t.ok(cluster.spilling.includes(200));
  cluster.runJob(2, StorageLevel.MEMORY_AND_DISK);
  cluster.succeed(reading, 1, false);
  const late = cluster.given().find(({ task }) => task.cached.some(({ rdd }) => rdd === 2)) as Given;
  t.match(late.task.cached, [{ block: { place: { slab: 200 } } }], 'it is handed out before the block is written');
  cluster.spilled(200);
  t.notOk(cluster.released().includes(200), 'its memory stays for it');
  cluster.succeed(late, 2, false);
  t.ok(cluster.released().includes(200), 'and goes back with it');
  t.end();
});

t.test('no partition of an RDD that is being stored makes room for another of it', (t) => {
  const cluster = new Cluster();
  cluster.runJob(1, StorageLevel.MEMORY_ONLY, 4);
  cluster.free = 0;
  const [first, second] = cluster.given() as [Given, Given];
  cluster.succeed(first, 1);
  t.same([cluster.released(), cluster.spilling], [[], [10_100]], 'the block that it was made of has been read, and goes');
  cluster.spilled(10_100);
  cluster.confirm(0);
  cluster.released();
  cluster.succeed(second, 1);
  t.same(cluster.released(), []);
  for (const given of cluster.given()) cluster.succeed(given, 1);
  for (let free = 1; free <= 2; free += 1) {
    for (const slab of cluster.spilling) cluster.spilled(slab);
    cluster.confirm(free);
  }
  t.same(cluster.released().filter((slab) => slab < 1_000).sort(), [100, 101, 102, 103], 'when all are stored they may go');
  t.end();
});

t.test('a partition dropped after its reader was made, and before it was handed out, has the task made anew', (t) => {
  const cluster = new Cluster();
  for (const id of [1, 2]) cluster.store(id, StorageLevel.MEMORY_ONLY);
  cluster.runJob(3, StorageLevel.MEMORY_ONLY, 2);
  const [one, two] = cluster.given() as [Given, Given];
  const waits = cluster.runJob(1, StorageLevel.MEMORY_ONLY);
  t.same(cluster.given(), [], 'the worker has its two tasks');
  cluster.free = 0;
  cluster.fail(one);
  t.ok(cluster.released().includes(100), 'with want of memory, everything goes that nobody reads');
  for (const slab of cluster.spilling) cluster.spilled(slab);
  cluster.confirm(8);
  cluster.succeed(two, 3, false);
  const tasks = cluster.given();
  const remade = tasks.find(({ task }) => task.cached.length === 0 && cluster.stages.some(({ job, nodes, stage }) => job === 4 && stage >= 0 && nodes.some(({ kind }) => kind === 'source')));
  t.ok(remade, 'it reads the source instead');
  for (const given of tasks) cluster.succeed(given, given.job === 4 ? 1 : 3, false);
  for (const given of cluster.given()) cluster.succeed(given, given.job === 4 ? 1 : 3, false);
  t.match(cluster.driven.replies.get(waits), { ok: true });
  t.end();
});

t.test('files of blocks are removed with their RDDs, and with their program', (t) => {
  const cluster = new Cluster();
  for (const id of [1, 2, 3]) cluster.store(id, StorageLevel.MEMORY_AND_DISK);
  cluster.free = 0;
  cluster.runJob(4, StorageLevel.MEMORY_ONLY);
  const gone = cluster.spilling;
  t.same(gone.length, 6);
  for (const slab of gone.slice(1)) cluster.spilled(slab);
  cluster.driven.take();
  const removed = (): number => cluster.driven.take('removeFiles').reduce((sum, message) => sum + (message['files'] as string[]).length, 0);
  cluster.driven.send({ type: 'forgetRdds', program, rdds: [asRddId(1), asRddId(1_001)] });
  t.equal(removed(), 1, 'one of the two is still being written');
  cluster.spilled(gone[0] as number);
  t.equal(removed(), 1, 'and goes when it is');
  cluster.driven.send({ type: 'forgetRdds', program, rdds: [asRddId(2)] });
  t.equal(removed(), 1);
  cluster.driven.send({ type: 'forgetProgram', program });
  t.equal(removed(), 3);
  t.match(cluster.stats(), { persistedPartitions: 0, sourceBlocksOnDisk: 0, diskBytes: 0 });
  t.end();
});

t.test('a late report\'s spilled partition is removed from the disk, too', (t) => {
  const cluster = new Cluster();
  cluster.runJob(1, StorageLevel.DISK_ONLY);
  const [given] = cluster.given() as [Given];
  cluster.driven.send({ type: 'cancelProgram', program, error: wireError('stopped', 'ContextStopped') });
  const onDisk: BlockRef = { id: asBlockId('late'), codec: 'records', place: { file: '/scratch/late', offset: 0, bytes: 5 }, records: 1 };
  cluster.driven.send({ type: 'taskSucceeded', host: given.host, job: given.job, stage: given.stage, task: given.task.task, report: { output: { kind: 'count', count: 1 }, stored: [{ rdd: asRddId(1), partition: 0, block: onDisk }], accumulators: [], runMs: 1 } });
  t.match(cluster.driven.take('removeFiles'), [{ files: ['/scratch/late'] }]);
  t.end();
});
