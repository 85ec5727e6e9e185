#!/usr/bin/env node
/**
 * The `millrace` command: runs a program from the shell, until Ctrl-C.
 *
 * Invariant: it installs the signal handlers that the library never installs, and leaves nothing behind: after a stop the
 * process ends by itself, because no thread, socket or timer is left. Standard output carries what the program prints and
 * nothing else.
 *
 *   exit code   0 stopped: by a signal, by --batches, or by the program's own end
 *               1 failed: the program could not start, or a batch or the runtime has failed
 *               2 the command line is wrong
 *               3 stopped, but its time was over before everything was processed: what was left is on standard error
 *               128 + n: the second signal n, which ends at once
 */
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { basename, extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SystemClock } from './base/clock.ts';
import type { TimerHandle } from './base/clock.ts';
import { batchIntervalMsDefault, UsageError, parseCommand, usage } from './cli/command-line.ts';
import type { RunCommand } from './cli/command-line.ts';
import { errorText } from './cli/error-text.ts';
import { watchKeyboard } from './cli/keyboard.ts';
import { StreamingContext } from './streaming-context.ts';
import type { StreamingOptions } from './options.ts';
import { sameSignalMs } from './shutdown.ts';
import { MillraceError } from '../protocol/errors.ts';

/** How often it is looked whether npm's shell still lives. */
const parentCheckMs = 250;

const exitCodeLate = 3;

const exitCode = await main(process.argv.slice(2));
process.exitCode = exitCode;
// An output that hangs would hold the process for as long as it likes.
if (exitCode === exitCodeLate) process.stdout.write('', () => process.exit(exitCode));

async function main(argv: readonly string[]): Promise<number> {
  try {
    const command = parseCommand(argv);
    if (command.type === 'run') return await run(command.run);
    process.stdout.write(`${command.type === 'help' ? usage : version()}\n`);
    return 0;
  } catch (thrown) {
    if (thrown instanceof UsageError) {
      process.stderr.write(`millrace: ${thrown.message}\n\n${usage}\n`);
      return 2;
    }
    process.stderr.write(`millrace: ${errorText(thrown, new URL('..', import.meta.url).href)}\n`);
    if (thrown instanceof MillraceError && thrown.code === 'StopTimeout') return exitCodeLate;
    return isUsage(thrown) ? 2 : 1;
  }
}

/** Resolves with the exit code when nothing of the program runs any more. */
async function run(command: RunCommand): Promise<number> {
  const { args, batchesMax, stopTimeoutMs } = command;
  const asked = stopRequests();
  try {
    const ssc = await contextOf(command);
    if (batchesMax !== null) {
      let batches = 0;
      ssc.on('batchCompleted', () => {
        batches += 1;
        if (batches === batchesMax) asked.stop();
      });
    }
    await runUntil(asked, ssc, stopTimeoutMs);
    return 0;
  } catch (thrown) {
    if (args === undefined && thrown instanceof MillraceError && thrown.code === 'ProgramThrew') process.stderr.write('millrace: the program got no arguments, since --args was not given.\n');
    throw thrown;
  } finally {
    asked.forget();
  }
}

async function contextOf({ program, master, batchIntervalMs, args, checkpoint }: RunCommand): Promise<StreamingContext> {
  const url = urlOf(program);
  const options = { master, appName: basename(url.pathname, extname(url.pathname)), args };
  const whole = (): StreamingOptions => ({ ...options, batchInterval: batchIntervalMs ?? batchIntervalMsDefault });
  if (checkpoint === null) return StreamingContext.create(url, whole());
  const ssc = await StreamingContext.getOrCreate(checkpoint, url, batchIntervalMs === null ? options : whole()).catch((thrown: unknown) => {
    // Nothing is there that says how long a batch is.
    if (batchIntervalMs === null && thrown instanceof MillraceError && thrown.details['option'] === 'batchInterval' && thrown.code === 'InvalidOption') return StreamingContext.getOrCreate(checkpoint, url, whole());
    throw thrown;
  });
  const from = ssc.recoveredFrom;
  if (from !== null) {
    const again = from.generated !== null && from.generated !== from.completed ? `; batches up to ${from.generated} ms run again first` : '';
    process.stderr.write(`millrace: going on from ${checkpoint}: ${from.completed === null ? 'no batch is complete' : `batches up to ${from.completed} ms are complete`}${again}.\n`);
  }
  return ssc;
}

