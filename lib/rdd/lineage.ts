/**
 * Cutting lineage into stages. Pure: looks at nodes and at what is known, changes nothing.
 *
 * A stage is all that can run as one loop per partition: it ends at a shuffle's write or at the job's own sink, and begins
 * where a shuffle is read, a source is read, or a persisted partition is known. Some kinds of inner stage come before the stage
 * that needs them: `bounds` samples keys for a range partitioner, `count` counts partitions for `zipWithIndex`. A version of keyed
 * state is a stage of its own, too: all its partitions are made before any is read.
 *
 *   source -> map ==shuffle 1==> shuffled -> sortByKey's parent ==shuffle 2==> shuffled (sorted) -> collect
 *   `- stage: shuffle 1 -'       `--- stage: bounds ---'
 *                                `--- stage: shuffle 2 (needs the bounds) ---'  `--- stage: result ---'
 *
 * Invariant: stages come parents first; a stage's nodes come parents first, its own RDD last, and hold nothing beyond a
 * shuffle nor behind a partition that is known.
 */
import type { BlockRef, PartitionerSpec, RddNode, Sink } from '../../protocol/rdd.ts';
import type { RddId, ShuffleId } from '../../protocol/ids.ts';
import { MillraceError } from '../../protocol/errors.ts';
import type { KnownOutputs } from './known-outputs.ts';
import { parentOfShuffle, rddOfShuffle } from './known-outputs.ts';
import { parentsFirst } from '../base/parents-first.ts';
import { PartitionWalk } from './partition-walk.ts';
import type { Lineage, Needs } from './partition-walk.ts';
import { sampleLimit } from './partitioner.ts';

/** What a stage makes; one stage of a job for each. */
export type StageKey = 'result' | `shuffle ${number}` | `bounds ${number}` | `count ${number}` | `state ${number}`;

export type StagePurpose =
  | { readonly kind: 'result' }
  | { readonly kind: 'shuffle'; readonly shuffle: ShuffleId }
  /** Of the range partitioner owned by `owner`. */
  | { readonly kind: 'bounds'; readonly owner: RddId }
  | { readonly kind: 'count'; readonly rdd: RddId }
  /** All partitions of a version of keyed state: nothing reads it before. */
  | { readonly kind: 'state'; readonly rdd: RddId };

export interface StagePlan {
  readonly key: StageKey;
  readonly purpose: StagePurpose;
  readonly rdd: RddId;
  /** Range bounds not filled in: see `withBounds`. */
  readonly sink: Sink;
  /** Those that have to run. */
  readonly partitions: readonly number[];
  /** Must be complete before. */
  readonly parents: readonly StageKey[];
}

/** All stages that a job needs, given what is known. The last one is the result. */
export function cutStages(lineage: Lineage, target: RddId, partitions: readonly number[] | null, sink: Sink): StagePlan[] {
  const wanted = partitions ?? Array.from({ length: lineage.nodes(target).partitions }, (_, partition) => partition);
  return stagesFor(lineage, [{ key: 'result', purpose: { kind: 'result' }, rdd: target, sink, partitions: wanted }]);
}

export type StageDraft = Omit<StagePlan, 'parents'>;

/** The drafts and all stages that they need, parents first. */
export function stagesFor(lineage: Lineage, drafts: readonly StageDraft[]): StagePlan[] {
  const plans: StagePlan[] = [];
  const seen = new Set<StageKey>();
  parentsFirst<StageDraft>(
    drafts,
    (draft) => {
      if (seen.has(draft.key)) return null;
      seen.add(draft.key);
      return missingParents(lineage, draft);
    },
    (draft, parents) => void plans.push({ ...draft, parents: parents.map(({ key }) => key) }),
  );
  return plans;
}

