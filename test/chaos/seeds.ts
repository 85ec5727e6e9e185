/**
 * Many seeds, on several cores: each is run by one of a few child processes.
 *
 * Invariant: every seed gives one result. A child that dies, or takes too long for one run, is replaced, and its seed has failed.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ChaosRun } from './chaos-run.ts';

export interface SeedsOptions {
  readonly firstSeed: number;
  readonly runs: number;
  /** Processes at a time. */
  readonly jobs: number;
  readonly take: (run: ChaosRun) => void;
  readonly progress?: (text: string) => void;
  /** True: no further seed is begun. */
  readonly isEnough?: () => boolean;
}

/** What takes longer goes round in circles. */
const runTimeoutMs = 120_000;
/** Runs of one process, which then ends: compiled loops and the like gather, and slow down what comes later. */
const runsPerProcess = 20;

export async function runSeeds({ firstSeed, runs, jobs, take, progress = () => {}, isEnough = () => false }: SeedsOptions): Promise<void> {
  let next = firstSeed;
  let done = 0;
  const work = async (): Promise<void> => {
    while (next < firstSeed + runs && !isEnough()) {
      const child = fork(fileURLToPath(new URL('./seed-process.js', import.meta.url)), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
      for (let count = 0; count < runsPerProcess && next < firstSeed + runs && !isEnough(); count += 1) {
        const seed = next;
        next += 1;
        const run = await ask(child, seed);
        take(run);
        done += 1;
        if (done % 100 === 0) progress(`${done} of ${runs} runs\n`);
        if (child.killed || child.exitCode !== null || child.signalCode !== null) break;
      }
      child.kill('SIGKILL');
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, runs) }, work));
}

function ask(child: ReturnType<typeof fork>, seed: number): Promise<ChaosRun> {
  return new Promise((resolve) => {
    const failed = (problem: string): ChaosRun => ({ seed, problems: [problem], lives: [], counts: noCounts, text: '' });
    const settle = (run: ChaosRun): void => {
      clearTimeout(timer);
      child.removeAllListeners();
      resolve(run);
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      settle(failed(`the run has not come to its end in ${runTimeoutMs / 1_000} s`));
    }, runTimeoutMs);
    child.once('message', (run) => settle(run as ChaosRun));
    child.once('exit', (code, signal) => settle(failed(`the process has ended (${signal ?? code})`)));
    child.send(seed);
  });
}

const noCounts: ChaosRun['counts'] = { batches: 0, rewritten: 0, aimed: 0, killed: 0, powerCuts: 0, driversKilled: 0, threadsKilled: 0, diskFaults: 0, cuts: 0, stops: 0, damages: 0 };
