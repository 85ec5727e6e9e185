/**
 * Lines of utf8 text from a TCP server, as blocks.
 *
 * Invariant: no string is made on this thread. Where shared memory runs out, nothing is read, so that the sender feels it
 * (TCP holds it back); nothing that was read is lost. Where it is short, it goes round: what is read is copied, and each cut gives the
 * memory back, so that there may be more receivers than slabs. A character or a line may be cut anywhere between two reads.
 */
import { connectionEnd } from './connection-end.ts';
import type { Emit, NetPort, Source, SourceBlock } from './source.ts';
import { TextBlockBuilder } from './text-block-builder.ts';
import type { CutBlock, OpenMemory } from './text-block-builder.ts';

export interface SocketTextOptions {
  readonly host: string;
  readonly port: number;
  readonly recordBytesMax: number;
  readonly blockBytesMax: number;
  readonly net: NetPort;
  readonly open: (last: boolean) => OpenMemory | null;
  /** False: it reads into its own buffer and copies, since the memory for the next read is held until that comes. Default: always true. */
  readonly mayReadAhead?: () => boolean;
  /** True where another receiver would get no memory now: this one gives its own back. Default: never. */
  readonly isShort?: () => boolean;
  readonly emit: Emit;
}

export class SocketTextSource implements Source {
  readonly #options: SocketTextOptions;
  readonly #builder: TextBlockBuilder;
  #connection: ReturnType<NetPort['connect']> | null = null;
  /** The next read goes straight into the builder's memory, so that it can't be given back. */
  #readsAhead = false;
  /** Takes the reads that may not go there; what of the last one has no place yet waits in `#waiting`. */
  readonly #overflow = new Uint8Array(65_536);
  #waiting: Uint8Array = new Uint8Array(0);
  #paused = false;
  /** One `blockFull` for each filled block, however many reads come before it is cut. */
  #fullSaid = false;

  constructor(options: SocketTextOptions) {
    this.#options = options;
    this.#builder = new TextBlockBuilder({
      open: options.open,
      recordBytesMax: options.recordBytesMax,
      onRecordTooLarge: (bytes) => options.emit({ type: 'recordTooLarge', bytes }),
    });
  }

  start(): void {
    const { host, port, net, emit } = this.#options;
    this.#connection = net.connect({
      host,
      port,
      buffer: () => this.#nextBuffer(),
      onRead: (bytes, buffer) => this.#onRead(bytes, buffer),
      onConnect: () => emit({ type: 'connected', peer: `${host}:${port}` }),
      onClose: (error) => this.#onClose(error),
    });
  }

  cut(): readonly SourceBlock[] {
    this.#fullSaid = false;
    const blocks = this.#builder.cut().map(asTextBlock);
    if (!this.#readsAhead && this.#options.isShort?.() === true) this.#builder.giveBack();
    if (this.#paused) this.#tryAgain();
    return blocks;
  }

  end(): readonly SourceBlock[] {
    this.#connection?.destroy();
    this.#connection = null;
    this.#builder.ends();
    this.#waiting = this.#builder.copyIn(this.#waiting);
    return this.#builder.finish().map(asTextBlock);
  }

  /** Asked for right after each read, long before the next one comes: a source that is idle holds what it was given. */
  #nextBuffer(): Uint8Array {
    const space = this.#options.mayReadAhead?.() === false ? null : this.#builder.space();
    this.#readsAhead = space !== null;
    return space ?? this.#overflow;
  }

  #onRead(bytes: number, buffer: Uint8Array): boolean {
    if (buffer === this.#overflow) {
      this.#waiting = this.#builder.copyIn(this.#overflow.subarray(0, bytes)).slice();
      if (this.#waiting.length > 0) {
        this.#paused = true;
        return false;
      }
    } else {
      this.#builder.received(bytes);
    }
    if (!this.#fullSaid && this.#builder.openBytes >= this.#options.blockBytesMax) {
      this.#fullSaid = true;
      this.#options.emit({ type: 'blockFull' });
    }
    return true;
  }

  #tryAgain(): void {
    this.#waiting = this.#builder.copyIn(this.#waiting);
    if (this.#waiting.length > 0) return;
    this.#paused = false;
    this.#connection?.resume();
  }

  #onClose(error: Error | null): void {
    this.#connection = null;
    const { host, port, emit } = this.#options;
    emit(connectionEnd(host, port, error));
  }
}

function asTextBlock(block: CutBlock): SourceBlock {
  return { codec: 'text', place: block.handle, records: block.records };
}
