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
import { sampleLimit } from './partitioner.ts';

export interface Lineage {
  /** Throws RddReleased. */
  nodes(id: RddId): RddNode;
  readonly known: KnownOutputs;
}

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
  // An own stack: lineage can be as long as a user's loop.
  const stack: { readonly draft: StageDraft; readonly parents: readonly StageDraft[]; next: number }[] = [];
  const enter = (draft: StageDraft): void => {
    if (seen.has(draft.key)) return;
    seen.add(draft.key);
    stack.push({ draft, parents: missingParents(lineage, draft), next: 0 });
  };
  for (const draft of drafts) {
    enter(draft);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const parent = top.parents[top.next];
      top.next += 1;
      if (parent !== undefined) {
        enter(parent);
        continue;
      }
      plans.push({ ...top.draft, parents: top.parents.map(({ key }) => key) });
      stack.pop();
    }
  }
  return plans;
}

/** The stages without whose results the stage's tasks can't be made. */
export function missingParents(lineage: Lineage, stage: StageDraft): StageDraft[] {
  const needs = new NeedList(lineage);
  if (stage.sink.kind === 'shuffle') needs.boundsOf(stage.sink.spec);
  const walk = new Walk(lineage, needs, madeBy(stage));
  for (const partition of stage.partitions) walk.partition(stage.rdd, partition);
  return needs.drafts;
}

/** What one task reads; all of it known, else `missing` says which stages come first. */
export interface TaskInputs {
  readonly shuffles: readonly { readonly shuffle: ShuffleId; readonly partition: number }[];
  readonly offsets: readonly { readonly rdd: RddId; readonly partition: number; readonly first: number }[];
  readonly cached: readonly { readonly rdd: RddId; readonly partition: number; readonly block: BlockRef }[];
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
  const walk = new Walk(lineage, needs, makes);
  walk.partition(rdd, partition);
  return { shuffles: walk.shuffles, offsets: walk.offsets, cached: walk.cached, states: walk.states, base: walk.base, walked: walk.walked, missing: needs.drafts };
}

/** The nodes that tasks of these partitions walk, parents first, with the bounds that are known filled in. */
export function stageNodes(lineage: Lineage, rdd: RddId, partitions: readonly number[], makes: RddId | null = null): RddNode[] {
  const walk = new Walk(lineage, new NeedList(lineage), makes);
  for (const partition of partitions) walk.partition(rdd, partition);
  const order: RddNode[] = [];
  const placed = new Set<RddId>();
  const stack: { readonly id: RddId; next: number }[] = [{ id: rdd, next: 0 }];
  placed.add(rdd);
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const node = lineage.nodes(top.id);
    const parent = node.parents[top.next];
    if (parent === undefined) {
      order.push(nodeWithBounds(node, lineage.known));
      stack.pop();
      continue;
    }
    top.next += 1;
    if (!placed.has(parent) && walk.walked.has(parent)) {
      placed.add(parent);
      stack.push({ id: parent, next: 0 });
    }
  }
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
class NeedList {
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

/** Walks (RDD, partition) downwards through narrow dependencies, each once. */
class Walk {
  readonly walked = new Set<RddId>();
  readonly shuffles: { shuffle: ShuffleId; partition: number }[] = [];
  readonly offsets: { rdd: RddId; partition: number; first: number }[] = [];
  readonly cached: { rdd: RddId; partition: number; block: BlockRef }[] = [];
  readonly states: { rdd: RddId; partition: number }[] = [];
  base: RddId | null = null;
  readonly #lineage: Lineage;
  readonly #needs: NeedList;
  readonly #makes: RddId | null;
  readonly #seen = new Map<RddId, Set<number>>();

  /** `makes`: the state that the stage makes, which is walked through; all other state is read. */
  constructor(lineage: Lineage, needs: NeedList, makes: RddId | null) {
    this.#lineage = lineage;
    this.#needs = needs;
    this.#makes = makes;
  }

  partition(rdd: RddId, partition: number): void {
    const stack: [RddId, number][] = [[rdd, partition]];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) this.#step(top[0], top[1], stack);
  }

