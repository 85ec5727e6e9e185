/**
 * What a user's function runs for: one operator's work on one of its partitions, and what that work leaves beside its records:
 * contributions to accumulators, and the records that its policy has left out.
 *
 * Invariant: a scope is made for one computation of one partition and dies with its task's attempt, so what a failed attempt
 * has added counts for nothing. Records that are left out are numbered in the partition's order: alike in every attempt.
 *
 *   walk --> op { fn, scope } --> loop: running.scope = scope; fn(record) --> accumulator.add --> scope.sums
 *                                                              `--throws--> scope.leaveOut(record)
 */
import type { OperatorPlace, RecordPolicy } from '../../protocol/rdd.ts';
import type { ProgramId } from '../../protocol/ids.ts';
import type { AccumulatorUpdate, LeftOutRecords, LetterRecord } from '../../protocol/task.ts';
import type { BatchTime } from '../../protocol/time.ts';
import { encodeRecord } from '../../protocol/codec.ts';
import { previewOf, toWireError } from '../../protocol/errors.ts';

/** Which function runs now on this thread, for accumulators: one for each program and thread. Null: none that counts. */
export interface RunningFunction {
  scope: FunctionScope | null;
}

/** Dead letters that a task reports, where the environment sets no bound. */
export const deadLettersPerTaskMaxDefault = 256;
/** The longest record that goes along with its dead letter, encoded; of a longer one there is a preview. */
export const deadLetterBytesMax = 65_536;
const previewCharactersMax = 1_000;

/** How many dead letters a task may still report: shared by its scopes. */
export interface LetterBudget {
  left: number;
}

export interface ScopeName {
  /** As in `WorkName`. */
  readonly origin: string;
  readonly operator: OperatorPlace | null;
  readonly batchTime: BatchTime | null;
  readonly partition: number;
}

export class FunctionScope {
  readonly name: ScopeName;
  readonly onError: RecordPolicy | null;
  /** False once a sink has had enough before the partition's end. */
  whole = true;
  /** By the accumulators' places in the program. */
  readonly sums: ({ value: unknown } | undefined)[] = [];
  readonly #letters: LetterRecord[] = [];
  readonly #budget: LetterBudget;
  #leftOut = 0;

  constructor(name: ScopeName, onError: RecordPolicy | null, budget: LetterBudget) {
    this.name = name;
    this.onError = onError;
    this.#budget = budget;
  }

  /** Called instead of a failure, where the operator has a policy. The record is encoded now: its owner may change it later. */
  leaveOut(record: unknown, thrown: unknown): void {
    const index = this.#leftOut;
    this.#leftOut += 1;
    if (this.onError !== 'deadLetter' || this.#budget.left <= 0) return;
    this.#budget.left -= 1;
    this.#letters.push({ index, record: encodedOrNull(record), preview: previewOf(record, previewCharactersMax), error: toWireError(thrown) });
  }

  accumulatorUpdates(program: ProgramId): AccumulatorUpdate[] {
    const { origin, operator, batchTime, partition } = this.name;
    return this.sums.flatMap((sum, accumulator) => {
      if (sum === undefined) return [];
      return [{ program, accumulator, origin, operator: operator?.uid ?? '', batchTime, partition, whole: this.whole, value: encodeRecord(sum.value) }];
    });
  }

  leftOutRecords(program: ProgramId): LeftOutRecords | null {
    if (this.#leftOut === 0 || this.onError === null) return null;
    const { origin, operator, batchTime, partition } = this.name;
    return { program, origin, operator, batchTime, partition, policy: this.onError, records: this.#leftOut, letters: this.#letters };
  }
}

/**
 * What counts of a task's scopes: of several that did the same work (both sides of a self-join read one partition) only one, a
 * whole one where there is one.
 */
export function scopesThatCount(scopes: readonly FunctionScope[]): FunctionScope[] {
  const counting = new Map<string, FunctionScope>();
  for (const scope of scopes) {
    const key = `${scope.name.origin}/${scope.name.partition}`;
    const known = counting.get(key);
    if (known === undefined || (!known.whole && scope.whole)) counting.set(key, scope);
  }
  return [...counting.values()];
}

function encodedOrNull(record: unknown): Uint8Array | null {
  try {
    const bytes = encodeRecord(record);
    return bytes.length > deadLetterBytesMax ? null : bytes;
  } catch {
    return null;
  }
}
