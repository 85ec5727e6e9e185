/**
 * The data of one job, and how its stages begin and end. job-state.ts has the machine's drawing and its entries.
 *
 * Invariant: a stage is done when it has no partition pending or running; what waits for it is told then, once.
 */
import type { BlockRef, BroadcastVersion, ReplayRecord, RddNode, Sink } from '../../protocol/rdd.ts';
import type { JobId, ProgramId, RddId, TaskId } from '../../protocol/ids.ts';
import type { StageSpec, TaskOutput, TaskReport } from '../../protocol/task.ts';
import type { BatchTime } from '../../protocol/time.ts';
import type { MillraceError } from '../../protocol/errors.ts';
import { rddOfShuffle } from './known-outputs.ts';
import type { KnownOutputs, Place } from './known-outputs.ts';
import type { StageDraft, StageKey, StagePlan } from './lineage.ts';
import type { Lineage } from './partition-walk.ts';
import type { KeySample } from './partitioner.ts';
import { rangeBounds } from './partitioner.ts';
import type { StateNode } from './state/state-book.ts';
import { placesOfLink } from './state/state-book.ts';

export interface JobRequest {
  readonly job: JobId;
  readonly target: RddId;
  /** Null: all, ascending. Each at most once. */
  readonly partitions: readonly number[] | null;
  readonly sink: Sink;
  readonly nodes: (id: RddId) => RddNode;
  readonly known: KnownOutputs;
  readonly program: ProgramId | null;
  readonly batchTime: BatchTime | null;
  /** All that may be needed; each stage gets its own. */
  readonly replays?: readonly ReplayRecord[];
  readonly broadcasts?: readonly BroadcastVersion[];
  /** Reads the sampled keys of an inner stage, and gives the block back. */
  readonly loadRecords: (block: BlockRef) => readonly unknown[];
}

export type JobEnd =
  /** In the order of the requested partitions. Their blocks are the receiver's. */
  | { readonly ok: true; readonly outputs: readonly TaskOutput[] }
  | { readonly ok: false; readonly error: MillraceError };

/** What a task's end led to. Call `readyTasks` after it. */
export interface JobEvents {
  /** False: the report counts for nothing (the job had ended, or another task was first). */
  readonly accepted: boolean;
  /** Numbers of stages that are complete now. */
  readonly stagesCompleted: readonly number[];
  /** Set by the event that ended the job. */
  readonly ended: JobEnd | null;
  /** Still running, for nobody. */
  readonly cancel: readonly TaskId[];
  /** Bytes that nobody will read. */
  readonly release: readonly Place[];
}

export interface JobState {
  readonly request: JobRequest;
  readonly lineage: Lineage;
  /** In dependency order as first planned; stages for lost inputs at the end. */
  readonly stages: Map<StageKey, StageState>;
  /** Also by numbers of earlier specs of a stage. */
  readonly byNumber: Map<number, StageState>;
  ended: JobEnd | null;
  stageCount: number;
  taskCount: number;
}

export interface StageState extends StageDraft {
  /** Null until the first task is made, and where a lost input has changed what has to be walked. */
  spec: StageSpec | null;
  specNodes: ReadonlySet<RddId>;
  readonly waitingFor: Set<StageKey>;
  readonly pending: Set<number>;
  readonly running: Map<TaskId, RunningTask>;
  readonly outputs: Map<number, TaskOutput>;
  readonly samples: Map<number, KeySample>;
  readonly tries: Map<number, Tries>;
}

export interface RunningTask {
  readonly partition: number;
  /** The version of `KnownOutputs` when its inputs were named. */
  readonly seenAt: number;
}

export interface Tries {
  attempts: number;
  failures: number;
  inputLosses: number;
  hostLosses: number;
  memoryWaits: number;
}

/** Adds a stage, or gives partitions back to one that has run already. */
export function addStage(state: JobState, plan: StagePlan, effects: Effects): void {
  let stage = state.stages.get(plan.key);
  if (stage === undefined) {
    const { parents: _parents, ...draft } = plan;
    stage = { ...draft, spec: null, specNodes: new Set(), waitingFor: new Set(), pending: new Set(), running: new Map(), outputs: new Map(), samples: new Map(), tries: new Map() };
    state.stages.set(plan.key, stage);
  }
  const busy = new Set([...stage.running.values()].map((task) => task.partition));
  for (const partition of plan.partitions) if (!busy.has(partition)) stage.pending.add(partition);
  for (const key of plan.parents) {
    const parent = state.stages.get(key);
    if (parent !== undefined && !isDone(parent)) stage.waitingFor.add(key);
  }
  if (isDone(stage)) completeStage(state, stage, effects);
}

