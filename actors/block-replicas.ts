/**
 * What a block manager knows of the blocks that others store: enough to report them in the place of one that is gone.
 *
 * Invariant: a block is here from the moment its pin is asked for until its block manager says that it is settled, or is gone:
 * then it is given out by `adopt`, once, and from then on it is a block of the one that adopts it.
 *
 *   replicateBlocks --> pinning --pinned--> known --forgetReplicas--> unpinned
 *                                             `--- its manager is gone ---> adopted: replicate, report, unpinned
 */
import type { PutBlock, ToBlockManager } from '../protocol/block.ts';
import type { BlockId } from '../protocol/ids.ts';
import type { ActorRef } from '../protocol/ref.ts';

interface Origin {
  readonly ref: ActorRef<ToBlockManager>;
  readonly life: number;
  gone: boolean;
  readonly pinning: Set<BlockId>;
  readonly known: Map<BlockId, PutBlock>;
}

export class BlockReplicas {
  readonly #origins = new Map<string, Origin>();

  /** Gives the origin's name, for the calls below. */
  pinning(ref: ActorRef<ToBlockManager>, life: number, blocks: readonly PutBlock[]): string {
    const name = nameOf(ref, life);
    let origin = this.#origins.get(name);
    if (origin === undefined) this.#origins.set(name, (origin = { ref, life, gone: false, pinning: new Set(), known: new Map() }));
    for (const { block } of blocks) origin.pinning.add(block.id);
    return name;
  }

  /** These are pinned. `adopted`: their block manager has gone meanwhile; `forgotten`: they are settled already. */
  pinned(name: string, blocks: readonly PutBlock[]): { readonly adopted: readonly PutBlock[]; readonly forgotten: readonly PutBlock[] } {
    const origin = this.#origins.get(name);
    const wanted = blocks.filter(({ block }) => origin?.pinning.delete(block.id) === true);
    const forgotten = blocks.filter((block) => !wanted.includes(block));
    if (origin !== undefined && !origin.gone) {
      for (const put of wanted) origin.known.set(put.block.id, put);
      return { adopted: [], forgotten };
    }
    this.#forgetIfDone(name);
    return { adopted: wanted, forgotten };
  }

  /** Their memory is gone, with the thread that had it. */
  notPinned(name: string, blocks: readonly PutBlock[]): void {
    for (const { block } of blocks) this.#origins.get(name)?.pinning.delete(block.id);
    this.#forgetIfDone(name);
  }

  /** They are settled. Gives those that are pinned. */
  forget(ref: ActorRef<ToBlockManager>, life: number, blocks: readonly BlockId[]): readonly PutBlock[] {
    const origin = this.#origins.get(nameOf(ref, life));
    const known = blocks.flatMap((id) => origin?.known.get(id) ?? []);
    for (const id of blocks) {
      origin?.pinning.delete(id);
      origin?.known.delete(id);
    }
    return known;
  }

  /** One life of a block manager is over: its blocks, life by life in the order of their numbers. */
  adopt(ref: ActorRef<ToBlockManager>): readonly PutBlock[] {
    // Each life is watched and ends once: the oldest is the one that has.
    const [name, origin] = [...this.#origins].find(([, { ref: other, gone }]) => other.host === ref.host && other.cell === ref.cell && !gone) ?? [];
    if (name === undefined || origin === undefined) return [];
    origin.gone = true;
    const blocks = [...origin.known.values()].sort((a, b) => a.epoch - b.epoch || a.sequence - b.sequence);
    origin.known.clear();
    this.#forgetIfDone(name);
    return blocks;
  }

  get size(): number {
    return [...this.#origins.values()].reduce((sum, { pinning, known }) => sum + pinning.size + known.size, 0);
  }

  #forgetIfDone(name: string): void {
    const origin = this.#origins.get(name);
    if (origin?.gone === true && origin.pinning.size === 0) this.#origins.delete(name);
  }
}

function nameOf({ host, cell }: ActorRef<ToBlockManager>, life: number): string {
  return `${host}/${cell}/${life}`;
}
