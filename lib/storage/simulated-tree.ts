/**
 * Files and directories of a simulated disk, each as the system shows it and as it lies on the platter.
 *
 *   a file       ░░░░ on the platter ░░░░│▒▒▒▒ written, not synced ▒▒▒▒      a power cut leaves any of: all of ▒, none, a part up to any byte,
 *                                        ▲ durableBytes                       some of its sectors (the others read as zeros)
 *   a directory  names as they are shown; names on the platter; what changed since, of which a power cut leaves any part, in order
 *
 * Invariant: `powerCut` leaves what was synced as it was, and chooses the rest by the generator alone.
 */
import type { Prng } from '../base/prng.ts';

export const sectorBytes = 512;

export type TreeNode = FileNode | DirectoryNode;

export class FileNode {
  readonly kind = 'file';
  #content: Buffer = Buffer.alloc(0);
  #bytes = 0;
  /** What is before it is on the platter, but for the holes. */
  #durableBytes = 0;
  /** Of syncs that failed: the system takes these for written, and they are not. */
  #holes: { readonly start: number; readonly end: number }[] = [];
  /** What a power cut can bring back of what was cut off. */
  #cutOff: Buffer | null = null;

  get bytes(): number {
    return this.#bytes;
  }

  read(start: number, end: number): Uint8Array {
    return Uint8Array.from(this.#content.subarray(Math.min(start, this.#bytes), Math.min(end, this.#bytes)));
  }

  append(part: Uint8Array): void {
    const bytes = this.#bytes + part.length;
    if (bytes > this.#content.length) {
      const larger = Buffer.alloc(Math.max(bytes, this.#content.length * 2));
      this.#content.copy(larger, 0, 0, this.#bytes);
      this.#content = larger;
    }
    this.#content.set(part, this.#bytes);
    this.#bytes = bytes;
  }

  truncate(bytes: number): void {
    if (bytes >= this.#bytes) return;
    this.#cutOff ??= Buffer.from(this.#content.subarray(0, this.#durableBytes));
    this.#bytes = bytes;
    this.#durableBytes = Math.min(this.#durableBytes, bytes);
    this.#holes = this.#holes.filter(({ start }) => start < bytes).map(({ start, end }) => ({ start, end: Math.min(end, bytes) }));
  }

  sync(): void {
    this.#durableBytes = this.#bytes;
    this.#cutOff = null;
  }

  /** As on Linux: what could not be written counts as clean from now on. Some of it is on the platter. */
  syncFails(prng: Prng): void {
    const keep = prng.pick(['all', 'none', 'some'] as const);
    for (let start = this.#durableBytes; start < this.#bytes; start = sectorEnd(start)) {
      if (keep === 'none' || (keep === 'some' && prng.int(2) === 0)) this.#holes.push({ start, end: Math.min(this.#bytes, sectorEnd(start)) });
    }
    this.#durableBytes = this.#bytes;
  }

  flipBit(offset: number, bit: number): void {
    this.#content[offset]! ^= 1 << bit;
    if (this.#cutOff !== null && offset < this.#cutOff.length) this.#cutOff[offset]! ^= 1 << bit;
  }

  powerCut(prng: Prng): void {
    if (this.#cutOff !== null && prng.int(2) === 0) {
      this.#content = this.#cutOff;
      this.#bytes = this.#durableBytes = this.#content.length;
    }
    for (const { start, end } of this.#holes) this.#content.fill(0, start, end);
    // Holes at the end may be no part of the file at all.
    let end = this.#durableBytes;
    for (const hole of this.#holes.toReversed()) {
      if (hole.end !== end || prng.int(2) === 0) break;
      end = hole.start;
    }
    if (end === this.#durableBytes) end = this.#keepUnsynced(prng);
    this.#bytes = this.#durableBytes = end;
    this.#content = Buffer.from(this.#content.subarray(0, end));
    this.#holes = [];
    this.#cutOff = null;
  }

  /** Where the file ends then. */
  #keepUnsynced(prng: Prng): number {
    const unsynced = this.#bytes - this.#durableBytes;
    switch (prng.pick(['all', 'none', 'part', 'sectors'] as const)) {
      case 'all':
        return this.#bytes;
      case 'none':
        return this.#durableBytes;
      case 'part':
        return this.#durableBytes + prng.int(unsynced + 1);
      case 'sectors':
        for (let start = this.#durableBytes; start < this.#bytes; start = sectorEnd(start)) {
          if (prng.int(2) === 0) this.#content.fill(0, start, Math.min(this.#bytes, sectorEnd(start)));
        }
        return this.#bytes;
    }
  }
}

function sectorEnd(offset: number): number {
  return (Math.floor(offset / sectorBytes) + 1) * sectorBytes;
}

type Change =
  | { readonly do: 'link'; readonly name: string; readonly node: TreeNode }
  | { readonly do: 'unlink'; readonly name: string }
  | { readonly do: 'rename'; readonly from: string; readonly name: string; readonly node: TreeNode };

export class DirectoryNode {
  readonly kind = 'directory';
  #shown = new Map<string, TreeNode>();
  #durable = new Map<string, TreeNode>();
  #changes: Change[] = [];

  get(name: string): TreeNode | undefined {
    return this.#shown.get(name);
  }

  get names(): string[] {
    return [...this.#shown.keys()].sort();
  }

  link(name: string, node: TreeNode): void {
    this.#change({ do: 'link', name, node });
  }

  unlink(name: string): void {
    this.#change({ do: 'unlink', name });
  }

  /** Within this directory. */
  rename(from: string, name: string, node: TreeNode): void {
    this.#change({ do: 'rename', from, name, node });
  }

  sync(): void {
    for (const change of this.#changes) apply(this.#durable, change);
    this.#changes = [];
  }

  /** At once and for good, as if the disk had lost it. */
  lose(name: string): void {
    this.#shown.delete(name);
    this.#durable.delete(name);
    this.#changes = this.#changes.filter((change) => change.name !== name);
  }

  /** At once and for good, as if the disk had always held that. */
  put(name: string, node: TreeNode): void {
    this.lose(name);
    this.#shown.set(name, node);
    this.#durable.set(name, node);
  }

  powerCut(prng: Prng): void {
    const keep = prng.pick(['all', 'none', 'first', 'some'] as const);
    const first = prng.int(this.#changes.length + 1);
    for (const [index, change] of this.#changes.entries()) {
      if (keep === 'all' || (keep === 'first' && index < first) || (keep === 'some' && prng.int(2) === 0)) apply(this.#durable, change);
    }
    this.#changes = [];
    this.#shown = new Map(this.#durable);
    for (const name of this.names) this.#shown.get(name)!.powerCut(prng);
  }

  #change(change: Change): void {
    apply(this.#shown, change);
    this.#changes.push(change);
  }
}

function apply(entries: Map<string, TreeNode>, change: Change): void {
  switch (change.do) {
    case 'link':
      entries.set(change.name, change.node);
      return;
    case 'unlink':
      entries.delete(change.name);
      return;
    case 'rename':
      if (entries.get(change.from) === change.node) entries.delete(change.from);
      entries.set(change.name, change.node);
  }
}
