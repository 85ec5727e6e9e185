/**
 * The form of a conformance case as a file holds it, and reading such files.
 *
 * Invariant: a case is plain JSON; it goes to every thread as the program's arguments, unchanged.
 */
import type { Value } from './values.ts';

export interface ConformanceCase {
  readonly name: string;
  readonly batchMs: number;
  /** The context has a checkpoint directory. */
  readonly checkpoint?: boolean;
  readonly rememberMs?: number;
  readonly inputs: readonly CaseInput[];
  readonly graph: readonly CaseOperation[];
  /** Id of the stream with the output operation. */
  readonly output: string;
  readonly collect: CollectMode;
  readonly batchesToRun: number;
  /** Entry i: what the output got at (i + 1) * batchMs; null: its function was not called. */
  readonly expected?: readonly (readonly Value[] | null)[];
  readonly expectedTimes?: readonly number[];
  readonly printNum?: number;
  readonly expectedText?: string;
  readonly prefix?: string;
  readonly suffix?: string;
  /** Directory name -> text of part-00000, part-00001, ... */
  readonly expectedFiles?: Readonly<Record<string, readonly string[]>>;
  readonly slice?: { readonly of: string; readonly fromMs: number; readonly toMs: number };
  readonly expectedSlice?: readonly (readonly Value[])[];
  readonly recovery?: { readonly stopAfter: number; readonly downBatches: number };
  readonly expectedBefore?: readonly (readonly [number, readonly Value[]])[];
  readonly expectedAfter?: readonly (readonly [number, readonly Value[]])[];
  readonly expectError?: boolean;
  readonly expectedError?: ExpectedError;
  /** Spark's result contradicts its own documentation: counted apart. */
  readonly quirk?: unknown;
}

export type CollectMode = 'multiset' | 'ordered' | 'perPartition' | 'partitionCount' | 'print' | 'textFiles';
/** Where a failure shows: while the graph is made, in start(), in the batch at `atMs`, in slice(). */
export type ErrorMoment = 'build' | 'start' | 'batch' | 'slice';

export interface ExpectedError {
  readonly when: ErrorMoment;
  readonly atMs: number | null;
  readonly errorClass: string;
  readonly message: string;
}

export interface BatchesInput {
  readonly id: string;
  readonly kind?: 'batches';
  /** Past the end: an RDD without records. null: no RDD at that time. */
  readonly batches: readonly (readonly Value[] | null)[];
  readonly numPartitions: number;
}

export interface QueueInput {
  readonly id: string;
  readonly kind: 'queue';
  readonly oneAtATime: boolean;
  readonly pushes: readonly { readonly beforeBatch: number; readonly rdds: readonly (readonly Value[])[] }[];
  readonly numPartitions: number;
  /** Absent: none was given. null: a null default RDD was given. */
  readonly default?: readonly Value[] | null;
}

export type CaseInput = BatchesInput | QueueInput;

/** One line of the graph. Which parameters it has depends on `op`. */
export interface CaseOperation {
  readonly id: string;
  readonly op: string;
  readonly of: readonly string[];
  readonly fn?: string;
  readonly invFn?: string;
  readonly filterFn?: string;
  readonly numPartitions?: number;
  readonly mapSideCombine?: boolean;
  readonly data?: readonly Value[];
  readonly dataPartitions?: number;
  readonly windowMs?: number;
  readonly slideMs?: number;
  readonly initial?: readonly Value[];
  readonly initialPartitions?: number;
  readonly variant?: 'plain' | 'iterator' | 'time';
  readonly rememberPartitioner?: boolean;
  readonly checkpointMs?: number;
  readonly timeoutMs?: number;
}

/** Position of partition p's first record when `length` records are cut into n partitions; the next one's is its end. */
export function cutAt(partition: number, length: number, partitions: number): number {
  return Math.floor((partition * length) / partitions);
}

/** The records cut into partitions as the inputs of cases are. */
export function cutRecords<T>(records: readonly T[], partitions: number): T[][] {
  return Array.from({ length: partitions }, (_, p) => records.slice(cutAt(p, records.length, partitions), cutAt(p + 1, records.length, partitions)));
}

/** Throws where an operation lacks a parameter that it needs. */
export function required<K extends keyof CaseOperation>(operation: CaseOperation, parameter: K): NonNullable<CaseOperation[K]> {
  const value = operation[parameter];
  if (value === undefined || value === null) throw new Error(`Operation ${operation.op} (${operation.id}) needs the parameter ${parameter}, got none.`);
  return value as NonNullable<CaseOperation[K]>;
}

/** An entry of a file of another form: what happens when the API is used in one named way. */
export interface ErrorEntry {
  readonly name: string;
  readonly action: string;
  readonly errorClass: string | null;
  readonly message: string | null;
  readonly result?: unknown;
  readonly causeClass?: string;
  readonly causeMessage?: string | null;
}

export type ConformanceFile = { readonly kind: 'cases'; readonly cases: readonly ConformanceCase[] } | { readonly kind: 'errors'; readonly entries: readonly ErrorEntry[] };

/** Reads a file's text. Entries with an `action` and no `graph` make it a file of named actions. */
export function parseConformanceFile(text: string): ConformanceFile {
  const entries: unknown = JSON.parse(text);
  if (!Array.isArray(entries)) throw new Error('Expected an array of cases.');
  if (entries.some((entry) => typeof entry !== 'object' || entry === null || typeof (entry as { name?: unknown }).name !== 'string')) {
    throw new Error('Expected every case to be an object with a name.');
  }
  if (entries.length > 0 && entries.every((entry) => 'action' in (entry as object) && !('graph' in (entry as object)))) {
    return { kind: 'errors', entries: entries as ErrorEntry[] };
  }
  return { kind: 'cases', cases: entries as ConformanceCase[] };
}
