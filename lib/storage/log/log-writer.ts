/**
 * The one writer of a log: takes what is to be durable, and says when it is.
 *
 *   append ─► waiting ─► one write ─► one sync ─► all of them settle          what comes meanwhile waits, and is the next one
 *                            └─ fails ─► a new segment, the same numbers ─► ... ─► after `attemptsMax`: LogFailed, for all that wait
 *
 * Who opens it holds the lock of the directory, and has read it back (lib/storage/log/read-log.ts): that settles what the writer before left.
 *
 * Invariant: an append resolves only when it, and all that was appended before it, is on the disk. Sequence numbers are given when frames are
 * written, so that those of appends that were rejected are given again, and the numbers have no gap. A file that failed is never
 * written or synced again.
 */
import { MillraceError } from '../../../protocol/errors.ts';
import type { WrittenLog } from '../../../protocol/recovery.ts';
import { assert } from '../../base/assert.ts';
import type { Clock, TimerHandle } from '../../base/clock.ts';
import type { Disk } from '../disk.ts';
import { bodyBytesMax, bytesOf, frameOverheadBytes, segmentFlags } from './frame.ts';
import { OpenSegment } from './open-segment.ts';
import type { LogCounts, LogEntry, LogPosition } from './open-segment.ts';
import { nextAttempt, openSegments, segmentFile, segmentsBelow } from './segment.ts';
import type { Segment } from './segment.ts';

export interface LogWriterOptions {
  readonly disk: Disk;
  readonly directory: string;
  /** Of the first frame that will be written: what reading the log gave. */
  readonly nextSequence: number;
  readonly clock: Clock;
  /** A segment that holds this much is not written to again. Default 64 MiB. */
  readonly segmentBytesMax?: number;
  /** Nor one that is older. Default 60 s, as Spark has it. */
  readonly segmentMsMax?: number;
  /** False: an append resolves when it is written, which a power cut can undo. Default true. */
  readonly sync?: boolean;
  /** Between the beginnings of two syncs, at least, unless something urgent waits. Default 0. */
  readonly syncIntervalMs?: number;
  /** Each group of appends into a segment of its own, for disks that can't append. */
  readonly closeFileAfterWrite?: boolean;
  /** How often a group is tried, each time in a new segment. Default 5. */
  readonly attemptsMax?: number;
  /** Before the second attempt, doubled for each one after it. Default 20. */
  readonly backOffMs?: number;
  /** Told of each failure, also of those that cost nothing. */
  readonly onTrouble?: (trouble: LogTrouble) => void;
}

export interface LogTrouble {
  readonly doing: 'write' | 'close' | 'remove';
  readonly file: string;
  readonly error: unknown;
  /** From 1; of a write the last is `attemptsMax`. */
  readonly attempt: number;
}

interface Waiting extends LogEntry {
  readonly bytes: number;
  readonly lazy: boolean;
  readonly resolve: (position: LogPosition) => void;
  readonly reject: (error: MillraceError) => void;
}

/** A group is closed when it holds this much, so that what one sync covers, and what is written again after a failure, has a bound. */
const groupBytesMax = 16 * 1024 * 1024;
/** What is lazy waits so many sync intervals: a regular sync that is some milliseconds late still takes it along. */
const lazyIntervals = 2;

export class LogWriter {
  readonly #options: Required<LogWriterOptions>;
  readonly #counts: LogCounts = { syncs: 0, directorySyncs: 0, bytes: 0, segments: 0 };
  readonly #counted = { groups: 0, appended: 0, suspects: 0 };
  /** All that are there, with the open one. */
  #segments: Segment[];
  #open: OpenSegment | null = null;
  #nextSequence: number;
  #waiting: Waiting[] = [];
  /** Of those being written. */
  #inHand = 0;
  #urgent = false;
  /** Of those that wait: how many are not lazy. */
  #eager = 0;
  #running: Promise<void> | null = null;
  #removing: Promise<void> = Promise.resolve();
  #timer: { readonly handle: TimerHandle; readonly dueMs: number } | null = null;
  #lastSyncMs = -Infinity;
  #closed: Promise<void> | null = null;

  private constructor(options: Required<LogWriterOptions>, segments: Segment[]) {
    this.#options = options;
    this.#segments = segments;
    this.#nextSequence = options.nextSequence;
  }

  /** Makes the directory where there is none; a segment is made by the first append. Rejects with FormatUnknown, WalCorrupted, or the system's own error. */
  static async open(given: LogWriterOptions): Promise<LogWriter> {
    const options = {
      segmentBytesMax: 64 * 1024 * 1024,
      segmentMsMax: 60_000,
      sync: true,
      syncIntervalMs: 0,
      closeFileAfterWrite: false,
      attemptsMax: 5,
      backOffMs: 20,
      onTrouble: () => {},
      ...given,
    };
    await options.disk.makeDirectory(options.directory);
    const segments = await openSegments(options.disk, options.directory);
    const last = segments.at(-1);
    if (last !== undefined && last.first > options.nextSequence) {
      throw new MillraceError('WalCorrupted', `Expected the log in ${options.directory} to go on with frame ${options.nextSequence}, behind its last segment; ${last.file} would come after that, and nothing of it is known. If it is not the log's, move it away.`, { details: { file: last.file, first: last.first, nextSequence: options.nextSequence } });
    }
    return new LogWriter(options, segments);
  }

