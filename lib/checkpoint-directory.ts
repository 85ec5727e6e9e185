/**
 * A program's checkpoint directory, as the app's thread holds it: locked, and read.
 *
 * Invariant: while this is held no other context, of this process or of another, writes to the directory. It outlives the driver's thread: it
 * is released when nothing of the program runs any more.
 */
import { resolve } from 'node:path';
import { decodeRecord } from '../protocol/codec.ts';
import type { Durability } from '../protocol/host.ts';
import type { BatchTime } from '../protocol/time.ts';
import { clauseOf, MillraceError, previewOf } from '../protocol/errors.ts';
import { ContributionLedger } from './program/contribution-ledger.ts';
import type { ProgramBuilder } from './program/program-builder.ts';
import { checkText } from './dstream/arguments.ts';
import { changeProgram, renameStates, unfinishedBatches } from './recovery/book.ts';
import { lockFile, logDirectory, recover, stateDirectory } from './recovery/recover.ts';
import type { Recovered } from './recovery/recover.ts';
import { checkAgainst } from './program/matching.ts';
import type { Clock } from './base/clock.ts';
import { systemCodeOf } from './storage/disk.ts';
import type { Disk, Lock } from './storage/disk.ts';
import type { ProgramIdentity } from '../protocol/recovery.ts';
import { nodeDisk } from './storage/node-disk.ts';
import { recoveryOptions } from './options.ts';
import type { CheckedStreamingOptions, RecoveryOptions, StreamingOptions } from './options.ts';

/** What the app has given, as far as the log has it. */
export interface GivenInputs {
  pushes(queue: number): number;
  sets(broadcast: number): number;
}

interface GoingOn<Program> {
  readonly checkpoints: CheckpointDirectory;
  readonly found: Program | string;
  readonly kept: Partial<StreamingOptions>;
}

/** Where the directory is. */
interface Machine {
  readonly disk: Disk;
  /** Default: the machine's own. */
  readonly clock?: Clock;
}

export class CheckpointDirectory {
  readonly path: string;
  readonly recovered: Recovered | null;
  /** As it was found: inline, the log goes on with the same book. */
  readonly from: { readonly completed: BatchTime | null; readonly generated: BatchTime | null } | null;
  readonly #warnings: string[];
  readonly #lock: Lock;
  readonly #options: RecoveryOptions;

  private constructor(path: string, recovered: Recovered | null, lock: Lock, options: RecoveryOptions, setAside: string | null = null) {
    this.#options = options;
    this.path = path;
    this.#warnings = setAside === null ? [...(recovered?.warnings ?? [])] : [setAside];
    this.recovered = recovered;
    this.from = recovered === null ? null : { completed: recovered.book.completed, generated: recovered.book.generated };
    this.#lock = lock;
  }

  /** Rejects with LogLocked, CheckpointCorrupted, WalCorrupted, FormatUnknown, FileFailed. */
  static async open({ disk, clock }: Machine, directory: string, options: RecoveryOptions = {}): Promise<CheckpointDirectory> {
    const path = resolve(directory);
    try {
      await disk.makeDirectory(path);
      const lock = await disk.lock(lockFile(path));
      try {
        const { recovered, setAside } = await readOrSetAside({ disk, ...(clock === undefined ? {} : { clock }) }, path, options);
        return new CheckpointDirectory(path, recovered, lock, options, setAside);
      } catch (thrown) {
        await lock.release();
        throw thrown;
      }
    } catch (thrown) {
      throw unusable(path, thrown);
    }
  }

  /** For a program that begins. Rejects with CheckpointExists where the directory holds another run's. */
  static async openNew(machine: Machine, directory: string): Promise<CheckpointDirectory> {
    const checkpoints = await CheckpointDirectory.open(machine, directory);
    if (checkpoints.recovered === null) return checkpoints;
    await checkpoints.release();
    throw new MillraceError('CheckpointExists', `Expected ${directory} to hold no checkpoint of an earlier run; it does. Use StreamingContext.getOrCreate to go on from it, or give an empty directory.`, { details: { directory } });
  }

