/**
 * A disk in memory, with every fault that a real one can have, by plan or by seed: for tests and the simulator.
 *
 *   crash()       the power goes: what was not synced is there, or in part, or not; who used the disk is gone
 *   kill()        the process goes: what was written is there; of what was under way, any part
 *   fail(fault)   a call rejects: ENOSPC, EIO, EMFILE, ...
 *   roomBytes     from here on it is full
 *   flipBit(), replace()     the disk itself changes what it holds
 *   vanish()      a directory goes, under the hands of those who write to it
 *
 * A `DiskSession` is what one process (or thread) has of the disk. When it ends, what it asked for never settles: its code stops there. Give each
 * life of a process its own `session()`. The disk by itself is for onlookers, who outlive each crash: given to a process, it would let the
 * code of a dead one go on.
 *
 * Invariant: the same seed, calls and clock give the same run. Calls are carried out one after the other in the order of their times, never
 * within the call.
 */
import type { Clock } from '../base/clock.ts';
import { createPrng } from '../base/prng.ts';
import type { Prng } from '../base/prng.ts';
import type { Disk, DiskFile, Lock } from './disk.ts';
import type { SyncFiles } from './node-files.ts';
import { simulatedFiles } from './simulated-files.ts';
import { DiskSession, namesOf, systemError } from './simulated-session.ts';
import type { DiskCall, DiskStatistics, MachineOfSessions, Schedule } from './simulated-session.ts';
import { DirectoryNode, FileNode, sectorBytes } from './simulated-tree.ts';
import type { TreeNode } from './simulated-tree.ts';

export interface SimulatedDiskOptions {
  readonly seed: number | string;
  /** With a latency: where its time comes from. */
  readonly clock?: Clock;
  /** What each call takes. Default 0: the next turn of promises. */
  readonly latencyMs?: (prng: Prng, call: DiskCall) => number;
  /** Appends are written in pieces; between two of them the process or the power can go. Default false. */
  readonly shortWrites?: boolean;
}

export interface DiskFault {
  readonly call: DiskCall;
  /** The system's: `EIO`. */
  readonly code: string;
  /** Calls of that kind that pass before. Default 0. */
  readonly after?: number;
  /** How many fail then. Default 1; `Infinity`: for ever. */
  readonly times?: number;
  /** Of paths that hold this text alone. */
  readonly path?: string;
}

export class SimulatedDisk implements Disk {
  /** How much more can be written. */
  roomBytes = Infinity;
  readonly #options: SimulatedDiskOptions;
  readonly #prng: Prng;
  readonly #counts = { syncs: 0, directorySyncs: 0, created: 0, bytesWritten: 0, bytesRead: 0 };
  readonly #root = new DirectoryNode();
  readonly #locks: MachineOfSessions['locks'] = new Map();
  readonly #sessions = new Set<DiskSession>();
  #faults: { fault: DiskFault; passed: number; failed: number }[] = [];
  #own: DiskSession;
  #files: SyncFiles | null = null;

  constructor(options: SimulatedDiskOptions) {
    this.#options = options;
    this.#prng = createPrng(`disk/${options.seed}`);
    this.#own = this.session();
  }