  /** The number that the next frame gets. */
  get nextSequence(): number {
    return this.#nextSequence;
  }

  get statistics(): WrittenLog {
    return { ...this.#counts, ...this.#counted, waiting: this.#waiting.length + this.#inHand, segmentsKept: this.#segments.length };
  }

  /**
   * Resolves when it is durable. `type`: 1 to 255, the caller's own. The parts must stay as they are until then. `urgent`: does not wait for
   * `syncIntervalMs`, nor does what waits with it. `lazy`: goes with the next sync that something else asks for, or after twice that interval. Rejects with LogFailed where the disk fails again and again: whether it is there is then
   * not known, and a later reader may find it, unless something else was appended after that. With LogClosed after `close`.
   */
  append(type: number, parts: readonly Uint8Array[], { urgent = false, lazy = false }: { readonly urgent?: boolean; readonly lazy?: boolean } = {}): Promise<LogPosition> {
    const bytes = bytesOf(parts);
    if (!Number.isInteger(type) || type < 1 || type > 255 || bytes > bodyBytesMax) {
      return Promise.reject(new MillraceError('InvalidArgument', `Expected a type from 1 to 255 and at most ${bodyBytesMax} bytes; got type ${type} and ${bytes} bytes. Cut what is larger.`, { details: { type, bytes } }));
    }
    if (this.#closed !== null) return Promise.reject(new MillraceError('LogClosed', `Expected the log in ${this.#options.directory} to be open; it was closed. Append before it is closed.`, { details: { directory: this.#options.directory } }));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ type, parts, bytes, lazy, resolve, reject });
      if (!lazy) this.#eager += 1;
      this.#urgent ||= urgent;
      this.#start();
    });
  }

  /** What waits for `syncIntervalMs` is written now. */
  hurry(): void {
    this.#urgent ||= this.#waiting.length > 0;
    this.#start();
  }

  /**
   * Removes the segments that lie entirely below `sequence`, the oldest first (places of what is not below stay good), and resolves when that was tried; what fails is tried again by the
   * next call, and told to `onTrouble`. The last segment always stays.
   */
  removeBefore(sequence: number): Promise<void> {
    this.#removing = this.#removing.then(() => this.#remove(sequence));
    return this.#removing;
  }

