/**
 * From a checkpoint directory to the book that a program goes on from: the newest checkpoint that can be read, and the events behind it.
 *
 * Who calls this holds the directory's lock.
 *
 * Invariant: the book is that of all events that were acknowledged, or the call rejects and says what is damaged. An older checkpoint gives
 * the same book, as long as the log reaches back to it.
 */
import { MillraceError } from '../../protocol/errors.ts';
import type { Disk } from '../storage/disk.ts';
import { readLog } from '../storage/log/read-log.ts';
import { applyEvent, emptyBook } from './book.ts';
import type { RecoveryBook } from './book.ts';
import { decodeCheckpoint, listCheckpoints } from './checkpoint-file.ts';
import { decodeEvent } from './event-codec.ts';
import { firstSequenceOf, logNeedsOf } from './log-needs.ts';

export interface Recovered {
  readonly book: RecoveryBook;
  /** Of the next frames of the log, and of the state's. */
  readonly nextSequence: number;
  readonly nextStateSequence: number;
  /** What the user should know of: a checkpoint that could not be read, the end of a write that was cut off. */
  readonly warnings: readonly string[];
}

export interface RecoverOptions {
  readonly disk: Disk;
  readonly directory: string;
  /** Sets aside what is damaged in the log. Default false. */
  readonly quarantine?: boolean;
  /** Where no checkpoint can be read: as if there were nothing. Default false. */
  readonly createOnError?: boolean;
}

export const logDirectory = (directory: string): string => `${directory}/log`;
export const stateDirectory = (directory: string): string => `${directory}/state`;
export const lockFile = (directory: string): string => `${directory}/lock`;

/** Null: the directory holds no program's log. Rejects with CheckpointCorrupted, WalCorrupted, FormatUnknown. */
export async function recover(options: RecoverOptions): Promise<Recovered | null> {
  const { disk, directory, quarantine = false } = options;
  const names = await listCheckpoints(disk, directory);
  const hasLog = (await disk.list(logDirectory(directory))).length > 0;
  if (names.length === 0 && !hasLog) return null;
  const warnings: string[] = [];
  const book = await newestCheckpoint(disk, directory, names, warnings);
  const log = await readLog({
    disk,
    directory: logDirectory(directory),
    fromSequence: book.sequence + 1,
    quarantine,
    onFrame: ({ sequence, type, body, file, offset }) => {
      const decoded = decodeEvent(type, body);
      if (decoded === null) return;
      const { event, dataOffset } = decoded;
      const place = dataOffset === null ? null : { file: file.slice(directory.length + 1), offset: offset + dataOffset, bytes: body.length - dataOffset };
      applyEvent(book, sequence, event, place);
    },
  });
  const states = await readLog({ disk, directory: stateDirectory(directory), fromSequence: await firstStateFrame(disk, directory, book), quarantine, onFrame: () => {} });
  if (log.tornBytes > 0) warnings.push(`The end of the log was cut off in the middle of a write: ${log.tornBytes} bytes that were never acknowledged.`);
  for (const { file } of [...log.quarantined, ...states.quarantined]) warnings.push(`A damaged part of the log was set aside: ${file}.`);
  if (book.identity === null) return null;
  // What was set aside has numbers, too.
  book.sequence = Math.max(book.sequence, log.nextSequence - 1);
  return { book, nextSequence: log.nextSequence, nextStateSequence: states.nextSequence, warnings };
}

/** What the book needs must be there. What nobody needs any more may have been removed; where nothing is needed, the oldest file says where numbers begin. */
async function firstStateFrame(disk: Disk, directory: string, book: RecoveryBook): Promise<number> {
  const { state } = logNeedsOf(book);
  if (state !== Infinity) return Math.max(1, state);
  const [oldest] = (await disk.list(stateDirectory(directory))).flatMap((name) => (/^\d{20}/.test(name) ? [firstSequenceOf(name)] : [])).sort((a, b) => a - b);
  return Math.max(1, oldest ?? 1);
}

async function newestCheckpoint(disk: Disk, directory: string, names: readonly string[], warnings: string[]): Promise<RecoveryBook> {
  let failure: unknown = null;
  for (const name of names) {
    const file = `${directory}/${name}`;
    try {
      return decodeCheckpoint(file, await disk.read(file, 0, await disk.size(file)));
    } catch (thrown) {
      failure ??= thrown;
      warnings.push(`${file} could not be read (${thrown instanceof Error ? thrown.message : String(thrown)}) and an older checkpoint is taken.`);
    }
  }
  if (failure !== null) throw failure;
  // Ended before its first checkpoint: the log has all.
  return emptyBook();
}
