/**
 * A process under measurement (Millrace or a peer): started, listened to, ended.
 *
 * Invariant: `end` resolves after the process is gone. Events are kept in the order they were said; a process that ends
 * before it was told to is an error that carries the last lines of its stderr.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { usageOf } from './machine.ts';
import type { ProcessUsage } from './machine.ts';
import { parseEvent } from './subject-events.ts';
import type { BatchEvent, EndEvent, LatencyEvent, LogEvent, MainEvent, MemoryEvent, OutputEvent, StartedEvent, StateEvent, SubjectEvent } from './subject-events.ts';
import { epochMs, waitUntil } from './wall-clock.ts';

export interface ProcessCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Called once the process is gone. */
  readonly cleanUp?: () => void;
}

export interface MeasuredProcess {
  readonly pid: number;
  readonly spawnedMs: number;
  readonly batches: readonly BatchEvent[];
  readonly outputs: readonly OutputEvent[];
  readonly memory: readonly MemoryEvent[];
  readonly states: readonly StateEvent[];
  readonly logs: readonly LogEvent[];
  readonly latencies: readonly LatencyEvent[];
  readonly main: MainEvent | null;
  readonly started: StartedEvent | null;
  /** Why it ended by itself; null while it runs or where it ended well. */
  readonly failure: Error | null;
  readonly ended: EndEvent | null;
  usage(): ProcessUsage | null;
  /** Resolves once `holds`; rejects where the process fails, or after `limitMs`. `what` says what was waited for. */
  until(what: string, holds: () => boolean, limitMs: number): Promise<void>;
  /** Resolves with true once `holds`, with false after `limitMs`; rejects where the process fails. */
  reached(holds: () => boolean, limitMs: number): Promise<boolean>;
  /** Ends it in an orderly way, or kills it after `limitMs`. */
  end(limitMs?: number): Promise<void>;
  /** SIGKILL: it gets no chance to do anything. Resolves when it is gone, with the time of the signal. */
  kill(): Promise<number>;
}

const stderrLinesKept = 20;

export function startMeasuredProcess(name: string, command: ProcessCommand): MeasuredProcess {
  const spawnedMs = epochMs();
  const child = spawn(command.file, command.args, { stdio: ['pipe', 'pipe', 'pipe'], ...(command.cwd === undefined ? {} : { cwd: command.cwd }) });
  const exited = once(child, 'close').catch(() => undefined);
  const batches: BatchEvent[] = [];
  const outputs: OutputEvent[] = [];
  const memory: MemoryEvent[] = [];
  const states: StateEvent[] = [];
  const logs: LogEvent[] = [];
  const latencies: LatencyEvent[] = [];
  const lastErrors: string[] = [];
  let main: MainEvent | null = null;
  let started: StartedEvent | null = null;
  let ended: EndEvent | null = null;
  let failure: Error | null = null;
  let ending = false;

  const onEvent = (event: SubjectEvent): void => {
    switch (event.event) {
      case 'batch':
        batches.push(event);
        break;
      case 'output':
        outputs.push(event);
        break;
      case 'memory':
        memory.push(event);
        break;
      case 'state':
        states.push(event);
        break;
      case 'log':
        logs.push(event);
        break;
      case 'latency':
        latencies.push(event);
        break;
      case 'main':
        main = event;
        break;
      case 'started':
        started = event;
        break;
      case 'end':
        ended = event;
        break;
      case 'failed':
        failure = new Error(`${name} failed: ${event.message}`);
        break;
    }
  };
  createInterface({ input: child.stdout }).on('line', (line) => {
    const event = parseEvent<SubjectEvent>(line);
    if (event !== null) onEvent(event);
  });
  createInterface({ input: child.stderr }).on('line', (line) => {
    lastErrors.push(line);
    if (lastErrors.length > stderrLinesKept) lastErrors.shift();
  });
  child.stdin.on('error', () => undefined);
  child.once('error', (error) => (failure ??= new Error(`${name} could not be started: ${error.message}`)));
  child.once('close', (code, signal) => {
    command.cleanUp?.();
    if (ended !== null || ending) return;
    failure ??= new Error(`${name} ended by itself (${signal ?? `exit code ${code}`}). Its last words:\n${lastErrors.join('\n')}`);
  });

  const reached = async (holds: () => boolean, limitMs: number): Promise<boolean> => {
    const done = await waitUntil(() => failure !== null || holds(), limitMs);
    if (failure !== null && !holds()) throw failure;
    return done;
  };

  return {
    pid: child.pid ?? 0,
    spawnedMs,
    batches,
    outputs,
    memory,
    states,
    logs,
    latencies,
    get main() {
      return main;
    },
    get started() {
      return started;
    },
    get failure() {
      return failure;
    },
    get ended() {
      return ended;
    },
    usage: () => usageOf(child.pid ?? 0),
    async until(what, holds, limitMs) {
      if (!(await reached(holds, limitMs))) throw new Error(`${name}: ${what} did not happen within ${limitMs} ms. Its last words:\n${lastErrors.join('\n')}`);
    },
    reached,
    async end(limitMs = 30_000) {
      ending = true;
      child.stdin.end();
      const gone = await waitUntil(() => child.exitCode !== null || child.signalCode !== null || child.pid === undefined, limitMs);
      if (!gone) child.kill('SIGKILL');
      await exited;
    },
    async kill() {
      ending = true;
      const killedMs = epochMs();
      child.kill('SIGKILL');
      await exited;
      return killedMs;
    },
  };
}
