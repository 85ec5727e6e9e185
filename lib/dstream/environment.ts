/**
 * What the graph needs from around it: while it is built and used on any thread (`GraphHost`), and while the driver
 * generates a batch (`BatchEnvironment`).
 *
 * Invariant: the graph itself reads no clock, no disk and no network; all of that comes in here.
 */
import type { RddContext } from '../rdd/context.ts';
import type { RDD } from '../rdd/rdd.ts';
import type { FunctionRef, OperatorPlace } from '../../protocol/rdd.ts';
import type { InputTaken } from '../../protocol/recovery.ts';
import type { ProgramId, RddId, StreamId } from '../../protocol/ids.ts';
import type { BatchTime } from '../../protocol/time.ts';
import type { BlockPartitions } from './block-partitions.ts';
import type { Eventually } from './generated.ts';

/** The program's side of a graph: one for each (thread, program). Implemented by lib/program/program-rdds.ts. */
export interface GraphHost {
  readonly program: ProgramId;
  readonly rdds: RddContext;
  /** Takes a function on records into the program's table. Throws AsyncRecordFunction, unless it may be async. */
  registerFunction(fn: Function, role: string, place: OperatorPlace, mayBeAsync: boolean): FunctionRef;
  /** RDDs that are made inside the call carry this place in errors, and are of the batch at `time`. */
  whileMaking<R>(place: OperatorPlace, make: () => Eventually<R>, time?: BatchTime | null): Eventually<R>;
  /** One call of a transform function: what it makes and what its actions return is recorded, for replays on workers. */
  runTransform<R>(operator: number, time: BatchTime, parents: readonly RDD<unknown>[], call: () => Eventually<R>): Eventually<R>;
  /** True for RDDs made while the program was built: they live as long as the program. */
  isProgramRdd(id: RddId): boolean;
}

/** A file as a directory's listing shows it. */
export interface FileEntry {
  /** The name in the directory, without a path. */
  readonly name: string;
  readonly path: string;
  readonly modifiedMs: number;
  readonly bytes: number;
}

/** What the driver gives for generating one batch. */
export interface BatchEnvironment {
  /** The blocks that the tracker allocated to the stream at this batch time, in order, as partitions. Empty where there are none; null: nothing is known of that time. */
  allocatedBlocks(stream: StreamId, time: BatchTime): BlockPartitions | null;
  /** What the input of this uid took for this time, where that was written down before a restart; null: it takes now. */
  recorded(uid: string, time: BatchTime): InputTaken | null;
  /** The plain files directly in a directory; none where it does not exist. */
  listFiles(directory: string): Eventually<readonly FileEntry[]>;
  /** Something went on that the user should know and that fails nothing. */
  warn(message: string): void;
  /** Set while a slice is made: what a stream can't have any more is an error then. */
  readonly slicing?: Slicing;
}

export interface Slicing {
  /** The stream of state whose forgotten versions are made again, one after another. */
  readonly along: unknown;
}
