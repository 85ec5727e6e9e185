/** Room in shared memory: when blocks go, what tasks that are handed out read, and what happens to those that found no memory. */
import { TaskControl } from '../../lib/base/task-control.ts';
import t from 'tap';
import { taskScheduler } from '../../actors/task-scheduler.ts';
import { memoryWaitsMax } from '../../lib/rdd/job-state.ts';
import { StorageLevel } from '../../lib/rdd/storage-level.ts';
import { asActorPath, asBlockId, asHostId, asProgramId, asRddId } from '../../protocol/ids.ts';
import type { HostId, JobId } from '../../protocol/ids.ts';
import type { JobResult, StorageStats, ToTaskScheduler } from '../../protocol/job.ts';
import type { ActorRef } from '../../protocol/ref.ts';
import type { BlockRef, RddNode, SharedHandle } from '../../protocol/rdd.ts';
import type { StageSpec, TaskSpec, ToTaskWorker } from '../../protocol/task.ts';
import { asBatchTime } from '../../protocol/time.ts';
import { handle, stubServices } from '../helpers/stub-services.ts';
import { Driven, wireError } from '../helpers/stub-turn.ts';

const program = asProgramId(0);
const scope = 'program/0';
const slabBytes = 65_536;
const exhausted = { ...wireError('full', 'BlockMemoryExhausted'), fields: { details: { bytes: 1_000 } } };

interface Given {
  readonly host: HostId;
  readonly job: JobId;
  readonly stage: number;
  readonly task: TaskSpec;
}

/** Partition p of the persisted RDD `id` lies in slab 100 * id + p. */
const stored = (id: number, partition: number): BlockRef => ({ id: asBlockId(`rdd-${id}-${partition}`), codec: 'records', place: { ...handle(100 * id + partition), bytes: slabBytes }, records: 1 });

class Cluster {
  /** 16 slabs, so many of them free. */
  free = 16;
  readonly services;
  readonly driven;
  #asks = 0;
  /** Stages that workers were told of. */
  stages: StageSpec[] = [];

  constructor() {
    this.services = stubServices({ slabBytes, blockMemoryBytesMax: 16 * slabBytes });
    const cluster = this;
    Object.defineProperties(this.services.pool, { slabs: { value: 16 }, freeSlabs: { get: () => cluster.free } });
    this.driven = new Driven(taskScheduler(this.services), undefined);
    this.services.controls.set(asHostId(10), new TaskControl());
    this.driven.send({ type: 'workerUp', host: asHostId(10), worker: { host: asHostId(10), cell: 1, path: asActorPath('/worker') } as ActorRef<ToTaskWorker> });
  }

  /** A job on the persisted RDD `id`, which is made of a source with a block in each partition. */
  runJob(id: number, level: StorageLevel | null, partitions = 1): number {
    const ask = (this.#asks += 1);
    const base = { partitions, partitioner: null, operator: null };
    const source: RddNode = { ...base, kind: 'source', id: asRddId(1_000 + id), parents: [], storage: null, blocks: Array.from({ length: partitions }, (_, p) => [this.source(id, p)]) };
    const kept: RddNode = { ...base, kind: 'map', id: asRddId(id), parents: [source.id], storage: level, fn: { kind: 'program', program, index: 0 } };
    this.driven.send({
      type: 'runJob',
      replyTo: this.driven.replyTo<JobResult>(ask),
      request: { target: kept.id, partitions: null, sink: { kind: 'count' }, nodes: [source, kept], program, batchTime: asBatchTime(1_000), scope, resultScope: 'result/0/1', replays: [], broadcasts: [] },
    });
    return ask;
  }

  source(id: number, partition: number): BlockRef {
    return { id: asBlockId(`s-${id}-${partition}`), codec: 'records', place: { ...handle(10_000 + 100 * id + partition), bytes: slabBytes }, records: 1 };
  }

  given(): Given[] {
    this.stages.push(...this.driven.take('defineStage').map(({ stage }) => stage as StageSpec));
    const told = this.driven.told.filter(({ message }) => message.type === 'runTask');
    this.driven.take('runTask');
    return told.map(({ to, message }) => ({ host: to.host, job: message['job'] as JobId, stage: message['stage'] as number, task: message['task'] as TaskSpec }));
  }

  /** The task ends well; `store`: it has stored its partition of RDD `id`. */
  succeed({ host, job, stage, task }: Given, id: number, store = true): void {
    const kept = store ? [{ rdd: asRddId(id), partition: task.partition, block: stored(id, task.partition) }] : [];
    this.driven.send({ type: 'taskSucceeded', host, job, stage, task: task.task, report: { output: { kind: 'count', count: 1 }, stored: kept, accumulators: [], runMs: 1 } });
  }

  fail({ host, job, stage, task }: Given, error = exhausted): void {
    this.driven.send({ type: 'taskFailed', host, job, stage, task: task.task, error, missing: null } satisfies ToTaskScheduler);
  }

  /** A job whose partition is stored. */
  store(id: number, level: StorageLevel): void {
    this.runJob(id, level);
    for (const given of this.given()) this.succeed(given, id);
    this.driven.take();
  }

  /** Slabs whose memory was given back since the last call. */
  released(): number[] {
    return this.driven.take('release').flatMap((message) => (message['handles'] as SharedHandle[]).map(({ slab }) => slab));
  }

  /** The slabs of blocks that are being written. */
  get spilling(): number[] {
    return this.driven.asked.filter(({ message }) => message.type === 'spillBlock').map(({ message }) => (message['places'] as SharedHandle[])[0]!.slab);
  }

  spilled(slab: number, written = true): void {
    this.driven.answer({ spilled: written }, ({ message }) => message.type === 'spillBlock' && (message['places'] as SharedHandle[])[0]!.slab === slab);
  }

  /** The memory given back is free. */
  confirm(free: number): void {
    this.free = free;
    this.driven.answer({}, ({ message }) => message.type === 'blockStats');
  }

  stats(): StorageStats {
    const ask = (this.#asks += 1);
    this.driven.send({ type: 'storageStats', replyTo: this.driven.replyTo(ask) });
    return this.driven.replies.get(ask) as StorageStats;
  }
}

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
  const source = cluster.stages.at(-1)?.nodes.find(({ kind }) => kind === 'source');
  t.match(source, { blocks: [[{ place: { file: /block-\d+$/ } }]] }, 'from the source\'s block in its file');
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
  t.same([cluster.released(), cluster.spilling], [[], []]);
  cluster.succeed(second, 1);
  for (const given of cluster.given()) cluster.succeed(given, 1);
  t.same(cluster.released().sort(), [100, 101, 102, 103], 'when all are stored they may go');
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
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const [given] = cluster.given() as [Given];
    t.ok(given);
    cluster.fail(given);
  }
  t.match(cluster.driven.replies.get(ask), { ok: false, error: { code: 'TaskFailed', cause: { code: 'BlockMemoryExhausted' } } });
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
