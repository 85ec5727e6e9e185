/**
 * The receiver that users write: what it may do, and what is asked of it.
 *
 * Invariant: it is made by its factory on the io thread and nowhere else, so its constructor may hold sockets and timers.
 * `onStart` and `onStop` return at once; whatever goes on between runs by events of its own.
 *
 *   factory() -> onStart() -> store(record) ... -> onStop()
 *                   ^                                 |
 *                   `--- after restart(), delayed ----'
 */
import { StorageLevel } from '../rdd/storage-level.ts';
import { MillraceError } from '../../protocol/errors.ts';
import type { StreamId } from '../../protocol/ids.ts';

/** A source of one's own, to be extended: `onStart` begins to receive, `store` takes a record, `onStop` ends it. Give its factory to `receiverStream`. */
export abstract class Receiver<T> {
  /** Where received records are kept. */
  readonly storageLevel: StorageLevel;
  #port: ReceiverPort | null = null;

  constructor(storageLevel: StorageLevel = StorageLevel.MEMORY_AND_DISK_SER_2) {
    this.storageLevel = storageLevel;
  }

  /** Begins to receive: opens what must be open, and returns. What it throws restarts the receiver. */
  abstract onStart(): void;

  /** Ends all that onStart began. Called before a restart, too. */
  abstract onStop(): void;

  /**
   * Takes one record. A promise comes back where the rate limit or the memory for blocks is reached: wait for it before the
   * next record. A record is acknowledged to no one: for that, see `storeBatch`.
   */
  store(record: T): Promise<void> | undefined {
    return this.port.store(record);
  }

  /** Takes these records as one block (several, where they are too many bytes for one), and settles when all is stored (and logged, where there is a log): now the source may be acknowledged. */
  storeBatch(records: readonly T[]): Promise<void> {
    return this.port.storeBatch(records);
  }

  /** Says that something went wrong, and goes on. */
  reportError(message: string, cause?: unknown): void {
    this.port.reportError(message, cause);
  }

  /** Stops, and starts again after a delay (default: the context's `receiverRestartDelayMs`, growing). Returns at once. */
  restart(message: string, cause?: unknown, delayMs?: number): void {
    this.port.restart(message, cause, delayMs);
  }

  /** Stops for good. Returns at once. */
  stop(message: string, cause?: unknown): void {
    this.port.stop(message, cause);
  }

  isStarted(): boolean {
    return this.#port !== null && this.#port.isStarted();
  }

  /** True from the moment a stop was asked for: what runs by itself should end. */
  isStopped(): boolean {
    return this.#port === null || this.#port.isStopped();
  }

  /** The input stream that the records go to. */
  get streamId(): StreamId {
    return this.port.stream;
  }

  /** By the receiver's actor, before onStart. @internal */
  attach(port: ReceiverPort): void {
    this.#port = port;
  }

  private get port(): ReceiverPort {
    if (this.#port !== null) return this.#port;
    throw new MillraceError('NotInitialized', 'A receiver can store, restart or stop only from onStart on: give its factory to receiverStream and let the runtime start it.');
  }
}

/** What a receiver's actor gives it. */
export interface ReceiverPort {
  readonly stream: StreamId;
  store(record: unknown): Promise<void> | undefined;
  storeBatch(records: readonly unknown[]): Promise<void>;
  reportError(message: string, cause: unknown): void;
  restart(message: string, cause: unknown, delayMs: number | undefined): void;
  stop(message: string, cause: unknown): void;
  isStarted(): boolean;
  isStopped(): boolean;
}
