/** A task scheduler, run by hand, with workers that do what the test says. Invariant: nobody answers by himself. */
import { taskScheduler } from '../../actors/task-scheduler.ts';
import type { JobResult, ToTaskScheduler } from '../../protocol/job.ts';
import type { ActorRef } from '../../protocol/ref.ts';
import type { BlockRef, RddNode, Sink } from '../../protocol/rdd.ts';
import type { TaskOutput, TaskSpec, ToTaskWorker } from '../../protocol/task.ts';
import { asActorPath, asBlockId, asHostId, asProgramId, asRddId } from '../../protocol/ids.ts';
import type { HostId, JobId } from '../../protocol/ids.ts';
import { asBatchTime } from '../../protocol/time.ts';
import { TaskControl } from '../../lib/base/task-control.ts';
import type { SparkContextOptions } from '../../lib/options.ts';
import { handle, stubServices } from './stub-services.ts';
import { Driven, wireError } from './stub-turn.ts';

export const program = asProgramId(0);

export interface Given {
  readonly host: HostId;
  readonly job: JobId;
  readonly stage: number;
  readonly task: TaskSpec;
  readonly waits: 0 | 1 | null;
}

export class Cluster {
  readonly services;
  readonly driven;

  constructor(workers = 2, options: SparkContextOptions = {}) {
    this.services = stubServices(options);
    this.driven = new Driven(taskScheduler(this.services), undefined);
    for (let index = 0; index < workers; index += 1) this.workerUp(10 + index);
  }

  workerUp(host: number): void {
    const worker = { host: asHostId(host), cell: 1, path: asActorPath(`/worker-${host}`) } as ActorRef<ToTaskWorker>;
    this.services.controls.set(asHostId(host), new TaskControl());
    this.driven.send({ type: 'workerUp', host: asHostId(host), worker });
  }

  /** A job on an RDD of so many partitions, with a block in each. */
  runJob(ask: number, partitions: number, sink: Sink = { kind: 'count' }, blocks: readonly BlockRef[] = [{ id: asBlockId('b'), codec: 'records', place: handle(ask), records: 1 }]): void {
    const node: RddNode = { kind: 'source', id: asRddId(ask), parents: [], partitions, partitioner: null, storage: null, operator: null, blocks: Array.from({ length: partitions }, () => blocks) };
    const replyTo = this.driven.replyTo<JobResult>(ask);
    this.driven.send({
      type: 'runJob',
      replyTo,
      request: { target: node.id, partitions: null, sink, nodes: [node], program, batchTime: asBatchTime(1_000), scope: 'program/0', resultScope: 'result/0/1', replays: [], broadcasts: [] },
    });
  }

  /** Tasks handed out since the last call. */
  given(): Given[] {
    return this.givenTogether().flat();
  }

  /** The same: each row went to one worker in one message. */
  givenTogether(): Given[][] {
    const told = this.driven.told.filter(({ message }) => message.type === 'runTask');
    this.driven.take('runTask');
    return told.map(({ to, message }) => {
      const { job, stage, task, waits, then = [] } = message as unknown as Extract<ToTaskWorker, { type: 'runTask' }>;
      return [{ host: to.host, job, stage, task, waits }, ...then.map((one) => ({ host: to.host, job, ...one, waits: null }))];
    });
  }

  succeed({ host, job, stage, task }: Given, output: TaskOutput = { kind: 'count', count: 5 }, runMs = 1): void {
    this.driven.send({ type: 'taskSucceeded', host, job, stage, task: task.task, report: { output, stored: [], accumulators: [], runMs } });
  }

  fail({ host, job, stage, task }: Given, message = 'It failed.'): void {
    this.driven.send({ type: 'taskFailed', host, job, stage, task: task.task, error: wireError(message), missing: null } satisfies ToTaskScheduler);
  }

  down(host: number): void {
    this.driven.send({ type: 'workerDown', host: asHostId(host), error: wireError('gone', 'HostGone') });
  }

  reply(ask: number): JobResult | undefined {
    return this.driven.replies.get(ask) as JobResult | undefined;
  }
}
