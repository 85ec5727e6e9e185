/**
 * Keyed state on its way into checkpoints and back: job generator <-> task scheduler.
 *
 * Invariant: what is told of a version and what it is restored from have one form, so the checkpoint's writer copies the bytes of the
 * links, changes their places, and keeps the rest as it is.
 *
 *   stateLinks --> versions, bytes in memory or scratch files, held --> copied into the log --> stateLinksRead
 *   restoreState <-- versions, bytes in the log (durable places) <-- the log
 */
import type { BatchTime } from './time.ts';
import type { RddId } from './ids.ts';
import type { BlockRef, RddNode, StateLink } from './rdd.ts';
import type { WireError } from './errors.ts';

/** One version of one table of keyed state: the step from its base, partition by partition. */
export interface StateVersion {
  readonly time: BatchTime;
  /** The version that its steps begin at: the one before it that did not fail. Null: it was made of nothing, or of the initial state. */
  readonly base: BatchTime | null;
  /** That of the operator when the version was made: see `migrate`. */
  readonly stateVersion: number;
  /**
   * By partition, and there are as many as there were partitions. Null: this partition's step is not there (it was not made, or, where it
   * is given back to be restored, nothing needs it).
   */
  readonly links: readonly (StateLink | null)[];
}

/** The answer for one RDD of `stateLinks`. */
export interface StateVersionLinks extends StateVersion {
  readonly rdd: RddId;
  /** The operator's index in the graph. */
  readonly table: number;
  readonly partitions: number;
  /** All partitions are there. Neither made nor failed: a job is making it. */
  readonly made: boolean;
  readonly failed: WireError | null;
  /**
   * What `track` has emitted, by partition (null: nothing is known of it), and its RDD. A null in place of all: this state emits nothing.
   * The bytes are held as those of the links. Where a later batch looks back at it, restore it as a `source` RDD of these blocks.
   */
  readonly emitted: { readonly rdd: RddId; readonly blocks: readonly (BlockRef | null)[] } | null;
  /** It was put in by `restoreState`: its bytes are in the log already. */
  readonly restored: boolean;
}

type StateNode = Extract<RddNode, { kind: 'state' }>;

/** One table as it was. */
export interface RestoredState {
  readonly table: number;
  /** Versions that are remembered, settled, oldest first, the newest last. Their `time` names the version, their `partitions` may be others than it was written with. */
  readonly nodes: readonly StateNode[];
  /** Oldest first: those of the nodes, and all that their chains lead back to (lib/rdd/state/state-versions.ts says which). */
  readonly versions: readonly StateVersion[];
}
