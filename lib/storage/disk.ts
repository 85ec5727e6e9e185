/**
 * The disk, as it comes in by argument to everything that must outlive the process: the log, the checkpoints, the lock.
 *
 * `nodeDisk` (lib/storage/node-disk.ts) is the machine's, `SimulatedDisk` (lib/storage/simulated-disk.ts) one with seeded faults.
 *
 * Invariant: every method either has done all that it says, or rejects with the system's own error, whose `code` says which
 * (`ENOENT`, `EEXIST`, `ENOSPC`, `EIO`, `EMFILE`, ...). What was written is durable only once it was synced, and a name (of a file that
 * was made or renamed) only once its directory was.
 */
export interface Disk {
  /** A new file, to be appended to. `EEXIST` where there is one of that name. */
  create(path: string): Promise<DiskFile>;
  /** The bytes [start, end), fewer where the file ends before. They are the caller's to keep. */
  read(path: string, start: number, end: number): Promise<Uint8Array>;
  /** In bytes. */
  size(path: string): Promise<number>;
  /** The names in a directory, sorted; none where there is no such directory. */
  list(directory: string): Promise<readonly string[]>;
  /** With those above it; durable: the parent of each one that was made has been synced. */
  makeDirectory(path: string): Promise<void>;
  /** Replaces what is at `to`. In one step: at any time there is the old or the new. */
  rename(from: string, to: string): Promise<void>;
  /** Nothing happens where there is no such file. */
  remove(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  /** Cuts the file off after `bytes`. */
  truncate(path: string, bytes: number): Promise<void>;
  /**
   * Makes this process the only one that holds `path`, until it releases it or ends, whatever ends it. Rejects with LogLocked where another
   * holder lives, in this process too. `owner`: who asks; a lock that the same process took for the same owner is taken over, so that
   * a thread which was started again can have what its dead predecessor held.
   */
  lock(path: string, options?: { readonly owner?: string }): Promise<Lock>;
}

/** A file that is being written. Its methods are called one after the other. */
export interface DiskFile {
  /** All of the parts, in order, behind what is there: a short write is continued. After it rejected, any part of them may be there. */
  append(parts: readonly Uint8Array[]): Promise<void>;
  /** What was appended is durable then (fdatasync). Once it rejected, nothing is known of what was appended since the last one, for ever. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface Lock {
  readonly path: string;
  /** A second call does nothing. */
  release(): Promise<void>;
}

/** The system's code of an error, or null: `ENOENT`. */
export function systemCodeOf(thrown: unknown): string | null {
  const code = thrown instanceof Error ? (thrown as { readonly code?: unknown }).code : null;
  return typeof code === 'string' ? code : null;
}
