/** Tasks that the scheduler hands to one worker together: who gets them, what follows from their ends, and their times. */
import t from 'tap';
import type { TaskSpec } from '../../protocol/task.ts';
import { Cluster, program } from '../helpers/driven-cluster.ts';
import type { Given } from '../helpers/driven-cluster.ts';
import { wireError } from '../helpers/stub-turn.ts';

/** Two workers, 10 and 11, and a scheduler that knows from an earlier job how long counting a partition takes. */
function setting() {
  const cluster = new Cluster(2, { taskTimeoutMs: 500 });
  const succeed = (one: Given): void => cluster.succeed(one, undefined, 0.1);
  cluster.runJob(1, 1);
  for (const one of cluster.given()) succeed(one);
  return { cluster, succeed, rows: () => cluster.givenTogether().map((row) => row.map(({ task }) => task.partition)) };
}

t.test('a stage that has little to do goes to one idle worker in one message; nothing waits behind it, nor is moved from it', (t) => {
  const { cluster, rows, succeed } = setting();
  cluster.runJob(2, 2);
  const [pair] = cluster.givenTogether() as [Given[]];
  t.same(pair.map(({ host, task }) => [host, task.partition]), [[10, 0], [10, 1]]);
  cluster.runJob(3, 3);
  t.same(rows(), [[0, 1, 2]], 'the next job goes to the other worker');
  cluster.runJob(4, 2);
  t.same(rows(), [], 'there is no third worker, and its tasks wait here');
  for (const one of pair) succeed(one);
  t.match(cluster.reply(2), { ok: true, outputs: [{ kind: 'count' }, { kind: 'count' }] });
  t.same(rows(), [[0], [1]], 'what has waited goes one by one');
  t.end();
});

t.test('behind a failure in a group the others are made anew, and only the one that failed has an attempt less', (t) => {
  const { cluster, succeed } = setting();
  cluster.runJob(2, 3);
  const [[first, second, third]] = cluster.givenTogether() as [[Given, Given, Given]];
  succeed(first);
  cluster.fail(second);
  cluster.driven.send({ type: 'taskNotRun', host: third.host, job: third.job, stage: third.stage, task: third.task.task });
  const again = cluster.given();
  t.same(again.map(({ task }) => [task.partition, task.attempt]), [[1, 1], [2, 0]]);
  for (const one of again) succeed(one);
  t.match(cluster.reply(2), { ok: true });
  t.end();
});

t.test('a group that dies with its thread runs elsewhere, and a job that ends is cancelled by its first task', (t) => {
  const { cluster } = setting();
  const { services, driven } = cluster;
  cluster.runJob(2, 2);
  const [[first]] = cluster.givenTogether() as [[Given]];
  cluster.down(first.host);
  const again = cluster.given();
  t.same(again.map(({ host, task }) => [host, task.partition, task.attempt]), [[11, 0, 1], [11, 1, 1]]);
  for (const one of again) cluster.succeed(one, { kind: 'count', count: 1 }, 0);
  cluster.runJob(3, 2);
  const [[head]] = cluster.givenTogether() as [[Given]];
  driven.send({ type: 'cancelProgram', program, error: wireError('over') });
  t.equal(services.controls.get(head.host)?.isCancelled(head.task.task), true);
  t.end();
});

t.test('each task of a group has its own time: the thread ends when the one that runs has had too much of it', (t) => {
  const { cluster } = setting();
  const { services, driven } = cluster;
  cluster.runJob(2, 2);
  const [[first, second]] = cluster.givenTogether() as [[Given, Given]];
  const late = (task: TaskSpec): void => void driven.send({ type: 'taskTimedOut', host: first.host, task: task.task });
  const killed = (): number => driven.take('killHost').length;
  services.controls.get(first.host)?.begin(first.task.task, null);
  services.controls.get(first.host)?.begin(second.task.task, null);
  late(first.task);
  t.equal(killed(), 0, 'the first one has ended');
  late(second.task);
  t.equal(killed(), 1);
  cluster.down(first.host);
  t.same(cluster.given().map(({ task }) => [task.partition, task.attempt]), [[0, 1], [1, 1]]);
  t.end();
});
