/**
 * A user's receiver as a source.
 *
 * Invariant: the receiver is made when the source starts, stopped when it ends, and never called after that; what it
 * stores lies in an open block until the block is cut. Every promise that it was given settles: it resolves when the block with
 * its last record is stored, and rejects (`BlockNotStored`) where nobody will say that any more.
 *
 *   storeBatch(a b c, { position: 3 }) --> open block | a b c ^ |  --cut--> block 7, position 3  --stored(7)--> resolves
 */
import type { Receiver, StoreOptions } from '../dstream/receiver.ts';
import { decodeRecord, encodeRecord } from '../../protocol/codec.ts';
import type { StreamId } from '../../protocol/ids.ts';
import { MillraceError, previewOf, toWireError } from '../../protocol/errors.ts';
import { RecordBlockBuilder } from './record-block-builder.ts';
import { reportRefused } from './refused-records.ts';
import type { MarkedBlock, RecordBlockBuilderOptions } from './record-block-builder.ts';
import type { Emit, Source, SourceBlock } from './source.ts';

export interface ReceiverSourceOptions extends Omit<RecordBlockBuilderOptions, 'onRefused'> {
  readonly stream: StreamId;
  readonly make: () => Receiver<unknown>;
  readonly emit: Emit;
  /** `store` gives a promise while so many blocks are under way. */
  readonly blocksInFlightMax: number;
}

/** Who waits for the record that was stored last, and how far its receiver has come with it. */
interface Stored {
  readonly position: Uint8Array | null;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** A position goes with a block into each message, and into the log: it is to be an offset, not data. */
const positionBytesMax = 4_096;

export class ReceiverSource implements Source {
  readonly #options: ReceiverSourceOptions;
  readonly #builder: RecordBlockBuilder<Stored>;
  #receiver: Receiver<unknown> | null = null;
  #stopped = false;
  /** It has given a position, in this life or in one before. */
  #resumes = false;
  #isHeldBack = false;
  /** Blocks that were cut because they were full, until the actor takes them. */
  #ready: MarkedBlock<Stored>[] = [];
  #nextSequence = 0;
  /** By block: who waits for it. */
  readonly #waiting = new Map<number, readonly Stored[]>();
  /** A cut was asked for and has not come. */
  #cutSaid = false;
  /** What `store` gives after the end. */
  #over: Promise<void> | null = null;

  constructor(options: ReceiverSourceOptions) {
    this.#options = options;
    this.#builder = new RecordBlockBuilder({ ...options, onRefused: reportRefused(options.emit) });
  }

  get copies(): number {
    return this.#receiver?.storageLevel.replication ?? 1;
  }

