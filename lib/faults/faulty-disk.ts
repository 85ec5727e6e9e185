/**
 * The disk of a host in which faults are injected: a real one, whose calls fail, come late, are done in part, or are undone.
 *
 *   log        .../log/(number).log          on write    EIO, ENOSPC, slow, tornWrite, bitFlip
 *   state      .../state/(number).log        on sync     EIO, ENOSPC, slow, loseUnsynced
 *   checkpoint .../checkpoint-(time)
 *
 * Invariant: what a plan leaves alone is done as it would be without one. Once the thread or the process is to end, no call does anything any
 * more, nor settles: no code goes on behind the instant in which it ended.
 */
import { basename, dirname } from 'node:path';
import type { DiskRule, Ending } from '../../protocol/fault.ts';
import type { Clock } from '../base/clock.ts';
import type { Prng } from '../base/prng.ts';
import type { Disk, DiskFile } from '../storage/disk.ts';
import type { FaultInjector, Hit } from './fault-injector.ts';
import type { Endings } from './endings.ts';

const byMsDefault = 100;

interface Machine {
  readonly disk: Disk;
  readonly injector: FaultInjector;
  readonly clock: Clock;
  readonly endings: Endings;
}

/** As the rule names it, or null: no rule looks at it. */
export function kindOfFile(path: string): 'log' | 'state' | 'checkpoint' | null {
  if (basename(path).startsWith('checkpoint-')) return 'checkpoint';
  const directory = basename(dirname(path));
  return path.endsWith('.log') && (directory === 'log' || directory === 'state') ? directory : null;
}

export class FaultyDisk implements Disk {
  readonly #machine: Machine;
  /** What may be lost: files with their names of now. */
  readonly #written = new Set<FaultyFile>();
  #ended = false;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  create(path: string): Promise<DiskFile> {
    return this.#call(async (disk) => {
      const file = new FaultyFile(this, path, await disk.create(path));
      this.#written.add(file);
      return file;
    });
  }

  read(path: string, start: number, end: number): Promise<Uint8Array> {
    return this.#call((disk) => disk.read(path, start, end));
  }

  size(path: string): Promise<number> {
    return this.#call((disk) => disk.size(path));
  }

  list(directory: string): Promise<readonly string[]> {
    return this.#call((disk) => disk.list(directory));
  }

  makeDirectory(path: string): Promise<void> {
    return this.#call((disk) => disk.makeDirectory(path));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#call(async (disk) => {
      await disk.rename(from, to);
      for (const file of this.#written) {
        if (file.path === to) this.#written.delete(file);
        if (file.path === from) file.path = to;
      }
    });
  }

  remove(path: string): Promise<void> {
    return this.#call(async (disk) => {
      await disk.remove(path);
      for (const file of this.#written) if (file.path === path) this.#written.delete(file);
    });
  }

  syncDirectory(path: string): Promise<void> {
    return this.#call((disk) => disk.syncDirectory(path));
  }

  truncate(path: string, bytes: number): Promise<void> {
    return this.#call((disk) => disk.truncate(path, bytes));
  }

  /** Also by a process that is ending: a lock that its owner can't release would outlive a context. */
  lock(...given: Parameters<Disk['lock']>): ReturnType<Disk['lock']> {
    return this.#machine.disk.lock(...given);
  }

  // For its files.

  /** Closed, with all synced: nothing of it can be lost. */
  forget(file: FaultyFile): void {
    this.#written.delete(file);
  }

  async onAppend(file: FaultyFile, parts: readonly Uint8Array[]): Promise<void> {
    const hit = this.#strike(file.path, 'write');
    const bytes = hit?.rule.do === 'tornWrite' || hit?.rule.do === 'bitFlip' ? Buffer.concat(parts) : null;
    switch (hit?.rule.do) {
      case 'EIO':
      case 'ENOSPC':
        throw systemError(hit.rule.do, 'write', file.path);
      case 'slow':
        await this.#pause(hit.rule.byMs);
        return this.#call(() => file.write(parts));
      case 'tornWrite':
        await this.#call(() => file.write([bytes!.subarray(0, hit.prng.int(bytes!.length))]));
        return this.#end(hit.rule.then ?? 'thread', file.path);
      case 'bitFlip':
        return this.#call(() => file.write([withBitFlipped(bytes!, hit.prng)]));
      default:
        return this.#call(() => file.write(parts));
    }
  }

  async onSync(file: FaultyFile): Promise<void> {
    const hit = this.#strike(file.path, 'sync');
    switch (hit?.rule.do) {
      case 'EIO':
      case 'ENOSPC':
        throw systemError(hit.rule.do, 'fdatasync', file.path);
      case 'slow':
        await this.#pause(hit.rule.byMs);
        return this.#call(() => file.makeDurable());
      case 'loseUnsynced':
        await this.#loseUnsynced();
        return this.#end(hit.rule.then ?? 'thread', file.path);
      default:
        return this.#call(() => file.makeDurable());
    }
  }

  onClose(file: FaultyFile): Promise<void> {
    return this.#call(() => file.shut());
  }

  #strike(path: string, on: 'write' | 'sync'): Hit<DiskRule> | null {
    const kind = kindOfFile(path);
    if (this.#ended || kind === null) return null;
    return this.#machine.injector.strike('disk', (rule) => {
      // The app's thread is not ended.
      if (this.#machine.injector.role === 'app' && endingOf(rule) === 'thread') return false;
      return (rule.file === undefined || rule.file === kind) && callOf(rule) === on;
    });
  }

  async #loseUnsynced(): Promise<void> {
    this.#ended = true;
    for (const file of this.#written) if (file.synced < file.bytes) await this.#machine.disk.truncate(file.path, file.synced).catch(() => {});
  }

  #end(ending: Ending, path: string): Promise<never> {
    if (ending === 'fail') return Promise.reject(systemError('EIO', 'write', path));
    this.#ended = true;
    this.#machine.endings[ending]();
    return never();
  }

  #pause(byMs = byMsDefault): Promise<void> {
    return new Promise((resolve) => this.#machine.clock.setTimer(byMs, resolve));
  }

  async #call<R>(run: (disk: Disk) => Promise<R>): Promise<R> {
    if (this.#ended) return never();
    const result = await run(this.#machine.disk);
    return this.#ended ? never() : result;
  }
}

