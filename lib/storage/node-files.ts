/**
 * The few synchronous calls on files that tasks make, on Node's own file system.
 *
 * Invariant: `writeAtomically` leaves either no file of that name or the whole of it, whatever ends the process meanwhile:
 * it writes under a temporary name of its own in the same directory, syncs, and renames. Who reads an output directory that has `_SUCCESS`
 * finds all of its parts, also after the power was cut:
 *
 *   each part: write .part-NNNNN.K.writing, sync, rename  -->  sync the directory  -->  make _SUCCESS, sync  -->  sync the directory, and the one above
 */
import { closeSync, fstatSync, fsyncSync, mkdirSync, openSync, readdirSync, readSync, renameSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { clauseOf, MillraceError } from '../../protocol/errors.ts';

export interface SyncFiles {
  /** The bytes [start, end) of the file, fewer where it ends before; in `into`, where that is given and long enough. */
  readRange(file: string, start: number, end: number, into?: Uint8Array): Uint8Array;
  size(file: string): number;
  writeAtomically(path: string, bytes: Uint8Array): void;
  /** A file that need not outlive the process: no sync. */
  writeScratch(path: string, bytes: Uint8Array): void;
  /** None that is missing is an error. */
  remove(files: readonly string[]): void;
}

export const nodeFiles: SyncFiles = {
  readRange(file, start, end, into) {
    return attempt('read', file, () => {
      const descriptor = openSync(file, 'r');
      try {
        const length = Math.max(0, Math.min(end, fstatSync(descriptor).size) - start);
        const bytes = into !== undefined && into.length >= length ? into.subarray(0, length) : new Uint8Array(length);
        let done = 0;
        while (done < length) {
          const read = readSync(descriptor, bytes, done, length - done, start + done);
          if (read === 0) break;
          done += read;
        }
        return done === length ? bytes : bytes.subarray(0, done);
      } finally {
        closeSync(descriptor);
      }
    });
  },
  size(file) {
    return attempt('look at', file, () => statSync(file).size);
  },
  writeScratch(path, bytes) {
    attempt('write', path, () => {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, bytes);
    });
  },
  remove(files) {
    for (const file of files) rmSync(file, { force: true });
  },
  writeAtomically(path, bytes) {
    attempt('write', path, () => {
      mkdirSync(dirname(path), { recursive: true });
      const { temporary, descriptor } = openTemporary(path);
      try {
        try {
          let done = 0;
          while (done < bytes.length) done += writeSync(descriptor, bytes, done, bytes.length - done);
          fsyncSync(descriptor);
        } finally {
          closeSync(descriptor);
        }
        renameSync(temporary, path);
      } catch (thrown) {
        rmSync(temporary, { force: true });
        throw thrown;
      }
    });
  },
};

/** How many attempts at one file may have left something, or be at it now. */
const attemptsMax = 1_000;

/** A file that no other attempt writes into: an older one may be at it still. By its name it is hidden from readers of the directory. */
function openTemporary(path: string): { readonly temporary: string; readonly descriptor: number } {
  for (let attempt = 1; ; attempt += 1) {
    const temporary = join(dirname(path), `.${basename(path)}.${attempt}${temporaryEnd}`);
    try {
      return { temporary, descriptor: openSync(temporary, 'wx') };
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST' || attempt === attemptsMax) throw thrown;
    }
  }
}

function attempt<R>(verb: string, file: string, action: () => R): R {
  try {
    return action();
  } catch (thrown) {
    throw new MillraceError('FileFailed', `Could not ${verb} ${file}: ${clauseOf(thrown)}. Check that it exists and that this user may.`, {
      cause: thrown,
      details: { file },
    });
  }
}

/** The files that a path means, with their sizes: one file, or the plain files of a directory in the order of their names. */
export function fileSizes(path: string): readonly { readonly file: string; readonly bytes: number }[] {
  return attempt('look at', path, () => {
    const found = statSync(path);
    if (!found.isDirectory()) return [{ file: path, bytes: found.size }];
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith('.') && !entry.name.startsWith('_'))
      .map((entry) => join(path, entry.name))
      .sort()
      .map((file) => ({ file, bytes: statSync(file).size }));
  });
}

export interface ListedFile {
  readonly name: string;
  readonly path: string;
  readonly modifiedMs: number;
  readonly bytes: number;
}

/** The plain files directly in a directory; none where it does not exist. A file that goes away meanwhile is left out. */
export async function listFiles(directory: string): Promise<readonly ListedFile[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const files: ListedFile[] = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(directory, entry.name);
    const found = await stat(path).catch(() => null);
    if (found !== null) files.push({ name: entry.name, path, modifiedMs: found.mtimeMs, bytes: found.size });
  }
  return files;
}

/** As Hadoop names it. */
const successName = '_SUCCESS';
const temporaryEnd = '.writing';

/**
 * Makes an output directory. Of one that may be overwritten, what says that its parts are complete goes first, then the parts: at no time
 * does `_SUCCESS` stand beside parts of two runs. Throws FileExists where it holds something and may not be overwritten, FileFailed.
 */
export async function claimDirectory(directory: string, overwrite: boolean): Promise<void> {
  const held = await readdir(directory).catch(() => []);
  if (held.length > 0 && !overwrite) {
    throw new MillraceError('FileExists', `Expected the output directory ${directory} not to exist, or to be empty; it holds ${held.length} files. Remove it, or give another name.`, { details: { directory } });
  }
  try {
    await rm(join(directory, successName), { force: true });
    for (const name of held) {
      // Parts of another run, which may have had more of them.
      if (name.startsWith('part-')) await rm(join(directory, name), { force: true });
    }
    await mkdir(directory, { recursive: true });
  } catch (thrown) {
    throw new MillraceError('FileFailed', `Could not make the output directory ${directory}, or empty it: ${clauseOf(thrown)}. Check that this user may.`, { cause: thrown, details: { file: directory } });
  }
}

/**
 * Says, by an empty file `_SUCCESS`, that all parts are in an output directory. Call it when they are: it brings their names to the disk first,
 * and removes what attempts that died have left. Throws FileFailed.
 */
export async function completeDirectory(directory: string): Promise<void> {
  const path = join(directory, successName);
  try {
    // Where there are no partitions, no task has made it.
    await mkdir(directory, { recursive: true });
    for (const name of await readdir(directory)) {
      if (name.startsWith('.') && name.endsWith(temporaryEnd)) await rm(join(directory, name), { force: true });
    }
    await syncDirectory(directory);
    const file = await open(path, 'w');
    await file.sync().finally(() => file.close());
    await syncDirectory(directory);
    await syncDirectory(dirname(directory));
  } catch (thrown) {
    throw new MillraceError('FileFailed', `Could not write ${path}: ${clauseOf(thrown)}. The parts are all there; check that this user may write to the directory.`, { cause: thrown, details: { file: path } });
  }
}

/** What was renamed or made in it is there after the power was cut. */
async function syncDirectory(directory: string): Promise<void> {
  // Windows opens no directories; its file systems keep such changes in order by themselves.
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  await handle.sync().finally(() => handle.close());
}

/** Removes a directory and all that it holds; nothing where it does not exist. */
export async function removeDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}