  /** What was appended settles first. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    // One turn later: `#closed` is set then.
    await Promise.resolve();
    this.#start();
    while (this.#running !== null) await this.#running;
    await this.#removing;
    await this.#finish();
  }

  #start(): void {
    if (this.#running !== null || this.#waiting.length === 0) return;
    const { clock } = this.#options;
    const dueMs = this.#dueMs();
    if (this.#timer !== null && this.#timer.dueMs <= dueMs && dueMs > clock.now()) return;
    if (this.#timer !== null) clock.clear(this.#timer.handle);
    this.#timer = null;
    if (dueMs <= clock.now()) {
      this.#running = this.#run();
      return;
    }
    const handle = clock.setTimer(dueMs - clock.now(), () => {
      this.#timer = null;
      this.#start();
    });
    this.#timer = { handle, dueMs };
  }

  async #run(): Promise<void> {
    // What is appended in the same turn belongs to the same group.
    await Promise.resolve();
    while (this.#waiting.length > 0 && this.#dueMs() <= this.#options.clock.now()) await this.#writeGroup();
    this.#running = null;
    this.#start();
  }

  /** When what waits is to be written. */
  #dueMs(): number {
    const intervals = this.#eager > 0 ? 1 : lazyIntervals;
    return this.#urgent || this.#closed !== null ? -Infinity : this.#lastSyncMs + intervals * this.#options.syncIntervalMs;
  }

  async #writeGroup(): Promise<void> {
    const group = this.#takeGroup();
    this.#lastSyncMs = this.#options.clock.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        const positions = await this.#write(group);
        this.#inHand = 0;
        for (const [index, { resolve }] of group.entries()) resolve(positions[index]!);
        return;
      } catch (thrown) {
        const file = await this.#abandon(thrown);
        this.#options.onTrouble({ doing: 'write', file, error: thrown, attempt });
        if (attempt >= this.#options.attemptsMax) return this.#fail(group, thrown, attempt);
        await this.#backOff(attempt);
      }
    }
  }

  #takeGroup(): readonly Waiting[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length && (count === 0 || bytes + this.#waiting[count]!.bytes <= groupBytesMax)) {
      bytes += this.#waiting[count]!.bytes + frameOverheadBytes;
      count += 1;
    }
    const group = this.#waiting.splice(0, count);
    this.#inHand = group.length;
    this.#eager -= group.filter(({ lazy }) => !lazy).length;
    if (this.#waiting.length === 0) this.#urgent = false;
    return group;
  }

  async #write(group: readonly Waiting[]): Promise<LogPosition[]> {
    const { segmentBytesMax, segmentMsMax, clock, closeFileAfterWrite } = this.#options;
    const bytes = group.reduce((sum, one) => sum + one.bytes + frameOverheadBytes, 0);
    if (this.#open !== null && (this.#open.bytes + bytes > segmentBytesMax || clock.now() - this.#open.openedMs >= segmentMsMax)) await this.#finish();
    this.#open ??= await this.#make();
    const positions = await this.#open.append(group, this.#nextSequence);
    this.#nextSequence += group.length;
    this.#counted.groups += 1;
    this.#counted.appended += group.length;
    if (closeFileAfterWrite) await this.#finish();
    return positions;
  }

  async #make(): Promise<OpenSegment> {
    const { disk, directory, sync, clock } = this.#options;
    const first = this.#nextSequence;
    const attempt = nextAttempt(this.#segments, first);
    const making = { disk, directory, first, attempt, sync, clock, counts: this.#counts };
    // In the list also where it fails, without a header: the next attempt has another name, and what stands before it still counts.
    const slot = this.#segments.push({ file: segmentFile(directory, first, attempt), first, attempt, bytes: 0, header: null }) - 1;
    const segment = await OpenSegment.make(making);
    this.#segments[slot] = segment;
    return segment;
  }

  /** Gives the file that it was. */
  async #abandon(failure: unknown): Promise<string> {
    this.#counted.suspects += 1;
    const suspect = this.#open;
    this.#open = null;
    await suspect?.abandon(failure);
    // One that holds nothing is no end of those before it either; it was removed.
    if (suspect?.isEmpty === true) this.#segments = this.#segments.map((segment) => (segment === suspect ? { file: segment.file, first: segment.first, attempt: segment.attempt, bytes: 0, header: null } : segment));
    return (suspect ?? this.#segments.at(-1))?.file ?? this.#options.directory;
  }

  /** Nothing more comes into the open segment. All in it is durable: an error costs nothing. */
  async #finish(): Promise<void> {
    const segment = this.#open;
    this.#open = null;
    await segment?.close().catch((error: unknown) => this.#options.onTrouble({ doing: 'close', file: segment.file, error, attempt: 1 }));
  }

  async #backOff(attempt: number): Promise<void> {
    await new Promise<void>((resolve) => this.#options.clock.setTimer(this.#options.backOffMs * 2 ** (attempt - 1), resolve));
  }

  /** Not only the group: what waits behind it was appended by somebody who took it for written. */
  #fail(group: readonly Waiting[], cause: unknown, attempts: number): void {
    const failed = [...group, ...this.#waiting];
    this.#waiting = [];
    this.#inHand = 0;
    this.#eager = 0;
    this.#urgent = false;
    const { directory } = this.#options;
    const why = cause instanceof Error ? cause.message : String(cause);
    const error = new MillraceError('LogFailed', `Expected to write to the log in ${directory}; ${attempts} attempts, each in a new file, failed, the last one with: ${why}. What was acknowledged is safe; mend the disk, and append again.`, {
      cause,
      details: { directory, attempts, appends: failed.length },
    });
    for (const { reject } of failed) reject(error);
  }

  async #remove(sequence: number): Promise<void> {
    const { disk, directory, onTrouble } = this.#options;
    // Only one whose header is durable ends those before it.
    const counting = this.#segments.filter(({ header }) => header !== null);
    const last = segmentsBelow(counting, sequence).findLast((segment) => !isWrittenAgain(counting[counting.indexOf(segment) + 1]));
    if (last === undefined) return;
    const below = this.#segments.slice(0, this.#segments.indexOf(last) + 1);
    for (const [index, segment] of below.entries()) {
      try {
        await disk.remove(segment.file);
        // Each before the next one, so that after a power cut none is missing between two that are there.
        if (index < below.length - 1) await disk.syncDirectory(directory);
      } catch (error) {
        onTrouble({ doing: 'remove', file: segment.file, error, attempt: 1 });
        return;
      }
      this.#segments = this.#segments.filter((kept) => kept !== segment);
    }
  }
}

/** A whole segment holds what a reader wrote again. Places in the one before it that had been given out are good as long as it is needed. */
function isWrittenAgain(segment: Segment | undefined): boolean {
  return segment?.header !== null && segment?.header !== undefined && (segment.header.flags & segmentFlags.whole) !== 0;
}
