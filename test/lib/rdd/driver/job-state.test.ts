/**
 * The job's state machine alone: no task is run, reports are made up.
 */
import t from 'tap';
import type { BlockRef, SharedHandle } from '../../../../protocol/rdd.ts';
import { asBlockId, asJobId, asProgramId, shuffleIdOf } from '../../../../protocol/ids.ts';
import type { StageSpec, TaskOutput, TaskReport, TaskSpec } from '../../../../protocol/task.ts';
import { asBatchTime } from '../../../../protocol/time.ts';
import { MillraceError, toWireError } from '../../../../protocol/errors.ts';
import type { JobRequest, JobState } from '../../../../lib/rdd/job-state.ts';
import { cancelJob, describeJob, hostLossesMax, inputLossesMax, planJob, readyTasks, taskFailed, taskSucceeded } from '../../../../lib/rdd/job-state.ts';
import { emptyRdd, parallelize } from '../../../../lib/rdd/make.ts';
import type { RDD } from '../../../../lib/rdd/rdd.ts';
import { LocalRunner } from '../../../helpers/local-runner.ts';

let slabs = 0;
const handle = (): SharedHandle => ({ slab: (slabs += 1), offset: 0, bytes: 8, generation: 0 });
const block = (): BlockRef => ({ id: asBlockId(`b${slabs}`), codec: 'records', place: handle(), records: 1 });
const report = (output: TaskOutput, stored: TaskReport['stored'] = []): TaskReport => ({ output, stored, accumulators: [], runMs: 1 });
const records = (): TaskOutput & { kind: 'records' } => ({ kind: 'records', block: block(), total: 1 });
const buckets = (count: number): TaskOutput & { kind: 'shuffle' } => ({ kind: 'shuffle', buckets: Array.from({ length: count }, handle), records: count });
const error = (code?: 'RecordNotSerializable') => toWireError(code === undefined ? new Error('No luck.') : new MillraceError(code, 'Not this.'));
const four = { taskFailuresMax: 4 };

interface Ready {
  readonly stage: StageSpec;
  readonly task: TaskSpec;
}

function setting() {
  const context = new LocalRunner();
  const pairs = parallelize<[string, number]>(context, [['a', 1], ['b', 2], ['c', 3]], 3);
  let jobs = 0;
  const plan = (rdd: RDD<never> | RDD<unknown>, partitions: readonly number[] | null = null, more: Partial<JobRequest> = {}): JobState => planJob({
    job: asJobId((jobs += 1)), target: rdd.id, partitions, sink: { kind: 'collect', limit: -1 }, nodes: (id) => context.node(id), known: context.known,
    program: asProgramId(7), batchTime: asBatchTime(1_000), loadRecords: () => ['a', 'b'], ...more,
  });
  return { context, pairs, counts: pairs.reduceByKey((a, b) => a + b, 2), plan };
}

const ready = (state: JobState): Ready[] => readyTasks(state).groups.flatMap(({ stage, tasks }) => tasks.map((task) => ({ stage, task })));
const names = (all: readonly Ready[]): string[] => all.map(({ stage, task }) => `${stage.sink.kind} ${task.partition}.${task.attempt}`);
const succeed = (state: JobState, { stage, task }: Ready, output: TaskOutput) => taskSucceeded(state, stage.stage, task.task, report(output));

