/**
 * The dead-letter stream: what operators with `onError: 'deadLetter'` have left out, and outputs of batches that `onBatchFailure: 'skip'` has passed
 * over, for the app to read.
 *
 * Invariant: each record comes once, however often its batch was computed, and no batch ever waits for the reader: what the
 * reader leaves too long is dropped, oldest first, and counted.
 *
 * One element is what one operator has left out of one partition, or one output that was passed over: several can have the same time.
 */
import type { BatchTime } from '../../protocol/time.ts';
import { asBatchTime } from '../../protocol/time.ts';
import type { OperatorPlace } from '../../protocol/rdd.ts';
import type { LeftOutRecords, LetterRecord } from '../../protocol/task.ts';
import type { WireError } from '../../protocol/errors.ts';
import { decodeRecord } from '../../protocol/codec.ts';
import { PublishedStream } from './published-stream.ts';

/**
 * What is missing from the results: what it was, where and why.
 *
 *   record   made a function throw, and was left out (`onError: 'deadLetter'`)
 *   batch    one output of a batch failed for good, and the stream went on without it (`onBatchFailure: 'skip'`)
 */
export interface DeadLetter {
  readonly kind: 'record' | 'batch';
  /** What the function was given (by key: the whole pair; of states see `onError` there). A text that shows its beginning, where `isPreview`. Null for a batch. */
  readonly record: unknown;
  /** The record has no codec, or is longer than 64 KiB. */
  readonly isPreview: boolean;
  /** The operator, or the output. Null where nobody knows: an RDD of the app's own, a batch that could not be generated. */
  readonly operator: OperatorPlace | null;
  /** Null in a job of no batch. */
  readonly batchTime: BatchTime | null;
  /** Of the operator's RDD; -1 for a batch. */
  readonly partition: number;
  /** What the function threw, or why the output failed: plain data. */
  readonly error: WireError;
}

/** How many dead letters may wait for their reader. */
export interface DeadLetterOptions {
  /** How many elements may wait for the reader. Default 1,024. */
  readonly bound?: number;
}

const boundDefault = 1_024;

/** The program's dead letters, read by the app with `for await`; where nobody reads, the oldest are dropped and counted. */
export class DeadLetterStream extends PublishedStream<DeadLetter> {
  #unreported = 0;

  constructor({ bound = boundDefault }: DeadLetterOptions = {}) {
    super(-1, { bound, mode: 'latest' });
  }

  /** Records that were left out and will not come: their task had too many, or nobody read them in time. */
  get droppedLetters(): number {
    return this.#unreported + this.droppedRecords;
  }

  /** By the runtime. */
  post(given: LeftOutRecords): void {
    const { operator, batchTime, partition, letters } = given;
    this.#unreported += given.records - letters.length;
    if (letters.length === 0) return;
    const records = letters.map((letter) => ({ kind: 'record' as const, ...recordOf(letter), operator, batchTime, partition, error: letter.error }));
    void this.deliver({ time: batchTime ?? asBatchTime(0), records });
  }

  /** By the runtime: an output of a batch, or a whole batch that could not be generated, was passed over. */
  postBatch(operator: OperatorPlace | null, batchTime: BatchTime, error: WireError): void {
    void this.deliver({ time: batchTime, records: [{ kind: 'batch', record: null, isPreview: false, operator, batchTime, partition: -1, error }] });
  }
}

function recordOf({ record, preview }: LetterRecord): Pick<DeadLetter, 'record' | 'isPreview'> {
  try {
    if (record !== null) return { record: decodeRecord(record), isPreview: false };
  } catch {
    // A class whose codec is not registered on this thread.
  }
  return { record: preview, isPreview: true };
}
