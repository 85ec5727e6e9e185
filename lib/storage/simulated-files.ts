/**
 * The synchronous calls of tasks on a simulated disk's files (lib/storage/simulated-disk.ts).
 *
 * Invariant: as of the machine's own (lib/storage/node-files.ts), on the same files that the disk's sessions see.
 */
import { clauseOf, MillraceError } from '../../protocol/errors.ts';
import type { SyncFiles } from './node-files.ts';
import { systemCodeOf } from './disk.ts';
import { namesOf } from './simulated-session.ts';
import type { MachineOfSessions } from './simulated-session.ts';
import { DirectoryNode, FileNode } from './simulated-tree.ts';

type Tree = Pick<MachineOfSessions, 'file' | 'place' | 'root' | 'counts'>;

export function simulatedFiles(tree: Tree): SyncFiles {
  const write = (path: string, bytes: Uint8Array): FileNode => {
    const node = new FileNode();
    node.append(bytes);
    tree.counts.bytesWritten += bytes.length;
    makeParents(tree.root, path);
    const { parent, name } = tree.place(path);
    parent.link(name, node);
    return node;
  };
  return {
    readRange(file, start, end) {
      return attempt('read', file, () => {
        const bytes = tree.file(file).read(start, end);
        tree.counts.bytesRead += bytes.length;
        return bytes;
      });
    },
    size: (file) => attempt('look at', file, () => tree.file(file).bytes),
    writeScratch: (path, bytes) => attempt('write', path, () => void write(path, bytes)),
    writeAtomically: (path, bytes) => attempt('write', path, () => write(path, bytes).sync()),
    remove(files) {
      for (const file of files) removeIfThere(tree, file);
    },
  };
}

function makeParents(root: DirectoryNode, path: string): void {
  let node = root;
  for (const name of namesOf(path).slice(0, -1)) {
    const next = node.get(name) ?? new DirectoryNode();
    if (next.kind !== 'directory') throw new TypeError(`${name} of ${path} is a file.`);
    if (node.get(name) === undefined) node.link(name, next);
    node = next;
  }
}

function removeIfThere(tree: Tree, path: string): void {
  try {
    const { parent, name } = tree.place(path);
    if (parent.get(name) !== undefined) parent.unlink(name);
  } catch (thrown) {
    if (systemCodeOf(thrown) !== 'ENOENT') throw thrown;
  }
}

function attempt<R>(verb: string, file: string, action: () => R): R {
  try {
    return action();
  } catch (thrown) {
    throw new MillraceError('FileFailed', `Could not ${verb} ${file}: ${clauseOf(thrown)}.`, { cause: thrown, details: { file } });
  }
}
