/**
 * RDDs as plain data: what the driver tells a worker about a batch's lineage.
 *
 * Invariant: a node is immutable plain data that survives structured clone. It never holds a function, only a
 * `FunctionRef` that every thread of the cluster resolves to the same closure (each has built the same program).
 *
 *   text blocks --> flatMap --> map ==shuffle==> shuffled --> mapValues --> (sink)
 *   `------------- stage 0 ---------'           `------------ stage 1 -------'
 */
import type { BatchTime } from './time.ts';
import type { BlockId, ProgramId, RddId, ShuffleId } from './ids.ts';

/** The name of a user's (or our own) function. Resolved by `FunctionResolver` on the thread that needs it. */
export type FunctionRef =
  /**
   * One of our own, by its name in lib/rdd/derived-functions.ts. `over`: the functions it is built around (keyBy's f); `value`: one
   * encoded record it is built with (a zero value). Where either is given, the name is of a maker there.
   */
  | { readonly kind: 'builtin'; readonly name: string; readonly over?: readonly FunctionRef[]; readonly value?: Uint8Array }
  /** The `index`th function that the program handed over while its graph was built (operators' functions and `ssc.task`). */
  | { readonly kind: 'program'; readonly program: ProgramId; readonly index: number }
  /** The `index`th function made by one call of a `transform` function: found by replaying that call. */
  | { readonly kind: 'batch'; readonly program: ProgramId; readonly operator: number; readonly time: BatchTime; readonly index: number }
  /** `master: 'inline'` only: a closure of this very thread, by its number in the cluster's table. */
  | { readonly kind: 'local'; readonly index: number };

/** Bytes in shared memory: numbers only. `generation` must match the slab's at every read, else the handle is stale. */
export interface SharedHandle {
  readonly slab: number;
  readonly offset: number;
  readonly bytes: number;
  readonly generation: number;
}

/** A range of a file. */
export interface FilePlace {
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
  /** In a file of the log, which holds other things, too: its writer alone removes it, whoever else forgets the place. */
  readonly durable?: true;
}

/** How a block's bytes are read. `text`: utf8 lines, each ended by \n; `records`: the record codec's segments. */
export type BlockCodec = 'text' | 'records';

/** A block, wherever it lies. `records` is -1 where nobody has counted. A null place is an empty block. */
export interface BlockRef {
  readonly id: BlockId;
  readonly codec: BlockCodec;
  readonly place: SharedHandle | FilePlace | null;
  readonly records: number;
  /** How the bytes were made smaller; left out: they lie as the codec has made them. Only of persisted partitions. */
  readonly compression?: 'deflate';
}

/** Keys to partitions. Two equal specs put equal keys into the same partition number. */
export type PartitionerSpec =
  /** Key bucket (0..4095) by the versioned key hash; partition = floor(bucket * partitions / 4096). */
  | { readonly kind: 'hash'; readonly partitions: number }
  /** Sorted upper bounds (an encoded array of keys, partitions - 1 of them); filled in by an inner sampling stage. */
  | { readonly kind: 'range'; readonly partitions: number; readonly ascending: boolean; readonly bounds: Uint8Array | null; readonly owner: RddId }
  /** No keys: record i of map partition p goes to (p + i) mod partitions. */
  | { readonly kind: 'roundRobin'; readonly partitions: number };

/** How values of one key become one. Functions as in `combineByKey`. */
export interface AggregatorSpec {
  readonly createCombiner: FunctionRef;
  readonly mergeValue: FunctionRef;
  readonly mergeCombiners: FunctionRef;
  /** Of `createCombiner` and `mergeValue`, which see one record's value; `mergeCombiners` sees many records' and always fails. */
  readonly onError?: RecordPolicy;
}

/** What becomes of a record whose function throws, other than the task's failure: see docs/PROGRAMS.md. */
export type RecordPolicy = 'skip' | 'deadLetter';

/** Spark's storage levels as flags. `null` in a node: not persisted. */
export interface StorageLevel {
  readonly useMemory: boolean;
  readonly useDisk: boolean;
  readonly useOffHeap: boolean;
  readonly deserialized: boolean;
  readonly replication: number;
}

/** Where a user made an operator: for error messages. */
export interface OperatorPlace {
  readonly uid: string;
  /** The method's name: `flatMap`. */
  readonly name: string;
  /** `file:line:column` in the user's source, or ''. */
  readonly place: string;
}

