/**
 * The open block of a receiver that stores records: kept as values until the block is cut, then encoded once.
 *
 * Invariant: every stored record is in exactly one cut block, in the order in which it was stored. Where memory runs out
 * the records stay, and `full` says so until a later cut succeeds.
 */
import { encodeRecords } from '../../protocol/codec.ts';
import type { SharedHandle } from '../../protocol/rdd.ts';
import type { SourceBlock } from './source.ts';

export interface RecordBlockBuilderOptions {
  readonly allocate: (bytes: number) => { readonly handle: SharedHandle; readonly view: Uint8Array } | null;
  /** A cut is due at this many records, whatever the block interval says. */
  readonly recordsMax: number;
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

  /** What is open. A record that can't be encoded is taken out, so that it can't hold back the others, and thrown as an error. */
  cut(): readonly SourceBlock[] {
    if (this.#records.length === 0) return [];
    const records = this.#records;
    let place: SharedHandle | null = null;
    this.#exhausted = false;
    encodeRecords(records, (bytes) => {
      const allocated = this.#options.allocate(bytes);
      if (allocated === null) {
        this.#exhausted = true;
        return new Uint8Array(bytes);
      }
      place = allocated.handle;
      return allocated.view;
    });
    if (place === null) return [];
    this.#records = [];
    return [{ codec: 'records', place, records: records.length }];
  }
}
