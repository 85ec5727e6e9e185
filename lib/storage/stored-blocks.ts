/**
 * The blocks that may leave shared memory: partitions of persisted RDDs and blocks of sources; who reads them now, and where
 * blocks of sources went that have left.
 *
 *              keep                    choose                      moved
 *   (nothing) ------> resident ------------------> moving ------------------> on disk; its memory goes back with the last pin
 *                        |   ^                       |
 *                        |   `------ not moved ------'
 *                        `--- choose (may not go to the disk): dropped, at once
 *
 * Invariant: memory is named for giving back only when no pin is left, and once. A source's block keeps its handle as its name
 * for as long as it is known: lineage that was written down before the move is translated by `placeOf`.
 */
import type { Scope } from '../../protocol/block.ts';
import type { ProgramId, RddId } from '../../protocol/ids.ts';
import type { BlockRef, SharedHandle } from '../../protocol/rdd.ts';
import { chooseEvictions } from './eviction.ts';
import type { Evictable, Wanted } from './eviction.ts';

export type FilePlace = Extract<NonNullable<BlockRef['place']>, { readonly file: string }>;

export interface StoredBlock extends Evictable {
  readonly handle: SharedHandle;
  /** Of a persisted RDD; -1 for a block of a source. */
  readonly partition: number;
  /** The RDDs that name it. */
  readonly owners: Set<RddId>;
  readonly program: ProgramId | null;
  /** Where the ledger holds it. */
  readonly scope: Scope;
  /** False: it is dropped, since lineage can make it again. */
  toDisk: boolean;
  mayGo: boolean;
  lastUse: number;
  pins: number;
  expected: number;
  phase: 'resident' | 'moving' | 'leaving';
}

/** What to do once a block's bytes lie in a file, or could not be written. */
export type Moved =
  /** Nobody knows the block any more: the file is to be removed. */
  | { readonly kind: 'forgotten' }
  | { readonly kind: 'kept'; readonly block: StoredBlock }
  /** `release`: its memory goes back now; else with its last pin. */
  | { readonly kind: 'moved'; readonly block: StoredBlock; readonly release: boolean };

export class StoredBlocks {
  readonly #blocks = new Map<string, StoredBlock>();
  readonly #onDisk = new Map<string, { readonly place: FilePlace; readonly owners: Set<RddId>; readonly program: ProgramId | null }>();
  #uses = 0;

  /** A partition of a persisted RDD, in memory. */
  keepPartition(rdd: RddId, partition: number, handle: SharedHandle, program: ProgramId | null, scope: Scope, toDisk: boolean): void {
    this.#keep({ rdd, partition, owners: new Set([rdd]), handle, program, scope, toDisk });
  }

  /** A block of a source, which some task is to read, or whose records the app or the program gave: it can't be made again, so it goes to the disk. */
  keepSource(rdd: RddId, handle: SharedHandle, program: ProgramId | null, scope: Scope): void {
    const key = keyOf(handle);
    const known = this.#blocks.get(key) ?? this.#onDisk.get(key);
    if (known === undefined) this.#keep({ rdd: null, partition: -1, owners: new Set([rdd]), handle, program, scope, toDisk: true });
    else known.owners.add(rdd);
  }

  /** Where the bytes lie now that lay under the handle. */
  placeOf(handle: SharedHandle): SharedHandle | FilePlace {
    return this.#onDisk.size === 0 ? handle : (this.#onDisk.get(keyOf(handle))?.place ?? handle);
  }

  /** A task that is to read these was made, and waits for its turn. */
  expect(handles: readonly SharedHandle[]): void {
    this.#expectBy(handles, 1);
  }

  /** Its turn has come, or never will. */
  unexpect(handles: readonly SharedHandle[]): void {
    this.#expectBy(handles, -1);
  }

  /** A task is about to read these. */
  pin(handles: readonly SharedHandle[]): void {
    for (const handle of handles) {
      const block = this.#blocks.get(keyOf(handle));
      if (block === undefined) continue;
      block.pins += 1;
      block.lastUse = this.#uses += 1;
    }
  }

  /** It has ended. The blocks whose memory goes back now. */
  unpin(handles: readonly SharedHandle[]): StoredBlock[] {
    const released: StoredBlock[] = [];
    for (const handle of handles) {
      const block = this.#blocks.get(keyOf(handle));
      if (block === undefined) continue;
      block.pins -= 1;
      if (block.pins > 0 || block.phase !== 'leaving') continue;
      this.#blocks.delete(keyOf(handle));
      released.push(block);
    }
    return released;
  }

