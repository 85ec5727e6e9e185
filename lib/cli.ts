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
 *               128 + n: the second signal n, which ends at once
 */
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { basename, extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SystemClock } from './base/clock.ts';
import { UsageError, parseCommand, usage } from './cli/command-line.ts';
import type { RunCommand } from './cli/command-line.ts';
import { errorText } from './cli/error-text.ts';
import { StreamingContext } from './streaming-context.ts';
import type { StreamingOptions } from './options.ts';
import { MillraceError } from '../protocol/errors.ts';

/** npm and npx pass on a Ctrl-C that the terminal has sent to this process already: two signals so close together are one. */
const sameSignalMs = 400;

process.exitCode = await main(process.argv.slice(2));

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
    return isUsage(thrown) ? 2 : 1;
  }
}

/** Resolves with the exit code when nothing of the program runs any more. */
async function run({ program, master, batchIntervalMs, args, batchesMax }: RunCommand): Promise<number> {
  const asked = stopRequests();
  const url = urlOf(program);
  const options: StreamingOptions = { master, batchInterval: batchIntervalMs, appName: basename(url.pathname, extname(url.pathname)), args };
  const ssc = await StreamingContext.create(url, options).catch((thrown: unknown) => {
    if (args === undefined && thrown instanceof MillraceError && thrown.code === 'ProgramThrew') process.stderr.write('millrace: the program got no arguments, since --args was not given.\n');
    throw thrown;
  });
  try {
    if (batchesMax !== null) {
      let batches = 0;
      ssc.on('batchCompleted', () => {
        batches += 1;
        if (batches === batchesMax) asked.stop();
      });
    }
    if (!asked.isStopping()) {
      await ssc.start();
      await Promise.race([asked.stopped, ssc.awaitTermination()]);
    }
  } catch (thrown) {
    // The first failure is what the user must see; a stop that fails on top of it adds nothing.
    await ssc.stop().catch(() => {});
    throw thrown;
  }
  const failed = ssc.awaitTermination().then(() => null, (error: unknown) => ({ error }));
  await ssc.stop({ graceful: true });
  const failure = await failed;
  if (failure !== null) throw failure.error;
  return 0;
}

/** The wishes to stop: signals, --batches, a reader of the output that has gone. */
function stopRequests(): { readonly stopped: Promise<void>; isStopping(): boolean; stop(): void } {
  const clock = new SystemClock();
  let stop = (): void => {};
  let since: number | null = null;
  const stopped = new Promise<void>((resolve) => {
    stop = () => {
      since ??= clock.now();
      resolve();
    };
  });
  let first: number | null = null;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (first !== null && clock.now() - first < sameSignalMs) return;
    if (first !== null) {
      process.stderr.write(`millrace: second ${signal}: ended at once.\n`);
      process.exit(128 + constants.signals[signal]);
    }
    first = clock.now();
    process.stderr.write('millrace: stopping: what was received is processed first. Once more to end at once.\n');
    stop();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // `millrace run … | head`: nobody reads any more, so there is nothing left to run for.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    stop();
  });
  return { stopped, isStopping: () => since !== null, stop };
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