export class FaultyFile implements DiskFile {
  path: string;
  bytes = 0;
  /** How much of it is durable. */
  synced = 0;
  readonly #disk: FaultyDisk;
  readonly #file: DiskFile;

  constructor(disk: FaultyDisk, path: string, file: DiskFile) {
    this.#disk = disk;
    this.path = path;
    this.#file = file;
  }

  append(parts: readonly Uint8Array[]): Promise<void> {
    return this.#disk.onAppend(this, parts);
  }

  sync(): Promise<void> {
    return this.#disk.onSync(this);
  }

  close(): Promise<void> {
    return this.#disk.onClose(this);
  }

  // The calls themselves.

  async write(parts: readonly Uint8Array[]): Promise<void> {
    // Before it: one that fails may have written any part.
    this.bytes += parts.reduce((sum, part) => sum + part.length, 0);
    await this.#file.append(parts);
  }

  async makeDurable(): Promise<void> {
    const { bytes } = this;
    await this.#file.sync();
    this.synced = Math.max(this.synced, bytes);
  }

  async shut(): Promise<void> {
    await this.#file.close();
    if (this.synced === this.bytes) this.#disk.forget(this);
  }
}

/** Which call a rule looks at. */
export function callOf(rule: DiskRule): 'write' | 'sync' {
  if (rule.do === 'loseUnsynced') return 'sync';
  return 'on' in rule ? (rule.on ?? 'write') : 'write';
}

/** What ends at it; null: it is no fault that ends anything. */
export function endingOf(rule: DiskRule): Ending | null {
  return rule.do === 'tornWrite' || rule.do === 'loseUnsynced' ? (rule.then ?? 'thread') : null;
}

function withBitFlipped(bytes: Buffer, prng: Prng): Buffer {
  if (bytes.length > 0) bytes[prng.int(bytes.length)]! ^= 1 << prng.int(8);
  return bytes;
}

function systemError(code: string, call: string, path: string): Error {
  return Object.assign(new Error(`${code}: injected, ${call} '${path}'`), { code });
}

function never(): Promise<never> {
  return new Promise(() => {});
}