t.test('maps run first, then the reducers with their buckets in map order, then the job has ended', async (t) => {
  const { counts, plan } = setting();
  const state = plan(counts);
  const maps = ready(state);
  t.same(names(maps), ['shuffle 0.0', 'shuffle 1.0', 'shuffle 2.0']);
  t.same(ready(state), [], 'handed out once');
  const outputs = maps.map(() => buckets(2));
  t.same(succeed(state, maps[2]!, outputs[2]!).stagesCompleted, []);
  succeed(state, maps[0]!, outputs[0]!);
  t.same(ready(state), [], 'not before all maps are done');
  t.same(describeJob(state), [`job 1, shuffle ${shuffleIdOf(counts.id, 0)} of RDD ${counts.node.parents[0]}: 0 tasks pending, 1 running`, `job 1, result of RDD ${counts.id}: 2 tasks pending, 0 running, waiting for shuffle ${shuffleIdOf(counts.id, 0)}`]);
  t.same(succeed(state, maps[1]!, outputs[1]!).stagesCompleted, [maps[0]!.stage.stage]);
  const reducers = ready(state);
  t.same(names(reducers), ['collect 0.0', 'collect 1.0']);
  for (const { task } of reducers) {
    t.same(task.shuffles, [{ shuffle: shuffleIdOf(counts.id, 0), partition: task.partition, buckets: outputs.map((output) => output.buckets[task.partition]) }]);
  }
  t.same(reducers[0]!.stage.nodes.map((node) => node.kind), ['shuffled']);
  t.match(reducers[0]!.stage, { job: 1, program: 7, batchTime: 1_000, rdd: counts.id });
  const results = [records(), records()];
  t.equal(succeed(state, reducers[1]!, results[1]!).ended, null);
  const events = succeed(state, reducers[0]!, results[0]!);
  t.same(events.ended, { ok: true, outputs: results }, 'in the order of the partitions, not of their ends');
  t.same(events.release, []);
  t.same(describeJob(state), []);
});

t.test('results come in the order of the partitions that were asked for', async (t) => {
  const { pairs, plan } = setting();
  const state = plan(pairs, [2, 0]);
  const tasks = ready(state);
  t.same(names(tasks), ['collect 0.0', 'collect 2.0']);
  const [zero, two] = [records(), records()];
  succeed(state, tasks[0]!, zero);
  t.same(succeed(state, tasks[1]!, two).ended, { ok: true, outputs: [two, zero] });
  t.throws(() => plan(pairs, [3]), { code: 'InvalidArgument' });
  t.throws(() => plan(pairs, [1, 1]), { code: 'InvalidArgument' });
});

t.test('a job without partitions has ended at once', async (t) => {
  const { context, pairs, plan } = setting();
  t.same(plan(emptyRdd(context)).ended, { ok: true, outputs: [] });
  t.same(plan(pairs, []).ended, { ok: true, outputs: [] });
  t.same(ready(plan(emptyRdd(context))), []);
});

t.test('a second job on the same shuffled RDD skips the map stage', async (t) => {
  const { counts, plan } = setting();
  const state = plan(counts);
  for (const task of ready(state)) succeed(state, task, buckets(2));
  for (const task of ready(state)) succeed(state, task, records());
  t.ok(state.ended?.ok);
  t.same(names(ready(plan(counts.keys()))), ['collect 0.0', 'collect 1.0']);
});

t.test('two jobs that make the same map output at a time: the first one counts, the other\'s bytes are given back', async (t) => {
  const { counts, plan } = setting();
  const [one, two] = [plan(counts), plan(counts)];
  const [maps, same] = [ready(one), ready(two)];
  const first = buckets(2);
  succeed(one, maps[0]!, first);
  const second = buckets(2);
  t.same(succeed(two, same[0]!, second).release, second.buckets);
  for (const map of maps.slice(1)) succeed(one, map, buckets(2));
  taskFailed(two, same[1]!.stage.stage, same[1]!.task.task, error(), null, four);
  succeed(two, same[2]!, buckets(2));
  t.same(names(ready(two)), ['collect 0.0', 'collect 1.0'], 'what failed here is known by now: it is not run again');
  t.same(ready(one)[0]!.task.shuffles[0]!.buckets[0], first.buckets[0]);
});

t.test('a task that fails is tried again, four times in all', async (t) => {
  const { pairs, plan } = setting();
  const state = plan(pairs.map((pair) => pair), [1]);
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const [task] = ready(state);
    t.same(names([task!]), [`collect 1.${attempt}`]);
    const events = taskFailed(state, task!.stage.stage, task!.task.task, error(), null, four);
    t.equal(events.ended, null);
  }
  const [last] = ready(state);
  const { ended } = taskFailed(state, last!.stage.stage, last!.task.task, error(), null, four);
  t.match(ended, { ok: false, error: { code: 'TaskFailed', message: /Partition 1 .*\(map\).*failed 4 times.*No luck\./, cause: { message: 'No luck.' }, details: { job: 1, partition: 1, attempts: 4, batchTime: 1_000 } } });
  t.same(ready(state), []);
});

