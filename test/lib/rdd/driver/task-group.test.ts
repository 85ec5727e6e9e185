/**
 * Tasks that go together: which ones, what of them is filled in where they run, and what a failure leaves. No task is run, reports are made up.
 */
import t from 'tap';
import type { BucketRef, SharedHandle } from '../../../../protocol/rdd.ts';
import { asBlockId, asJobId, asProgramId } from '../../../../protocol/ids.ts';
import type { StageSpec, StageTask, TaskEnd, TaskOutput, TaskReport, TaskSpec } from '../../../../protocol/task.ts';
import { asBatchTime } from '../../../../protocol/time.ts';
import { toWireError } from '../../../../protocol/errors.ts';
import type { JobState } from '../../../../lib/rdd/job-state.ts';
import { groupOf, planJob, readyTasks, taskFailed, taskSucceeded, taskTakenBack } from '../../../../lib/rdd/job-state.ts';
import { parallelize } from '../../../../lib/rdd/make.ts';
import type { RDD } from '../../../../lib/rdd/rdd.ts';
import { groupRunMsMax, GroupRoom, runGroup, RunTimes } from '../../../../lib/rdd/task-group.ts';
import { LocalRunner } from '../../../helpers/local-runner.ts';

let slabs = 0;
const handle = (): SharedHandle => ({ slab: (slabs += 1), offset: 0, bytes: 8, generation: 0 });
const report = (output: TaskOutput): TaskReport => ({ output, stored: [], accumulators: [], runMs: 1 });
const records = (): TaskOutput => ({ kind: 'records', block: { id: asBlockId('r'), codec: 'records', place: handle(), records: 1 }, total: 1 });
const buckets = (...given: BucketRef[]): TaskOutput => ({ kind: 'shuffle', buckets: given, records: 1 });
const wrong = toWireError(new Error('No luck.'));

interface Ready {
  readonly stage: StageSpec;
  readonly task: TaskSpec;
}

/** Two jobs' worth of the same program: `times` has the shapes of all stages, as after an earlier batch. */
function setting(ms = 0.1) {
  const context = new LocalRunner();
  const pairs = parallelize<[string, number]>(context, [['a', 1], ['b', 2]], 2);
  const counts = pairs.reduceByKey((a, b) => a + b, 2);
  let jobs = 0;
  const plan = (rdd: RDD<never> | RDD<unknown>): JobState => planJob({
    job: asJobId((jobs += 1)), target: rdd.id, partitions: null, sink: { kind: 'collect', limit: -1 }, nodes: (id) => context.node(id), known: context.known,
    program: asProgramId(7), batchTime: asBatchTime(1_000), loadRecords: () => [],
  });
  const times = new RunTimes();
  const learn = (rdd: RDD<never> | RDD<unknown>): void => {
    const state = plan(rdd);
    for (let all = flat(readyTasks(state).groups); all.length > 0; all = flat(readyTasks(state).groups)) {
      for (const { stage, task } of all) {
        times.note(stage.shape, ms);
        taskSucceeded(state, stage.stage, task.task, report(stage.sink.kind === 'shuffle' ? buckets(handle(), handle()) : records()));
      }
    }
    context.known.forgetRdds([counts.id]);
  };
  return { context, pairs, counts, plan, times, learn };
}

const flat = (groups: ReturnType<typeof readyTasks>['groups']): Ready[] => groups.flatMap(({ stage, tasks }) => tasks.map((task) => ({ stage, task })));
const names = (all: readonly Ready[] | null): string[] | null => all?.map(({ stage, task }) => `${stage.sink.kind} ${task.partition}.${task.attempt}`) ?? null;
const group = (state: JobState, times: RunTimes): Ready[] | null => {
  const groups = groupOf(state, readyTasks(state).groups, new GroupRoom(times));
  return groups === null ? null : flat(groups);
};

