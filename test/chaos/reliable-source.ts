/**
 * A source that keeps what was not acknowledged, as a message broker does, and a receiver that reads from it.
 *
 *   records   a a a a | u u u | n n n n        a: acknowledged   u: given to the connection, not acknowledged   n: not given yet
 *                       `-- a new connection begins here again
 *
 * Invariant: one connection lives at a time; a new one ends the one before, and what an ended one says is not heard.
 */
import { Receiver } from '../../lib/dstream/receiver.ts';
import type { StorageLevel } from '../../lib/rdd/storage-level.ts';
import type { Envelope } from './chaos-program.ts';

export class ReliableSource {
  readonly #records: Envelope[] = [];
  readonly #onAcknowledged: (id: string) => void;
  readonly #acknowledged = new Set<string>();
  #connection: Connection | null = null;
  connections = 0;

  constructor(onAcknowledged: (id: string) => void) {
    this.#onAcknowledged = onAcknowledged;
  }

  add(records: readonly Envelope[]): void {
    this.#records.push(...records);
    this.#connection?.wake();
  }

  get allAcknowledged(): boolean {
    return this.#acknowledged.size === this.#records.length;
  }

  connect(onCut: () => void): Connection {
    this.#connection?.close();
    this.connections += 1;
    const unacknowledged = this.#records.findIndex(([id]) => !this.#acknowledged.has(id));
    this.#connection = new Connection(this.#records, unacknowledged < 0 ? this.#records.length : unacknowledged, onCut, (records) => {
      for (const [id] of records) {
        this.#acknowledged.add(id);
        this.#onAcknowledged(id);
      }
    });
    return this.#connection;
  }

  /** The connection is gone, and its reader is told. */
  cut(): void {
    this.#connection?.cut();
  }

  /** The reader's process is gone: nothing of it is heard any more. */
  forget(): void {
    this.#connection?.close();
    this.#connection = null;
  }
}

export class Connection {
  readonly #records: readonly Envelope[];
  readonly #onCut: () => void;
  readonly #onAcknowledge: (records: readonly Envelope[]) => void;
  #next: number;
  #closed = false;
  #waiting: (() => void)[] = [];

  constructor(records: readonly Envelope[], next: number, onCut: () => void, onAcknowledge: (records: readonly Envelope[]) => void) {
    this.#records = records;
    this.#next = next;
    this.#onCut = onCut;
    this.#onAcknowledge = onAcknowledge;
  }

  /** The next records, when there are any; null: the connection has ended. */
  async next(recordsMax: number): Promise<readonly Envelope[] | null> {
    while (!this.#closed && this.#next >= this.#records.length) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.#closed) return null;
    const records = this.#records.slice(this.#next, this.#next + recordsMax);
    this.#next += records.length;
    return records;
  }

  acknowledge(records: readonly Envelope[]): void {
    if (!this.#closed) this.#onAcknowledge(records);
  }

  wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  close(): void {
    this.#closed = true;
    this.wake();
  }

  cut(): void {
    if (this.#closed) return;
    this.close();
    this.#onCut();
  }
}

/** Acknowledges what is stored, and reads again what was not. */
export class FromReliableSource extends Receiver<Envelope> {
  readonly #source: ReliableSource;
  readonly #recordsMax: number;
  #connection: Connection | null = null;

  constructor(source: ReliableSource, level: StorageLevel, recordsMax: number) {
    super(level);
    this.#source = source;
    this.#recordsMax = recordsMax;
  }

  override onStart(): void {
    const connection = this.#source.connect(() => this.restart('The connection was cut.'));
    this.#connection = connection;
    void this.#read(connection);
  }

  override onStop(): void {
    this.#connection?.close();
  }

  async #read(connection: Connection): Promise<void> {
    for (;;) {
      const records = await connection.next(this.#recordsMax);
      if (records === null || this.isStopped()) return;
      // Several may be under way at a time.
      this.storeBatch(records).then(
        () => connection.acknowledge(records),
        () => connection.cut(),
      );
    }
  }
}
