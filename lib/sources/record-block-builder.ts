/**
 * The open block of a receiver that stores records: kept as values until the block is cut, then encoded once.
 *
 * Invariant: every stored record is in exactly one cut block, in the order in which it was stored, or was refused: one that
 * can't be encoded is taken out and told of, and holds back no other. Where memory runs out the records stay, and
 * `exhausted` says so until a later cut succeeds.
 */
import { encodeRecord, encodeRecords } from '../../protocol/codec.ts';
import type { SharedHandle } from '../../protocol/rdd.ts';
import type { SourceBlock } from './source.ts';

export interface RecordBlockBuilderOptions {
  readonly allocate: (bytes: number) => { readonly handle: SharedHandle; readonly view: Uint8Array } | null;
  /** A cut is due at this many records, whatever the block interval says. */
  readonly recordsMax: number;
  /** Once for a cut that met records which can't be encoded: how many, and what was wrong with the first. */
  readonly onRefused: (records: number, first: unknown) => void;
}

export class RecordBlockBuilder {
  readonly #options: RecordBlockBuilderOptions;
  #records: unknown[] = [];
  #exhausted = false;

  constructor(options: RecordBlockBuilderOptions) {
    this.#options = options;
  }

  /** False: enough for one block; cut before more is stored. */
  add(record: unknown): boolean {
    return this.#records.push(record) < this.#options.recordsMax;
  }

  /** True while the last cut found no memory. */
  get exhausted(): boolean {
    return this.#exhausted;
  }

  /** What is open: one block, or several smaller ones where there is no memory for one. */
  cut(): readonly SourceBlock[] {
    this.#exhausted = false;
    const blocks: SourceBlock[] = [];
    let take = this.#records.length;
    while (take > 0) {
      const records = take === this.#records.length ? this.#records : this.#records.slice(0, take);
      let place: SharedHandle | null;
      try {
        place = this.#encode(records);
      } catch (thrown) {
        this.#refuse(thrown);
        take = this.#records.length;
        continue;
      }
      if (place !== null) {
        blocks.push({ codec: 'records', place, records: take });
        this.#records = this.#records.slice(take);
        take = Math.min(take, this.#records.length);
      } else if (take > 1) {
        take = Math.ceil(take / 2);
      } else {
        this.#exhausted = true;
        return blocks;
      }
    }
    return blocks;
  }

  /** Null: there is no memory for that many. */
  #encode(records: readonly unknown[]): SharedHandle | null {
    let place: SharedHandle | null = null;
    encodeRecords(records, (bytes) => {
      const allocated = this.#options.allocate(bytes);
      if (allocated === null) return new Uint8Array(bytes);
      place = allocated.handle;
      return allocated.view;
    });
    return place;
  }

  #refuse(thrown: unknown): void {
    const kept = this.#records.filter(canBeEncoded);
    const refused = this.#records.length - kept.length;
    if (refused === 0) throw thrown;
    this.#records = kept;
    this.#options.onRefused(refused, thrown);
  }
}

function canBeEncoded(record: unknown): boolean {
  try {
    encodeRecord(record);
    return true;
  } catch {
    return false;
  }
}