  /** Parents are pushed last first, so that they are walked in their order. */
  #step(rdd: RddId, partition: number, stack: [RddId, number][]): void {
    if (!this.#enters(rdd, partition)) return;
    this.walked.add(rdd);
    const { known } = this.#lineage;
    const block = known.block(rdd, partition);
    if (block !== null) {
      this.cached.push({ rdd, partition, block });
      return;
    }
    const node = this.#lineage.nodes(rdd);
    switch (node.kind) {
      case 'source':
      case 'textFile':
        return;
      case 'union': {
        let rest = partition;
        for (const parent of node.parents) {
          // Whoever looks for the member counts the partitions of those before it: their nodes are needed, not their parents.
          this.walked.add(parent);
          const { partitions } = this.#lineage.nodes(parent);
          if (rest < partitions) {
            stack.push([parent, rest]);
            return;
          }
          rest -= partitions;
        }
        return;
      }
      case 'coalesce': {
        const group = node.groups[partition] ?? [];
        for (let index = group.length - 1; index >= 0; index -= 1) stack.push([node.parents[0] as RddId, group[index] as number]);
        return;
      }
      case 'cartesian':
        stack.push([node.parents[1] as RddId, partition % node.rightPartitions]);
        stack.push([node.parents[0] as RddId, Math.floor(partition / node.rightPartitions)]);
        return;
      case 'shuffled':
        if (node.narrow) stack.push([node.parents[0] as RddId, partition]);
        else this.#reads(node.shuffle, partition);
        return;
      case 'coGrouped':
        for (let index = node.parents.length - 1; index >= 0; index -= 1) {
          if (node.shuffles[index] === null) stack.push([node.parents[index] as RddId, partition]);
        }
        for (const shuffle of node.shuffles) if (shuffle !== null) this.#reads(shuffle, partition);
        return;
      case 'state':
        if (rdd === this.#makes) this.#makesOf(node, partition, stack);
        else {
          this.#needs.state(rdd);
          this.states.push({ rdd, partition });
        }
        return;
      case 'emitted':
        this.#needs.state(node.parents[0] as RddId);
        return;
      case 'zipWithIndex':
        this.#offset(node, partition);
        stack.push([node.parents[0] as RddId, partition]);
        return;
      default:
        for (let index = node.parents.length - 1; index >= 0; index -= 1) stack.push([node.parents[index] as RddId, partition]);
    }
  }

  #makesOf(node: Extract<RddNode, { kind: 'state' }>, partition: number, stack: [RddId, number][]): void {
    this.base = this.#lineage.known.states.baseOf(node);
    if (this.base !== null) this.#needs.state(this.base);
    else if (node.initial !== null) stack.push([node.initial, partition]);
    if (node.input !== null) stack.push([node.input, partition]);
  }

  #reads(shuffle: ShuffleId, partition: number): void {
    this.shuffles.push({ shuffle, partition });
    this.#needs.shuffle(shuffle);
  }

  #offset(node: RddNode, partition: number): void {
    const parent = node.parents[0] as RddId;
    this.#needs.counts(parent, partition);
    let first = 0;
    for (let before = 0; before < partition; before += 1) first += this.#lineage.known.count(parent, before) ?? 0;
    this.offsets.push({ rdd: node.id, partition, first });
  }

  #enters(rdd: RddId, partition: number): boolean {
    let partitions = this.#seen.get(rdd);
    if (partitions === undefined) this.#seen.set(rdd, (partitions = new Set()));
    if (partitions.has(partition)) return false;
    partitions.add(partition);
    return true;
  }
}

/** One of the nodes that a job was told. Throws RddReleased. */
export function nodeOf(nodes: ReadonlyMap<RddId, RddNode>, rdd: RddId): RddNode {
  const node = nodes.get(rdd);
  if (node !== undefined) return node;
  throw new MillraceError('RddReleased', `RDD ${rdd} is not known: its batch is over. Use an RDD only until the promise that foreachRDD's function returned has settled.`, { details: { rdd } });
}
