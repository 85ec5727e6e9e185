/**
 * One life of a program as its log sees it: batches with received data and a state, written by the runtime's own files, step by step.
 *
 * Invariant: `book` is the fold of all events that were acknowledged, as the write-ahead log's actor has it; `written` are the bytes that
 * it says to lie somewhere, by where.
 */
import { asBlockId } from '../../protocol/ids.ts';
import type { RecoveryEvent, StateCommit } from '../../protocol/recovery.ts';
import { asBatchTime } from '../../protocol/time.ts';
import { ManualClock } from '../../lib/base/clock.ts';
import { applyEvent, emptyBook } from '../../lib/recovery/book.ts';
import type { RecoveryBook } from '../../lib/recovery/book.ts';
import { encodeCheckpoint } from '../../lib/recovery/checkpoint-file.ts';
import { encodeBlock, encodeEvent, frameTypes } from '../../lib/recovery/event-codec.ts';
import { logNeedsOf } from '../../lib/recovery/log-needs.ts';
import { recover } from '../../lib/recovery/recover.ts';
import { RecoveryFiles } from '../../lib/recovery/recovery-files.ts';
import type { Disk } from '../../lib/storage/disk.ts';
import { identityOf } from './recovery-events.ts';

export const directory = 'app/checkpoints';

export interface LifeOptions {
  readonly segmentBytesMax?: number;
  /** Is told of each event before it is given to the log. */
  readonly onEvent?: (event: RecoveryEvent) => void;
  /** And when it is acknowledged. */
  readonly onAcknowledged?: () => void;
}

/** As large as a received block of a few lines. */
export const dataOf = (name: string): Uint8Array => Buffer.from(name.repeat(1_200 / name.length), 'latin1');

export class Life {
  readonly files: RecoveryFiles;
  readonly book: RecoveryBook;
  readonly #options: LifeOptions;

  private constructor(files: RecoveryFiles, book: RecoveryBook, options: LifeOptions) {
    this.files = files;
    this.book = book;
    this.#options = options;
  }

  /** Goes on from what is there. */
  static async begin(disk: Disk, options: LifeOptions = {}): Promise<Life> {
    await disk.makeDirectory(directory);
    const recovered = await recover({ disk, directory });
    const files = new RecoveryFiles({
      disk, clock: new ManualClock(), warn: () => {}, next: { log: recovered?.nextSequence ?? 1, state: recovered?.nextStateSequence ?? 1 },
      settings: { directory, logsBlocks: true, sync: true, syncIntervalMs: 0, segmentBytesMax: options.segmentBytesMax ?? 67_108_864, segmentMsMax: 1e9, closeFileAfterWrite: false, checkpointIntervalMs: 0 },
    });
    const life = new Life(files, recovered?.book ?? emptyBook(), options);
    await files.open();
    await life.event({ type: 'programStarted', identity: identityOf([['in', 'socket'], ['state', 'updateStateByKey']]) });
    return life;
  }

  async event(event: RecoveryEvent, data?: Uint8Array): Promise<void> {
    this.#options.onEvent?.(event);
    if (event.type === 'blockAdded') {
      const { parts, dataOffset } = encodeBlock(event, data ?? new Uint8Array(0));
      const { sequence, file, offset, bytes } = await this.files.append(frameTypes.block, parts, { urgent: true });
      applyEvent(this.book, sequence, event, { file, offset: offset + dataOffset, bytes: bytes - dataOffset });
    } else applyEvent(this.book, (await this.files.append(frameTypes.event, encodeEvent(event), { urgent: true })).sequence, event, null);
    this.#options.onAcknowledged?.();
  }

  /** A block, its batch, the batch's state and end, a checkpoint; what is older than two batches is forgotten. */
  async batch(number: number): Promise<void> {
    const time = asBatchTime(number * 1_000);
    const block = asBlockId(`b${number}`);
    await this.event({ type: 'blockAdded', uid: 'in', block, codec: 'text', records: 1, epoch: 0, position: null }, dataOf(block));
    await this.event({ type: 'batchGenerated', time, inputs: [{ uid: 'in', time, taken: { kind: 'blocks', blocks: [block] } }], broadcasts: [] });
    await this.event({ type: 'batchCompleted', time, states: [await this.#state(number)], accumulators: null });
    await this.checkpoint();
    if (number > 2) await this.event({ type: 'batchesForgotten', upTo: asBatchTime(time - 2_000) });
  }

  /** Something that is neither a batch nor forgotten: the next checkpoint has the same newest batch. */
  async more(): Promise<void> {
    await this.event({ type: 'broadcastSet', broadcast: 0, version: 1, value: dataOf('value') });
    await this.checkpoint();
  }

  async checkpoint(): Promise<void> {
    await this.files.writeCheckpoint(this.book.generated ?? 0, encodeCheckpoint(this.book), logNeedsOf(this.book));
  }

  /** A snapshot with every third batch, steps between. */
  async #state(number: number): Promise<StateCommit> {
    const { file, offset, bytes } = await this.files.appendState(frameTypes.state, [dataOf(`s${number}`)]);
    const time = asBatchTime(number * 1_000);
    const pairs = { id: asBlockId(`s${number}`), codec: 'records' as const, records: 1, place: { file, offset, bytes } };
    const before = this.book.states.get('state')?.versions.at(-1)?.time ?? null;
    return { uid: 'state', oldest: time, time, version: { time, base: before, stateVersion: 1, links: [{ time, snapshot: before === null || number % 3 === 1, pairs, extra: null }] } };
  }
}
