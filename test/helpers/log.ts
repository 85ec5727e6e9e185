/** Logs under test: writing some, taking their files out and putting them back changed, reading them. */
import { MillraceError } from '../../protocol/errors.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import { ManualClock } from '../../lib/base/clock.ts';
import type { Disk } from '../../lib/storage/disk.ts';
import { LogWriter } from '../../lib/storage/log/log-writer.ts';
import type { LogTrouble, LogWriterOptions } from '../../lib/storage/log/log-writer.ts';
import { readLog } from '../../lib/storage/log/read-log.ts';
import type { LogContent, LogReading } from '../../lib/storage/log/read-log.ts';
import { SimulatedDisk } from '../../lib/storage/simulated-disk.ts';

export const directory = 'app/log';

export interface OpenedLog {
  readonly writer: LogWriter;
  readonly clock: ManualClock;
  readonly troubles: LogTrouble[];
}

/** On a manual clock whose timers fire as soon as nothing else is left to do, unless `timeStands`. */
export async function openLog(disk: Disk, options: Partial<LogWriterOptions> & { readonly timeStands?: boolean } = {}): Promise<OpenedLog> {
  const { timeStands = false, ...more } = options;
  const clock = timeStands ? new ManualClock() : new HastyClock();
  const troubles: LogTrouble[] = [];
  const writer = await LogWriter.open({ disk, directory, nextSequence: 1, clock, onTrouble: (trouble) => troubles.push(trouble), ...more });
  return { writer, clock, troubles };
}

/** Waits for nothing: back-off is over when the promises that are there have settled. */
class HastyClock extends ManualClock {
  override setTimer(delayMs: number, fire: () => void): ReturnType<ManualClock['setTimer']> {
    const timer = super.setTimer(delayMs, fire);
    setImmediate(() => this.advanceBy(timer.active ? delayMs : 0));
    return timer;
  }
}

export interface ReadText {
  readonly sequence: number;
  readonly text: string;
}

export type Read = { readonly frames: readonly ReadText[]; readonly content: LogContent; readonly code: null } | { readonly frames: readonly ReadText[]; readonly content: null; readonly code: ErrorCode; readonly message: string };

/** Bodies as text, and how it ended. Other errors than Millrace's go up. */
export async function readAll(disk: Disk, options: Partial<LogReading> = {}): Promise<Read> {
  const frames: ReadText[] = [];
  try {
    const content = await readLog({ disk, directory, fromSequence: 1, clock: new ManualClock(), ...options, onFrame: ({ sequence, body }) => void frames.push({ sequence, text: Buffer.from(body).toString('latin1') }) });
    return { frames, content, code: null };
  } catch (thrown) {
    if (!(thrown instanceof MillraceError)) throw thrown;
    return { frames, content: null, code: thrown.code, message: thrown.message };
  }
}

export const textsOf = ({ frames }: Read): string[] => frames.map(({ text }) => text);

export const bytesOfText = (text: string): Uint8Array[] => [Buffer.from(text, 'latin1')];

export type Files = ReadonlyMap<string, Uint8Array>;

export async function filesOf(disk: Disk): Promise<Files> {
  const files = new Map<string, Uint8Array>();
  for (const name of await disk.list(directory)) files.set(name, await disk.read(`${directory}/${name}`, 0, Infinity));
  return files;
}

export async function diskOf(files: Files): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed: 1 });
  await disk.makeDirectory(directory);
  for (const [name, bytes] of files) {
    const file = await disk.create(`${directory}/${name}`);
    await file.append([bytes]);
    await file.sync();
    await file.close();
  }
  await disk.syncDirectory(directory);
  return disk;
}
