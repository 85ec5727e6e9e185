/**
 * The command line of `millrace`: what may be asked for, and what is wrong with what was.
 *
 * Invariant: a mistake in the arguments is a `UsageError` that names the argument, what was expected and what came. Nothing
 * here reads a file or starts anything.
 */
import { parseArgs } from 'node:util';

export type Command =
  | { readonly type: 'help' }
  | { readonly type: 'version' }
  | { readonly type: 'run'; readonly run: RunCommand };

export interface RunCommand {
  /** As it was given: a path, or a file: URL. */
  readonly program: string;
  readonly master: string;
  /** Null: it was left out. A program that goes on has its own then, one that begins `batchIntervalMsDefault`. */
  readonly batchIntervalMs: number | null;
  /** The checkpoint directory to go on from, or to begin in; null: none. */
  readonly checkpoint: string | null;
  /** How long a graceful stop may take. */
  readonly stopTimeoutMs: number;
  /** What --args holds; undefined where it was left out. */
  readonly args: unknown;
  /** Stop after so many batches; null: run until a signal comes. */
  readonly batchesMax: number | null;
}

export const batchIntervalMsDefault = 1_000;
const stopTimeoutMsDefault = 60_000;

export class UsageError extends Error {}

export const usage = `millrace run PROGRAM [options]
millrace --help | --version

PROGRAM is a built module (.js or .mjs) whose default export builds the graph.

  --master local[n]|local[*]|inline   worker threads, or all on one thread     (default local[*])
  --batch TIME                        batch interval: 1s, 200ms, 0.5s, or 500  (default 1s)
  --args JSON                         the program's second argument
  --batches N                         stop by itself after N batches
  --checkpoint DIR                    go on from what this directory holds of an earlier run, or begin there
  --stop-timeout TIME                 how long a graceful stop may take        (default 60s)

Ctrl-C and SIGTERM stop gracefully: what was received is processed and printed first. A second one ends at once.
Exit code: 0 after a stop, 1 after a failure, 2 where the command line is wrong, 3 after a stop whose time was over before
everything was processed (what was left is told, and with --checkpoint it is processed by the next run).`;

/** Throws UsageError. */
export function parseCommand(argv: readonly string[]): Command {
  const { values, positionals } = parse(argv);
  if (values.help === true) return { type: 'help' };
  if (values.version === true) return { type: 'version' };
  const [name, program, ...rest] = positionals;
  if (name === undefined) throw new UsageError('Expected a command; got none. There is: run.');
  if (name !== 'run') throw new UsageError(`Expected the command run; got ${name}.`);
  if (program === undefined) throw new UsageError('Expected the program\'s module after run, as in: millrace run word-count.js');
  if (rest.length > 0) throw new UsageError(`Expected one program; got also ${rest.join(' ')}. What the program needs goes into --args.`);
  return {
    type: 'run',
    run: {
      program,
      master: values.master ?? 'local[*]',
      batchIntervalMs: values.batch === undefined ? null : timeOf('--batch', values.batch, 'such as 1s, 200ms or 500'),
      checkpoint: directoryOf(values.checkpoint),
      stopTimeoutMs: values['stop-timeout'] === undefined ? stopTimeoutMsDefault : timeOf('--stop-timeout', values['stop-timeout'], 'such as 30s, 2m or 500ms'),
      args: jsonOf(values.args),
      batchesMax: countOf(values.batches),
    },
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
        master: { type: 'string' },
        batch: { type: 'string' },
        args: { type: 'string' },
        batches: { type: 'string' },
        checkpoint: { type: 'string' },
        'stop-timeout': { type: 'string' },
      },
    });
  } catch (thrown) {
    throw new UsageError(thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
  }
}

const unitMs: Readonly<Record<string, number>> = { '': 1, ms: 1, s: 1_000, m: 60_000, min: 60_000 };

/** `1s`, `200ms`, `0.5s`, `2m`; a bare number is in ms. A whole number of ms, 1 or more. */
function timeOf(option: string, text: string, such: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|min|)$/.exec(text.trim()) ?? [];
  // Rounded to a thousandth first: 0.07 s is 70 ms, though 0.07 * 1,000 is a little more.
  const ms = amount === undefined ? Number.NaN : Math.round(Number(amount) * (unitMs[unit ?? ''] as number) * 1_000) / 1_000;
  if (Number.isSafeInteger(ms) && ms >= 1) return ms;
  throw new UsageError(`Expected ${option} to be a time of at least 1 ms, in whole ms, ${such}; got ${JSON.stringify(text)}.`);
}

function directoryOf(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (text.trim() !== '') return text;
  throw new UsageError(`Expected --checkpoint to name a directory; got ${JSON.stringify(text)}.`);
}

function jsonOf(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw new UsageError(`Expected --args to be JSON, such as '{"port":9999}'; got ${text} (${(thrown as Error).message}).`, { cause: thrown });
  }
}

function countOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new UsageError(`Expected --batches to be a whole number of 1 or more; got ${JSON.stringify(text)}.`);
}
