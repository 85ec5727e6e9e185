/** Tasks that the scheduler hands to one worker together: who gets them, what follows from their ends, and their times. */
import t from 'tap';
import { taskScheduler } from '../../actors/task-scheduler.ts';
import type { JobResult, ToTaskScheduler } from '../../protocol/job.ts';
import type { ActorRef } from '../../protocol/ref.ts';
import type { RddNode } from '../../protocol/rdd.ts';
import type { TaskSpec, ToTaskWorker } from '../../protocol/task.ts';
import { asActorPath, asBlockId, asHostId, asProgramId, asRddId } from '../../protocol/ids.ts';
import type { HostId, JobId } from '../../protocol/ids.ts';
import { asBatchTime } from '../../protocol/time.ts';
import { TaskControl } from '../../lib/base/task-control.ts';
import { handle, stubServices } from '../helpers/stub-services.ts';
import { Driven, wireError } from '../helpers/stub-turn.ts';

const program = asProgramId(0);

interface Given {
  readonly host: HostId;
  readonly job: JobId;
  readonly stage: number;
  readonly task: TaskSpec;
}

/** A scheduler with two workers, 10 and 11, that knows from an earlier job how long counting a partition takes. */
function setting() {
  const services = stubServices({ taskTimeoutMs: 500 });
  const driven = new Driven(taskScheduler(services), undefined);
  for (const host of [10, 11]) {
    services.controls.set(asHostId(host), new TaskControl());
    driven.send({ type: 'workerUp', host: asHostId(host), worker: { host: asHostId(host), cell: 1, path: asActorPath(`/worker-${host}`) } as ActorRef<ToTaskWorker> });
  }
  const runJob = (ask: number, partitions: number): void => {
    const blocks = Array.from({ length: partitions }, () => [{ id: asBlockId('b'), codec: 'records' as const, place: handle(ask), records: 1 }]);
    const node: RddNode = { kind: 'source', id: asRddId(ask), parents: [], partitions, partitioner: null, storage: null, operator: null, blocks };
    driven.send({
      type: 'runJob',
      replyTo: driven.replyTo<JobResult>(ask),
      request: { target: node.id, partitions: null, sink: { kind: 'count' }, nodes: [node], program, batchTime: asBatchTime(1_000), scope: 'program/0', resultScope: 'result/0/1', replays: [], broadcasts: [] },
    });
  };
  /** What was handed out since the last call: each row went to one worker in one message. */
  const given = (): Given[][] => {
    const told = driven.told.filter(({ message }) => message.type === 'runTask');
    driven.take('runTask');
    return told.map(({ to, message }) => {
      const { job, stage, task, then = [] } = message as unknown as Extract<ToTaskWorker, { type: 'runTask' }>;
      return [{ stage, task }, ...then].map((one) => ({ host: to.host, job, ...one }));
    });
  };
  const succeed = ({ host, job, stage, task }: Given): void => {
    driven.send({ type: 'taskSucceeded', host, job, stage, task: task.task, report: { output: { kind: 'count', count: 5 }, stored: [], accumulators: [], runMs: 0.1 } });
  };
  const rows = (): number[][] => given().map((row) => row.map(({ task }) => task.partition));
  runJob(1, 1);
  for (const [one] of given()) succeed(one as Given);
  return { services, driven, runJob, given, rows, succeed, reply: (ask: number) => driven.replies.get(ask) as JobResult | undefined };
}

t.test('a stage that has little to do goes to one idle worker in one message; nothing waits behind it, nor is moved from it', (t) => {
  const { runJob, given, rows, succeed, reply } = setting();
  runJob(2, 2);
  const [pair] = given() as [Given[]];
  t.same(pair.map(({ host, task }) => [host, task.partition]), [[10, 0], [10, 1]]);
  runJob(3, 3);
  t.same(rows(), [[0, 1, 2]], 'the next job goes to the other worker');
  runJob(4, 2);
  t.same(rows(), [], 'there is no third worker, and its tasks wait here');
  for (const one of pair) succeed(one);
  t.match(reply(2), { ok: true, outputs: [{ kind: 'count' }, { kind: 'count' }] });
  t.same(rows(), [[0], [1]], 'what has waited goes one by one');
  t.end();
});

t.test('behind a failure in a group the others are made anew, and only the one that failed has an attempt less', (t) => {
  const { driven, runJob, given, succeed, reply } = setting();
  runJob(2, 3);
  const [[first, second, third]] = given() as [[Given, Given, Given]];
  succeed(first);
  driven.send({ type: 'taskFailed', host: second.host, job: second.job, stage: second.stage, task: second.task.task, error: wireError('No luck.'), missing: null } satisfies ToTaskScheduler);
  driven.send({ type: 'taskNotRun', host: third.host, job: third.job, stage: third.stage, task: third.task.task });
  const again = given().flat();
  t.same(again.map(({ task }) => [task.partition, task.attempt]), [[1, 1], [2, 0]]);
  for (const one of again) succeed(one);
  t.match(reply(2), { ok: true });
  t.end();
});

t.test('a group that dies with its thread runs elsewhere, and a job that ends is cancelled by its first task', (t) => {
  const { services, driven, runJob, given } = setting();
  runJob(2, 2);
  const [[first]] = given() as [[Given]];
  driven.send({ type: 'workerDown', host: first.host, error: wireError('gone', 'HostGone') });
  const again = given().flat();
  t.same(again.map(({ host, task }) => [host, task.partition, task.attempt]), [[11, 0, 1], [11, 1, 1]]);
  for (const { host, job, stage, task } of again) driven.send({ type: 'taskSucceeded', host, job, stage, task: task.task, report: { output: { kind: 'count', count: 1 }, stored: [], accumulators: [], runMs: 0 } });
  runJob(3, 2);
  const [[head]] = given() as [[Given]];
  driven.send({ type: 'cancelProgram', program, error: wireError('over') });
  t.equal(services.controls.get(head.host)?.isCancelled(head.task.task), true);
  t.end();
});

t.test('each task of a group has its own time: the thread ends when the one that runs has had too much of it', (t) => {
  const { services, driven, runJob, given } = setting();
  runJob(2, 2);
  const [[first, second]] = given() as [[Given, Given]];
  const late = (task: TaskSpec): void => void driven.send({ type: 'taskTimedOut', host: first.host, task: task.task });
  const killed = (): number => driven.take('killHost').length;
  services.controls.get(first.host)?.begin(first.task.task, null);
  services.controls.get(first.host)?.begin(second.task.task, null);
  late(first.task);
  t.equal(killed(), 0, 'the first one has ended');
  late(second.task);
  t.equal(killed(), 1);
  driven.send({ type: 'workerDown', host: first.host, error: wireError('gone', 'HostGone') });
  t.same(given().flat().map(({ task }) => [task.partition, task.attempt]), [[0, 1], [1, 1]]);
  t.end();
});
