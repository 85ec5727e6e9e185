/**
 * What one process (or thread) has of a simulated disk (lib/storage/simulated-disk.ts).
 *
 * Invariant: once it has ended, nothing that it asked for settles any more, and nothing that it asks for is done.
 */
import { MillraceError } from '../../protocol/errors.ts';
import type { Prng } from '../base/prng.ts';
import { systemCodeOf } from './disk.ts';
import type { Disk, DiskFile, Lock } from './disk.ts';
import { DirectoryNode, FileNode } from './simulated-tree.ts';

export type DiskCall = 'create' | 'append' | 'sync' | 'close' | 'read' | 'size' | 'list' | 'makeDirectory' | 'rename' | 'remove' | 'syncDirectory' | 'truncate' | 'lock';

export interface DiskStatistics {
  readonly syncs: number;
  readonly directorySyncs: number;
  readonly created: number;
  readonly bytesWritten: number;
  readonly bytesRead: number;
}

/** A call that has been made and not carried out. */
interface UnderWay {
  /** What a kill or power cut may leave of it. */
  readonly partly: () => void;
}

/** Has a call carried out, in a later step of whoever takes the steps. */
export type Schedule = (call: DiskCall, fire: () => void) => void;

/** The simulated disk, as its sessions use it. */
export interface MachineOfSessions {
  readonly wait: (call: DiskCall, fire: () => void, schedule: Schedule | null) => void;
  readonly check: (call: DiskCall, path: string) => void;
  readonly prng: () => Prng;
  readonly counts: { -readonly [Name in keyof DiskStatistics]: number };
  readonly pieceBytes: () => number;
  readonly take: (bytes: number) => number;
  readonly file: (path: string) => FileNode;
  readonly directory: (path: string) => DirectoryNode;
  readonly place: (path: string) => { readonly parent: DirectoryNode; readonly name: string };
  readonly root: DirectoryNode;
  readonly locks: Map<string, { readonly session: DiskSession; readonly owner: string | null; readonly token: object }>;
}

export class DiskSession implements Disk {
  readonly #inside: MachineOfSessions;
  readonly #schedule: Schedule | null;
  readonly #underWay = new Set<UnderWay>();
  #ended = false;

  constructor(inside: MachineOfSessions, schedule: Schedule | null = null) {
    this.#inside = inside;
    this.#schedule = schedule;
  }

