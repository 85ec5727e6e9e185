/**
 * The receiver that users write: what it may do, and what is asked of it. docs/RECEIVERS.md is the guide.
 *
 * Invariant: it is made by its factory on the io thread and nowhere else, so its constructor may hold sockets and timers.
 * `onStart` and `onStop` return at once (or a promise); whatever goes on between runs by events of its own. Each life is a new
 * object, made after `onStop` of the one before, or after the death of its thread.
 *
 *   factory() -> onStart() -> storeBatch(records, { position }) ... -> onStop()
 *       ^      lastAcknowledged: the last such position that was stored  |
 *       `------------- after restart(), a failure, a thread's death -----'
 */
import { StorageLevel } from '../rdd/storage-level.ts';
import { MillraceError } from '../../protocol/errors.ts';
import type { StreamId } from '../../protocol/ids.ts';

/** What `storeBatch` may be told beside the records. */
export interface StoreOptions<Position = unknown> {
  /**
   * How far the source has been read with these records: an offset, a key, a small object; at most 4 KiB as a record. The receiver's next life finds
   * the last one that was stored as `lastAcknowledged`.
   */
  readonly position?: Position;
}

/** A source of one's own, to be extended: `onStart` begins to receive, `store` takes a record, `onStop` ends it. Give its factory to `receiverStream`. */
export abstract class Receiver<T, Position = unknown> {
  /** Where received records are kept. */
  readonly storageLevel: StorageLevel;
  #port: ReceiverPort | null = null;

  constructor(storageLevel: StorageLevel = StorageLevel.MEMORY_AND_DISK_SER_2) {
    this.storageLevel = storageLevel;
  }

  /**
   * Begins to receive: opens what must be open, and returns; or is async, and runs until `isStopped()`. What it throws, or its promise rejects with,
   * restarts the receiver. One that neither returns nor awaits blocks its thread, which is ended after `receiverTimeoutMs`.
   */
  abstract onStart(): void | Promise<void>;

  /** Ends all that onStart began. Called before a restart, too. */
  abstract onStop(): void;

  /**
   * Takes one record. A promise comes back where too many blocks are under way (`blocksInFlightMax`) or there is no memory for more: wait for it before
   * the next record. It resolves when this record and all before it are stored, and rejects as that of `storeBatch` does: at once after the end, when
   * nothing is taken any more.
   */
  store(record: T): Promise<void> | undefined {
    return this.port.store(record);
  }

  /**
   * Takes these records, in a block of their own or together with what is stored in the same turn (in several blocks where they are too many bytes for
   * one). Resolves when all of them are stored for good: replicated where the level says so, known to the driver, their memory held. Now the source may
   * be acknowledged. Rejects with BlockNotStored where they are not, or where nobody can say: then it must not be. Throws nothing; InvalidArgument comes
   * by the promise, too.
   */
  storeBatch(records: readonly T[], options?: StoreOptions<Position>): Promise<void> {
    return this.port.storeBatch(records, options);
  }

  /** The position that came with the last records that were stored, in whichever life of this receiver: go on behind it. Null: there was none. */
  get lastAcknowledged(): Position | null {
    return this.port.lastAcknowledged as Position | null;
  }

  /** Says that something went wrong, and goes on. */
  reportError(message: string, cause?: unknown): void {
    this.port.reportError(message, cause);
  }

  /** Stops, and starts again after a delay (default: the context's `receiverRestartDelayMs`, growing). Returns at once. */
  restart(message: string, cause?: unknown, delayMs?: number): void {
    this.port.restart(message, cause, delayMs);
  }

  /** Stops for good: told as `receiverStopped`, with the cause. Returns at once. */
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
  readonly lastAcknowledged: unknown;
  store(record: unknown): Promise<void> | undefined;
  storeBatch(records: readonly unknown[], options?: StoreOptions): Promise<void>;
  reportError(message: string, cause: unknown): void;
  restart(message: string, cause: unknown, delayMs: number | undefined): void;
  stop(message: string, cause: unknown): void;
  isStarted(): boolean;
  isStopped(): boolean;
}
