/**
 * What the cluster has already computed: map outputs of shuffles, persisted partitions, record counts, range bounds. Kept by
 * the caller over the jobs of a batch (and, for persisted RDDs, beyond); read when a job is planned and a task is made.
 *
 * Invariant: an entry names bytes that can be read, as far as anyone knows; the first result for a place stays, a later equal
 * one is refused and its bytes are the caller's to give back. Bounds and counts of an RDD never change once they are known,
 * so that each computation of it lays records out alike.
 *
 *   shuffles:  ShuffleId -> [map partition] -> [reducer] -> bucket
 *   blocks:    RddId     -> [partition]     -> block
 */
import type { BlockRef, BucketRef, SharedHandle } from '../../protocol/rdd.ts';
import { shuffleParentsMax } from '../../protocol/ids.ts';
import type { RddId, ShuffleId } from '../../protocol/ids.ts';
import { StateBook } from './state/state-book.ts';

/** Where bytes lie: memory or a file. What is given back is named by this. */
export type Place = NonNullable<BucketRef>;

interface MapOutput {
  readonly buckets: readonly BucketRef[];
  readonly version: number;
}

interface StoredBlock {
  readonly block: BlockRef;
  readonly version: number;
}

export interface KnownCounts {
  readonly mapOutputs: number;
  /** Persisted partitions, and those of them that lie in memory. */
  readonly blocks: number;
  readonly blocksInMemory: number;
  /** Of persisted partitions. */
  readonly memoryBytes: number;
  readonly diskBytes: number;
  /** RDDs of which anything is known. */
  readonly rdds: number;
  /** Map outputs and steps of state of which something lies in a file. */
  readonly outputsOnDisk: number;
}

export class KnownOutputs {
  /** Versions of keyed state. */
  readonly states = new StateBook();
  readonly #shuffles = new Map<ShuffleId, (MapOutput | undefined)[]>();
  readonly #blocks = new Map<RddId, (StoredBlock | undefined)[]>();
  readonly #counts = new Map<RddId, (number | undefined)[]>();
  readonly #bounds = new Map<RddId, Uint8Array>();
  /** Places of lost outputs that other tasks may still be reading: given back with the RDD. */
  readonly #superseded = new Map<RddId, Place[]>();
  #version = 0;

  /** Grows with each entry: an input named as missing by a task made before the entry is not this entry. */
  get version(): number {
    return this.#version;
  }

  /** The buckets that one map task wrote, by reducer; null where it has to run. */
  mapOutput(shuffle: ShuffleId, mapPartition: number): readonly BucketRef[] | null {
    return this.#shuffles.get(shuffle)?.[mapPartition]?.buckets ?? null;
  }

