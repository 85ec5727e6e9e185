/**
 * A published stream: the batches of a DStream as the app reads them, one after another.
 *
 * Invariant: at most `bound` batches wait for the reader, and one more whose output is held: `hold` makes the output wait (so a
 * slow reader slows the stream down), and `latest` drops the oldest and counts it in `dropped`. As long as nobody has begun to read, or after
 * the reader has left, nothing is held back: the newest `bound` batches are kept, so an unread stream can't stall a program.
 *
 *   deliver --> [ t1 | t2 | ... ] (bound) --> for await (const batch of stream)
 *                 oldest      newest
 *
 * The object is made while the program is built, on every thread; only the app's is delivered to.
 */
import { MillraceError, previewOf } from '../../protocol/errors.ts';
import { callError } from '../base/caller-place.ts';
import type { BatchTime } from '../../protocol/time.ts';

/** How batches wait for the reader of a published stream. */
export interface PublishOptions {
  /** How many batches may wait for the reader. Default 16. */
  readonly bound?: number;
  /** At the bound: make the output wait, or drop the oldest batch. Default `hold`. */
  readonly mode?: 'hold' | 'latest';
}

/** All records that a stream has for one batch. */
export interface PublishedBatch<T> {
  readonly time: BatchTime;
  readonly records: readonly T[];
}

const boundDefault = 16;

/** The batches of a stream on the app's thread: `for await (const { time, records } of stream)`. One reader at a time. */
export class PublishedStream<T> implements AsyncIterable<PublishedBatch<T>> {
  /** The output operation's place in the program. */
  readonly output: number;
  /** How many batches may wait for the reader. */
  readonly bound: number;
  /** What happens at the bound. */
  readonly mode: 'hold' | 'latest';

  #waiting: { readonly batch: PublishedBatch<T>; readonly taken: () => void }[] = [];
  #dropped = 0;
  #droppedRecords = 0;
  #reading = false;
  #end: { readonly error: Error | null } | null = null;
  /** Reads that wait for a batch, and deliveries that wait for room. */
  #readers: (() => void)[] = [];
  #holders: (() => void)[] = [];

  constructor(output: number, options: PublishOptions = {}) {
    const { bound = boundDefault, mode = 'hold' } = options;
    if (!Number.isSafeInteger(bound) || bound < 1) throw callError('InvalidArgument', 'publish', `publish expects bound to be a whole number of 1 or more, and got ${previewOf(bound)}.`);
    if (mode !== 'hold' && mode !== 'latest') throw callError('InvalidArgument', 'publish', `publish expects mode to be 'hold' or 'latest', and got ${previewOf(mode)}.`);
    this.output = output;
    this.bound = bound;
    this.mode = mode;
  }

  /** How many batches were dropped unread. */
  get dropped(): number {
    return this.#dropped;
  }

  /** How many records were in these. */
  get droppedRecords(): number {
    return this.#droppedRecords;
  }

  /** How many batches wait for the reader. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Called by the runtime, one batch at a time. Settles when the next may be delivered; `taken` is called when this batch leaves the queue. */
  deliver(batch: PublishedBatch<T>, taken: () => void = () => {}): Promise<void> {
    if (this.#end !== null) {
      taken();
      return Promise.resolve();
    }
    const entry = { batch, taken };
    this.#waiting.push(entry);
    this.#wakeReaders();
    if (this.#waiting.length <= this.bound) return Promise.resolve();
    if (this.mode === 'latest' || !this.#reading) {
      this.#drop();
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#holders.push(resolve));
  }

  /** Called by the runtime when no more will come. What waits can still be read; then the reader ends, or gets the error. */
  close(error: Error | null = null): void {
    this.#end ??= { error };
    this.#releaseHolders();
    this.#wakeReaders();
  }

  /** Throws InvalidArgument where somebody reads already. */
  [Symbol.asyncIterator](): AsyncIterator<PublishedBatch<T>, undefined> {
    if (this.#reading) throw new MillraceError('InvalidArgument', 'A published stream has one reader at a time, and somebody reads this one already. Publish the stream once more for another.');
    this.#reading = true;
    return {
      next: async () => {
        for (;;) {
          const entry = this.#waiting.shift();
          if (entry !== undefined) {
            entry.taken();
            this.#releaseHolders();
            return { done: false, value: entry.batch };
          }
          if (this.#end !== null) {
            this.#reading = false;
            const { error } = this.#end;
            this.#end = { error: null };
            if (error !== null) throw error;
            return { done: true, value: undefined };
          }
          await new Promise<void>((resolve) => this.#readers.push(resolve));
        }
      },
      return: async () => {
        this.#reading = false;
        while (this.#waiting.length > this.bound) this.#drop();
        this.#releaseHolders();
        return { done: true, value: undefined };
      },
    };
  }

  #wakeReaders(): void {
    for (const wake of this.#readers.splice(0)) wake();
  }

  #drop(): void {
    this.#dropped += 1;
    const oldest = this.#waiting.shift();
    this.#droppedRecords += oldest?.batch.records.length ?? 0;
    oldest?.taken();
  }

  #releaseHolders(): void {
    const free = this.#end !== null || this.#waiting.length <= this.bound;
    if (!free) return;
    for (const resolve of this.#holders.splice(0)) resolve();
  }
}