t.test('attempts are counted for each partition alone', async (t) => {
  const { pairs, plan } = setting();
  const state = plan(pairs);
  const fail = (): void => {
    for (const { stage, task } of ready(state)) taskFailed(state, stage.stage, task.task, error(), null, four);
  };
  for (let round = 0; round < 3; round += 1) fail();
  t.equal(state.ended, null, 'nine failures, three of each');
  fail();
  t.match(state.ended, { ok: false });
});

t.test('a failure that nothing can change ends the job at the first attempt', async (t) => {
  const { pairs, plan } = setting();
  const state = plan(pairs, [0]);
  const [{ stage, task }] = ready(state) as [Ready];
  t.match(taskFailed(state, stage.stage, task.task, error('RecordNotSerializable'), null, four).ended, { ok: false, error: { cause: { code: 'RecordNotSerializable' } } });
});

t.test('the end of a failed job cancels what runs and gives back what is done; late reports count for nothing', async (t) => {
  const { pairs, plan } = setting();
  const state = plan(pairs);
  const [a, b, c] = ready(state) as [Ready, Ready, Ready];
  const done = records();
  succeed(state, a, done);
  const events = taskFailed(state, b.stage.stage, b.task.task, error(), null, { taskFailuresMax: 1 });
  t.same(events.cancel, [c.task.task]);
  t.same(events.release, [done.block.place]);
  const [late, stored] = [records(), block()];
  const ignored = taskSucceeded(state, c.stage.stage, c.task.task, report(late, [{ rdd: pairs.id, partition: 0, block: stored }]));
  t.same([ignored.accepted, ignored.ended, ignored.release], [false, null, [late.block.place, stored.place]]);
  t.same(taskFailed(state, c.stage.stage, c.task.task, error(), null, four), { accepted: false, stagesCompleted: [], ended: null, cancel: [], release: [] });
});

t.test('a report that comes twice counts once', async (t) => {
  const { pairs, plan } = setting();
  const state = plan(pairs);
  const [task] = ready(state) as [Ready];
  t.equal(succeed(state, task, records()).accepted, true);
  const again = records();
  const events = succeed(state, task, again);
  t.same([events.accepted, events.release], [false, [again.block.place]]);
});

t.test('a lost map output is made again, and the reader is not charged for it', async (t) => {
  const { counts, plan } = setting();
  const shuffle = shuffleIdOf(counts.id, 0);
  const state = plan(counts);
  for (const task of ready(state)) succeed(state, task, buckets(2));
  const [zero, one] = ready(state) as [Ready, Ready];
  taskFailed(state, zero.stage.stage, zero.task.task, error(), { shuffle, mapPartition: 1 }, { taskFailuresMax: 1 });
  const again = ready(state);
  t.same(names(again), ['shuffle 1.1'], 'only that map partition');
  t.equal(succeed(state, one, records()).accepted, true, 'the other reader is not disturbed');
  const made = buckets(2);
  succeed(state, again[0]!, made);
  const retried = ready(state);
  t.same(names(retried), ['collect 0.1']);
  t.equal(retried[0]!.stage.stage, zero.stage.stage, 'the workers know the stage already');
  t.same(retried[0]!.task.shuffles[0]!.buckets[1], made.buckets[0]);
  t.ok(succeed(state, retried[0]!, records()).ended?.ok);
});

t.test('a map output that an earlier job of the batch made is made again too', async (t) => {
  const { counts, plan } = setting();
  const shuffle = shuffleIdOf(counts.id, 0);
  const earlier = plan(counts);
  for (const task of ready(earlier)) succeed(earlier, task, buckets(2));
  for (const task of ready(earlier)) succeed(earlier, task, records());
  const state = plan(counts.keys(), [1]);
  const [reader] = ready(state) as [Ready];
  taskFailed(state, reader.stage.stage, reader.task.task, error(), { shuffle, mapPartition: 2 }, four);
  const maps = ready(state);
  t.same(names(maps), ['shuffle 2.0']);
  t.same(maps[0]!.stage.nodes.map((node) => node.kind), ['source']);
  succeed(state, maps[0]!, buckets(2));
  t.same(names(ready(state)), ['collect 1.1']);
});

