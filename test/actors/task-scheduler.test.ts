/** Tasks on workers: who gets which, what follows from an end, and what from a worker's death. */
import t from 'tap';
import type { TaskOutput } from '../../protocol/task.ts';
import { asBlockId, asHostId, asJobId } from '../../protocol/ids.ts';
import { asBatchTime } from '../../protocol/time.ts';
import { hostLossesMax } from '../../lib/rdd/job-state.ts';
import { handle } from '../helpers/stub-services.ts';
import { wireError } from '../helpers/stub-turn.ts';
import { Cluster, program } from '../helpers/driven-cluster.ts';
import type { Given } from '../helpers/driven-cluster.ts';

const counts = (tasks: readonly Given[]): Record<number, number> => Object.fromEntries([10, 11].map((host) => [host, tasks.filter((given) => given.host === host).length]));

t.test('a worker has one task and the next one, and gets another when it has ended one', (t) => {
  const cluster = new Cluster();
  cluster.runJob(1, 6);
  const first = cluster.given();
  t.same(counts(first), { 10: 2, 11: 2 });
  cluster.succeed(first.find(({ host }) => host === 11) as Given);
  const next = cluster.given();
  t.same(counts(next), { 10: 0, 11: 1 });
  for (const given of [...first.slice(0, 1), ...first.slice(2), ...next]) cluster.succeed(given);
  t.end();
});

/**
 * Bug: a task that waited behind one that hangs waited for as long as that hung, though another worker had nothing to do.
 */
t.test('a task that waits moves to a worker that has nothing to do, unless it has been started', (t) => {
  const cluster = new Cluster();
  cluster.runJob(1, 4);
  const first = cluster.given();
  const on = (host: number): Given[] => first.filter((given) => given.host === host);
  const [hanging, waiting] = on(10) as [Given, Given];
  for (const given of on(11)) cluster.succeed(given);
  t.match(cluster.given(), [{ host: 11, task: { task: waiting.task.task } }], 'the same task, handed over again');
  t.equal(cluster.services.controls.get(asHostId(10))?.begin(waiting.task.task, waiting.waits), false, 'and the first worker won\'t start it');
  cluster.runJob(2, 1);
  t.match(cluster.given(), [{ host: 11 }], 'nothing new waits behind the task that hangs before it has ended');
  cluster.succeed({ ...waiting, host: asHostId(11) });
  cluster.succeed(hanging);
  t.match(cluster.reply(1), { ok: true });
  cluster.runJob(3, 4);
  const third = cluster.given();
  const started = third.filter(({ host, job }) => host === 10 && job === third[0]?.job).at(-1) as Given;
  cluster.services.controls.get(asHostId(10))?.begin(started.task.task, started.waits);
  for (const given of third.filter(({ host }) => host === 11)) cluster.succeed(given);
  t.same(cluster.given().filter(({ task }) => task.task === started.task.task), [], 'what runs stays');
  t.end();
});

t.test('a job is answered once, with its outputs in the order of the partitions, whatever the order of their ends', (t) => {
  const cluster = new Cluster();
  cluster.runJob(1, 3);
  const tasks = cluster.given();
  for (const given of [...tasks].reverse()) cluster.succeed(given, { kind: 'count', count: given.task.partition });
  const result = cluster.reply(1);
  t.same(result, { ok: true, outputs: [0, 1, 2].map((count) => ({ kind: 'count', count })) });
  t.equal(cluster.driven.take('defineStage').length, 2, 'each worker was told of the stage once');
  t.same(cluster.driven.take('forgetJobs'), [], 'and is not woken to forget it');
  cluster.runJob(2, 1);
  t.same(cluster.driven.take('forgetJobs').map(({ jobs }) => jobs), [[1]], 'but told with its next task');
  t.end();
});

t.test('what a task leaves behind is passed on once, before the end of its job; of a job that has ended nothing is', (t) => {
  const cluster = new Cluster();
  cluster.runJob(1, 2);
  const [first, second] = cluster.given() as [Given, Given];
  const name = { program, origin: 'rdd-1', batchTime: asBatchTime(1_000), partition: 0 };
  const report = {
    output: { kind: 'count', count: 1 }, stored: [], runMs: 1,
    accumulators: [{ ...name, accumulator: 0, operator: 'u', whole: true, value: new Uint8Array(1) }],
    leftOut: [{ ...name, operator: null, policy: 'skip', records: 1, letters: [] }],
  } as const;
  const succeed = ({ host, job, stage, task }: Given): void => void cluster.driven.send({ type: 'taskSucceeded', host, job, stage, task: task.task, report });
  succeed(first);
  succeed(first);
  t.same([cluster.driven.take('accumulated').length, cluster.driven.take('recordsLeftOut').length], [2, 1], 'to the app, and to the job scheduler for the log');
  cluster.driven.send({ type: 'cancelProgram', program, error: wireError('It has stopped.') });
  succeed(second);
  t.same([cluster.driven.take('accumulated').length, cluster.driven.take('recordsLeftOut').length], [0, 0]);
  t.end();
});

