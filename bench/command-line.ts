/**
 * The command line of `npm run --silent bench`: what may be asked for, and what is wrong with what was.
 *
 * Invariant: a mistake in the arguments is a `UsageError` that names the argument, what was expected and what came.
 */
import { parseArgs } from 'node:util';
import type { Bench, BenchOptions } from './bench.ts';
import type { PeerName } from './result.ts';
import { shortRuns } from './short-runs.ts';

export type Command =
  | { readonly type: 'help' }
  | { readonly type: 'list' }
  | RunCommand
  | { readonly type: 'all'; readonly runs: readonly RunCommand[]; readonly json: boolean }
  | { readonly type: 'compare'; readonly before: string | null; readonly after: string; readonly json: boolean };

export interface RunCommand {
  readonly type: 'run';
  readonly bench: Bench;
  readonly seconds: number;
  readonly runs: number;
  readonly peers: readonly PeerName[];
  readonly json: boolean;
  readonly options: BenchOptions;
}

export class UsageError extends Error {}

export const usage = `npm run --silent bench -- NAME [options]
npm run --silent bench -- all [NAME ...] [options]      those named, else all; options go to each, peers to those that have them
npm run --silent bench -- compare [BEFORE] AFTER        two results of --json; without BEFORE: bench/baseline.json
npm run --silent bench -- list

  --seconds S          length of a measured window (each benchmark has its own default)
  --runs N             how often to measure; the value is the median of the runs
  --peer spark|limit   run the same work there too, in the same run; may be given twice
  --short              the shortest run that goes all its ways: to see that it works, its figures say nothing
  --json               the result as one JSON object on the last line of stdout

  --master local[n]        where Millrace runs                            (default local[2])
  --peer-master local[n]   where Spark runs                               (default as bench/README.md says)
  --rate R                 word-count-socket, wal: measure this rate, do not search; overload: the sustained rate; soak, recovery: lines per second
  --start-rate R           word-count-socket, wal: where the search starts
  --rate-max R             word-count-socket, wal: where the search ends
  --intervals MS,MS,...    batch-overhead: these batch intervals only; soak: the first of them
  --lines N                word-count-engine: lines a batch; shuffle: pairs a batch
  --closures called|recognized   word-count-engine: one of the two ways alone (default both); word-count-socket, wal, overload: default recognized, as in any context
  --input strings|text     word-count-engine: cached strings (default), or a text file that is read as bytes in each batch
  --batches N              word-count-engine, shuffle, soak: how many batches
  --keys N                 state-update, shuffle, recovery, checkpoint: keys there are
  --updates N              state-update, checkpoint: keys that a batch brings
  --interval MS            state-update, checkpoint: Millrace's batch interval; Spark's stays at 2,000
  --window S               window: length of the window that slides`;

export function parseCommand(args: readonly string[], benches: readonly Bench[]): Command {
  const { values, positionals } = parse(args);
  if (values.help === true) return { type: 'help' };
  const [name, ...rest] = positionals;
  const names = benches.map((bench) => bench.name).join(', ');
  const json = values.json === true;
  if (name === 'compare') return compareOf(rest, json);
  if (name === 'all') {
    const chosen = rest.length === 0 ? benches : rest.map((one) => benchOf(one, benches, names));
    const peers = (values.peer ?? []).flatMap((text) => text.split(','));
    return { type: 'all', runs: chosen.map((bench) => runOf(bench, values, peers.filter((peer) => bench.peers.some((its) => its === peer)))), json };
  }
  if (name === undefined) throw new UsageError(`Name a benchmark: one of ${names}; or list.`);
  if (rest.length > 0) throw new UsageError(`One benchmark at a time: got ${positionals.join(' ')}.`);
  if (name === 'list') return { type: 'list' };
  return runOf(benchOf(name, benches, names), values, values.peer ?? []);
}

function benchOf(name: string, benches: readonly Bench[], names: string): Bench {
  const bench = benches.find((one) => one.name === name);
  if (bench === undefined) throw new UsageError(`There is no benchmark named ${name}. There are: ${names}.`);
  return bench;
}

function compareOf(files: readonly string[], json: boolean): Command {
  const [first, second] = files;
  if (first === undefined || files.length > 2) throw new UsageError(`Name one or two files of results: compare [BEFORE] AFTER; got ${files.length}.`);
  return second === undefined ? { type: 'compare', before: null, after: first, json } : { type: 'compare', before: first, after: second, json };
}

/** What the user gave comes before what a short run has, and that before the benchmark's defaults. */
function runOf(bench: Bench, values: ReturnType<typeof parse>['values'], peers: readonly string[]): RunCommand {
  const short = values.short === true ? shortRuns[bench.name] : undefined;
  const options = optionsOf(values);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<BenchOptions>;
  return {
    type: 'run',
    bench,
    seconds: positive('seconds', values.seconds) ?? short?.seconds ?? bench.defaults.seconds,
    runs: whole('runs', values.runs) ?? (short === undefined ? bench.defaults.runs : 1),
    peers: peersOf(bench, peers),
    json: values.json === true,
    options: { ...options, ...short?.options, ...given },
  };
}

function optionsOf(values: ReturnType<typeof parse>['values']): BenchOptions {
  return {
    master: values.master,
    peerMaster: values['peer-master'],
    rate: positive('rate', values.rate),
    startRate: positive('start-rate', values['start-rate']),
    rateMax: positive('rate-max', values['rate-max']),
    intervals: values.intervals?.split(',').map((part) => whole('intervals', part) ?? 0),
    lines: whole('lines', values.lines),
    batches: whole('batches', values.batches),
    closures: oneOf('closures', ['called', 'recognized'], values.closures),
    input: oneOf('input', ['strings', 'text'], values.input),
    interval: whole('interval', values.interval),
    keys: whole('keys', values.keys),
    updates: whole('updates', values.updates),
    window: whole('window', values.window),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        json: { type: 'boolean' },
        short: { type: 'boolean' },
        seconds: { type: 'string' },
        runs: { type: 'string' },
        peer: { type: 'string', multiple: true },
        master: { type: 'string' },
        'peer-master': { type: 'string' },
        rate: { type: 'string' },
        'start-rate': { type: 'string' },
        'rate-max': { type: 'string' },
        intervals: { type: 'string' },
        lines: { type: 'string' },
        batches: { type: 'string' },
        closures: { type: 'string' },
        input: { type: 'string' },
        interval: { type: 'string' },
        keys: { type: 'string' },
        updates: { type: 'string' },
        window: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function peersOf(bench: Bench, names: readonly string[]): PeerName[] {
  const peers = new Set<PeerName>();
  for (const name of names.flatMap((text) => text.split(','))) {
    const peer = bench.peers.find((one) => one === name);
    if (peer === undefined) throw new UsageError(`${bench.name} has no peer named ${name}. It has: ${bench.peers.join(', ')}.`);
    peers.add(peer);
  }
  return [...peers];
}

function oneOf<T extends string>(name: string, values: readonly T[], text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  const value = values.find((one) => one === text);
  if (value !== undefined) return value;
  throw new UsageError(`--${name} must be ${values.join(' or ')}, got ${JSON.stringify(text)}.`);
}

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value;
  throw new UsageError(`--${name} must be a number above 0, got ${JSON.stringify(text)}.`);
}

function whole(name: string, text: string | undefined): number | undefined {
  const value = positive(name, text);
  if (value === undefined || Number.isInteger(value)) return value;
  throw new UsageError(`--${name} must be a whole number, got ${JSON.stringify(text)}.`);
}
