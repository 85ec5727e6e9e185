/** Versions of keyed state that the task scheduler gives out, holds, forgets and takes back. */
import t from 'tap';
import { taskScheduler } from '../../actors/task-scheduler.ts';
import { TaskControl } from '../../lib/base/task-control.ts';
import { asActorPath, asBlockId, asHostId, asProgramId, asRddId } from '../../protocol/ids.ts';
import type { HostId, JobId } from '../../protocol/ids.ts';
import type { JobResult, ToTaskScheduler } from '../../protocol/job.ts';
import type { BlockRef, FilePlace, RddNode, SharedHandle, StateLink } from '../../protocol/rdd.ts';
import type { ActorRef } from '../../protocol/ref.ts';
import type { RestoredState, StateVersionLinks } from '../../protocol/state.ts';
import type { TaskSpec, ToTaskWorker } from '../../protocol/task.ts';
import { asBatchTime } from '../../protocol/time.ts';
import { handle, stubServices } from '../helpers/stub-services.ts';
import { Driven } from '../helpers/stub-turn.ts';

type StateNode = Extract<RddNode, { kind: 'state' }>;

const program = asProgramId(0);

/** Version n, at n seconds; of one partition, and it emits RDD 100 + n. */
const node = (n: number, previous: number | null = n === 1 ? null : n - 1): StateNode => ({
  kind: 'state', id: asRddId(n), parents: previous === null ? [] : [asRddId(previous)], partitions: 1, partitioner: null, storage: null, operator: null, table: 3, time: asBatchTime(n * 1_000),
  spec: { kind: 'hash', partitions: 1 }, update: { kind: 'track', fn: { kind: 'builtin', name: 'identity' }, timeoutMs: null, sweeps: false },
  input: null, initial: null, previous: previous === null ? null : asRddId(previous), emits: asRddId(100 + n), versionsKept: 0,
});
const settled = (n: number): StateNode => ({ ...node(n), parents: [], previous: null });

const block = (place: NonNullable<BlockRef['place']>): BlockRef => ({ id: asBlockId('b'), codec: 'records', place, records: 1 });
const logged = (offset: number): FilePlace => ({ file: 'DIR/state/1.log', offset, bytes: 8, durable: true });
const link = (n: number, place: NonNullable<BlockRef['place']>, snapshot = true): StateLink => ({ time: asBatchTime(n * 1_000), snapshot, pairs: block(place), extra: null });

class Cluster {
  readonly services = stubServices();
  readonly driven = new Driven(taskScheduler(this.services), undefined);
  #asks = 0;

  constructor() {
    for (const host of [10, 11]) {
      this.services.controls.set(asHostId(host), new TaskControl());
      this.driven.send({ type: 'workerUp', host: asHostId(host), worker: { host: asHostId(host), cell: 1, path: asActorPath('/worker') } as ActorRef<ToTaskWorker> });
    }
  }

