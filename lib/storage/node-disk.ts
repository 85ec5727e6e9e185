/**
 * The machine's disk, by Node's own file system.
 *
 * Invariant: see lib/storage/disk.ts. Nothing is kept open but files that are being written.
 */
import { mkdir, open, readdir, rename, rm, stat, truncate } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { systemCodeOf } from './disk.ts';
import type { Disk, DiskFile } from './disk.ts';
import { takeLock } from './node-lock.ts';

export const nodeDisk: Disk = {
  async create(path) {
    return new NodeDiskFile(await open(path, 'ax'));
  },
  async read(path, start, end) {
    const handle = await open(path, 'r');
    try {
      const bytes = new Uint8Array(Math.max(0, Math.min(end, (await handle.stat()).size) - start));
      let done = 0;
      while (done < bytes.length) {
        const { bytesRead } = await handle.read(bytes, done, bytes.length - done, start + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done === bytes.length ? bytes : bytes.subarray(0, done);
    } finally {
      await handle.close();
    }
  },
  async size(path) {
    return (await stat(path)).size;
  },
  async list(directory) {
    try {
      return (await readdir(directory)).sort();
    } catch (thrown) {
      if (systemCodeOf(thrown) === 'ENOENT') return [];
      throw thrown;
    }
  },
  async makeDirectory(path) {
    await makeDurably(resolve(path));
  },
  rename,
  async remove(path) {
    await rm(path, { force: true });
  },
  syncDirectory,
  truncate,
  lock: takeLock,
};

class NodeDiskFile implements DiskFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async append(parts: readonly Uint8Array[]): Promise<void> {
    let rest = parts.filter(({ length }) => length > 0);
    while (rest.length > 0) {
      const { bytesWritten } = await this.#handle.writev(rest);
      // A system that takes nothing and reports no error would be asked for ever.
      if (bytesWritten === 0) throw Object.assign(new Error('EIO: the system wrote 0 bytes and reported no error'), { code: 'EIO' });
      rest = without(rest, bytesWritten);
    }
  }

  async sync(): Promise<void> {
    await this.#handle.datasync();
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** What is left of the parts when their first bytes are gone. */
export function without(parts: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let left = bytes;
  let index = 0;
  while (index < parts.length && left >= parts[index]!.length) {
    left -= parts[index]!.length;
    index += 1;
  }
  const rest = parts.slice(index);
  if (left > 0) rest[0] = rest[0]!.subarray(left);
  return rest;
}

/** Not mkdir's `recursive`: it does not say which directories are new, and so which parents must be synced. */
async function makeDurably(path: string, hasParent = false): Promise<void> {
  try {
    await mkdir(path);
  } catch (thrown) {
    // A parent that is there, and takes no directory: as /proc.
    if (systemCodeOf(thrown) === 'ENOENT' && dirname(path) !== path && !hasParent) {
      await makeDurably(dirname(path));
      return await makeDurably(path, true);
    }
    if (systemCodeOf(thrown) !== 'EEXIST' || !(await stat(path)).isDirectory()) throw thrown;
    // Who made it may have ended before it was synced; asking again costs little.
  }
  await syncDirectory(dirname(path));
}

async function syncDirectory(path: string): Promise<void> {
  // Windows has no handles on directories that could be synced, and makes names durable by itself.
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