  start(lastAcknowledged: Uint8Array | null): void {
    const { stream, make, emit } = this.#options;
    const receiver: unknown = make();
    if (!isReceiver(receiver)) throw new MillraceError('InvalidArgument', `Expected the factory given to receiverStream to return a Receiver; it returned ${previewOf(receiver)}. Return a new object of a class that extends Receiver.`);
    this.#receiver = receiver;
    this.#resumes = lastAcknowledged !== null;
    receiver.attach({
      stream,
      lastAcknowledged: lastAcknowledged === null ? null : decodeRecord(lastAcknowledged),
      store: (record) => this.#store(record),
      storeBatch: (records, options) => this.#storeBatch(records, options),
      reportError: (message, cause) => emit({ type: 'reported', message, error: wireOf(cause) }),
      restart: (message, cause, delayMs) => emit({ type: 'restart', message, error: wireOf(cause), delayMs: delayMs ?? null }),
      stop: (message, cause) => emit({ type: 'stopped', message, error: wireOf(cause) }),
      isStarted: () => this.#receiver !== null && !this.#stopped,
      isStopped: () => this.#stopped,
    });
    const returned: unknown = receiver.onStart();
    // One that is async runs until its promise settles; after the end, what it says of its own end is of no interest.
    if (returned instanceof Promise) returned.catch((thrown: unknown) => this.#stopped || emit({ type: 'failed', message: `onStart failed: ${thrown instanceof Error ? thrown.message : previewOf(thrown)}`, error: toWireError(thrown) }));
  }

  cut(): readonly SourceBlock[] {
    this.#cutSaid = false;
    const blocks = [...this.#ready.splice(0), ...this.#builder.cut()];
    return blocks.map(({ marks, ...block }) => {
      this.#waiting.set(this.#nextSequence++, marks);
      const position = marks.reduce<Uint8Array | null>((last, mark) => mark.position ?? last, null);
      return { ...block, position, resumes: this.#resumes };
    });
  }

  end(): readonly SourceBlock[] {
    this.#stopped = true;
    try {
      this.#receiver?.onStop();
    } catch (thrown) {
      this.#options.emit({ type: 'reported', message: 'onStop threw', error: toWireError(thrown) });
    }
    const blocks = this.cut();
    for (const { reject } of this.#builder.takeMarks()) reject(this.#notStored('there was no memory for it, and its receiver has ended.'));
    return blocks;
  }

  /** While it is, `store` gives a promise. */
  holdBack(isHeldBack: boolean): void {
    this.#isHeldBack = isHeldBack;
  }

  stored(sequence: number): void {
    for (const { resolve } of this.#take(sequence)) resolve();
  }

  refused(sequence: number, error: Error): void {
    for (const { reject } of this.#take(sequence)) reject(error);
  }

  #take(sequence: number): readonly Stored[] {
    const waiting = this.#waiting.get(sequence) ?? [];
    this.#waiting.delete(sequence);
    return waiting;
  }

  #store(record: unknown): Promise<void> | undefined {
    // One for all: who stores in a loop and never looks makes no error for each record.
    if (this.#stopped) return (this.#over ??= handled(Promise.reject(this.#notStored('its receiver has stopped.'))));
    const isFull = !this.#builder.add(record);
    const underWay = this.#ready.length + this.#waiting.size + (isFull ? 1 : 0);
    const mustWait = this.#isHeldBack || this.#builder.exhausted || underWay >= this.#options.blocksInFlightMax;
    const promise = mustWait ? this.#mark(null) : undefined;
    if (isFull) {
      this.#cutFull();
      this.#askForCut();
    }
    return promise;
  }

  #storeBatch(records: readonly unknown[], { position }: StoreOptions = {}): Promise<void> {
    if (this.#stopped) return handled(Promise.reject(this.#notStored('its receiver has stopped.')));
    let encoded: Uint8Array | null = null;
    try {
      encoded = position === undefined ? null : encodedPosition(position);
    } catch (thrown) {
      return handled(Promise.reject(thrown));
    }
    this.#resumes ||= encoded !== null;
    let isFull = false;
    for (const record of records) {
      if (isFull) this.#cutFull();
      isFull = !this.#builder.add(record);
    }
    const promise = this.#mark(encoded);
    if (isFull) this.#cutFull();
    // Batches that are stored in the same turn go into one block: as in a group commit.
    this.#askForCut();
    return promise;
  }

  /** At once, so that values don't pile up until the actor's turn comes; where there is memory. */
  #cutFull(): void {
    if (this.#builder.exhausted) return;
    try {
      this.#ready.push(...this.#builder.cut());
    } catch {
      // The actor's own cut meets it again, and tells.
    }
  }

  /** Behind the record that was stored last. */
  #mark(position: Uint8Array | null): Promise<void> {
    return handled(new Promise((resolve, reject) => this.#builder.mark({ position, resolve, reject })));
  }

  #askForCut(): void {
    if (this.#cutSaid) return;
    this.#cutSaid = true;
    this.#options.emit({ type: 'blockFull' });
  }

  #notStored(why: string): MillraceError {
    const { stream } = this.#options;
    return new MillraceError('BlockNotStored', `Expected records of stream ${stream} to be stored; they were not, since ${why} Don't acknowledge them: their source has to send them again.`, { details: { stream } });
  }
}

/** Throws InvalidArgument. */
function encodedPosition(position: unknown): Uint8Array {
  let encoded: Uint8Array;
  try {
    encoded = encodeRecord(position);
  } catch (thrown) {
    throw new MillraceError('InvalidArgument', `Expected position to be a value that a record can be; got ${previewOf(position)}.`, { cause: thrown });
  }
  if (encoded.length > positionBytesMax) throw new MillraceError('InvalidArgument', `Expected a position of at most ${positionBytesMax} bytes; got one of ${encoded.length}. Keep in it where to go on, such as an offset, and nothing else.`, { details: { bytes: encoded.length, positionBytesMax } });
  return encoded;
}

/** A receiver that doesn't look at the promise must not end its thread when it rejects. */
function handled(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}

function wireOf(cause: unknown): ReturnType<typeof toWireError> | null {
  return cause === undefined ? null : toWireError(cause);
}

/** By what it can do, not by its class: the package can be loaded twice on a thread. */
function isReceiver(value: unknown): value is Receiver<unknown> {
  const { attach, onStart, onStop } = (value ?? {}) as Record<string, unknown>;
  return typeof attach === 'function' && typeof onStart === 'function' && typeof onStop === 'function';
}