  /** For `getOrCreate`: which program is to be built, and with which options. Rejects also with InvalidOption, CheckpointMissing, CheckpointMismatch. */
  static async goOn<Program>(directory: string, program: Program | null, given: Partial<StreamingOptions> & RecoveryOptions): Promise<GoingOn<Program>> {
    const { recovery, rest } = recoveryOptions(given);
    const checkpoints = await CheckpointDirectory.open(rest.sparkContext?.internals.host.services ?? { disk: rest.faults?.onAppThread(nodeDisk) ?? nodeDisk }, checkText('getOrCreate', 'the directory', directory), recovery);
    try {
      const identity = checkpoints.recovered?.book.identity ?? null;
      const found = program ?? identity?.url ?? null;
      if (found === null) {
        const what = identity === null ? 'it holds none' : 'that program was a plain function';
        throw new MillraceError('CheckpointMissing', `Expected ${directory} to hold the checkpoint of a program that is a module; ${what}. Give the program to begin with.`, { details: { directory } });
      }
      const earlier = identity === null ? {} : { batchInterval: intervalOf(rest.batchInterval, identity), clock: clockOf(rest.clock, identity), args: rest.args ?? identity.args ?? undefined, appName: rest.appName ?? identity.appName };
      const defaultParallelism = checkpoints.#parallelism(rest.defaultParallelism);
      return { checkpoints, found, kept: { ...rest, ...earlier, ...(defaultParallelism === undefined ? {} : { defaultParallelism }), checkpointDirectory: directory } };
    } catch (thrown) {
      await checkpoints.release();
      throw thrown;
    }
  }

  /** What the user should know of how it was found, in sentences. */
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /** Batches that run again are cut as they were, so that a sink knows their partitions again, unless another number is given. Undefined: nothing runs again, or it is not known. */
  #parallelism(given: number | undefined): number | undefined {
    const book = this.recovered?.book;
    const before = book === undefined || unfinishedBatches(book).length === 0 ? undefined : book.identity?.defaultParallelism;
    if (before !== undefined && given !== undefined && given !== before) {
      this.#warnings.push(`Batches that were not finished run again with defaultParallelism ${given}, and had begun with ${before}: the same batch time and partition may be other records now, which a sink that leaves out what it has by these names would lose. Leave defaultParallelism as it was until a graceful stop, which leaves no such batch.`);
    }
    return given ?? before;
  }

  release(): Promise<void> {
    return this.#lock.release();
  }

  /**
   * The same directory, read again, under the same lock: nobody else can have come between. Only when nothing that wrote to it runs any more. Rejects as `open`,
   * but sets nothing aside where a checkpoint can't be read.
   */
  async readAgain({ disk, clock }: Machine): Promise<CheckpointDirectory> {
    const { quarantine = false } = this.#options;
    return new CheckpointDirectory(this.path, await recover({ disk, directory: this.path, quarantine, ...(clock === undefined ? {} : { clock }) }), this.#lock, this.#options);
  }

  /** Throws CheckpointMismatch, StateNotMigrated, QueueNotRecoverable where this program can't go on from what is there. */
  check(builder: ProgramBuilder): void {
    const { allowNonRestoredState = false } = this.#options;
    if (this.recovered === null) return;
    for (const input of builder.graph.inputs) {
      if (input.canBeRestored) continue;
      throw new MillraceError('QueueNotRecoverable', `Expected inputs that can go on from a checkpoint; ${input.kind}${input.place === '' ? '' : ` at ${input.place}`} reads an array of RDDs, of which nothing is written down. Use ssc.queue(), whose pushes are logged.`, { details: { operator: input.operatorUid } });
    }
    const fingerprint = builder.fingerprint();
    renameStates(this.recovered.book, fingerprint);
    checkAgainst(this.recovered.book, builder, allowNonRestoredState);
    changeProgram(this.recovered.book, fingerprint);
  }

  /** The app's own part of what is restored. */
  restoreAccumulators({ sc }: ProgramBuilder, contributions: ContributionLedger): void {
    const book = this.recovered?.book;
    for (const [index, total] of (book?.accumulators ?? []).entries()) sc.accumulators[index]?.restore(decodeRecord(total));
    if (book?.completed != null) contributions.passOver(book.completed);
  }

  /** For a context that was running here before. Returns who counts from now on. */
  startAccumulatorsOver({ sc }: ProgramBuilder): ContributionLedger {
    const book = this.recovered?.book;
    const contributions = new ContributionLedger();
    for (const [index, accumulator] of sc.accumulators.entries()) {
      const total = book?.accumulators?.[index];
      accumulator.startOver(total === undefined ? undefined : decodeRecord(total));
    }
    if (book?.completed != null) contributions.passOver(book.completed);
    return contributions;
  }

  /** How many pushes into each queue, and sets of each variable, the log has, by the order in which the program makes these. */
  get given(): GivenInputs {
    const book = this.recovered?.book;
    return {
      pushes: (queue) => book?.queues.get(queue)?.next ?? 0,
      sets: (broadcast) => Math.max(0, ...(book?.broadcasts.get(broadcast)?.keys() ?? [])),
    };
  }

  durability(options: CheckedStreamingOptions): Durability {
    return {
      settings: {
        directory: this.path,
        logsBlocks: options.writeAheadLog,
        sync: options.walSync,
        syncIntervalMs: options.walSyncIntervalMs,
        segmentBytesMax: options.walSegmentBytesMax,
        segmentMsMax: options.walSegmentMsMax,
        closeFileAfterWrite: options.walCloseFileAfterWrite,
        checkpointIntervalMs: options.checkpointIntervalMs,
      },
      recovered: this.recovered,
      missedBatches: options.missedBatches,
    };
  }
}