t.test('two readers that miss the same output have it made once', async (t) => {
  const { counts, plan } = setting();
  const missing = { shuffle: shuffleIdOf(counts.id, 0), mapPartition: 0 };
  const state = plan(counts);
  for (const task of ready(state)) succeed(state, task, buckets(2));
  const [zero, one] = ready(state) as [Ready, Ready];
  taskFailed(state, zero.stage.stage, zero.task.task, error(), missing, four);
  const [map] = ready(state) as [Ready];
  succeed(state, map, buckets(2));
  taskFailed(state, one.stage.stage, one.task.task, error(), missing, four);
  t.same(names(ready(state)), ['collect 0.1', 'collect 1.1'], 'the second reader looked at the old output: the new one stays');
});

t.test('losses of inputs are bounded', async (t) => {
  const { counts, plan } = setting();
  const missing = { shuffle: shuffleIdOf(counts.id, 0), mapPartition: 0 };
  const state = plan(counts, [0]);
  let losses = 0;
  while (state.ended === null) {
    for (const ready of readyTasks(state).groups) {
      for (const task of ready.tasks) {
        if (ready.stage.sink.kind === 'shuffle') taskSucceeded(state, ready.stage.stage, task.task, report(buckets(2)));
        else taskFailed(state, ready.stage.stage, task.task, error(), missing, { taskFailuresMax: (losses += 1) * 0 + 1 });
      }
    }
  }
  t.equal(losses, inputLossesMax + 1);
  t.match(state.ended, { ok: false, error: { code: 'TaskFailed', message: /inputs were lost 9 times/ } });
});

t.test('the death of a thread is no attempt of its tasks, but is bounded', async (t) => {
  const { pairs, plan } = setting();
  const state = plan(pairs, [0]);
  for (let death = 0; death <= hostLossesMax; death += 1) {
    t.equal(state.ended, null);
    const [{ stage, task }] = ready(state) as [Ready];
    t.equal(task.attempt, death);
    taskFailed(state, stage.stage, task.task, error(), null, { taskFailuresMax: 1, hostLost: true });
  }
  t.match(state.ended, { ok: false, error: { message: /thread died 9 times/ } });
});

t.test('a lost input that nothing can make again counts as a failure', async (t) => {
  const { pairs, plan } = setting();
  const state = plan(pairs, [0]);
  const [{ stage, task }] = ready(state) as [Ready];
  t.match(taskFailed(state, stage.stage, task.task, error(), { rdd: pairs.id, partition: 0 }, { taskFailuresMax: 1 }).ended, { ok: false });
});

t.test('stored partitions are used by the next job; where one is lost, its lineage is walked again under a new stage number', async (t) => {
  const { pairs, plan } = setting();
  const cached = pairs.map((pair) => pair).cache();
  const first = plan(cached);
  const kept = [0, 1, 2].map(() => block());
  for (const { stage, task } of ready(first)) taskSucceeded(first, stage.stage, task.task, report(records(), [{ rdd: cached.id, partition: task.partition, block: kept[task.partition]! }]));
  const state = plan(cached.keys());
  const tasks = ready(state);
  t.same(tasks[0]!.stage.nodes.map((node) => node.operator?.name), ['map', 'keys']);
  t.same(tasks.map(({ task }) => task.cached), kept.map((one, partition) => [{ rdd: cached.id, partition, block: one }]));
  taskFailed(state, tasks[1]!.stage.stage, tasks[1]!.task.task, error(), { rdd: cached.id, partition: 1 }, { taskFailuresMax: 1 });
  const [again] = ready(state) as [Ready];
  t.same(again.stage.nodes.map((node) => node.operator?.name), ['parallelize', 'map', 'keys']);
  t.not(again.stage.stage, tasks[1]!.stage.stage);
  t.same(again.task.cached, []);
  const other = block();
  taskSucceeded(state, again.stage.stage, again.task.task, report(records(), [{ rdd: cached.id, partition: 1, block: other }]));
  for (const index of [0, 2]) succeed(state, tasks[index]!, records());
  t.ok(state.ended?.ok, 'tasks of the old stage number count too');
  const double = block();
  const third = plan(cached, [1]);
  const [reader] = ready(third) as [Ready];
  t.same(reader.task.cached, [{ rdd: cached.id, partition: 1, block: other }]);
  t.same(taskSucceeded(third, reader.stage.stage, reader.task.task, report(records(), [{ rdd: cached.id, partition: 1, block: double }])).release, [double.place], 'a second copy is given back');
});

