/**
 * The dead-letter stream: what operators with `onError: 'deadLetter'` have left out, for the app to read.
 *
 * Invariant: each record comes once, however often its batch was computed, and no batch ever waits for the reader: what the
 * reader leaves too long is dropped, oldest first, and counted.
 *
 * One element is what one operator has left out of one partition: several can have the same time.
 */
import type { BatchTime } from '../../protocol/time.ts';
import { asBatchTime } from '../../protocol/time.ts';
import type { OperatorPlace } from '../../protocol/rdd.ts';
import type { LeftOutRecords, LetterRecord } from '../../protocol/task.ts';
import type { WireError } from '../../protocol/errors.ts';
import { decodeRecord } from '../../protocol/codec.ts';
import { PublishedStream } from './published-stream.ts';

/** A record that made a function throw and was left out (`onError: 'deadLetter'`): what it was, where and why. */
export interface DeadLetter {
  /** What the function was given (by key: the whole pair; of states see `onError` there). A text that shows its beginning, where `isPreview`. */
  readonly record: unknown;
  /** The record has no codec, or is longer than 64 KiB. */
  readonly isPreview: boolean;
  /** Null where nobody knows: an RDD of the app's own. */
  readonly operator: OperatorPlace | null;
  /** Null in a job of no batch. */
  readonly batchTime: BatchTime | null;
  /** Of the operator's RDD. */
  readonly partition: number;
  /** What the function threw: plain data. */
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
    const records = letters.map((letter) => ({ ...recordOf(letter), operator, batchTime, partition, error: letter.error }));
    void this.deliver({ time: batchTime ?? asBatchTime(0), records });
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