/** The stages without whose results the stage's tasks can't be made. */
export function missingParents(lineage: Lineage, stage: StageDraft): StageDraft[] {
  const needs = new NeedList(lineage);
  if (stage.sink.kind === 'shuffle') needs.boundsOf(stage.sink.spec);
  const walk = new PartitionWalk(lineage, needs, madeBy(stage));
  for (const partition of stage.partitions) walk.partition(stage.rdd, partition);
  return needs.drafts;
}

/** What one task reads; all of it known, else `missing` says which stages come first. */
export interface TaskInputs {
  readonly shuffles: readonly { readonly shuffle: ShuffleId; readonly partition: number }[];
  readonly offsets: readonly { readonly rdd: RddId; readonly partition: number; readonly first: number }[];
  readonly cached: readonly { readonly rdd: RddId; readonly partition: number; readonly block: BlockRef }[];
  readonly sources: readonly { readonly rdd: RddId; readonly partition: number; readonly blocks: readonly BlockRef[] }[];
  /** State that it reads, and the version that a new one starts from. */
  readonly states: readonly { readonly rdd: RddId; readonly partition: number }[];
  readonly base: RddId | null;
  /** The RDDs whose nodes the task needs. */
  readonly walked: ReadonlySet<RddId>;
  readonly missing: readonly StageDraft[];
}

/** `makes`: see `madeBy`. */
export function taskInputs(lineage: Lineage, rdd: RddId, partition: number, makes: RddId | null = null): TaskInputs {
  const needs = new NeedList(lineage);
  const walk = new PartitionWalk(lineage, needs, makes);
  walk.partition(rdd, partition);
  return { shuffles: walk.shuffles, offsets: walk.offsets, cached: walk.cached, sources: walk.sources, states: walk.states, base: walk.base, walked: walk.walked, missing: needs.drafts };
}

/** The nodes that tasks of these partitions walk, parents first, with the bounds that are known filled in. */
export function stageNodes(lineage: Lineage, rdd: RddId, partitions: readonly number[], makes: RddId | null = null): RddNode[] {
  const walk = new PartitionWalk(lineage, new NeedList(lineage), makes);
  for (const partition of partitions) walk.partition(rdd, partition);
  const order: RddNode[] = [];
  const placed = new Set<RddId>();
  parentsFirst<RddId>(
    [rdd],
    (id) => {
      if (placed.has(id) || (id !== rdd && !walk.walked.has(id))) return null;
      placed.add(id);
      return lineage.nodes(id).parents;
    },
    (id) => void order.push(nodeWithBounds(lineage.nodes(id), lineage.known)),
  );
  return order;
}

/** Fills in the bounds of a range partitioner, where they are known. */
export function withBounds(spec: PartitionerSpec, known: KnownOutputs): PartitionerSpec {
  if (spec.kind !== 'range' || spec.bounds !== null) return spec;
  const bounds = known.bounds(spec.owner);
  return bounds === null ? spec : { ...spec, bounds };
}

function nodeWithBounds(node: RddNode, known: KnownOutputs): RddNode {
  if (node.kind !== 'shuffled' && node.kind !== 'coGrouped') return node;
  const spec = withBounds(node.spec, known);
  return spec === node.spec ? node : { ...node, spec };
}

/** The stage that writes a shuffle: the reader's parent, with the reader's partitioner and (for shuffled) its combiner. */
export function shuffleWriter(lineage: Lineage, shuffle: ShuffleId): StageDraft | null {
  const { known } = lineage;
  const reader = lineage.nodes(rddOfShuffle(shuffle));
  if (reader.kind !== 'shuffled' && reader.kind !== 'coGrouped') throw new Error(`RDD ${reader.id} (${reader.kind}) reads no shuffle.`);
  const rdd = reader.parents[parentOfShuffle(shuffle)] as RddId;
  const partitions: number[] = [];
  const count = lineage.nodes(rdd).partitions;
  for (let partition = 0; partition < count; partition += 1) if (known.mapOutput(shuffle, partition) === null) partitions.push(partition);
  if (partitions.length === 0) return null;
  const combine = reader.kind === 'shuffled' && reader.mapSideCombine ? reader.aggregator : null;
  const sink: Sink = { kind: 'shuffle', shuffle, spec: reader.spec, combine, keyed: reader.spec.kind !== 'roundRobin', operator: reader.operator, ...(reader.batchTime === undefined ? {} : { batchTime: reader.batchTime }) };
  return { key: `shuffle ${shuffle}`, purpose: { kind: 'shuffle', shuffle }, rdd, sink, partitions };
}