interface NodeBase {
  readonly id: RddId;
  readonly parents: readonly RddId[];
  readonly partitions: number;
  /** Set where the records are pairs laid out by a partitioner (an operator that keeps keys keeps it). */
  readonly partitioner: PartitionerSpec | null;
  readonly storage: StorageLevel | null;
  readonly operator: OperatorPlace | null;
  /** The batch for which a stream made it, whichever batch's job computes it. Absent: made by no stream. */
  readonly batchTime?: BatchTime;
}

export type RddNode =
  /** Partition p is the records of `blocks[p]`, one block after another. */
  | (NodeBase & { readonly kind: 'source'; readonly blocks: readonly (readonly BlockRef[])[] })
  /** Lines of files: partition p is the byte ranges of `splits[p]`; a line belongs to the split in which it begins. */
  | (NodeBase & { readonly kind: 'textFile'; readonly splits: readonly (readonly { file: string; start: number; end: number }[])[] })
  /** One function, record by record. */
  | (NodeBase & { readonly kind: 'map' | 'filter' | 'flatMap' | 'mapValues' | 'flatMapValues'; readonly fn: FunctionRef; readonly onError?: RecordPolicy })
  /** fn(records: Iterable, context: TaskContext): Iterable. `withIndex` functions get (partition, records). */
  | (NodeBase & { readonly kind: 'mapPartitions'; readonly fn: FunctionRef; readonly withIndex: boolean })
  /** Each partition becomes one record, the array of its records. */
  | (NodeBase & { readonly kind: 'glom' })
  /** Partitions of the parents, one parent after another. */
  | (NodeBase & { readonly kind: 'union' })
  /** Partition p is the parent's partitions `groups[p]`, one after another (coalesce without a shuffle). */
  | (NodeBase & { readonly kind: 'coalesce'; readonly groups: readonly (readonly number[])[] })
  /** Partition i * right.partitions + j: all [x, y], x of left partition i (outer), y of right partition j. */
  | (NodeBase & { readonly kind: 'cartesian'; readonly rightPartitions: number })
  /** Record -> [record, index over all partitions]; first indexes come from an inner counting stage. */
  | (NodeBase & { readonly kind: 'zipWithIndex' })
  /** Position by position, equal partition and record counts demanded. */
  | (NodeBase & { readonly kind: 'zip' })
  /**
   * The reading side of a shuffle of parents[0]. `aggregator` null and `group` false: records as they come.
   * `group`: [key, values[]]. `sort`: by key after reading. `mapSideCombine` only with an aggregator.
   * Where `narrow`, the parent is already laid out by this partitioner and no shuffle takes place.
   */
  | (NodeBase & {
      readonly kind: 'shuffled';
      readonly shuffle: ShuffleId;
      readonly spec: PartitionerSpec;
      readonly aggregator: AggregatorSpec | null;
      readonly mapSideCombine: boolean;
      readonly sort: 'ascending' | 'descending' | null;
      readonly narrow: boolean;
    })
  /** [key, [values of parent 0, values of parent 1, ...]]; parent i is read through `shuffles[i]`, or directly where that is null. */
  | (NodeBase & { readonly kind: 'coGrouped'; readonly shuffles: readonly (ShuffleId | null)[]; readonly spec: PartitionerSpec })
  /**
   * Keyed state after the batch at `time`: pairs [key, state]. It is made of the version before it (`previous`; none: of `initial`) and of
   * `input`, which is laid out by `spec`, and lies in tables on workers. Once it is made, nothing it was made of is needed.
   */
  | (NodeBase & {
      readonly kind: 'state';
      /** The operator whose state it is: versions of one table follow each other. */
      readonly table: number;
      readonly time: BatchTime;
      readonly spec: PartitionerSpec;
      readonly update: StateUpdate;
      readonly input: RddId | null;
      readonly initial: RddId | null;
      readonly previous: RddId | null;
      /** The RDD of what `track` has emitted. */
      readonly emits: RddId | null;
      /** How many older versions can be read without being put together from bytes again. */
      readonly versionsKept: number;
      /** Of the type of the values. Left out: 1. */
      readonly stateVersion?: number;
      /** fn(value, fromVersion): a restored value of another version, as one of this. */
      readonly migrate?: FunctionRef;
      /** It could not be made, and never will be. Left out: it is made, or may be. */
      readonly failed?: true;
    })
  /** What the functions of a `track` state returned in the batch, in the order of their calls. The parent is the state. */
  | (NodeBase & { readonly kind: 'emitted' });

