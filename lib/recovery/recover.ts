/**
 * From a checkpoint directory to the book that a program goes on from: the newest checkpoint that can be read, and the events behind it.
 *
 * Who calls this holds the directory's lock.
 *
 * Invariant: the book is that of all events that were acknowledged, or the call rejects and says what is damaged. An older checkpoint gives
 * the same book, as long as the log reaches back to it.
 */
import type { FilePlace } from '../../protocol/rdd.ts';
import { MillraceError } from '../../protocol/errors.ts';
import type { Clock } from '../base/clock.ts';
import type { Disk } from '../storage/disk.ts';
import { readLog } from '../storage/log/read-log.ts';
import { firstSequenceOfAll, listSegments } from '../storage/log/segment.ts';
import { applyEvent, checkSteps, emptyBook } from './book.ts';
import type { RecoveryBook } from './book.ts';
import { decodeCheckpoint, listCheckpoints } from './checkpoint-file.ts';
import { decodeEvent } from './event-codec.ts';
import { logNeedsOf } from './log-needs.ts';
import { brokenPlaces, leaveOut, placesOf, WholeBodies } from './whole-places.ts';

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
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Sets aside what is damaged in the log. Default false. */
  readonly quarantine?: boolean;
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
  const whole = new WholeBodies();
  const book = await newestCheckpoint(disk, directory, names, warnings);
  const timed = options.clock === undefined ? {} : { clock: options.clock };
  const log = await readLog({
    disk,
    ...timed,
    directory: logDirectory(directory),
    fromSequence: book.sequence + 1,
    quarantine,
    onFrame: (frame) => {
      const { sequence, type, body, file, offset } = frame;
      const decoded = decodeEvent(type, body);
      if (decoded === null) return;
      const { event, dataOffset } = decoded;
      if (dataOffset !== null) whole.add(frame);
      const place = dataOffset === null ? null : { file: file.slice(directory.length + 1), offset: offset + dataOffset, bytes: body.length - dataOffset };
      if (sequence > book.sequence) checkSteps(book, event);
      applyEvent(book, sequence, event, place);
    },
  });
  const states = await readLog({ disk, ...timed, directory: stateDirectory(directory), fromSequence: await firstOfState(disk, directory, book), quarantine, onFrame: (frame) => whole.add(frame) });
  const broken = await brokenPlaces(disk, directory, placesOf(book), whole);
  if (broken.length > 0 && !quarantine) throw notWhole(directory, broken);
  leaveOut(book, broken);
  if (log.tornBytes > 0) warnings.push(`The end of the log was cut off in the middle of a write: ${log.tornBytes} bytes that were never acknowledged.`);
  for (const { file, offset } of broken) warnings.push(`What lies at offset ${offset} of ${directory}/${file} is damaged; the program goes on without it.`);
  for (const { file } of [...log.quarantined, ...states.quarantined]) warnings.push(`A damaged part of the log was set aside: ${file}.`);
  if (book.identity === null) return null;
  // What was set aside has numbers, too.
  book.sequence = Math.max(book.sequence, log.nextSequence - 1);
  return { book, nextSequence: log.nextSequence, nextStateSequence: states.nextSequence, warnings };
}

function notWhole(directory: string, [first]: readonly FilePlace[]): MillraceError {
  const { file, offset, bytes } = first!;
  return new MillraceError('WalCorrupted', `Expected ${bytes} bytes at offset ${offset} of ${directory}/${file}, as they were written; what is there is damaged or missing, and the program needs it. Restore the directory from a copy, or read it with quarantine, which goes on without it.`, {
    details: { file: `${directory}/${file}`, offset },
  });
}

/** What lies before it has been removed, or will be. */
async function firstOfState(disk: Disk, directory: string, book: RecoveryBook): Promise<number> {
  const { state } = logNeedsOf(book);
  if (state !== Infinity) return state;
  const [oldest] = await listSegments(disk, stateDirectory(directory));
  return oldest?.first ?? firstSequenceOfAll;
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
