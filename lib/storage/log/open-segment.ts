/**
 * One segment while it is written: made with its header, given groups of frames, closed.
 *
 * Invariant: `bytes` is where the last group that is known to be durable (or written, without syncs) ends. Once a method has rejected, the
 * segment is suspect, and no further method but `abandon` is called.
 */
import type { Clock } from '../../base/clock.ts';
import { systemCodeOf } from '../disk.ts';
import type { Disk, DiskFile } from '../disk.ts';
import { bytesOf, decodeSegmentHeader, encodeFrame, encodeSegmentHeader, frameFlags, frameHeaderBytes, frameOverheadBytes, segmentFlags, segmentHeaderBytes } from './frame.ts';
import { segmentFile } from './segment.ts';
import type { Segment } from './segment.ts';

/** Where the body of a frame lies: from when it was acknowledged until all up to its number is removed, over recoveries, too. */
export interface LogPosition {
  readonly sequence: number;
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
}

export interface LogEntry {
  readonly type: number;
  readonly parts: readonly Uint8Array[];
}

/** What was done, counted by the disk's calls. */
export interface LogCounts {
  syncs: number;
  directorySyncs: number;
  bytes: number;
  segments: number;
}

export interface SegmentMaking {
  readonly disk: Disk;
  readonly directory: string;
  readonly first: number;
  readonly attempt: number;
  readonly sync: boolean;
  readonly clock: Clock;
  readonly counts: LogCounts;
}

export class OpenSegment implements Segment {
  readonly file: string;
  readonly first: number;
  readonly attempt: number;
  readonly header: NonNullable<Segment['header']>;
  readonly openedMs: number;
  readonly #disk: Disk;
  readonly #output: DiskFile;
  readonly #sync: boolean;
  readonly #counts: LogCounts;
  #bytes = segmentHeaderBytes;

  private constructor({ disk, sync, clock, counts, attempt }: SegmentMaking, file: string, header: NonNullable<Segment['header']>, output: DiskFile) {
    this.file = file;
    this.first = header.first;
    this.attempt = attempt;
    this.header = header;
    this.openedMs = clock.now();
    this.#disk = disk;
    this.#output = output;
    this.#sync = sync;
    this.#counts = counts;
  }

  /** It is durable, name and header, when this resolves: a header that is missing behind a power cut then means that nothing stood behind it. */
  static async make(making: SegmentMaking): Promise<OpenSegment> {
    const { disk, directory, first, attempt, sync, clock, counts } = making;
    const file = segmentFile(directory, first, attempt);
    const bytes = encodeSegmentHeader({ first, flags: sync ? segmentFlags.synced : 0, salt: Math.floor(clock.wall()) % 0x1_0000_0000 });
    const output = await disk.create(file);
    counts.segments += 1;
    const segment = new OpenSegment(making, file, decodeSegmentHeader(bytes)!, output);
    try {
      await output.append([bytes]);
      counts.bytes += bytes.length;
      if (sync) {
        counts.syncs += 1;
        await output.sync();
        counts.directorySyncs += 1;
        await disk.syncDirectory(directory);
      }
      return segment;
    } catch (thrown) {
      await segment.abandon(thrown);
      throw thrown;
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#bytes === segmentHeaderBytes;
  }

  /** Writes and syncs the entries, the first of which has the number `sequence`. */
  async append(entries: readonly LogEntry[], sequence: number): Promise<LogPosition[]> {
    const positions: LogPosition[] = [];
    const parts: Uint8Array[] = [];
    let offset = this.#bytes;
    for (const entry of entries) {
      const number = sequence + positions.length;
      const flags = this.#sync && positions.length === 0 ? frameFlags.behindSync : 0;
      parts.push(...encodeFrame(this.header.seed, { type: entry.type, flags, sequence: number }, entry.parts));
      const bytes = bytesOf(entry.parts);
      positions.push({ sequence: number, file: this.file, offset: offset + frameHeaderBytes, bytes });
      offset += bytes + frameOverheadBytes;
    }
    await this.#output.append(joined(parts));
    this.#counts.bytes += offset - this.#bytes;
    if (this.#sync) {
      this.#counts.syncs += 1;
      await this.#output.sync();
    }
    // A file whose directory is gone can be written and synced for ever, and is nowhere.
    const size = await this.#disk.size(this.file);
    if (size !== offset) throw new Error(`Expected ${this.file} to hold ${offset} bytes after they were written; it holds ${size}. Something else writes to it, or it was replaced.`);
    this.#bytes = offset;
    return positions;
  }

  close(): Promise<void> {
    return this.#output.close();
  }

  /** After a failure. Nothing is asked of it again but room, where there is none: what follows will be somewhere else. */
  async abandon(failure: unknown): Promise<void> {
    await this.#output.close().catch(() => {});
    if (this.isEmpty) await this.#disk.remove(this.file).catch(() => {});
    else if (systemCodeOf(failure) === 'ENOSPC') await this.#disk.truncate(this.file, this.#bytes).catch(() => {});
  }
}

/** Parts up to this long are copied: a system call takes 1,024 parts at most, and each costs. */
const joinedBytesMax = 8 * 1024;

/** The same bytes in fewer parts. */
function joined(parts: readonly Uint8Array[]): Uint8Array[] {
  const result: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  const flush = (): void => {
    if (small.length > 0) result.push(small.length === 1 ? small[0]! : Buffer.concat(small));
    small = [];
  };
  for (const part of parts) {
    if (part.length <= joinedBytesMax) {
      small.push(part);
    } else {
      flush();
      result.push(part);
    }
  }
  flush();
  return result;
}