/**
 * How a batch changes keyed state. `fn` is called
 *
 *   update    for every key that has state or values: fn(values, state) -> state or none; `form` says with what else
 *   track     for every record: fn(time, key, value, state) -> record or none; keys idle for more than `timeoutMs` end in a sweep
 *   window    for keys that enter or leave a window: fn(a, b), `inverse(a, b)`; keys that `filter` refuses are dropped
 */
export type StateUpdate =
  | { readonly kind: 'update'; readonly fn: FunctionRef; readonly form: 'plain' | 'time' | 'iterator'; readonly onError?: RecordPolicy }
  | { readonly kind: 'track'; readonly fn: FunctionRef; readonly timeoutMs: number | null; readonly sweeps: boolean; readonly onError?: RecordPolicy }
  | { readonly kind: 'window'; readonly fn: FunctionRef; readonly inverse: FunctionRef; readonly filter: FunctionRef | null; readonly leaving: number };

/** A step from one version of a state partition to the next, as bytes: with the steps before it, back to a snapshot, all of that version. */
export interface StateLink {
  readonly time: BatchTime;
  /** True: `pairs` is all there is, and nothing before it is needed. */
  readonly snapshot: boolean;
  /** Keys and their new values, new keys in the order in which they came. */
  readonly pairs: BlockRef | null;
  /** Keys that were removed, before `pairs` is put in; in a snapshot, when each key was last touched (where that matters). */
  readonly extra: BlockRef | null;
}

/** One reducer's share of one map task's output. Null: no records. */
export type BucketRef = SharedHandle | FilePlace | null;

/**
 * What happens to the records at a stage's end. `operator`: who asked for it (a shuffle's reader, an action), named where the
 * sink's functions fail. `batchTime`: that of a shuffle's reader, or of the body that asks for it. `output`: the program's output that the
 * job is of; `outputUid`: its name (and the action's, in a body) in what `foreach` and `foreachPartition` write.
 */
export type Sink = SinkKind & { readonly operator?: OperatorPlace | null; readonly batchTime?: BatchTime; readonly output?: number; readonly outputUid?: string };

type SinkKind =
  | { readonly kind: 'shuffle'; readonly shuffle: ShuffleId; readonly spec: PartitionerSpec; readonly combine: AggregatorSpec | null; readonly keyed: boolean }
  /** All records (limit -1), or the first `limit` of the partition. */
  | { readonly kind: 'collect'; readonly limit: number }
  | { readonly kind: 'count' }
  /** No zero: none or one record. */
  | { readonly kind: 'reduce'; readonly fn: FunctionRef }
  /** `zero`: one encoded record, decoded anew in each task. */
  | { readonly kind: 'aggregate'; readonly zero: Uint8Array; readonly seqFn: FunctionRef }
  /** The `limit` first by key order (`order` null: canonical) of each partition, sorted. */
  | { readonly kind: 'takeOrdered'; readonly limit: number; readonly descending: boolean; readonly order: FunctionRef | null }
  | { readonly kind: 'foreach'; readonly fn: FunctionRef; readonly onError?: RecordPolicy }
  | { readonly kind: 'foreachPartition'; readonly fn: FunctionRef }
  /** Up to `limit` keys of the partition, evenly spread, and the number of records: for range bounds. */
  | { readonly kind: 'sampleKeys'; readonly limit: number }
  /** Brings the stage's own RDD, a `state`, from its version before to its own. */
  | { readonly kind: 'state' }
  /** Writes part-NNNNN into `directory`, by a temporary name and a rename. Text: String per record and \n. */
  | { readonly kind: 'saveText' | 'saveObjects'; readonly directory: string };

/**
 * What one call of a `transform` function was given and what its actions returned: all that a worker needs to make the
 * same closures again, in the same order.
 */
export interface ReplayRecord {
  readonly program: ProgramId;
  readonly operator: number;
  readonly time: BatchTime;
  readonly parents: readonly { readonly id: RddId; readonly partitions: number; readonly partitioner: PartitionerSpec | null }[];
  /** Results of the actions run inside the function, in the order of their calls: one encoded record each. */
  readonly actions: readonly Uint8Array[];
  /** The text of each function that the call made, hashed: a replay that makes others has diverged. */
  readonly functionHashes?: readonly string[];
}

/** A broadcast variable's version as a batch sees it. Version 0 is made by its factory on each thread; later ones are sent. */
export interface BroadcastVersion {
  readonly program: ProgramId;
  readonly broadcast: number;
  readonly version: number;
  readonly block: BlockRef | null;
}
