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

  /** `position`: the reader has stored all before it, and wants what comes then. Null: what it has not acknowledged. */
  connect(position: number | null, onCut: () => void): Connection {
    this.#connection?.close();
    this.connections += 1;
    if (position !== null) this.#acknowledge(this.#records.slice(0, position));
    const unacknowledged = this.#records.findIndex(([id]) => !this.#acknowledged.has(id));
    const next = position ?? (unacknowledged < 0 ? this.#records.length : unacknowledged);
    this.#connection = new Connection(this.#records, next, onCut, (records) => this.#acknowledge(records));
    return this.#connection;
  }

  #acknowledge(records: readonly Envelope[]): void {
    for (const [id] of records) {
      this.#acknowledged.add(id);
      this.#onAcknowledged(id);
    }
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

  /** The next records, when there are any, and the position behind them; null: the connection has ended. */
  async next(recordsMax: number): Promise<{ readonly records: readonly Envelope[]; readonly position: number } | null> {
    while (!this.#closed && this.#next >= this.#records.length) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.#closed) return null;
    const records = this.#records.slice(this.#next, this.#next + recordsMax);
    this.#next += records.length;
    return { records, position: this.#next };
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

export interface Reading {
  readonly level: StorageLevel;
  /** At a time. */
  readonly recordsMax: number;
  readonly positions: boolean;
  /** Comes between two readings: so that blocks are cut, and wait behind each other. */
  readonly pause: () => Promise<void>;
}

/** Acknowledges what is stored, and reads again what was not; with positions, goes on behind the last that was stored. */
export class FromReliableSource extends Receiver<Envelope, number> {
  readonly #source: ReliableSource;
  readonly #reading: Reading;
  #connection: Connection | null = null;

  constructor(source: ReliableSource, reading: Reading) {
    super(reading.level);
    this.#source = source;
    this.#reading = reading;
  }

  override onStart(): void {
    const position = this.#reading.positions ? this.lastAcknowledged ?? 0 : null;
    const connection = this.#source.connect(position, () => this.restart('The connection was cut.'));
    this.#connection = connection;
    void this.#read(connection);
  }

  override onStop(): void {
    this.#connection?.close();
  }

  async #read(connection: Connection): Promise<void> {
    const { recordsMax, positions, pause } = this.#reading;
    for (;;) {
      const next = await connection.next(recordsMax);
      if (next === null || this.isStopped()) return;
      const { records, position } = next;
      // Several may be under way at a time.
      this.storeBatch(records, positions ? { position } : {}).then(
        () => connection.acknowledge(records),
        () => connection.cut(),
      );
      await pause();
    }
  }
}
