/**
 * The benchmark command: `npm run --silent bench -- NAME [--seconds S] [--runs N] [--peer spark|limit] [--json]`.
 *
 * Invariant: stdout carries the result alone, with --json as one object on its last line; progress goes to stderr. Exit code 0
 * after a result, 1 when measuring failed, 2 when the arguments are wrong.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runAll } from './all.ts';
import type { RunCommand } from './command-line.ts';
import { compare, figuresOfText, tableOfComparison } from './compare.ts';
import { UsageError, parseCommand, usage } from './command-line.ts';
import { describeMachine, describeVersions } from './machine.ts';
import { benches } from './registry.ts';
import { figureOf, tableOf } from './result.ts';
import type { BenchResult } from './result.ts';
import { epochMs } from './wall-clock.ts';

/** What `all --json` gave on the machine of bench/README.md; read from the sources, from where this is built to. */
const baseline = fileURLToPath(new URL('../../bench/baseline.json', import.meta.url));

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  try {
    const command = parseCommand(args, benches);
    if (command.type === 'help') process.stdout.write(`${usage}\n`);
    else if (command.type === 'list') process.stdout.write(list());
    else if (command.type === 'compare') process.stdout.write(compared(command.before ?? baseline, command.after, command.json));
    else if (command.type === 'all') return await all(command.runs, command.json);
    else process.stdout.write(printed(await run(command), command.json));
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}\n\n${usage}\n`);
      return 2;
    }
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return 1;
  }
}

/** One that fails makes the exit code 1; the result has what the others gave. */
async function all(commands: readonly RunCommand[], json: boolean): Promise<number> {
  const tables: string[] = [];
  const result = await runAll(
    commands.map(({ bench }) => bench),
    async (bench) => {
      const one = await run(commands.find((command) => command.bench === bench)!);
      tables.push(tableOf(one));
      return one;
    },
    (text) => void process.stderr.write(`${text}\n`),
  );
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : `${tables.join('\n\n')}\n`);
  return result.details.failed.length === 0 ? 0 : 1;
}

function compared(before: string, after: string, json: boolean): string {
  const [old, now] = [before, after].map((file) => figuresOfText(textOf(file), file));
  const comparison = compare(old ?? [], now ?? []);
  return json ? `${JSON.stringify(comparison)}\n` : `${tableOfComparison(comparison)}\n`;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new UsageError(`Expected a file with a result of --json at ${file}; it can't be read. Make one with: bench -- NAME --json > FILE`, { cause });
  }
}

async function run(command: RunCommand): Promise<BenchResult> {
  const { bench, seconds, runs, peers, options } = command;
  const machine = describeMachine();
  const startedMs = epochMs();
  const log = (text: string): void => void process.stderr.write(`[${((epochMs() - startedMs) / 1_000).toFixed(0).padStart(4)} s] ${text}\n`);
  log(`${bench.name}: windows of ${seconds} s, ${runs} runs${peers.length > 0 ? `, against ${peers.join(' and ')}` : ''}`);
  const outcome = await bench.run({ seconds, runs, peers: new Set(peers), options, log });
  // What was not measured on our side (no batch completed, or the system does not tell) is no figure.
  const figures = outcome.figures.map((measured) => figureOf(bench.name, measured)).filter((figure) => Number.isFinite(figure.value));
  const first = figures[0];
  if (first === undefined) throw new Error(`${bench.name} measured nothing.`);
  return {
    bench: bench.name,
    unit: first.unit,
    better: first.better,
    value: first.value,
    runs: first.runs,
    peers: first.peers,
    definition: bench.definition,
    figures,
    settings: { seconds, runs, ...outcome.settings },
    details: outcome.details ?? {},
    machine,
    versions: { ...describeVersions(), ...outcome.versions },
    startedAt: new Date(startedMs).toISOString(),
    tookSeconds: Math.round((epochMs() - startedMs) / 1_000),
  };
}

function list(): string {
  const width = Math.max(...benches.map((bench) => bench.name.length));
  return benches
    .map((bench) => `${bench.name.padEnd(width)}  ${bench.summary}  [peers: ${bench.peers.join(', ') || 'none'}]\n`)
    .join('');
}

function printed(result: BenchResult, json: boolean): string {
  return json ? `${JSON.stringify(result)}\n` : `${tableOf(result)}\n`;
}