  /** A moment that is later than all uses before it. */
  use(): number {
    return (this.#uses += 1);
  }

  /**
   * What makes room, by whole slabs, of these blocks and of `others`. Blocks that may not go to the disk are forgotten here; the other
   * blocks are moving from now on.
   */
  choose<Other extends Evictable>(wanted: Wanted, others: readonly Other[] = []): { readonly drop: readonly StoredBlock[]; readonly move: readonly StoredBlock[]; readonly others: readonly Other[] } {
    const set: ReadonlySet<unknown> = new Set(others);
    const all = chooseEvictions<StoredBlock | Other>([...this.#blocks.values(), ...others], wanted);
    const chosen = all.filter((one): one is StoredBlock => !set.has(one));
    const drop = chosen.filter(({ toDisk }) => !toDisk);
    const move = chosen.filter(({ toDisk }) => toDisk);
    for (const { handle } of drop) this.#blocks.delete(keyOf(handle));
    for (const block of move) block.phase = 'moving';
    return { drop, move, others: all.filter((one): one is Other => set.has(one)) };
  }

  /** The end of a move; null: it could not be written, and is not tried again. */
  moved(handle: SharedHandle, place: FilePlace | null): Moved {
    const key = keyOf(handle);
    const block = this.#blocks.get(key);
    if (block === undefined || block.phase !== 'moving') return { kind: 'forgotten' };
    if (place === null) {
      block.phase = 'resident';
      block.toDisk = false;
      block.mayGo = block.rdd !== null;
      return { kind: 'kept', block };
    }
    if (block.rdd === null) this.#onDisk.set(key, { place, owners: block.owners, program: block.program });
    block.phase = 'leaving';
    if (block.pins === 0) this.#blocks.delete(key);
    return { kind: 'moved', block, release: block.pins === 0 };
  }

  /** These RDDs are over. Others give the memory back; the files of sources' blocks are the caller's to remove. */
  forget(rdds: readonly RddId[]): string[] {
    const over = new Set(rdds);
    return this.#forget(({ owners }) => {
      for (const owner of owners) if (over.has(owner)) owners.delete(owner);
      return owners.size === 0;
    });
  }

  /** The RDD is no longer persisted, and goes on. */
  forgetPartitions(rdd: RddId): void {
    for (const [key, block] of this.#blocks) if (block.rdd === rdd && block.phase !== 'leaving') this.#blocks.delete(key);
  }

  forgetProgram(program: ProgramId): string[] {
    return this.#forget((block) => block.program === program);
  }

  get resident(): number {
    return this.#blocks.size;
  }

  /** Blocks of sources that lie on disk. */
  get onDisk(): number {
    return this.#onDisk.size;
  }

  #expectBy(handles: readonly SharedHandle[], tasks: 1 | -1): void {
    for (const handle of handles) {
      const block = this.#blocks.get(keyOf(handle));
      if (block !== undefined) block.expected += tasks;
    }
  }

  #keep(block: Pick<StoredBlock, 'rdd' | 'partition' | 'owners' | 'handle' | 'program' | 'scope' | 'toDisk'>): void {
    this.#blocks.set(keyOf(block.handle), { ...block, slab: block.handle.slab, bytes: block.handle.bytes, mayGo: true, lastUse: (this.#uses += 1), pins: 0, expected: 0, phase: 'resident' });
  }

  #forget(isOver: (block: { readonly owners: Set<RddId>; readonly program: ProgramId | null }) => boolean): string[] {
    const files: string[] = [];
    for (const [key, block] of this.#blocks) {
      // The memory of one that is leaving is no longer known to anybody else: it waits for its last pin.
      if (isOver(block) && block.phase !== 'leaving') this.#blocks.delete(key);
    }
    for (const [key, moved] of this.#onDisk) {
      if (!isOver(moved)) continue;
      this.#onDisk.delete(key);
      files.push(moved.place.file);
    }
    return files;
  }
}

/** Unlike slab and offset, with the generation it is never used again. */
function keyOf({ slab, offset, generation }: SharedHandle): string {
  return `${slab}/${offset}/${generation}`;
}