t.test('tasks that have little to do go with those that read what they write, and all ends together are those of the job', (t) => {
  const { counts, plan, times, learn } = setting();
  learn(counts);
  const state = plan(counts);
  const all = group(state, times) as Ready[];
  t.same(names(all), ['shuffle 0.0', 'shuffle 1.0', 'collect 0.0', 'collect 1.0']);
  t.same(all[2]!.task.shuffles.map((input) => input.buckets), [[null, null]], 'what is not written yet is not named');
  t.same(readyTasks(state).groups, [], 'each is handed out once');
  const outputs = [buckets(handle(), null), buckets(handle(), handle()), records(), records()];
  for (const [index, { stage, task }] of all.entries()) {
    t.equal(state.ended, null);
    taskSucceeded(state, stage.stage, task.task, report(outputs[index]!));
    t.same(readyTasks(state).groups, []);
  }
  t.match(state.ended, { ok: true, outputs: outputs.slice(2) });
  t.end();
});

t.test('a stage that has never run is no part of a group, nor one that takes long, nor one whose input is not in memory', (t) => {
  const { counts, plan, times, learn } = setting();
  t.equal(group(plan(counts), times), null, 'it may take any time');
  learn(counts);
  t.same(names(group(plan(counts.map((pair) => pair)), times)), ['shuffle 0.0', 'shuffle 1.0'], 'the maps alone, where what is behind them is new');
  for (let time = 0; time < 20; time += 1) times.note(flat(readyTasks(plan(counts)).groups)[0]!.stage.shape, groupRunMsMax);
  t.equal(group(plan(counts), times), null);
  const persisted = setting();
  persisted.learn(persisted.counts);
  persisted.context.known.addBlock(persisted.pairs.id, 0, { id: asBlockId('b'), codec: 'records', place: { file: 'f', offset: 0, bytes: 1 }, records: 1 });
  t.equal(group(persisted.plan(persisted.counts), persisted.times), null);
  t.end();
});

t.test('behind a failed task of a group nothing counts as an attempt, and the partitions run alone', (t) => {
  const { counts, plan, times, learn } = setting();
  learn(counts);
  const state = plan(counts);
  const [first, second, ...rest] = group(state, times) as [Ready, Ready, ...Ready[]];
  taskSucceeded(state, first.stage.stage, first.task.task, report(buckets(handle(), handle())));
  taskFailed(state, second.stage.stage, second.task.task, wrong, null, { taskFailuresMax: 4 });
  const again = readyTasks(state).groups;
  t.same(names(flat(again)), ['shuffle 1.1']);
  t.equal(groupOf(state, again, new GroupRoom(times)), null, 'it takes nobody with it');
  for (const { stage, task } of rest) taskTakenBack(state, stage.stage, task.task);
  t.same(readyTasks(state).groups, [], 'they wait for the map');
  const map = flat(again)[0] as Ready;
  taskSucceeded(state, map.stage.stage, map.task.task, report(buckets(handle(), handle())));
  const reducers = flat(readyTasks(state).groups);
  t.same(names(reducers), ['collect 0.0', 'collect 1.0']);
  t.ok(reducers.every(({ task }) => task.shuffles.every((input) => input.buckets.every((bucket) => bucket !== null))), 'with all buckets');
  t.end();
});

t.test('where a group runs, its readers get the buckets that its maps have just written, in the order of the map partitions', async (t) => {
  const { counts, plan, times, learn } = setting();
  learn(counts);
  const all = group(plan(counts), times) as Ready[];
  const stages = new Map(all.map(({ stage }) => [stage.stage, stage]));
  const tasks = all.map(({ stage, task }): StageTask => ({ stage: stage.stage, task }));
  const written = [[handle(), null], [handle(), handle()]] as const;
  const seen: BucketRef[][] = [];
  const run = (stage: StageSpec | undefined, task: TaskSpec): TaskEnd => {
    if (stage?.sink.kind !== 'shuffle') seen.push(...task.shuffles.map((input) => [...input.buckets]));
    return { report: report(stage?.sink.kind === 'shuffle' ? buckets(...written[task.partition]!) : records()) };
  };
  t.equal((runGroup(tasks, stages, run) as TaskEnd[]).length, 4);
  t.same(seen, [[written[0][0], written[1][0]], [null, written[1][1]]]);

  const failing = (stage: StageSpec | undefined, task: TaskSpec): TaskEnd => (task.partition === 1 ? { error: wrong, missing: null } : run(stage, task));
  t.same((runGroup(tasks, stages, failing) as TaskEnd[]).map((end) => 'report' in end), [true, false], 'nothing runs behind one that failed');

  const later = await runGroup(tasks, stages, async (stage, task) => run(stage, task));
  t.equal(later.length, 4, 'also where tasks take their time');
});