/** The state that a stage makes; null: it makes none, and only reads state. */
export function madeBy({ purpose }: Pick<StageDraft, 'purpose'>): RddId | null {
  return purpose.kind === 'state' ? purpose.rdd : null;
}

/** Stages that are missing, each once. */
class NeedList implements Needs {
  readonly drafts: StageDraft[] = [];
  readonly #lineage: Lineage;
  readonly #asked = new Set<StageKey>();

  constructor(lineage: Lineage) {
    this.#lineage = lineage;
  }

  shuffle(shuffle: ShuffleId): void {
    if (!this.#asks(`shuffle ${shuffle}`)) return;
    const draft = shuffleWriter(this.#lineage, shuffle);
    if (draft !== null) this.drafts.push(draft);
  }

  /** Throws StateFailed. */
  state(rdd: RddId): void {
    const { known } = this.#lineage;
    known.states.refuseFailed(rdd);
    if (!this.#asks(`state ${rdd}`) || known.states.isMade(rdd)) return;
    const partitions: number[] = [];
    const count = this.#lineage.nodes(rdd).partitions;
    for (let partition = 0; partition < count; partition += 1) if (!known.states.isPartitionMade(rdd, partition)) partitions.push(partition);
    this.drafts.push({ key: `state ${rdd}`, purpose: { kind: 'state', rdd }, rdd, sink: { kind: 'state' }, partitions });
  }

  boundsOf(spec: PartitionerSpec): void {
    if (spec.kind !== 'range' || spec.bounds !== null || spec.partitions <= 1 || !this.#asks(`bounds ${spec.owner}`)) return;
    const { known } = this.#lineage;
    if (known.bounds(spec.owner) !== null) return;
    const rdd = this.#lineage.nodes(spec.owner).parents[0] as RddId;
    const { partitions } = this.#lineage.nodes(rdd);
    this.drafts.push({
      key: `bounds ${spec.owner}`,
      purpose: { kind: 'bounds', owner: spec.owner },
      rdd,
      sink: { kind: 'sampleKeys', limit: sampleLimit(spec.partitions, partitions), operator: this.#lineage.nodes(spec.owner).operator },
      partitions: Array.from({ length: partitions }, (_, partition) => partition),
    });
  }

  /** The counts of the partitions before the `end`th of a `zipWithIndex` node's parent. All but the last are counted at once. */
  counts(rdd: RddId, end: number): void {
    const { known } = this.#lineage;
    if (end === 0 || !this.#asks(`count ${rdd}`)) return;
    const partitions: number[] = [];
    const last = this.#lineage.nodes(rdd).partitions - 1;
    for (let partition = 0; partition < last; partition += 1) if (known.count(rdd, partition) === null) partitions.push(partition);
    if (partitions.length > 0) this.drafts.push({ key: `count ${rdd}`, purpose: { kind: 'count', rdd }, rdd, sink: { kind: 'count' }, partitions });
  }

  #asks(key: StageKey): boolean {
    if (this.#asked.has(key)) return false;
    this.#asked.add(key);
    return true;
  }
}

/** One of the nodes that a job was told. Throws RddReleased. */
export function nodeOf(nodes: ReadonlyMap<RddId, RddNode>, rdd: RddId): RddNode {
  const node = nodes.get(rdd);
  if (node !== undefined) return node;
  throw new MillraceError('RddReleased', `RDD ${rdd} is not known: its batch is over. Use an RDD only until the promise that foreachRDD's function returned has settled.`, { details: { rdd } });
}
