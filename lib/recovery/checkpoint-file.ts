/**
 * Checkpoints: a book as a file, and which of the files count.
 *
 *   DIR/checkpoint-1700000001000       named by the newest batch in it, as Spark's are
 *   DIR/checkpoint-1700000001000.bk    written before, with the same newest batch
 *
 *   0          8         10     12      16              16 + bytes
 *   ├──────────┼─────────┼──────┼───────┼────── ... ────┤
 *   │ millrchk │ version │ 0    │ crc   │ book, encoded │      crc: crc32c of all that follows it
 *   └──────────┴─────────┴──────┴───────┴────── ... ────┘
 *
 * Invariant: a file of that name is whole, or was damaged after it was written: it is written under another name, synced, renamed, and its
 * directory synced. The newest `checkpointsKept` stay.
 */
import { decodeRecord, encodeRecord } from '../../protocol/codec.ts';
import { MillraceError } from '../../protocol/errors.ts';
import { crc32c } from '../storage/crc32c.ts';
import type { Disk } from '../storage/disk.ts';
import type { RecoveryBook } from './book.ts';

export const checkpointVersion = 1;
/** As in Spark. */
export const checkpointsKept = 10;
const magic = Buffer.from('millrchk', 'latin1');
const headerBytes = 16;
const unfinishedSuffix = '.writing';
const namePattern = /^checkpoint-(-?\d+)(\.bk)?$/;

export function encodeCheckpoint(book: RecoveryBook): Uint8Array[] {
  const body = encodeRecord(book);
  const header = Buffer.alloc(headerBytes);
  header.set(magic);
  header.writeUInt16LE(checkpointVersion, 8);
  header.writeUInt32LE(crc32c([body]), 12);
  return [header, body];
}

/** Throws CheckpointCorrupted, or FormatUnknown where another release wrote it. */
export function decodeCheckpoint(file: string, bytes: Uint8Array): RecoveryBook {
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, headerBytes));
  if (header.length < headerBytes || !header.subarray(0, magic.length).equals(magic)) throw corrupted(file, 'it begins with something else');
  const version = header.readUInt16LE(8);
  if (version !== checkpointVersion) {
    throw new MillraceError('FormatUnknown', `Expected ${file} to be of checkpoint version ${checkpointVersion}; it is of version ${version}. Use the release that wrote it, or a newer one.`, { details: { file, version } });
  }
  const body = bytes.subarray(headerBytes);
  if (crc32c([body]) !== header.readUInt32LE(12)) throw corrupted(file, 'its checksum is another one');
  return decodeRecord(body) as RecoveryBook;
}

/** File names, the newest first. */
export async function listCheckpoints(disk: Disk, directory: string): Promise<readonly string[]> {
  const found = (await disk.list(directory)).flatMap((name) => {
    const [, time, backup] = namePattern.exec(name) ?? [];
    return time === undefined ? [] : [{ name, time: Number(time), backup: backup !== undefined }];
  });
  return found.sort((a, b) => b.time - a.time || Number(a.backup) - Number(b.backup)).map(({ name }) => name);
}

/** Durable when it resolves, with the names of those that are there then: what is older than the kept ones is gone. */
export async function writeCheckpoint(disk: Disk, directory: string, time: number, parts: readonly Uint8Array[]): Promise<readonly string[]> {
  const name = `checkpoint-${time}`;
  const path = `${directory}/${name}`;
  await disk.remove(`${path}${unfinishedSuffix}`);
  const file = await disk.create(`${path}${unfinishedSuffix}`);
  try {
    await file.append(parts);
    await file.sync();
  } finally {
    await file.close();
  }
  const before = await listCheckpoints(disk, directory);
  if (before.includes(name)) await disk.rename(path, `${path}.bk`);
  await disk.rename(`${path}${unfinishedSuffix}`, path);
  await disk.syncDirectory(directory);
  const all = await listCheckpoints(disk, directory);
  for (const old of all.slice(checkpointsKept)) await disk.remove(`${directory}/${old}`);
  return all.slice(0, checkpointsKept);
}

function corrupted(file: string, what: string): MillraceError {
  return new MillraceError('CheckpointCorrupted', `Expected ${file} to be a checkpoint; ${what}. Restore it from a copy, or remove it: an older one is taken then, and what the log holds behind that.`, { details: { file } });
}
