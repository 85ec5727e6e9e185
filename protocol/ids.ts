/**
 * Names of things, as branded numbers and strings, so that two kinds of id can't be swapped by mistake.
 *
 * Invariant: an id is unique within one cluster (one `SparkContext`) for as long as that cluster lives; nothing here is
 * unique or counted per process, so that several clusters can live side by side.
 */
declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** One thread of the cluster (or, inline, one logical thread): 0 is the app's, 1 the driver's, then io and workers. Never reused. */
export type HostId = Branded<number, 'HostId'>;
/** One program (one `StreamingContext`) of a cluster. */
export type ProgramId = Branded<number, 'ProgramId'>;
/** One RDD. `makerHost * 2^32 + count`, so that the app and the driver can both make RDDs without asking each other. */
export type RddId = Branded<number, 'RddId'>;
/** One shuffle: the id of the RDD that reads it, times 16, plus which of its parents is written. */
export type ShuffleId = Branded<number, 'ShuffleId'>;
/** One job: an action on an RDD. */
export type JobId = Branded<number, 'JobId'>;
/** One attempt at one task. */
export type TaskId = Branded<number, 'TaskId'>;
/** One input stream of a program: the operator's index in the program's graph. */
export type StreamId = Branded<number, 'StreamId'>;
/** `input-<program>-<stream>-<sequence>` for received blocks, `rdd-<rdd>-<partition>` for persisted partitions. */
export type BlockId = Branded<string, 'BlockId'>;
/** An actor's place in the tree: `/driver/streaming-1/job-generator`. */
export type ActorPath = Branded<string, 'ActorPath'>;

export const asHostId = (value: number): HostId => value as HostId;
export const asProgramId = (value: number): ProgramId => value as ProgramId;
export const asRddId = (value: number): RddId => value as RddId;
export const asJobId = (value: number): JobId => value as JobId;
export const asTaskId = (value: number): TaskId => value as TaskId;
export const asStreamId = (value: number): StreamId => value as StreamId;
export const asBlockId = (value: string): BlockId => value as BlockId;
export const asActorPath = (value: string): ActorPath => value as ActorPath;

/** Parents of one RDD that can be shuffled: the first so many. A shuffle's id has this much room for them. */
export const shuffleParentsMax = 16;

/** The id of the shuffle that feeds parent number `parent` (0 to shuffleParentsMax - 1) of the RDD `rdd`. */
export function shuffleIdOf(rdd: RddId, parent: number): ShuffleId {
  if (parent >= shuffleParentsMax) throw new Error(`A shuffle's id has room for ${shuffleParentsMax} parents; got parent ${parent}, whose id would be another RDD's.`);
  return (rdd * shuffleParentsMax + parent) as ShuffleId;
}

/** The id of the `count`th RDD (from 0) that the thread `host` makes. */
export function rddIdOf(host: HostId, count: number): RddId {
  return (host * 0x1_0000_0000 + count) as RddId;
}

/** The uid of a state that users have no stream of: it goes by the one that they gave to the operator which stands for it. */
export function stateUidOf(uid: string): string {
  return `${uid}/state`;
}
