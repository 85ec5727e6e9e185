/**
 * Making the tasks of a stage whose turn has come.
 *
 * Invariant: a partition that holds nothing needs no task: its output is entered at once. A task is made only when all that it reads is known, and its stage's spec holds every node that it walks. Where a
 * lost input makes it walk further than before, the stage gets a new spec, with a number of its own.
 */
import type { BucketRef, ReplayRecord, RddNode, Sink } from '../../protocol/rdd.ts';
import type { RddId, TaskId } from '../../protocol/ids.ts';
import type { StageSpec, TaskSpec } from '../../protocol/task.ts';
import { MillraceError } from '../../protocol/errors.ts';
import { asTaskId } from '../../protocol/ids.ts';
import type { JobState, StageState } from './job-stage.ts';
import { Effects, addStage, isDone, keepOutput, triesOf } from './job-stage.ts';
import type { KnownOutputs } from './known-outputs.ts';
import { parentOfShuffle, rddOfShuffle } from './known-outputs.ts';
import type { StageDraft, StagePurpose, TaskInputs } from './lineage.ts';
import { madeBy, missingParents, stageNodes, stagesFor, taskInputs, withBounds } from './lineage.ts';
import { outputWithoutTask } from './no-input.ts';
import { functionRefsOf, stageShape } from './shape.ts';

/** Tasks of one job: the rest of a TaskId is the job's number. */
const tasksPerJobMax = 2 ** 20;

export function makeTasks(state: JobState, stage: StageState, ready: { stage: StageSpec; tasks: TaskSpec[] }[]): void {
  const { lineage } = state;
  for (const partition of [...stage.pending].sort((a, b) => a - b)) {
    if (isKnown(lineage.known, stage.purpose, partition)) stage.pending.delete(partition); // Another job of the batch was quicker.
  }
  const partitions = [...stage.pending].sort((a, b) => a - b);
  const inputs = partitions.map((partition) => taskInputs(lineage, stage.rdd, partition, madeBy(stage)));
  // No partitions: only what the sink itself needs, the bounds of its partitioner.
  const missing = missingParents(lineage, { ...stage, partitions: [] });
  for (const each of inputs) missing.push(...each.missing);
  if (missing.length > 0) {
    waitFor(state, stage, missing);
    return;
  }
  for (const [index, partition] of partitions.entries()) {
    const output = outputWithoutTask(lineage, stage, partition);
    if (output !== null) {
      stage.pending.delete(partition);
      keepOutput(state, stage, partition, output, new Effects());
      continue;
    }
    const its = inputs[index] as TaskInputs;
    const spec = specFor(state, stage, its, partitions);
    let group = ready.find((entry) => entry.stage === spec);
    if (group === undefined) ready.push((group = { stage: spec, tasks: [] }));
    group.tasks.push(taskOf(state, stage, partition, its));
  }
}

/**
 * Makes tasks of stages that wait for nothing but what `ready` makes, as far as `takes` agrees: where they run behind those of `ready`, all
 * that they read is there when their turn comes. What is not named yet is null among their buckets.
 */
export function makeTasksBehind(state: JobState, ready: { stage: StageSpec; tasks: TaskSpec[] }[], takes: (stage: StageSpec, inputs: readonly TaskInputs[]) => boolean): void {
  const { lineage } = state;
  const made = new Set(ready.flatMap(({ tasks }) => tasks.map(({ task }) => task)));
  for (const stage of state.stages.values()) {
    if (stage.pending.size === 0 || stage.waitingFor.size === 0 || !isMadeBefore(state, stage, made)) continue;
    const partitions = [...stage.pending].sort((a, b) => a - b);
    const inputs = partitions.map((partition) => taskInputs(lineage, stage.rdd, partition, madeBy(stage)));
    const missing = [...missingParents(lineage, { ...stage, partitions: [] }), ...inputs.flatMap((each) => each.missing)];
    if (!missing.every(({ key }) => stage.waitingFor.has(key))) continue;
    const [spec, ...others] = new Set(inputs.map((each) => specFor(state, stage, each, partitions)));
    if (spec === undefined || others.length > 0 || !takes(spec, inputs)) return;
    const tasks = partitions.map((partition, index) => taskOf(state, stage, partition, inputs[index] as TaskInputs));
    ready.push({ stage: spec, tasks });
    for (const { task } of tasks) made.add(task);
  }
}

