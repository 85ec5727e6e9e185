/**
 * A task scheduler with one worker and 16 slabs of shared memory, driven by hand: what is free, written and given back is what the test says.
 *
 * Invariant: nothing happens by itself; what the scheduler asks of others waits for the test's answer.
 */
import { taskScheduler } from '../../actors/task-scheduler.ts';
import type { Behavior } from '../../lib/actor/behavior.ts';
import { TaskControl } from '../../lib/base/task-control.ts';
import { asActorPath, asBlockId, asHostId, asProgramId, asRddId } from '../../protocol/ids.ts';
import type { HostId, JobId } from '../../protocol/ids.ts';
import type { JobResult, StorageStats, ToTaskScheduler } from '../../protocol/job.ts';
import type { ActorRef } from '../../protocol/ref.ts';
import type { BlockRef, RddNode, SharedHandle, StorageLevel } from '../../protocol/rdd.ts';
import type { StageSpec, TaskSpec, ToTaskWorker } from '../../protocol/task.ts';
import { asBatchTime } from '../../protocol/time.ts';
import { handle, stubServices } from './stub-services.ts';
import type { StubServices } from './stub-services.ts';
import { Driven, wireError } from './stub-turn.ts';

export const program = asProgramId(0);
const scope = 'program/0';
export const slabBytes = 65_536;
export const exhausted = { ...wireError('full', 'BlockMemoryExhausted'), fields: { details: { bytes: 1_000 } } };

export interface Given {
  readonly host: HostId;
  readonly job: JobId;
  readonly stage: number;
  readonly task: TaskSpec;
}

/** Partition p of the persisted RDD `id` lies in slab 100 * id + p. */
export const stored = (id: number, partition: number): BlockRef => ({ id: asBlockId(`rdd-${id}-${partition}`), codec: 'records', place: { ...handle(100 * id + partition), bytes: slabBytes }, records: 1 });

export class Cluster {
  /** 16 slabs, so many of them free. */
  free = 16;
  readonly services: StubServices;
  /** Its state is nobody's business here. */
  readonly driven: Driven<unknown, ToTaskScheduler, undefined>;
  #asks = 0;
  /** Stages that workers were told of. */
  stages: StageSpec[] = [];

  constructor() {
    this.services = stubServices({ slabBytes, blockMemoryBytesMax: 16 * slabBytes });
    const cluster = this;
    Object.defineProperties(this.services.pool, { slabs: { value: 16 }, freeSlabs: { get: () => cluster.free } });
    this.driven = new Driven(taskScheduler(this.services) as unknown as Behavior<unknown, ToTaskScheduler, undefined>, undefined);
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

  /** Somebody who is no task found no memory: the number of the ask. */
  makeRoom(bytes: number): number {
    const ask = (this.#asks += 1);
    this.driven.send({ type: 'makeRoom', bytes, replyTo: this.driven.replyTo(ask) });
    return ask;
  }

  stats(): StorageStats {
    const ask = (this.#asks += 1);
    this.driven.send({ type: 'storageStats', replyTo: this.driven.replyTo(ask) });
    return this.driven.replies.get(ask) as StorageStats;
  }
}
