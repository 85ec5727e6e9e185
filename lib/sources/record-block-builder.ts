/**
 * The open block of a receiver that stores records: kept as values until the block is cut, then encoded once.
 *
 * Invariant: every stored record is in exactly one cut block, in the order in which it was stored, or was refused: one that
 * can't be encoded is taken out and told of, and holds back no other. Where memory runs out the records stay, and
 * `exhausted` says so until a later cut succeeds. A block of several records has at most `blockBytesMax` bytes. A *mark* stands
 * behind a record and comes with the block that has it; with a block of its own, without records, where there is none.
 *
 *   records:  a  b  c | d  e  f  g | h        a cut that takes six:  a b c d e f, with the mark behind c;
 *                   mark         mark         then g h, with the other one
 */
import { encodeRecord, encodeRecords } from '../../protocol/codec.ts';
import { MillraceError } from '../../protocol/errors.ts';
import type { SharedHandle } from '../../protocol/rdd.ts';
import type { SourceBlock } from './source.ts';

export interface RecordBlockBuilderOptions {
  readonly allocate: (bytes: number) => { readonly handle: SharedHandle; readonly view: Uint8Array } | null;
  /** A cut is due at this many records, whatever the block interval says. */
  readonly recordsMax: number;
  /** No block of more than one record is larger than this, in bytes. */
  readonly blockBytesMax: number;
  /** A record that takes more, alone in its block, would wait for memory for ever: it is refused. In bytes. */
  readonly recordBytesMax: number;
  /** Once for a cut that met records which can't be encoded, and for each that is too large: how many, and what was wrong with the first. */
  readonly onRefused: (records: number, first: unknown) => void;
}

interface Encoded {
  readonly place: SharedHandle | null;
  readonly bytes: number;
}

/** A block with the marks that stand behind its records, in order. */
export interface MarkedBlock<Mark> extends SourceBlock {
  readonly marks: readonly Mark[];
}

export class RecordBlockBuilder<Mark = never> {
  readonly #options: RecordBlockBuilderOptions;
  #records: unknown[] = [];
  /** `behind`: how many of the records stand before it. */
  #marks: { behind: number; readonly mark: Mark }[] = [];
  #exhausted = false;
  /** How many records fill a block, by the bytes of those that were cut last. */
  #recordsFull: number;

  constructor(options: RecordBlockBuilderOptions) {
    this.#options = options;
    this.#recordsFull = options.recordsMax;
  }

  /** False: enough for one block; cut before more is stored. */
  add(record: unknown): boolean {
    return this.#records.push(record) < this.#recordsFull;
  }

  /** Behind the record that was added last. */
  mark(mark: Mark): void {
    this.#marks.push({ behind: this.#records.length, mark });
  }

  /** Marks whose block has not been cut. They are forgotten. */
  takeMarks(): readonly Mark[] {
    return this.#marks.splice(0).map(({ mark }) => mark);
  }

  /** True while the last cut found no memory. */
  get exhausted(): boolean {
    return this.#exhausted;
  }

  /** What is open: one block, or several smaller ones where it is too large for one, or there is no memory for one. */
  cut(): readonly MarkedBlock<Mark>[] {
    this.#exhausted = false;
    const blocks: MarkedBlock<Mark>[] = [];
    const { blockBytesMax, recordBytesMax } = this.#options;
    let take = this.#records.length;
    while (take > 0) {
      const records = take === this.#records.length ? this.#records : this.#records.slice(0, take);
      let encoded: Encoded;
      try {
        encoded = this.#encode(records);
      } catch (thrown) {
        this.#refuse(thrown);
        take = this.#records.length;
        continue;
      }
      const { place, bytes } = encoded;
      if (place !== null) {
        blocks.push({ codec: 'records', place, records: take, marks: this.#passMarks(take) });
        this.#records = this.#records.slice(take);
        this.#recordsFull = this.#recordsFor(take, bytes);
        take = Math.min(take, this.#records.length);
      } else if (take === 1 && bytes > recordBytesMax) {
        this.#records = this.#records.slice(1);
        for (const mark of this.#marks) mark.behind = Math.max(0, mark.behind - 1);
        this.#options.onRefused(1, new MillraceError('RecordTooLarge', `Expected records of at most ${recordBytesMax} bytes, which is all that receivers may have of the memory for blocks; got one of ${bytes}. Raise blockMemoryBytesMax, or split the record.`, { details: { bytes, recordBytesMax } }));
        take = this.#records.length;
      } else if (take > 1) {
        take = bytes > blockBytesMax ? Math.min(take - 1, this.#recordsFor(take, bytes)) : Math.ceil(take / 2);
      } else {
        this.#exhausted = true;
        return blocks;
      }
    }
    const marks = this.#passMarks(0);
    if (marks.length > 0) blocks.push({ codec: 'records', place: null, records: 0, marks });
    return blocks;
  }

  /** The marks behind the first `records` records, which go. */
  #passMarks(records: number): readonly Mark[] {
    const passed = this.#marks.filter(({ behind }) => behind <= records);
    this.#marks = this.#marks.filter(({ behind }) => behind > records);
    for (const mark of this.#marks) mark.behind -= records;
    return passed.map(({ mark }) => mark);
  }

  /** How many records of that size a block takes: one at least. */
  #recordsFor(records: number, bytes: number): number {
    const { blockBytesMax, recordsMax } = this.#options;
    return Math.max(1, Math.min(recordsMax, Math.floor((records * blockBytesMax) / Math.max(1, bytes))));
  }

  /** No place: there is no memory for that many, or they are too large for one block. */
  #encode(records: readonly unknown[]): Encoded {
    const encoded: { place: SharedHandle | null; bytes: number } = { place: null, bytes: 0 };
    encodeRecords(records, (bytes) => {
      encoded.bytes = bytes;
      const allocated = records.length > 1 && bytes > this.#options.blockBytesMax ? null : this.#options.allocate(bytes);
      if (allocated === null) return new Uint8Array(bytes);
      encoded.place = allocated.handle;
      return allocated.view;
    });
    return encoded;
  }

  #refuse(thrown: unknown): void {
    const isGood = this.#records.map(canBeEncoded);
    const kept = this.#records.filter((_record, index) => isGood[index]);
    const refused = this.#records.length - kept.length;
    if (refused === 0) throw thrown;
    for (const mark of this.#marks) mark.behind = isGood.slice(0, mark.behind).filter(Boolean).length;
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
