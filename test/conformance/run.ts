/**
 * `npm run --silent conformance -- FILE... [--master local[2]|inline|both] [--only NAME] [--kill SEED] [--restart SEED]`
 *
 * Runs conformance files on the real runtime; with --kill, worker threads die at random moments chosen by the seed; with --restart, each case is stopped after a batch chosen by the seed, and goes on from its checkpoint. The result goes to standard output (see runner.ts), progress to standard
 * error; exit code 1 where a case failed, 2 where the arguments are wrong.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openCluster } from './cluster.ts';
import { runFiles } from './runner.ts';

const usage = 'usage: npm run --silent conformance -- FILE... [--master local[N]|inline|both] [--only NAME] [--kill SEED] [--restart SEED]';

function parse(): { files: string[]; masters: string[]; only: string | null; killSeed: string | null; restartSeed: string | null } {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { master: { type: 'string', default: 'both' }, only: { type: 'string' }, kill: { type: 'string' }, restart: { type: 'string' } } });
  if (positionals.length === 0) throw new Error('Expected at least one file of cases.');
  // npm runs scripts in the project's folder; files are meant from where it was called.
  const from = process.env['INIT_CWD'] ?? process.cwd();
  return { files: positionals.map((file) => resolve(from, file)), masters: values.master === 'both' ? ['local[2]', 'inline'] : [values.master], only: values.only ?? null, killSeed: values.kill ?? null, restartSeed: values.restart ?? null };
}

let options: ReturnType<typeof parse> | null = null;
try {
  options = parse();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}\n`);
  process.exitCode = 2;
}

if (options !== null) {
  const { killSeed, restartSeed } = options;
  const code = await runFiles(options, {
    openCluster: (master) => openCluster(master, killSeed, restartSeed),
    print: (line) => void process.stdout.write(`${line}\n`),
    progress: (line) => void process.stderr.write(`${line}\n`),
  });
  // Threads that a hanging case has left would keep the process: the result is out when the write is.
  process.stdout.write('', () => process.exit(code));
}
