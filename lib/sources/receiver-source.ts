/**
 * A user's receiver as a source.
 *
 * Invariant: the receiver is made when the source starts, stopped when it ends, and never called after that; what it
 * stores lies in an open block until the block is cut. A stored batch settles when its block has been handed over.
 */
import type { Receiver } from '../dstream/receiver.ts';
import type { StreamId } from '../../protocol/ids.ts';
import { MillraceError, previewOf, toWireError } from '../../protocol/errors.ts';
import { RecordBlockBuilder } from './record-block-builder.ts';
import { reportRefused } from './refused-records.ts';
import type { RecordBlockBuilderOptions } from './record-block-builder.ts';
import type { Emit, Source, SourceBlock } from './source.ts';

export interface ReceiverSourceOptions extends Omit<RecordBlockBuilderOptions, 'onRefused'> {
  readonly stream: StreamId;
  readonly make: () => Receiver<unknown>;
  readonly emit: Emit;
}

export class ReceiverSource implements Source {
  readonly #options: ReceiverSourceOptions;
  readonly #builder: RecordBlockBuilder;
  #receiver: Receiver<unknown> | null = null;
  #stopped = false;
  /** Who waits for the open block to be handed over. */
  #waiting: (() => void)[] = [];

  constructor(options: ReceiverSourceOptions) {
    this.#options = options;
    this.#builder = new RecordBlockBuilder({ ...options, onRefused: reportRefused(options.emit) });
  }

  start(): void {
    const { stream, make, emit } = this.#options;
    const receiver: unknown = make();
    if (!isReceiver(receiver)) throw new MillraceError('InvalidArgument', `Expected the factory given to receiverStream to return a Receiver; it returned ${previewOf(receiver)}. Return a new object of a class that extends Receiver.`);
    this.#receiver = receiver;
    receiver.attach({
      stream,
      store: (record) => this.#store([record]),
      storeBatch: (records) => (this.#stopped ? Promise.reject(stoppedError(stream)) : this.#store(records) ?? this.#nextCut()),
      reportError: (message, cause) => emit({ type: 'reported', message, error: cause === undefined ? null : toWireError(cause) }),
      restart: (message, cause, delayMs) => emit({ type: 'restart', message, error: cause === undefined ? null : toWireError(cause), delayMs: delayMs ?? null }),
      stop: (message) => emit({ type: 'stopped', message }),
      isStarted: () => this.#receiver !== null && !this.#stopped,
      isStopped: () => this.#stopped,
    });
    // An onStart that is async by mistake fails as one that throws does: its thread lives on.
    const returned: unknown = receiver.onStart();
    if (returned instanceof Promise) returned.catch((thrown: unknown) => emit({ type: 'failed', message: 'onStart failed', error: toWireError(thrown) }));
  }

  cut(): readonly SourceBlock[] {
    const blocks = this.#builder.cut();
    if (!this.#builder.exhausted) {
      for (const settle of this.#waiting.splice(0)) settle();
    }
    return blocks;
  }

  end(): readonly SourceBlock[] {
    this.#stopped = true;
    try {
      this.#receiver?.onStop();
    } catch (thrown) {
      this.#options.emit({ type: 'reported', message: 'onStop threw', error: toWireError(thrown) });
    }
    return this.cut();
  }

  #store(records: readonly unknown[]): Promise<void> | undefined {
    if (this.#stopped) return undefined;
    let room = true;
    for (const record of records) room = this.#builder.add(record) && room;
    if (room && !this.#builder.exhausted) return undefined;
    this.#options.emit({ type: 'blockFull' });
    return this.#nextCut();
  }

  #nextCut(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** What is not stored is not to be acknowledged: so this is an error, where a lost `store` is none. */
function stoppedError(stream: StreamId): MillraceError {
  return new MillraceError('ReceiverFailed', `The receiver of stream ${stream} has stopped: the batch of records was not stored. Don\'t acknowledge it.`, { details: { stream } });
}

/** By what it can do, not by its class: the package can be loaded twice on a thread. */
function isReceiver(value: unknown): value is Receiver<unknown> {
  const { attach, onStart, onStop } = (value ?? {}) as Record<string, unknown>;
  return typeof attach === 'function' && typeof onStart === 'function' && typeof onStop === 'function';
}