/** `setAside`: what is said of a directory whose content was put out of the way. */
async function readOrSetAside({ disk, clock }: Machine, path: string, { quarantine = false, createOnError = false }: RecoveryOptions): Promise<{ readonly recovered: Recovered | null; readonly setAside: string | null }> {
  try {
    const recovered = await recover({ disk, directory: path, quarantine, ...(clock === undefined ? {} : { clock }) });
    const isRest = recovered === null && (await hasStateWithoutLog(disk, path));
    return { recovered, setAside: isRest ? await setAside(disk, path, 'it holds steps of a state, and no log that they belong to') : null };
  } catch (thrown) {
    if (!createOnError || !isUnreadable(thrown)) throw thrown;
    return { recovered: null, setAside: await setAside(disk, path, `it can't be read (${thrown.code}: ${clauseOf(thrown)})`) };
  }
}

/**
 * What can't be read stays there, under names that nobody looks at: `unreadable-1.log`. In the same directory, since only there a rename is all or
 * nothing also where the power goes; and step by step, so that whoever comes in between finds either all that the log needs, or no log.
 */
async function setAside(disk: Disk, path: string, why: string): Promise<string> {
  const names = await disk.list(path);
  const numbers = names.map((name) => Number(/^unreadable-(\d+)/.exec(name)?.[1] ?? 0));
  const prefix = `unreadable-${Math.max(0, ...numbers) + 1}`;
  for (const step of [names.filter((name) => name.startsWith('checkpoint-')), names.filter((name) => name === 'log'), names.filter((name) => name === 'state')]) {
    for (const name of step) await disk.rename(`${path}/${name}`, `${path}/${prefix}.${name}`);
    await disk.syncDirectory(path);
  }
  return `What was in ${path} is set aside, under names that begin with ${prefix}, and the program begins anew: ${why}.`;
}

/** As against a directory that somebody else uses, or that the system refuses. */
function isUnreadable(thrown: unknown): thrown is MillraceError {
  return thrown instanceof MillraceError && ['CheckpointCorrupted', 'WalCorrupted', 'FormatUnknown'].includes(thrown.code);
}

/** The system's own errors say neither which directory it was nor what for. */
function unusable(path: string, thrown: unknown): unknown {
  const code = systemCodeOf(thrown);
  if (code === null || thrown instanceof MillraceError) return thrown;
  return new MillraceError('FileFailed', `Expected ${path} to be a directory that this process may read and write, for its checkpoints; the system says ${previewOf((thrown as Error).message)}. Give another directory, or mend this one.`, { cause: thrown, details: { directory: path, systemCode: code } });
}

/** Somebody began to set the directory aside, and did not come to the end: steps of a state whose log is gone are of no use to a program that begins. */
async function hasStateWithoutLog(disk: Disk, path: string): Promise<boolean> {
  return (await disk.list(logDirectory(path))).length === 0 && (await disk.list(stateDirectory(path))).length > 0;
}

/** Stream time is counted from 0 by a manual clock, from the epoch by the system's: neither can go on from the other's. */
function clockOf(given: unknown, { zeroTime }: ProgramIdentity): 'manual' | 'system' {
  const clock = zeroTime === 0 ? 'manual' : 'system';
  if (given === undefined || given === clock) return clock;
  throw new MillraceError('CheckpointMismatch', `Expected clock to be ${clock}, as in the checkpoint, whose batch times are of that clock; got ${previewOf(given)}. Leave it out, or begin with another directory.`, { details: { option: 'clock', checkpoint: clock } });
}

/** The checkpoint says what the option may not change. */
function intervalOf(given: unknown, { batchIntervalMs }: ProgramIdentity): number {
  if (given === undefined || given === batchIntervalMs) return batchIntervalMs;
  throw new MillraceError('CheckpointMismatch', `Expected batchInterval to be ${batchIntervalMs} ms, as in the checkpoint, since batch times lie on its grid; got ${previewOf(given)}. Leave it out, or begin with another directory.`, { details: { option: 'batchInterval', checkpoint: batchIntervalMs } });
}