/** Enters what a task (or the driver, for a partition without records) has made of one partition. */
export function keepOutput(state: JobState, stage: StageState, partition: number, output: TaskOutput, effects: Effects): void {
  const { known, loadRecords } = state.request;
  const { purpose } = stage;
  if (purpose.kind === 'result') {
    stage.outputs.set(partition, output);
  } else if (purpose.kind === 'shuffle' && output.kind === 'shuffle') {
    if (!known.addMapOutput(purpose.shuffle, partition, output.buckets)) effects.releaseOutput(output);
  } else if (purpose.kind === 'count' && output.kind === 'count') {
    known.addCount(purpose.rdd, partition, output.count);
  } else if (purpose.kind === 'state' && output.kind === 'state') {
    if (!known.states.add(state.request.program, stateNodeOf(state, purpose.rdd), partition, output.link)) effects.releaseOutput(output);
  } else if (purpose.kind === 'bounds' && output.kind === 'records') {
    stage.samples.set(partition, { keys: loadRecords(output.block), records: output.total });
  } else {
    throw new Error(`A task of stage ${stage.key} gave an output of the kind ${output.kind}.`);
  }
}

export function completeStage(state: JobState, stage: StageState, effects: Effects): void {
  const { purpose } = stage;
  if (purpose.kind === 'bounds') {
    const samples = [...stage.samples].sort(([a], [b]) => a - b).map(([, sample]) => sample);
    state.request.known.addBounds(purpose.owner, rangeBounds(samples, partitionsOfRange(state, purpose.owner)));
  }
  for (const other of state.stages.values()) other.waitingFor.delete(stage.key);
  if (purpose.kind !== 'result') return;
  const wanted = state.request.partitions ?? [...stage.outputs.keys()].sort((a, b) => a - b);
  endJob(state, { ok: true, outputs: wanted.map((partition) => stage.outputs.get(partition) as TaskOutput) }, effects);
}

function stateNodeOf(state: JobState, rdd: RddId): StateNode {
  const node = state.lineage.nodes(rdd);
  if (node.kind !== 'state') throw new Error(`RDD ${rdd} is a ${node.kind}, and no state.`);
  return node;
}

function partitionsOfRange(state: JobState, owner: RddId): number {
  return state.lineage.nodes(owner).partitions;
}

export function endJob(state: JobState, end: JobEnd, effects: Effects): void {
  state.ended = end;
  effects.ended = end;
  for (const stage of state.stages.values()) {
    // Whatever ended the job: a version that is not made by now never will be.
    if (!end.ok && stage.purpose.kind === 'state' && !isDone(stage)) {
      state.request.known.states.fail(state.request.program, stateNodeOf(state, stage.purpose.rdd), end.error);
    }
    for (const task of stage.running.keys()) effects.cancel.push(task);
    stage.running.clear();
    stage.pending.clear();
    if (!end.ok) for (const output of stage.outputs.values()) effects.releaseOutput(output);
    stage.outputs.clear();
  }
}

/** RDDs of which something is known, or will be, once the job's stages have run: all of it is forgotten with their batch. */
export function rddsMade({ stages }: JobState): RddId[] {
  return [...stages.values()].flatMap(({ purpose }): RddId[] => {
    switch (purpose.kind) {
      case 'shuffle': return [rddOfShuffle(purpose.shuffle)];
      // Counts and bounds take no shared memory.
      case 'count':
      case 'state': return [purpose.rdd];
      case 'bounds': return [purpose.owner];
      case 'result': return [];
    }
  });
}

export function isDone(stage: StageState): boolean {
  return stage.pending.size === 0 && stage.running.size === 0;
}

export function triesOf(stage: StageState, partition: number): Tries {
  let tries = stage.tries.get(partition);
  if (tries === undefined) stage.tries.set(partition, (tries = { attempts: 0, failures: 0, inputLosses: 0, hostLosses: 0, memoryWaits: 0 }));
  return tries;
}

/** What an event leads to, as it is found out. */
export class Effects {
  readonly stagesCompleted: number[] = [];
  readonly cancel: TaskId[] = [];
  readonly release: Place[] = [];
  ended: JobEnd | null = null;

  releasePlace(place: Place | null): void {
    if (place !== null) this.release.push(place);
  }

  releaseOutput(output: TaskOutput): void {
    if (output.kind === 'shuffle') for (const bucket of output.buckets) this.releasePlace(bucket);
    if (output.kind === 'records') this.releasePlace(output.block.place);
    if (output.kind === 'state') for (const place of placesOfLink(output.link)) this.releasePlace(place);
  }

  releaseReport(report: TaskReport): void {
    this.releaseOutput(report.output);
    for (const { block } of report.stored) this.releasePlace(block.place);
  }

  events(accepted: boolean): JobEvents {
    return { accepted, stagesCompleted: this.stagesCompleted, ended: this.ended, cancel: this.cancel, release: this.release };
  }
}