  /** False: there is one already, and these buckets are nobody's. */
  addMapOutput(shuffle: ShuffleId, mapPartition: number, buckets: readonly BucketRef[]): boolean {
    const outputs = listOf(this.#shuffles, shuffle);
    if (outputs[mapPartition] !== undefined) return false;
    outputs[mapPartition] = { buckets, version: (this.#version += 1) };
    return true;
  }

  /** Forgets a lost map output, unless it is newer than `seenAt`. */
  dropMapOutput(shuffle: ShuffleId, mapPartition: number, seenAt: number): void {
    const outputs = this.#shuffles.get(shuffle);
    const lost = outputs?.[mapPartition];
    if (outputs === undefined || lost === undefined || lost.version > seenAt) return;
    outputs[mapPartition] = undefined;
    const places = listOf(this.#superseded, rddOfShuffle(shuffle));
    for (const bucket of lost.buckets) if (bucket !== null) places.push(bucket);
  }

  /** The buckets in memory, a row for each slab of each map task. */
  *bucketsInMemory(): Iterable<{ readonly shuffle: ShuffleId; readonly mapPartition: number; readonly handles: readonly SharedHandle[] }> {
    for (const [shuffle, outputs] of this.#shuffles) {
      for (const [mapPartition, output] of outputs.entries()) {
        for (const handles of bySlab(output?.buckets ?? [])) yield { shuffle, mapPartition, handles };
      }
    }
  }

  /** Buckets of one map task lie elsewhere from now on. False: they were not known to lie at `from`. */
  moveBuckets(shuffle: ShuffleId, mapPartition: number, from: readonly SharedHandle[], to: readonly Place[]): boolean {
    const outputs = this.#shuffles.get(shuffle);
    const output = outputs?.[mapPartition];
    if (outputs === undefined || output === undefined || from.length !== to.length) return false;
    const buckets = [...output.buckets];
    for (const [index, handle] of from.entries()) {
      const reducer = buckets.indexOf(handle);
      if (reducer < 0) return false;
      buckets[reducer] = to[index] as Place;
    }
    outputs[mapPartition] = { buckets, version: (this.#version += 1) };
    return true;
  }

  /** A persisted partition. */
  block(rdd: RddId, partition: number): BlockRef | null {
    return this.#blocks.get(rdd)?.[partition]?.block ?? null;
  }

  addBlock(rdd: RddId, partition: number, block: BlockRef): boolean {
    const blocks = listOf(this.#blocks, rdd);
    if (blocks[partition] !== undefined) return false;
    blocks[partition] = { block, version: (this.#version += 1) };
    return true;
  }

  /** Forgets a lost block, unless it is newer than `seenAt`. False: there was none, so nothing can be made again. */
  dropBlock(rdd: RddId, partition: number, seenAt: number): boolean {
    const blocks = this.#blocks.get(rdd);
    const lost = blocks?.[partition];
    if (blocks === undefined || lost === undefined) return false;
    if (lost.version > seenAt) return true;
    blocks[partition] = undefined;
    if (lost.block.place !== null) listOf(this.#superseded, rdd).push(lost.block.place);
    return true;
  }

  /** Forgets a block whose memory is wanted for others; it can be computed again. False: the partition is known by other bytes, or not at all. */
  evictBlock(rdd: RddId, partition: number, place: Place): boolean {
    const blocks = this.#blocks.get(rdd);
    if (blocks === undefined || !isPlace(blocks[partition], place)) return false;
    blocks[partition] = undefined;
    return true;
  }

  /** The block's bytes lie elsewhere from now on. False: they were not known to lie at `from`. */
  moveBlock(rdd: RddId, partition: number, from: Place, to: Place): boolean {
    const blocks = this.#blocks.get(rdd);
    const stored = blocks?.[partition];
    if (blocks === undefined || stored === undefined || !isPlace(stored, from)) return false;
    blocks[partition] = { block: { ...stored.block, place: to }, version: (this.#version += 1) };
    return true;
  }

  /** How much is known: what must not grow from batch to batch. */
  counts(): KnownCounts {
    const counts = { mapOutputs: 0, blocks: 0, blocksInMemory: 0, memoryBytes: 0, diskBytes: 0, rdds: 0, outputsOnDisk: this.states.stepsOnDisk };
    for (const outputs of this.#shuffles.values()) {
      for (const output of outputs) {
        if (output === undefined) continue;
        counts.mapOutputs += 1;
        if (output.buckets.some((bucket) => bucket !== null && 'file' in bucket)) counts.outputsOnDisk += 1;
      }
    }
    for (const blocks of this.#blocks.values()) {
      for (const stored of blocks) {
        if (stored === undefined) continue;
        counts.blocks += 1;
        const { place } = stored.block;
        if (place === null) continue;
        if ('slab' in place) counts.blocksInMemory += 1;
        counts['slab' in place ? 'memoryBytes' : 'diskBytes'] += place.bytes;
      }
    }
    counts.rdds = new Set([...this.#blocks.keys(), ...this.#counts.keys(), ...this.#bounds.keys(), ...this.#superseded.keys(), ...[...this.#shuffles.keys()].map(rddOfShuffle)]).size;
    return counts;
  }

  /** The number of records of a partition, where a `zipWithIndex` above has had it counted. */
  count(rdd: RddId, partition: number): number | null {
    return this.#counts.get(rdd)?.[partition] ?? null;
  }

  addCount(rdd: RddId, partition: number, count: number): void {
    const counts = listOf(this.#counts, rdd);
    counts[partition] ??= count;
  }

  /** Encoded bounds of the range partitioner that `owner` owns. */
  bounds(owner: RddId): Uint8Array | null {
    return this.#bounds.get(owner) ?? null;
  }

  addBounds(owner: RddId, bounds: Uint8Array): void {
    if (!this.#bounds.has(owner)) this.#bounds.set(owner, bounds);
  }

  /** Forgets the stored partitions of an RDD that is no longer persisted. The places are to be given back. */
  forgetBlocks(rdd: RddId): Place[] {
    const places: Place[] = [];
    for (const stored of this.#blocks.get(rdd) ?? []) if (stored !== undefined && stored.block.place !== null) places.push(stored.block.place);
    this.#blocks.delete(rdd);
    return places;
  }

  /** Forgets all about RDDs whose time is over. The places are to be given back, once no task reads them. */
  forgetRdds(rdds: readonly RddId[]): Place[] {
    const places = this.states.forget(rdds);
    for (const rdd of rdds) {
      for (const place of this.forgetBlocks(rdd)) places.push(place);
      for (const place of this.#superseded.get(rdd) ?? []) places.push(place);
      this.#superseded.delete(rdd);
      this.#counts.delete(rdd);
      this.#bounds.delete(rdd);
      for (let parent = 0; parent < shuffleParentsMax; parent += 1) {
        const shuffle = (rdd * shuffleParentsMax + parent) as ShuffleId;
        for (const output of this.#shuffles.get(shuffle) ?? []) {
          for (const bucket of output?.buckets ?? []) if (bucket !== null) places.push(bucket);
        }
        this.#shuffles.delete(shuffle);
      }
    }
    return places;
  }

  /** All places named here: what a dead host's memory must keep. */
  places(): Place[] {
    const places: Place[] = [...[...this.#superseded.values()].flat(), ...this.states.places()];
    for (const outputs of this.#shuffles.values()) {
      for (const output of outputs) for (const bucket of output?.buckets ?? []) if (bucket !== null) places.push(bucket);
    }
    for (const blocks of this.#blocks.values()) {
      for (const stored of blocks) if (stored !== undefined && stored.block.place !== null) places.push(stored.block.place);
    }
    return places;
  }
}

/** The RDD that reads the shuffle. */
export function rddOfShuffle(shuffle: ShuffleId): RddId {
  return Math.floor(shuffle / shuffleParentsMax) as RddId;
}

/** Which of its parents is written. */
export function parentOfShuffle(shuffle: ShuffleId): number {
  return shuffle % shuffleParentsMax;
}

function isPlace(stored: StoredBlock | undefined, place: Place): boolean {
  const known = stored?.block.place ?? null;
  if (known === null) return false;
  if ('slab' in known) return 'slab' in place && known.slab === place.slab && known.offset === place.offset && known.generation === place.generation;
  return 'file' in place && known.file === place.file && known.offset === place.offset;
}

/** The handles among the places, those of one slab together. */
export function bySlab(places: readonly BucketRef[]): SharedHandle[][] {
  const slabs = new Map<number, SharedHandle[]>();
  for (const place of places) {
    if (place === null || !('slab' in place)) continue;
    const handles = slabs.get(place.slab);
    if (handles === undefined) slabs.set(place.slab, [place]);
    else handles.push(place);
  }
  return [...slabs.values()];
}

function listOf<K, V>(map: Map<K, V[]>, key: K): V[] {
  let list = map.get(key);
  if (list === undefined) map.set(key, (list = []));
  return list;
}
