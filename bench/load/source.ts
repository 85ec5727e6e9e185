/**
 * The load generator's process, seen from a benchmark: started, listened to, ended.
 *
 * Invariant: `stop` resolves after the process is gone; a generator never outlives the benchmark (its stdin ends with it).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseEvent } from '../subject-events.ts';
import type { GeneratorEvent, GeneratorListening, GeneratorTick } from './generator-events.ts';
import type { PaceStep } from './feeder.ts';

export interface LoadOptions {
  /** Left out or empty: as fast as it is read. */
  readonly pace?: readonly PaceStep[];
  readonly lines?: number;
  readonly hold?: boolean;
  readonly stamped?: boolean;
  /** The reader says first at which line it begins. */
  readonly resumable?: boolean;
}

export interface LoadSource {
  readonly port: number;
  /** Every open, tick, written and close event up to now. */
  readonly ticks: readonly GeneratorTick[];
  /** Epoch time at which the first reader connected; null before. */
  readonly openedMs: number | null;
  readonly pid: number;
  stop(): Promise<void>;
}

export async function startLoadSource(options: LoadOptions): Promise<LoadSource> {
  const script = fileURLToPath(new URL('../load-generator.js', import.meta.url));
  const child = spawn(process.execPath, [script, ...argumentsOf(options)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const ticks: GeneratorTick[] = [];
  const lines = createInterface({ input: child.stdout });
  const listening = new Promise<GeneratorListening>((resolve, reject) => {
    lines.on('line', (line) => {
      const event = parseEvent<GeneratorEvent>(line);
      if (event?.event === 'listening') resolve(event);
      else if (event !== null) ticks.push(event);
    });
    child.once('exit', (code) => reject(new Error(`The load generator ended with exit code ${code} before it listened.`)));
  });
  const { port } = await listening;
  return {
    port,
    ticks,
    pid: child.pid ?? 0,
    get openedMs() {
      return ticks.find((tick) => tick.event === 'open')?.epochMs ?? null;
    },
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function argumentsOf(options: LoadOptions): string[] {
  const list: string[] = [];
  if (options.pace !== undefined && options.pace.length > 0) {
    list.push('--steps', options.pace.map((step) => `${step.linesPerSecond}:${Number.isFinite(step.seconds) ? step.seconds : 1}`).join(','));
  }
  if (options.lines !== undefined) list.push('--lines', String(options.lines));
  if (options.hold === true) list.push('--hold');
  if (options.stamped === true) list.push('--stamped');
  if (options.resumable === true) list.push('--resumable');
  return list;
}