/** Whether all that the stage waits for is a shuffle of which nothing is left to do but these tasks. */
function isMadeBefore(state: JobState, { waitingFor }: StageState, made: ReadonlySet<TaskId>): boolean {
  return [...waitingFor].every((key) => {
    const stage = state.stages.get(key);
    return stage?.purpose.kind === 'shuffle' && stage.pending.size === 0 && [...stage.running.keys()].every((task) => made.has(task));
  });
}

/** The stage's spec, or a new one (with a number of its own) where the task walks a node that the workers were not told. */
function specFor(state: JobState, stage: StageState, inputs: TaskInputs, partitions: readonly number[]): StageSpec {
  if (stage.spec !== null && isSubset(inputs.walked, stage.specNodes)) return stage.spec;
  const { job, known, program, batchTime, replays = [], broadcasts = [] } = state.request;
  const nodes = stageNodes(state.lineage, stage.rdd, partitions, madeBy(stage));
  const sink: Sink = stage.sink.kind === 'shuffle' ? { ...stage.sink, spec: withBounds(stage.sink.spec, known) } : stage.sink;
  const number = state.stageCount;
  state.stageCount += 1;
  stage.spec = {
    job, stage: number, shape: stageShape(nodes, sink), nodes, rdd: stage.rdd, sink, program, batchTime,
    replays: replays.length === 0 ? replays : replaysFor(nodes, sink, replays), broadcasts,
  };
  stage.specNodes = new Set(nodes.map((node) => node.id));
  state.byNumber.set(number, stage);
  return stage.spec;
}

function taskOf(state: JobState, stage: StageState, partition: number, inputs: TaskInputs): TaskSpec {
  const { job, known } = state.request;
  if (state.taskCount >= tasksPerJobMax) throw new MillraceError('InvalidArgument', `A job can have at most ${tasksPerJobMax} tasks; job ${job} has more. Use fewer partitions.`);
  const task = asTaskId(job * tasksPerJobMax + state.taskCount);
  state.taskCount += 1;
  const tries = triesOf(stage, partition);
  const attempt = tries.attempts;
  tries.attempts += 1;
  stage.pending.delete(partition);
  stage.running.set(task, { partition, seenAt: known.version });
  const shuffles = inputs.shuffles.map((input) => {
    const reader = state.lineage.nodes(rddOfShuffle(input.shuffle));
    const maps = state.lineage.nodes(reader.parents[parentOfShuffle(input.shuffle)] as RddId).partitions;
    const buckets: BucketRef[] = [];
    for (let map = 0; map < maps; map += 1) buckets.push(known.mapOutput(input.shuffle, map)?.[input.partition] ?? null);
    return { ...input, buckets };
  });
  const base = inputs.base === null ? null : known.states.input(inputs.base, partition);
  const states = inputs.states.map((input) => known.states.input(input.rdd, input.partition));
  const owner = [...(base === null ? [] : [base]), ...states].map((input) => known.states.ownerOf(input.rdd, input.partition)).find((host) => host !== null) ?? null;
  return { task, partition, attempt, shuffles, offsets: inputs.offsets, cached: inputs.cached, sources: inputs.sources, states, base, owner };
}

/** Has the stages of `drafts` run (again), and this one wait for them. */
function waitFor(state: JobState, stage: StageState, drafts: readonly StageDraft[]): void {
  for (const plan of stagesFor(state.lineage, drafts)) addStage(state, plan, new Effects());
  for (const { key } of drafts) {
    const parent = state.stages.get(key);
    if (parent !== undefined && !isDone(parent)) stage.waitingFor.add(key);
  }
}

function isKnown(known: KnownOutputs, purpose: StagePurpose, partition: number): boolean {
  if (purpose.kind === 'shuffle') return known.mapOutput(purpose.shuffle, partition) !== null;
  if (purpose.kind === 'count') return known.count(purpose.rdd, partition) !== null;
  if (purpose.kind === 'state') return known.states.isPartitionMade(purpose.rdd, partition);
  return purpose.kind === 'bounds' && known.bounds(purpose.owner) !== null;
}

function isSubset<T>(some: ReadonlySet<T>, all: ReadonlySet<T>): boolean {
  for (const one of some) if (!all.has(one)) return false;
  return true;
}

/** The replays whose functions the stage's tasks call. */
function replaysFor(nodes: readonly RddNode[], sink: Sink, replays: readonly ReplayRecord[]): ReplayRecord[] {
  const wanted = new Set<string>();
  for (const ref of functionRefsOf(nodes, sink)) if (ref.kind === 'batch') wanted.add(`${ref.program} ${ref.operator} ${ref.time}`);
  return replays.filter((replay) => wanted.has(`${replay.program} ${replay.operator} ${replay.time}`));
}
