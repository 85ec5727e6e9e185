/**
 * The files of one program's checkpoint directory, while it runs: the log, the state's log, the checkpoints.
 *
 *   DIR/lock                      held by the app's thread, as long as the program may write
 *   DIR/log/(number).log          events and received data
 *   DIR/state/(number).log        steps and snapshots of keyed state
 *   DIR/checkpoint-(time)[.bk]    books
 *
 * Invariant: places are given relative to the directory, so that it can be moved. A segment is removed only when none of the checkpoints that
 * are kept reaches back to it.
 */
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { LogSettings, WrittenLog } from '../../protocol/recovery.ts';
import type { Disk } from '../storage/disk.ts';
import { LogWriter } from '../storage/log/log-writer.ts';
import { writeCheckpoint } from './checkpoint-file.ts';
import type { LogNeeds } from './log-needs.ts';
import { logDirectory, stateDirectory } from './recover.ts';

export interface RecoveryFilesOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly settings: LogSettings;
  /** The numbers of the frames that are to be written next. */
  readonly next: LogNeeds;
  readonly warn: (text: string) => void;
}

/** Where an appended body lies. */
export interface AppendedAt {
  readonly sequence: number;
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
}

export class RecoveryFiles {
  readonly #options: RecoveryFilesOptions;
  #opened: Promise<{ readonly log: LogWriter; readonly state: LogWriter }> | null = null;
  /** Of the checkpoints that this process has written, by the names of their files. */
  readonly #needs = new Map<string, LogNeeds>();

  constructor(options: RecoveryFilesOptions) {
    this.#options = options;
  }

  /** Once, before all else. What is appended meanwhile waits. */
  async open(): Promise<void> {
    this.#opened = this.#open();
    await this.#opened;
  }

  async #open(): Promise<{ readonly log: LogWriter; readonly state: LogWriter }> {
    const { disk, clock, settings, next, warn } = this.#options;
    const { directory, sync, syncIntervalMs, segmentBytesMax, segmentMsMax, closeFileAfterWrite } = settings;
    await disk.makeDirectory(directory);
    const shared = { disk, clock, sync, segmentBytesMax, segmentMsMax, closeFileAfterWrite, onTrouble: ({ doing, file, error }: { doing: string; file: string; error: unknown }) => warn(`The log could not ${doing} ${file}: ${error instanceof Error ? error.message : String(error)}`) };
    const log = await LogWriter.open({ ...shared, directory: logDirectory(directory), nextSequence: next.log, syncIntervalMs });
    const state = await LogWriter.open({ ...shared, directory: stateDirectory(directory), nextSequence: next.state });
    return { log, state };
  }

  async append(type: number, parts: readonly Uint8Array[], options: { readonly urgent?: boolean; readonly lazy?: boolean } = {}): Promise<AppendedAt> {
    const { log } = await this.#writers();
    return this.#relative(await log.append(type, parts, options));
  }

  /** What waits for the next sync is synced now. */
  async hurry(): Promise<void> {
    (await this.#writers()).log.hurry();
  }

  async appendState(type: number, parts: readonly Uint8Array[]): Promise<AppendedAt> {
    const { state } = await this.#writers();
    return this.#relative(await state.append(type, parts));
  }

  /** Then removes what no kept checkpoint needs. */
  async writeCheckpoint(time: number, parts: readonly Uint8Array[], needs: LogNeeds): Promise<void> {
    const { disk, settings } = this.#options;
    const { log, state } = await this.#writers();
    const kept = await writeCheckpoint(disk, settings.directory, time, parts);
    this.#note(`checkpoint-${time}`, needs);
    for (const name of this.#needs.keys()) if (!kept.includes(name)) this.#needs.delete(name);
    // What those of an earlier process need is not known here: they go with time.
    if (kept.length > this.#needs.size) return;
    const all = [...this.#needs.values()];
    await log.removeBefore(Math.min(...all.map((one) => one.log)));
    const oldest = Math.min(...all.map((one) => one.state));
    if (oldest !== Infinity) await state.removeBefore(oldest);
  }

  /** The one before of that name, if there was one, is the backup now. */
  #note(name: string, needs: LogNeeds): void {
    const before = this.#needs.get(name);
    if (before === undefined) this.#needs.delete(`${name}.bk`);
    else this.#needs.set(`${name}.bk`, before);
    this.#needs.set(name, needs);
  }

  async close(): Promise<void> {
    if (this.#opened === null) return;
    const { log, state } = await this.#writers();
    await log.close();
    await state.close();
  }

  /** Of both logs, for whoever measures. */
  async statistics(): Promise<{ readonly log: WrittenLog; readonly state: WrittenLog }> {
    const { log, state } = await this.#writers();
    return { log: log.statistics, state: state.statistics };
  }

  #writers(): Promise<{ readonly log: LogWriter; readonly state: LogWriter }> {
    assert(this.#opened !== null, 'the files are opened first');
    return this.#opened;
  }

  #relative(at: AppendedAt): AppendedAt {
    return { ...at, file: at.file.slice(this.#options.settings.directory.length + 1) };
  }
}