/** Resolves when the context has stopped in good order; rejects with its first failure, and it has stopped then, too. */
async function runUntil(asked: StopRequests, ssc: StreamingContext, stopTimeoutMs: number): Promise<void> {
  try {
    if (!asked.isStopping()) {
      await ssc.start();
      await Promise.race([asked.stopped, ssc.awaitTermination()]);
    }
  } catch (thrown) {
    // The first failure is what the user must see; a stop that fails on top of it adds nothing.
    await ssc.stop().catch(() => {});
    throw thrown;
  }
  // What was received may still fail: that is a failure of the run, as it was before the stop.
  const failure = ssc.awaitTermination().then(() => null, (error: unknown) => ({ error }));
  const late = await ssc.stop({ graceful: true, timeoutMs: stopTimeoutMs }).then(() => null, (error: unknown) => ({ error }));
  const failed = await failure;
  if (failed !== null) throw failed.error;
  if (late !== null) throw late.error;
}

/** The wishes to stop: signals, --batches, a reader of the output that has gone, the end of npm's shell. */
interface StopRequests {
  readonly stopped: Promise<void>;
  isStopping(): boolean;
  stop(): void;
  /** No more wishes are listened for, except for the second signal. */
  forget(): void;
}

function stopRequests(): StopRequests {
  const clock = new SystemClock();
  let stopping = false;
  let resolve = (): void => {};
  const stopped = new Promise<void>((settle) => (resolve = settle));
  const stop = (): void => {
    stopping = true;
    resolve();
  };
  let firstMs: number | null = null;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (firstMs !== null && clock.now() - firstMs < sameSignalMs) return;
    if (firstMs !== null) {
      process.stderr.write(`millrace: second ${signal}: ended at once.\n`);
      keyboard.forget();
      process.exit(128 + constants.signals[signal]);
    }
    firstMs = clock.now();
    process.stderr.write('millrace: stopping: what was received is processed first. Once more to end at once.\n');
    stop();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // `millrace run … | head`: nobody reads any more, so there is nothing left to run for.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      stop();
    });
  }
  const keyboard = watchKeyboard(() => onSignal('SIGINT'));
  const forgetShell = watchShell(clock, stop);
  const forget = (): void => {
    keyboard.forget();
    forgetShell();
  };
  return { stopped, isStopping: () => stopping, stop, forget };
}

/**
 * npm and npx run this process in a shell and pass signals to that shell, which may die of one and keep it to itself. So the
 * end of the shell is a signal, too; without npm it is none: a process may well outlive the shell that it was started from.
 */
function watchShell(clock: SystemClock, onGone: () => void): () => void {
  if (process.env['npm_command'] === undefined) return () => {};
  const shell = process.ppid;
  const look = (): TimerHandle =>
    clock.setTimer(parentCheckMs, () => {
      if (process.ppid === shell) timer = look();
      else onGone();
    });
  let timer = look();
  return () => clock.clear(timer);
}

function urlOf(program: string): URL {
  return program.startsWith('file:') ? new URL(program) : pathToFileURL(resolve(program));
}

/** Wrong values of options that the runtime itself checks. */
function isUsage(thrown: unknown): boolean {
  return thrown instanceof MillraceError && (thrown.code === 'UnknownMaster' || thrown.code === 'InvalidOption');
}

function version(): string {
  const { version } = createRequire(import.meta.url)('millrace/package.json') as { version: string };
  return version;
}