  ask<R>(make: (replyTo: ReturnType<Driven<unknown, unknown, unknown>['replyTo']>) => ToTaskScheduler): R {
    const ask = (this.#asks += 1);
    this.driven.send(make(this.driven.replyTo(ask)));
    return this.driven.replies.get(ask) as R;
  }

  links(...rdds: number[]): readonly StateVersionLinks[] {
    return this.ask((replyTo) => ({ type: 'stateLinks', program, rdds: rdds.map(asRddId), replyTo: replyTo as never }));
  }

  read(...rdds: number[]): void {
    this.driven.send({ type: 'stateLinksRead', program, rdds: rdds.map(asRddId) });
  }

  restore(...tables: RestoredState[]): unknown {
    return this.ask((replyTo) => ({ type: 'restoreState', program, tables, replyTo: replyTo as never }));
  }

  forget(...rdds: number[]): void {
    this.driven.send({ type: 'forgetRdds', program, rdds: rdds.map(asRddId) });
  }

  /** A job that counts the version. Its task, or null where nothing has to run now. */
  start(n: number, nodes: readonly StateNode[]): { readonly host: HostId; readonly job: JobId; readonly stage: number; readonly task: TaskSpec } | null {
    this.ask<JobResult>((replyTo) => ({
      type: 'runJob', replyTo: replyTo as never,
      request: { target: asRddId(n), partitions: null, sink: { kind: 'count' }, nodes, program, batchTime: asBatchTime(n * 1_000), scope: 'program/0', resultScope: 'result/0/1', replays: [], broadcasts: [] },
    }));
    return this.next();
  }

  next(): ReturnType<Cluster['start']> {
    const told = this.driven.told.find(({ message }) => message.type === 'runTask');
    this.driven.take('runTask');
    return told === undefined ? null : { host: told.to.host, job: told.message['job'] as JobId, stage: told.message['stage'] as number, task: told.message['task'] as TaskSpec };
  }

  /** Makes version n, with its step and what it emits at these places, and counts it. */
  make(n: number, nodes: readonly StateNode[], place: NonNullable<BlockRef['place']>, emitted: NonNullable<BlockRef['place']>, snapshot = true): TaskSpec {
    const given = this.start(n, nodes);
    if (given === null) throw new Error('No task was handed out.');
    const { host, job, stage, task } = given;
    const stored = [{ rdd: asRddId(100 + n), partition: 0, block: block(emitted) }];
    this.driven.send({ type: 'taskSucceeded', host, job, stage, task: task.task, report: { output: { kind: 'state', link: link(n, place, snapshot) }, stored, accumulators: [], runMs: 1 } });
    const count = this.next();
    if (count === null) throw new Error('The version is made, and not counted.');
    this.driven.send({ type: 'taskSucceeded', host: count.host, job: count.job, stage: count.stage, task: count.task.task, report: { output: { kind: 'count', count: 1 }, stored: [], accumulators: [], runMs: 1 } });
    return task;
  }

  /** Slabs that were given back since the last call. */
  released(): number[] {
    return this.driven.take('release').flatMap(({ handles }) => (handles as SharedHandle[]).map(({ slab }) => slab)).sort((a, b) => a - b);
  }

  removed(): string[] {
    return this.driven.take('removeFiles').flatMap(({ files }) => files as string[]);
  }
}

t.test('whoever asks is told of a version\'s steps and of what it has emitted; what nobody began is left out', async (t) => {
  const cluster = new Cluster();
  cluster.make(1, [node(1)], handle(1), handle(51));
  const [only, ...others] = cluster.links(1, 2);
  t.same(others, []);
  t.match(only, { rdd: 1, table: 3, time: 1_000, base: null, made: true, failed: null, stateVersion: 1, partitions: 1, links: [{ snapshot: true, pairs: { place: { slab: 1 } } }], emitted: { rdd: 101, blocks: [{ place: { slab: 51 } }] } });
});

t.test('what is held is not given back when it is forgotten, but once it is read as often as it was asked for', async (t) => {
  const cluster = new Cluster();
  cluster.make(1, [node(1)], handle(1), handle(51));
  cluster.links(1);
  cluster.links(1);
  cluster.make(2, [settled(1), node(2)], handle(2), handle(52));
  cluster.released();
  cluster.forget(1, 101);
  t.same(cluster.released(), []);
  cluster.read(1);
  t.same(cluster.released(), [], 'the second reader is not through');
  cluster.read(1);
  t.same(cluster.released(), [1, 51]);
  cluster.read(1);
  t.same(cluster.released(), [], 'nothing twice');
});

t.test('without a hold it is given back at once', async (t) => {
  const cluster = new Cluster();
  cluster.make(1, [node(1)], handle(1), handle(51));
  cluster.make(2, [settled(1), node(2)], handle(2), handle(52));
  cluster.released();
  cluster.forget(1, 101);
  t.same(cluster.released(), [1, 51]);
});

t.test('a scratch file of a step goes with it; a file of the log stays, whatever is forgotten', async (t) => {
  const cluster = new Cluster();
  t.equal(cluster.restore({ table: 3, nodes: [settled(1)], versions: [{ time: asBatchTime(1_000), base: null, stateVersion: 1, links: [link(1, logged(0))] }] }), null);
  const scratch = { file: '/scratch/task-1', offset: 0, bytes: 8 };
  const task = cluster.make(2, [settled(1), node(2)], scratch, handle(52), false);
  t.same(task.base?.chain?.map(({ pairs }) => pairs?.place), [logged(0)], 'the first task is told where it lies');
  cluster.make(3, [settled(2), node(3)], handle(3), handle(53));
  cluster.forget(1, 2);
  t.same(cluster.removed(), ['/scratch/task-1']);
  cluster.driven.send({ type: 'forgetProgram', program });
  t.same(cluster.removed(), []);
});

t.test('a restored version that is asked for is told as restored, and reading it from two workers costs nothing', async (t) => {
  const cluster = new Cluster();
  cluster.restore({ table: 3, nodes: [settled(1)], versions: [{ time: asBatchTime(1_000), base: null, stateVersion: 1, links: [link(1, logged(0))] }] });
  t.match(cluster.links(1), [{ restored: true, made: true, emitted: null, links: [{ pairs: { place: logged(0) } }] }]);
  const given = cluster.start(1, [settled(1)]);
  t.match(given?.task, { owner: null, base: null, states: [{ rdd: 1, chain: [{ pairs: { place: logged(0) } }] }] });
});

t.test('a restore that can\'t be is answered with why', async (t) => {
  const cluster = new Cluster();
  t.match(cluster.restore({ table: 3, nodes: [settled(1)], versions: [] }), { code: 'RecordsUnreadable' });
  t.match(cluster.restore({ table: 3, nodes: [{ ...settled(1), stateVersion: 2 }], versions: [{ time: asBatchTime(1_000), base: null, stateVersion: 1, links: [link(1, logged(0))] }] }), { code: 'StateNotMigrated' });
  t.equal(cluster.restore({ table: 3, nodes: [settled(1)], versions: [{ time: asBatchTime(1_000), base: null, stateVersion: 1, links: [link(1, logged(0))] }] }), null, 'and leaves nothing behind');
});

t.test('received blocks that lie in the log are read from there, and neither moved nor removed', async (t) => {
  const cluster = new Cluster();
  const place = logged(640);
  const source: RddNode = { kind: 'source', id: asRddId(7), parents: [], partitions: 1, partitioner: null, storage: null, operator: null, blocks: [[{ ...block(place), codec: 'text' }]] };
  cluster.ask<JobResult>((replyTo) => ({
    type: 'runJob', replyTo: replyTo as never,
    request: { target: source.id, partitions: null, sink: { kind: 'count' }, nodes: [source], program, batchTime: asBatchTime(1_000), scope: 'program/0', resultScope: 'result/0/1', replays: [], broadcasts: [] },
  }));
  const stage = cluster.driven.told.find(({ message }) => message.type === 'defineStage')?.message['stage'] as { readonly nodes: readonly RddNode[] };
  t.match(stage.nodes, [{ blocks: [[{ place }]] }]);
  const given = cluster.next();
  if (given !== null) cluster.driven.send({ type: 'taskSucceeded', host: given.host, job: given.job, stage: given.stage, task: given.task.task, report: { output: { kind: 'count', count: 1 }, stored: [], accumulators: [], runMs: 1 } });
  cluster.forget(7);
  t.same([cluster.removed(), cluster.released()], [[], []]);
});
