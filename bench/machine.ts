/**
 * What a result must say of where it was measured, and what a running process uses.
 *
 * Invariant: nothing here fails: what a system does not tell is left out (only Linux tells of other processes).
 */
import { readFileSync } from 'node:fs';
import { cpus, loadavg, platform, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { dirname, join } from 'node:path';

export function describeMachine(): Record<string, unknown> {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`,
    /** Above 0.2 or so at the start of a run, something else was running too. */
    loadAverageAtStart: Number((loadavg()[0] ?? 0).toFixed(2)),
  };
}

export function describeVersions(): Record<string, string> {
  const manifest = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  return { millrace: manifest.version, node: process.versions.node, v8: process.versions.v8 };
}

/** The folder of the package's package.json, wherever the build went to. */
export function packageRoot(from = dirname(fileURLToPath(import.meta.url))): string {
  for (let folder = from; ; folder = dirname(folder)) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: string };
      if (manifest.name === 'millrace') return folder;
    } catch {
      // No package.json here: look one folder up.
    }
    if (folder === dirname(folder)) throw new Error(`No package.json of millrace was found at or above ${from}.`);
  }
}

export interface ProcessUsage {
  readonly cpuSeconds: number;
  readonly rssMib: number;
  readonly rssPeakMib: number;
  readonly threads: number;
}

/** What a process has used up to now; null where it is gone or the system does not tell. */
export function usageOf(pid: number): ProcessUsage | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    // Behind the command's closing parenthesis: state is field 0, user and system time are 11 and 12.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / clockTicksPerSecond,
      rssMib: fieldOf(status, 'VmRSS') / 1_024,
      rssPeakMib: fieldOf(status, 'VmHWM') / 1_024,
      threads: fieldOf(status, 'Threads'),
    };
  } catch {
    return null;
  }
}

/** The same on every Linux that Node runs on. */
const clockTicksPerSecond = 100;

function fieldOf(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? Number.NaN);
}