  get statistics(): DiskStatistics {
    return { ...this.#counts };
  }

  /** What another process has of it, or another thread. `schedule`: who says when its calls are carried out; left out: the next turn of promises. */
  session(schedule?: Schedule): DiskSession {
    const session = new DiskSession(this.#inside, schedule);
    this.#sessions.add(session);
    return session;
  }

  /** The synchronous calls that tasks make on the same files. They know no planned faults. */
  get files(): SyncFiles {
    return (this.#files ??= simulatedFiles(this.#inside));
  }

  // The faults.

  fail(fault: DiskFault): void {
    this.#faults.push({ fault, passed: 0, failed: 0 });
  }

  /** No planned fault is left, and there is room. */
  heal(): void {
    this.#faults = [];
    this.roomBytes = Infinity;
  }

  /** Of every session. */
  crash(): void {
    this.kill();
    this.#root.powerCut(this.#prng);
  }

  /** Of every session; the system goes on. */
  kill(): void {
    for (const session of this.#sessions) session.end();
    this.#sessions.clear();
    this.#own = this.session();
  }

  /** `offset` and `bit` by seed where they are not given. Nothing happens to an empty file. */
  flipBit(path: string, offset?: number, bit?: number): void {
    const file = this.#file(path);
    if (file.bytes > 0) file.flipBit(offset ?? this.#prng.int(file.bytes), bit ?? this.#prng.int(8));
  }

  /** From now on the disk holds this, and never held anything else. */
  replace(path: string, bytes: Uint8Array): void {
    const { parent, name } = this.#place(path);
    const file = new FileNode();
    file.append(bytes);
    file.sync();
    parent.put(name, file);
  }

  /** Paths of all files in a directory and below, sorted: for who looks, or damages. */
  filesBelow(directory: string): string[] {
    return this.#directory(directory).names.flatMap((name) => {
      const path = `${directory}/${name}`;
      return this.#place(path).parent.get(name)?.kind === 'file' ? [path] : this.filesBelow(path);
    });
  }

  /** With all in it. Files that are open there can be written to, and are nowhere. */
  vanish(directory: string): void {
    const { parent, name } = this.#place(directory);
    parent.lose(name);
  }

  // For onlookers.

  create(path: string): Promise<DiskFile> {
    return this.#own.create(path);
  }

  read(path: string, start: number, end: number): Promise<Uint8Array> {
    return this.#own.read(path, start, end);
  }

  size(path: string): Promise<number> {
    return this.#own.size(path);
  }

  list(directory: string): Promise<readonly string[]> {
    return this.#own.list(directory);
  }

  makeDirectory(path: string): Promise<void> {
    return this.#own.makeDirectory(path);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#own.rename(from, to);
  }

  remove(path: string): Promise<void> {
    return this.#own.remove(path);
  }

  syncDirectory(path: string): Promise<void> {
    return this.#own.syncDirectory(path);
  }

  truncate(path: string, bytes: number): Promise<void> {
    return this.#own.truncate(path, bytes);
  }

  lock(path: string, options?: { readonly owner?: string }): Promise<Lock> {
    return this.#own.lock(path, options);
  }

  // What sessions ask for.

  readonly #inside: MachineOfSessions = {
    wait: (call, fire, schedule) => {
      const ms = this.#options.latencyMs?.(this.#prng, call) ?? 0;
      if (ms > 0 && this.#options.clock !== undefined) this.#options.clock.setTimer(ms, fire);
      else if (schedule !== null) schedule(call, fire);
      else void Promise.resolve().then(fire);
    },
    check: (call, path) => this.#check(call, path),
    prng: () => this.#prng,
    counts: this.#counts,
    pieceBytes: () => (this.#options.shortWrites === true ? 1 + this.#prng.int(4 * sectorBytes) : Infinity),
    take: (bytes) => {
      const room = Math.min(bytes, this.roomBytes);
      this.roomBytes -= room;
      return room;
    },
    file: (path) => this.#file(path),
    directory: (path) => this.#directory(path),
    place: (path) => this.#place(path),
    root: this.#root,
    locks: this.#locks,
  };

  #check(call: DiskCall, path: string): void {
    for (const planned of this.#faults) {
      const { fault } = planned;
      if (fault.call !== call || !path.includes(fault.path ?? '')) continue;
      if (planned.passed < (fault.after ?? 0)) planned.passed += 1;
      else if (planned.failed < (fault.times ?? 1)) {
        planned.failed += 1;
        throw systemError(fault.code, call, path);
      }
    }
  }

  #file(path: string): FileNode {
    const { parent, name } = this.#place(path);
    const node = parent.get(name);
    if (node === undefined) throw systemError('ENOENT', 'open', path);
    if (node.kind !== 'file') throw systemError('EISDIR', 'open', path);
    return node;
  }

  #directory(path: string): DirectoryNode {
    let node: TreeNode = this.#root;
    for (const name of namesOf(path)) {
      const next: TreeNode | undefined = node.get(name);
      if (next === undefined) throw systemError('ENOENT', 'open', path);
      if (next.kind !== 'directory') throw systemError('ENOTDIR', 'open', path);
      node = next;
    }
    return node;
  }

  #place(path: string): { readonly parent: DirectoryNode; readonly name: string } {
    const names = namesOf(path);
    return { parent: this.#directory(names.slice(0, -1).join('/')), name: names.at(-1) ?? '' };
  }
}
