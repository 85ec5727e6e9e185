/**
 * `npm run chaos`: seeded runs of the whole system with faults, in the simulator or (`--process`) with a real process that is killed.
 *
 *   npm run --silent chaos -- --seed 1 --runs 2000 [--json]     runs with the seeds 1 to 2000, on all cores; `--bail`: up to the first that fails
 *   npm run --silent chaos -- --seed 17 --runs 1 --verbose      one of them again, telling what happens
 *   npm run --silent chaos -- --process [--kills 100] [--seed N]
 *
 * Invariant: the last line is `N passed, N failed`, and the exit code 1 where any failed. Each failing seed is printed with the call that
 * runs it again.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { chaosRun } from './chaos-run.ts';
import type { ChaosRun } from './chaos-run.ts';
import { runSeeds } from './seeds.ts';
import { killRun } from './process/kill-run.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '100' },
    jobs: { type: 'string' },
    json: { type: 'boolean', default: false },
    bail: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    process: { type: 'boolean', default: false },
    kills: { type: 'string', default: '100' },
  },
});

const firstSeed = wholeNumber('seed', values.seed, 0);

if (values.process) {
  const kills = wholeNumber('kills', values.kills, 0);
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  try {
    const { delivered, counts, verdict } = await killRun({ seed: firstSeed, kills, say });
    print(verdict.trimEnd());
    end(delivered ? 1 : 0, delivered ? 0 : 1, { ...counts }, delivered ? [] : [firstSeed]);
  } catch (thrown) {
    say(thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown));
    end(0, 1, {}, [firstSeed]);
  }
} else {
  const runs = wholeNumber('runs', values.runs, 1);
  const failed: ChaosRun[] = [];
  const counts: Record<string, number> = {};
  let done = 0;
  const take = (run: ChaosRun): void => {
    done += 1;
    for (const [name, count] of Object.entries(run.counts)) counts[name] = (counts[name] ?? 0) + count;
    if (run.problems.length === 0) return;
    failed.push(run);
    print(textOfFailure(run));
  };
  const isEnough = (): boolean => values.bail && failed.length > 0;
  if (values.verbose) for (let seed = firstSeed; seed < firstSeed + runs && !isEnough(); seed += 1) take(await chaosRun(seed, print));
  else await runSeeds({ firstSeed, runs, jobs: values.jobs === undefined ? Math.max(1, Math.min(8, availableParallelism())) : wholeNumber('jobs', values.jobs, 1), take, isEnough, progress: (text) => void process.stderr.write(text) });
  end(done - failed.length, failed.length, counts, failed.map(({ seed }) => seed));
}

function textOfFailure({ seed, problems, lives, text }: ChaosRun): string {
  return [`FAIL seed ${seed}`, ...problems.map((problem) => `  ${problem}`), `  lives: ${lives.join(' | ')}`, `  replay: npm run --silent chaos -- --seed ${seed} --runs 1 --verbose`, ...(values.verbose ? [text] : [])].join('\n');
}

function end(passed: number, failed: number, counts: Readonly<Record<string, number>>, seeds: readonly number[]): void {
  if (values.json) print(JSON.stringify({ passed, failed, failedSeeds: seeds, counts }));
  else print(Object.entries(counts).map(([name, count]) => `${name} ${count}`).join(', '));
  print(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function wholeNumber(name: string, text: string, least: number): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= least) return number;
  process.stderr.write(`Expected --${name} to be a whole number of ${least} or more; got ${text}.\n`);
  process.exit(2);
}
