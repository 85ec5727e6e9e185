/**
 * All that a task needs of the thread it runs on: functions, memory, files, the clock. The worker's actor gives the real
 * one, tests give one of maps.
 *
 * Invariant: a task reaches nothing of the outside but through this interface, so the same task can run on a worker, on the
 * calling thread and in the simulator.
 */
import type { BlockRef, BucketRef, FunctionRef, StorageLevel } from '../../protocol/rdd.ts';
import type { RunningFunction } from './function-scope.ts';
import type { LoopCache } from './fuse.ts';
import type { StateStore } from './state/state-store.ts';
import type { WordDictionary } from './text/word-dictionary.ts';
import type { TaskContext } from './task-context.ts';

/** Where bytes lie: shared memory, or a range of a file. */
export type BytesPlace = NonNullable<BlockRef['place']>;

export interface TaskEnvironment {
  /** The closure of this thread that the reference names. */
  resolve(ref: FunctionRef): (...args: never[]) => unknown;
  /** Throws `StaleHandle` or `BlockMissing` where the bytes are gone. */
  read(place: BytesPlace): Uint8Array;
  /**
   * Memory for `bytes` bytes of a bucket, a result or (with `storage`) a persisted partition. Throws `BlockMemoryExhausted`.
   * What a task has written when it fails belongs to nobody: the environment gives it back.
   */
  write(bytes: number, storage?: StorageLevel | null): { readonly view: Uint8Array; done(): NonNullable<BucketRef> };
  /** Calls `each` with the text of a utf8 block in chunks that are cut at line ends. */
  textChunks(bytes: Uint8Array, each: (text: string) => void): void;
  readonly files: TaskFiles;
  /** Called every 1,024 source records with the number of records since the last call. Throws `TaskCancelled`. */
  alive(records: number): void;
  /** Milliseconds, for `runMs` only. */
  now(): number;
  /** Given to user functions in place of the context that `runTask` would make of stage and task. */
  readonly taskContext?: TaskContext;
  /** Of the task's program: part of the names under which outputs write. Default `millrace`. */
  readonly appName?: string;
  /** The thread's tables of keyed state, for the task's program. Without it tasks that need some fail. */
  readonly states?: StateStore;
  /** Where accumulators look up which function adds to them. Absent or null: the program has none. */
  readonly running?: RunningFunction | null;
  /** Records that the task may report as dead letters. Default: `deadLettersPerTaskMaxDefault`. */
  readonly deadLettersPerTaskMax?: number;
  /** False: closures of the program are called, and never run as the operators that they are. Default true. */
  readonly recognizeClosures?: boolean;
  /** The thread's compiled loops. Without it all environments of a thread share one cache. */
  readonly loops?: LoopCache;
  /** The thread's dictionary of words. Without it all environments of a thread share one. */
  readonly words?: WordDictionary;
  /** Makes stored partitions smaller, at levels that are serialized; left out: they lie as the codec has made them. */
  readonly compress?: (bytes: Uint8Array) => Uint8Array;
  /** Undoes it, for blocks that say that they are compressed. */
  readonly decompress?: (bytes: Uint8Array) => Uint8Array;
  /** Makes a record unchangeable before a user's function gets it. Without it records are frozen by contract alone. */
  readonly freeze?: (record: unknown) => void;
  /** The longest line of a text file that is made a string, in bytes. Default: `recordBytesMaxDefault`. */
  readonly recordBytesMax?: number;
}

export interface TaskFiles {
  /** The bytes [start, end) of the file, fewer where it ends before. They may lie in `into`, where that is long enough. */
  readRange(file: string, start: number, end: number, into?: Uint8Array): Uint8Array;
  /** In bytes. */
  size(file: string): number;
  /** All or nothing: a temporary name, then a rename. */
  writeAtomically(path: string, bytes: Uint8Array): void;
}

/** The longest line of a text file, in bytes, where the environment sets no bound. */
export const recordBytesMaxDefault = 16 * 1024 * 1024;
