/** RDDs whose stored partitions take the place of their lineage: when that is said, and what a loss means then. */
import t from 'tap';
import type { BlockRef } from '../../../../protocol/rdd.ts';
import type { RddId } from '../../../../protocol/ids.ts';
import { asBlockId, asJobId, asProgramId } from '../../../../protocol/ids.ts';
import { MillraceError, toWireError } from '../../../../protocol/errors.ts';
import type { StageSpec, TaskReport, TaskSpec } from '../../../../protocol/task.ts';
import { planJob, readyTasks, taskFailed, taskSucceeded } from '../../../../lib/rdd/job-state.ts';
import type { JobState } from '../../../../lib/rdd/job-state.ts';
import { parallelize } from '../../../../lib/rdd/make.ts';
import { builtin } from '../../../../lib/rdd/rdd-base.ts';
import { LocalRunner } from '../../../helpers/local-runner.ts';

const block = (slab: number): BlockRef => ({ id: asBlockId(`b${slab}`), codec: 'records', place: { slab, offset: 0, bytes: 8, generation: 0 }, records: 1 });
const done = (stored: TaskReport['stored']): TaskReport => ({ output: { kind: 'count', count: 1 }, stored, accumulators: [], runMs: 1 });
const ready = (state: JobState): { readonly stage: StageSpec; readonly task: TaskSpec }[] => readyTasks(state).groups.flatMap(({ stage, tasks }) => tasks.map((task) => ({ stage, task })));

/** [1] [2] -> kept, which ends its lineage. `forgotten`: nodes that the job is not told. */
function setting(endsLineage = true) {
  const context = new LocalRunner();
  const source = parallelize(context, [1, 2], 2);
  const kept = source.derive<number>('kept', { kind: 'map', parents: [source.id], partitions: 2, partitioner: null, fn: builtin('identity'), endsLineage }).persist();
  const plan = (forgotten: readonly RddId[] = []): JobState => planJob({
    job: asJobId(1), target: kept.id, partitions: null, sink: { kind: 'count' }, known: context.known, program: asProgramId(7), batchTime: null, loadRecords: () => [],
    nodes(id) {
      if (forgotten.includes(id)) throw new MillraceError('RddReleased', `RDD ${id} is gone.`);
      return context.node(id);
    },
  });
  return { context, source, kept, plan };
}

t.test('the lineage has ended when the last partition is stored, and not before', (t) => {
  const { context, kept, plan } = setting();
  const state = plan();
  const [first, second] = ready(state);
  t.same(taskSucceeded(state, first!.stage.stage, first!.task.task, done([{ rdd: kept.id, partition: 0, block: block(1) }])).lineagesEnded, []);
  t.same(taskSucceeded(state, second!.stage.stage, second!.task.task, done([{ rdd: kept.id, partition: 1, block: block(2) }])).lineagesEnded, [kept.id]);
  t.same(context.known.forgetBlocks(kept.id), [], 'what stands for a lineage is kept though nobody persists it any more');
  t.equal(context.known.forgetRdds([kept.id]).length, 2, 'until the RDD itself is forgotten');
  t.end();
});

t.test('a partition that found no memory leaves the lineage as it is, until a later job has stored it', (t) => {
  const { kept, plan } = setting();
  const state = plan();
  const [first, second] = ready(state);
  taskSucceeded(state, first!.stage.stage, first!.task.task, done([{ rdd: kept.id, partition: 0, block: block(1) }]));
  t.same(taskSucceeded(state, second!.stage.stage, second!.task.task, done([])).lineagesEnded, []);
  const later = plan();
  const again = ready(later);
  t.same(again[0]!.task.cached.map(({ partition }) => partition), [0]);
  t.same(again[1]!.task.cached, []);
  t.same(taskSucceeded(later, again[1]!.stage.stage, again[1]!.task.task, done([{ rdd: kept.id, partition: 1, block: block(2) }])).lineagesEnded, [kept.id]);
  t.end();
});

t.test('other persisted RDDs keep their lineage', (t) => {
  const { kept, plan } = setting(false);
  const state = plan();
  for (const { stage, task } of ready(state)) {
    t.same(taskSucceeded(state, stage.stage, task.task, done([{ rdd: kept.id, partition: task.partition, block: block(task.partition + 1) }])).lineagesEnded, []);
  }
  t.end();
});

t.test('a lost partition is made again while its lineage is known; after that its loss is a failed attempt', (t) => {
  const lost = toWireError(new MillraceError('BlockMissing', 'It is gone.'));
  const lose = (forgotten: boolean): JobState => {
    const { source, kept, plan } = setting();
    const state = plan();
    for (const { stage, task } of ready(state)) taskSucceeded(state, stage.stage, task.task, done([{ rdd: kept.id, partition: task.partition, block: block(task.partition + 1) }]));
    const later = plan(forgotten ? [source.id] : []);
    for (let attempt = 0; attempt < 2 && later.ended === null; attempt += 1) {
      const [first] = ready(later);
      if (first!.task.cached.length === 0) break;
      taskFailed(later, first!.stage.stage, first!.task.task, lost, { rdd: kept.id, partition: 0 }, { taskFailuresMax: 2 });
    }
    return later;
  };
  t.equal(lose(false).ended, null);
  t.match(lose(true).ended, { ok: false, error: { code: 'TaskFailed', cause: { code: 'BlockMissing' } } });
  t.end();
});