  /** Its process or thread has ended: of what is under way any part is done, and nothing of it settles. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const call of this.#underWay) {
      // What would have failed leaves nothing.
      if (this.#inside.prng().int(2) === 0) ignoreErrors(call.partly);
    }
    this.#underWay.clear();
    for (const [path, { session }] of this.#inside.locks) if (session === this) this.#inside.locks.delete(path);
  }

  create(path: string): Promise<DiskFile> {
    return this.#call('create', path, () => {
      const { parent, name } = this.#inside.place(path);
      if (parent.get(name) !== undefined) throw systemError('EEXIST', 'open', path);
      const node = new FileNode();
      parent.link(name, node);
      this.#inside.counts.created += 1;
      return this.#openFile(path, node);
    });
  }

  read(path: string, start: number, end: number): Promise<Uint8Array> {
    return this.#call('read', path, () => {
      const bytes = this.#inside.file(path).read(start, end);
      this.#inside.counts.bytesRead += bytes.length;
      return bytes;
    });
  }

  size(path: string): Promise<number> {
    return this.#call('size', path, () => this.#inside.file(path).bytes);
  }

  list(directory: string): Promise<readonly string[]> {
    return this.#call('list', directory, () => ifThere(() => this.#inside.directory(directory).names) ?? []);
  }

  makeDirectory(path: string): Promise<void> {
    return this.#call('makeDirectory', path, () => {
      let node = this.#inside.root;
      for (const name of namesOf(path)) {
        const next = node.get(name) ?? new DirectoryNode();
        if (next.kind !== 'directory') throw systemError('EEXIST', 'mkdir', path);
        if (node.get(name) === undefined) node.link(name, next);
        node.sync();
        node = next;
      }
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#call('rename', from, () => {
      const source = this.#inside.place(from);
      const target = this.#inside.place(to);
      const node = source.parent.get(source.name);
      if (node === undefined) throw systemError('ENOENT', 'rename', from);
      if (source.parent === target.parent) {
        source.parent.rename(source.name, target.name, node);
        return;
      }
      target.parent.link(target.name, node);
      source.parent.unlink(source.name);
    });
  }

  remove(path: string): Promise<void> {
    return this.#call('remove', path, () => {
      const place = ifThere(() => this.#inside.place(path));
      if (place?.parent.get(place.name) !== undefined) place.parent.unlink(place.name);
    });
  }

  syncDirectory(path: string): Promise<void> {
    return this.#call('syncDirectory', path, () => {
      this.#inside.counts.directorySyncs += 1;
      this.#inside.directory(path).sync();
    });
  }

  truncate(path: string, bytes: number): Promise<void> {
    return this.#call('truncate', path, () => this.#inside.file(path).truncate(bytes));
  }

  lock(path: string, { owner }: { readonly owner?: string } = {}): Promise<Lock> {
    return this.#call('lock', path, () => {
      const { locks } = this.#inside;
      const held = locks.get(path);
      if (held !== undefined && (held.owner === null || held.owner !== owner)) {
        throw new MillraceError('LogLocked', `Expected to be the only one that writes beside ${path}; another session of the simulated disk holds it. End it first.`, { details: { path } });
      }
      const token = {};
      locks.set(path, { session: this, owner: owner ?? null, token });
      const release = (): void => {
        if (locks.get(path)?.token === token) locks.delete(path);
      };
      return { path, release: () => this.#call('lock', path, release) };
    });
  }

  #openFile(path: string, node: FileNode): DiskFile {
    const { counts, pieceBytes, take } = this.#inside;
    const write = (part: Uint8Array): void => {
      const room = take(part.length);
      node.append(part.subarray(0, room));
      counts.bytesWritten += room;
      if (room < part.length) throw systemError('ENOSPC', 'write', path);
    };
    return {
      append: async (parts) => {
        let rest = Buffer.concat(parts);
        while (rest.length > 0) {
          const piece = rest.subarray(0, pieceBytes());
          const part = (): void => write(piece.subarray(0, this.#inside.prng().int(piece.length + 1)));
          await this.#call('append', path, () => write(piece), part, part);
          rest = rest.subarray(piece.length);
        }
      },
      sync: () =>
        this.#call(
          'sync',
          path,
          () => {
            counts.syncs += 1;
            node.sync();
          },
          undefined,
          () => node.syncFails(this.#inside.prng()),
        ),
      close: () => this.#call('close', path, () => {}),
    };
  }

  /** `partly`: what may be left of it where the session ends meanwhile; `failing`: what is done where it is to fail. */
  #call<R>(call: DiskCall, path: string, carryOut: () => R, partly: () => void = carryOut, failing: () => void = () => {}): Promise<R> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return;
      const underWay = { partly };
      this.#underWay.add(underWay);
      this.#inside.wait(call, () => {
        if (!this.#underWay.delete(underWay)) return;
        try {
          this.#inside.check(call, path);
        } catch (thrown) {
          ignoreErrors(failing);
          reject(thrown as Error);
          return;
        }
        try {
          resolve(carryOut());
        } catch (thrown) {
          reject(thrown as Error);
        }
      }, this.#schedule);
    });
  }
}

function ignoreErrors(run: () => void): void {
  try {
    run();
  } catch {
    // It would have been told to somebody who is no more, or is told another error.
  }
}

function ifThere<R>(look: () => R): R | null {
  try {
    return look();
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT') return null;
    throw thrown;
  }
}

export function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

export function systemError(code: string, call: string, path: string): Error {
  return Object.assign(new Error(`${code}: simulated, ${call} '${path}'`), { code });
}