t.test('partitions without records need no task: their job is answered at once, even without a worker', (t) => {
  const cluster = new Cluster(0);
  cluster.runJob(1, 2, { kind: 'count' }, []);
  t.same(cluster.reply(1), { ok: true, outputs: [{ kind: 'count', count: 0 }, { kind: 'count', count: 0 }] });
  t.same(cluster.given(), []);
  t.end();
});

t.test('without a worker tasks wait for one', (t) => {
  const cluster = new Cluster(0);
  cluster.runJob(1, 1);
  t.same(cluster.given(), []);
  cluster.workerUp(10);
  t.equal(cluster.given().length, 1);
  t.end();
});

t.test('a failed task is tried again on another worker, and after four failures its job fails with the last one', (t) => {
  const cluster = new Cluster();
  cluster.runJob(1, 1);
  const hosts: number[] = [];
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const [given] = cluster.given();
    if (given === undefined) return t.fail(`attempt ${attempt} was not made`);
    t.equal(given.task.attempt, attempt);
    hosts.push(given.host);
    cluster.fail(given, `Failure ${attempt}.`);
  }
  t.same(cluster.given(), []);
  t.not(hosts[0], hosts[1]);
  t.match(cluster.reply(1), { ok: false, error: { code: 'TaskFailed', message: /Failure 3/ } });
  t.end();
});

t.test('the tasks of a worker that dies run elsewhere, which is no failure of theirs', (t) => {
  const cluster = new Cluster();
  cluster.runJob(1, 4);
  const first = cluster.given();
  const lost = first.filter(({ host }) => host === 10).map(({ task }) => task.partition);
  cluster.down(10);
  for (const given of first.filter(({ host }) => host === 11)) cluster.succeed(given);
  const again = cluster.given();
  t.same(again.map(({ task }) => task.partition).sort(), lost.sort());
  t.same([...new Set(again.map(({ host }) => host))], [11]);
  for (const given of again) cluster.succeed(given);
  t.match(cluster.reply(1), { ok: true });
  t.end();
});

t.test('a task under which thread after thread dies is tried eight times more, whatever the attempts, and then fails its job', (t) => {
  const cluster = new Cluster(1, { taskFailuresMax: 1 });
  cluster.runJob(1, 1);
  for (let death = 0; death < hostLossesMax; death += 1) {
    t.equal(cluster.given().length, 1);
    cluster.down(10 + death);
    t.equal(cluster.reply(1), undefined);
    cluster.workerUp(11 + death);
  }
  t.equal(cluster.given().length, 1);
  cluster.down(10 + hostLossesMax);
  t.match(cluster.reply(1), { ok: false, error: { message: /its thread died 9 times/ } });
  t.end();
});

t.test('a report that comes after its job has ended gives its memory back, through the ledger', (t) => {
  const cluster = new Cluster();
  cluster.runJob(1, 2, { kind: 'collect', limit: -1 });
  const [one, two] = cluster.given() as [Given, Given];
  cluster.driven.send({ type: 'cancelProgram', program, error: wireError('stopped', 'ContextStopped') });
  t.match(cluster.reply(1), { ok: false });
  cluster.driven.take();
  const output = (slab: number): TaskOutput => ({ kind: 'records', total: 1, block: { id: asBlockId('b'), codec: 'records', place: handle(slab), records: 1 } });
  cluster.succeed(one, output(7));
  cluster.succeed(two, output(8));
  const kept = cluster.driven.take().filter(({ type }) => type === 'hold' || type === 'release').map(({ type, scope, handles }) => [type, scope, (handles as { slab: number }[]).map(({ slab }) => slab)]);
  t.same(kept, [['hold', 'late', [7]], ['release', 'late', [7]], ['hold', 'late', [8]], ['release', 'late', [8]]]);
  t.end();
});

t.test('a report of a job that nobody knows changes nothing', (t) => {
  const cluster = new Cluster();
  cluster.runJob(1, 1);
  const [given] = cluster.given() as [Given];
  cluster.succeed({ ...given, job: asJobId(999) });
  t.equal(cluster.reply(1), undefined);
  t.end();
});

t.test('results are in the ledger before the job is answered', (t) => {
  const cluster = new Cluster();
  cluster.runJob(1, 1, { kind: 'collect', limit: -1 });
  const [given] = cluster.given() as [Given];
  cluster.driven.take();
  cluster.succeed(given, { kind: 'records', total: 1, block: { id: asBlockId('b'), codec: 'records', place: handle(3), records: 1 } });
  t.match(cluster.driven.take('hold'), [{ scope: 'result/0/1', handles: [handle(3)] }]);
  t.match(cluster.reply(1), { ok: true });
  t.end();
});