t.test('sorting: samples of all partitions, then bounds for the writers, the same ones for a later job', async (t) => {
  const { pairs, plan } = setting();
  const sorted = pairs.sortByKey(true, 2);
  const loaded: string[] = [];
  const state = plan(sorted, null, { loadRecords: (from) => { loaded.push(from.id); return ['a', 'b']; } });
  const samples = ready(state);
  t.same(names(samples), ['sampleKeys 0.0', 'sampleKeys 1.0', 'sampleKeys 2.0']);
  for (const task of samples) succeed(state, task, { kind: 'records', block: block(), total: 2 });
  t.equal(loaded.length, 3);
  const maps = ready(state);
  const { sink } = maps[0]!.stage;
  t.ok(sink.kind === 'shuffle' && sink.spec.kind === 'range' && sink.spec.bounds !== null);
  for (const task of maps) succeed(state, task, buckets(2));
  t.same(names(ready(state)), ['collect 0.0', 'collect 1.0']);
  const other = ready(plan(pairs.partitionBy(sorted.partitioner!)));
  t.same(names(other), ['shuffle 0.0', 'shuffle 1.0', 'shuffle 2.0'], 'no second sampling');
});

t.test('a sample that can\'t be read any more is taken again', async (t) => {
  const { pairs, plan } = setting();
  let reads = 0;
  const state = plan(pairs.sortByKey(true, 2), null, { loadRecords: () => { if ((reads += 1) === 1) throw new Error('Gone.'); return ['a']; } });
  const samples = ready(state);
  t.equal(succeed(state, samples[0]!, records()).accepted, false);
  t.same(names(ready(state)), ['sampleKeys 0.1']);
});

t.test('indexes come from counts of all partitions but the last', async (t) => {
  const { pairs, plan } = setting();
  const state = plan(pairs.zipWithIndex());
  const counting = ready(state);
  t.same(names(counting), ['count 0.0', 'count 1.0']);
  succeed(state, counting[1]!, { kind: 'count', count: 5 });
  succeed(state, counting[0]!, { kind: 'count', count: 3 });
  t.same(ready(state).map(({ task }) => task.offsets[0]?.first), [0, 3, 8]);
});

t.test('a cancelled job has ended with the error given', async (t) => {
  const { pairs, plan } = setting();
  const state = plan(pairs);
  const tasks = ready(state);
  const stop = new MillraceError('ContextStopped', 'Stopped.');
  const events = cancelJob(state, stop);
  t.same(events.ended, { ok: false, error: stop });
  t.same(events.cancel, tasks.map(({ task }) => task.task));
  t.equal(cancelJob(state, new MillraceError('ContextStopped', 'Again.')).ended, null);
});

t.test('a stage gets the replays whose functions it calls, no others', async (t) => {
  const { context, pairs, plan } = setting();
  const ref = { kind: 'batch', program: asProgramId(7), operator: 3, time: asBatchTime(1_000), index: 0 } as const;
  const rdd = pairs.map((pair) => pair);
  Object.assign(context.node(rdd.id), { fn: { kind: 'builtin', name: 'keyBy', over: [ref] } });
  const replay = (operator: number, time: number) => ({ program: asProgramId(7), operator, time: asBatchTime(time), parents: [], actions: [] });
  const [task] = ready(plan(rdd, null, { replays: [replay(3, 1_000), replay(3, 2_000), replay(4, 1_000)] }));
  t.same(task?.stage.replays, [replay(3, 1_000)]);
});

t.test('task ids differ between jobs and attempts; a partition has its preferred worker', async (t) => {
  const { pairs, plan } = setting();
  const ids = [plan(pairs), plan(pairs)].flatMap((state) => ready(state).map(({ task }) => task.task));
  t.equal(new Set(ids).size, 6);
});

