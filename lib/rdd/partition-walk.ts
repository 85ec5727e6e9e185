/**
 * What the tasks of a stage touch: the (RDD, partition) pairs that can be reached through narrow dependencies.
 *
 *   (rdd, p) --> its parents' partitions --> ... until a shuffle is read, a source, a partition that is known, or state
 *
 * Invariant: each pair is walked once, parents in their order; nothing is looked at beyond a shuffle, nor behind a partition that is known.
 */
import type { BlockRef, RddNode } from '../../protocol/rdd.ts';
import type { RddId, ShuffleId } from '../../protocol/ids.ts';
import type { KnownOutputs } from './known-outputs.ts';

export interface Lineage {
  /** Throws RddReleased. */
  nodes(id: RddId): RddNode;
  readonly known: KnownOutputs;
}

/** What the walk comes to that other stages have to make first, where it is not known. */
export interface Needs {
  shuffle(shuffle: ShuffleId): void;
  /** Throws StateFailed. */
  state(rdd: RddId): void;
  /** The counts of the partitions before the `end`th. */
  counts(rdd: RddId, end: number): void;
}

export class PartitionWalk {
  readonly walked = new Set<RddId>();
  readonly shuffles: { shuffle: ShuffleId; partition: number }[] = [];
  readonly offsets: { rdd: RddId; partition: number; first: number }[] = [];
  readonly cached: { rdd: RddId; partition: number; block: BlockRef }[] = [];
  /** Partitions of sources that hold blocks. */
  readonly sources: { rdd: RddId; partition: number; blocks: readonly BlockRef[] }[] = [];
  readonly states: { rdd: RddId; partition: number }[] = [];
  base: RddId | null = null;
  readonly #lineage: Lineage;
  readonly #needs: Needs;
  readonly #makes: RddId | null;
  readonly #seen = new Map<RddId, Set<number>>();

  /** `makes`: the state that the stage makes, which is walked through; all other state is read. */
  constructor(lineage: Lineage, needs: Needs, makes: RddId | null) {
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
      case 'source': {
        const blocks = node.blocks[partition] ?? [];
        if (blocks.length > 0) this.sources.push({ rdd, partition, blocks });
        return;
      }
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
    const { states } = this.#lineage.known;
    // A window can't follow the one before the one that failed: what entered and left with that would be missing for ever.
    if (node.update.kind === 'window' && node.previous !== null) states.refuseFailed(node.previous);
    this.base = states.baseOf(node);
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