t.test('cancelled jobs are answered, their running tasks see the word, and the waiting ones are not handed out', (t) => {
  const cluster = new Cluster(1);
  cluster.runJob(1, 5);
  const [running] = cluster.given() as [Given];
  cluster.driven.send({ type: 'cancelProgram', program, error: wireError('stopped', 'ContextStopped') });
  t.match(cluster.reply(1), { ok: false });
  t.equal(cluster.services.controls.get(asHostId(10))?.isCancelled(running.task.task), true);
  cluster.fail(running);
  t.same(cluster.given(), []);
  cluster.runJob(2, 1);
  t.equal(cluster.given().length, 1, 'the next job gets the worker');
  t.end();
});

t.test('a task over its time ends its thread, and that counts as a failure of the task', (t) => {
  const cluster = new Cluster(1, { taskTimeoutMs: 100, taskFailuresMax: 2 });
  cluster.runJob(1, 1);
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const [given] = cluster.given() as [Given];
    t.equal(cluster.driven.timers.get(`task-${given.host}`)?.delayMs, 100);
    cluster.driven.send({ type: 'taskTimedOut', host: given.host, task: given.task.task });
    t.match(cluster.driven.take('killHost'), [{ host: given.host, how: 'terminate' }]);
    cluster.down(given.host);
    cluster.workerUp(20 + attempt);
  }
  t.match(cluster.reply(1), { ok: false, error: { message: /taskTimeoutMs \(100 ms\)/ } });
  t.end();
});

t.test('a timeout of a task that has ended meanwhile kills nobody', (t) => {
  const cluster = new Cluster(1, { taskTimeoutMs: 100 });
  cluster.runJob(1, 1);
  const [given] = cluster.given() as [Given];
  cluster.succeed(given);
  cluster.driven.send({ type: 'taskTimedOut', host: given.host, task: given.task.task });
  t.same(cluster.driven.take('killHost'), []);
  t.equal(cluster.driven.timers.size, 0);
  t.end();
});

t.test('the memory of a program that has ended is given back when its last task has, and not before', (t) => {
  const cluster = new Cluster(2);
  cluster.runJob(1, 2);
  const [one, two] = cluster.given() as [Given, Given];
  cluster.driven.send({ type: 'cancelProgram', program, error: wireError('stopped', 'ContextStopped') }, { type: 'forgetProgram', program });
  t.same(cluster.driven.take('releaseProgram'), []);
  cluster.fail(one);
  t.same(cluster.driven.take('releaseProgram'), []);
  cluster.down(two.host);
  t.match(cluster.driven.take('releaseProgram'), [{ program }]);
  t.end();
});

/**
 * Bug: a worker died just after it had reported a task. The host manager told the ledger before the scheduler had read the report, so
 * the memory was reclaimed first and entered then; giving it back ended the ledger, and the whole driver with it.
 */
t.test('the memory of a dead worker is reclaimed after what it had reported is entered', (t) => {
  const cluster = new Cluster();
  cluster.runJob(1, 1, { kind: 'collect', limit: -1 });
  const [given] = cluster.given();
  cluster.driven.take();
  cluster.succeed(given!, { kind: 'records', block: { id: asBlockId('r'), codec: 'records', place: handle(7), records: 1 }, total: 1 });
  cluster.down(given!.host);
  const told = cluster.driven.take().map(({ type }) => type).filter((type) => type === 'hold' || type === 'hostExited');
  t.same(told, ['hold', 'hostExited']);
  cluster.down(99);
  t.match(cluster.driven.take('hostExited'), [{ host: 99 }], 'also of one that never took a task');
  t.end();
});

/** Bug: the scheduler took the second life for a new worker, and waited for ever for the tasks of the first. */
t.test('a worker that crashes as an actor, its thread alive, is not given its tasks again: its thread is ended, and they run elsewhere', (t) => {
  const cluster = new Cluster(2);
  cluster.runJob(1, 2);
  const [first, second] = cluster.given() as [Given, Given];
  cluster.workerUp(Number(first.host));
  t.match(cluster.driven.told.filter(({ message }) => message.type === 'killHost').map(({ message }) => message), [{ host: first.host, how: 'terminate' }]);
  t.same(cluster.given(), []);
  cluster.down(Number(first.host));
  cluster.succeed(second);
  const [again] = cluster.given();
  t.equal(again?.host, second.host);
  t.equal(again?.task.partition, first.task.partition);
  cluster.succeed(again!);
  t.match(cluster.reply(1), { ok: true });
  t.end();
});
