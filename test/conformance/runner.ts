/**
 * Running files of cases: which cases on which masters, what is printed, what is counted.
 *
 * Invariant: every case of every file gives one verdict, whatever happens: a case that hangs is a failed case, and the next
 * one gets new threads. A case passes where it passes on every master. Verdicts go out in the order of the files.
 *
 *   FAIL output.json own-009-print: [inline] printed text differs ...
 *   quirk: 3 as Spark, 0 as documented            (only where there are such cases)
 *   12 passed, 1 failed                           (always the last line)
 */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseConformanceFile } from './case.ts';
import type { ConformanceCase, ErrorEntry } from './case.ts';
import type { ErrorKit } from './error-actions.ts';
import { runCase } from './run-case.ts';
import type { CaseKit, Verdict } from './run-case.ts';
import { runErrorEntry } from './run-errors.ts';
import { describeError } from './spark-errors.ts';

/** The threads (or the inline host) of one master, for one case after another. */
export interface Cluster {
  readonly cases: CaseKit;
  readonly errors: ErrorKit;
  /** Ends what the case before has left, so that the next one starts afresh. Rejects where that can't be had. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

export interface RunnerOptions {
  readonly files: readonly string[];
  readonly masters: readonly string[];
  /** Only cases whose name holds this text. */
  readonly only: string | null;
  /** Real time for one case on one master. Default 30 s. */
  readonly caseTimeoutMs?: number;
}

export interface RunnerPorts {
  openCluster(master: string): Promise<Cluster>;
  /** One line of the result. */
  print(line: string): void;
  /** One line for those who wait. */
  progress(line: string): void;
}

/** Runs everything. Returns the exit code: 1 when any case failed, or nothing was there to run. */
export async function runFiles(options: RunnerOptions, ports: RunnerPorts): Promise<number> {
  const counts = { passed: 0, failed: 0, asSpark: 0, asDocumented: 0 };
  const fail = (file: string, name: string, reason: string): void => {
    counts.failed += 1;
    ports.print(`FAIL ${basename(file)} ${name}: ${oneLine(reason)}`);
  };
  const clusters = new Clusters(options, ports);
  try {
    for (const file of options.files) {
      let jobs: Job[];
      try {
        jobs = jobsOf(await readFile(file, 'utf8'), options.only);
      } catch (error) {
        fail(file, '(file)', describeError(error));
        continue;
      }
      for (const job of jobs) {
        const verdict = await clusters.runOnEach(job);
        if (verdict.kind === 'failed') fail(file, job.name, verdict.reason);
        else counts[verdict.kind] += 1;
      }
      ports.progress(`${basename(file)}: ${jobs.length} cases; so far ${counts.passed} passed, ${counts.failed} failed`);
    }
  } finally {
    await clusters.close();
  }
  if (counts.asSpark + counts.asDocumented > 0) ports.print(`quirk: ${counts.asSpark} as Spark, ${counts.asDocumented} as documented`);
  ports.print(`${counts.passed} passed, ${counts.failed} failed`);
  return counts.failed > 0 || counts.passed + counts.asSpark + counts.asDocumented === 0 ? 1 : 0;
}

interface Job {
  readonly name: string;
  readonly run: (cluster: Cluster) => Promise<Verdict>;
}

function jobsOf(text: string, only: string | null): Job[] {
  const file = parseConformanceFile(text);
  const jobs = file.kind === 'cases' ? file.cases.map(caseJob) : file.entries.map(errorJob);
  return jobs.filter((job) => only === null || job.name.includes(only));
}

function caseJob(testCase: ConformanceCase): Job {
  return { name: testCase.name, run: (cluster) => runCase(cluster.cases, testCase) };
}

function errorJob(entry: ErrorEntry): Job {
  return { name: entry.name, run: (cluster) => runErrorEntry(cluster.errors, entry) };
}

/** One cluster for each master, opened when first needed and again after a case that hung or broke it. */
class Clusters {
  readonly #options: RunnerOptions;
  readonly #ports: RunnerPorts;
  readonly #open = new Map<string, Cluster>();

  constructor(options: RunnerOptions, ports: RunnerPorts) {
    this.#options = options;
    this.#ports = ports;
  }

  /** The first failure over the masters; else the verdict of the last one. */
  async runOnEach(job: Job): Promise<Verdict> {
    let verdict: Verdict = { kind: 'failed', reason: 'no master was given' };
    for (const master of this.#options.masters) {
      verdict = await this.#runOn(master, job);
      if (verdict.kind === 'failed') return { kind: 'failed', reason: this.#options.masters.length > 1 ? `[${master}] ${verdict.reason}` : verdict.reason };
    }
    return verdict;
  }

  async close(): Promise<void> {
    const clusters = [...this.#open.values()];
    this.#open.clear();
    for (const cluster of clusters) await this.#within(cluster.close());
  }

  async #runOn(master: string, job: Job): Promise<Verdict> {
    try {
      const verdict = await this.#within(this.#cluster(master).then((cluster) => job.run(cluster)));
      if (verdict === null) {
        await this.#abandon(master);
        return { kind: 'failed', reason: `did not end within ${this.#timeoutMs / 1_000} s` };
      }
      const cluster = this.#open.get(master);
      if (cluster !== undefined && (await this.#within(cluster.reset().then(() => true))) === null) await this.#abandon(master);
      return verdict;
    } catch (error) {
      await this.#abandon(master);
      return { kind: 'failed', reason: describeError(error) };
    }
  }

  async #cluster(master: string): Promise<Cluster> {
    const known = this.#open.get(master);
    if (known !== undefined) return known;
    const cluster = await this.#ports.openCluster(master);
    this.#open.set(master, cluster);
    return cluster;
  }

  /** Closes it as far as it can be closed; nobody waits for more than a case's time. */
  async #abandon(master: string): Promise<void> {
    const cluster = this.#open.get(master);
    this.#open.delete(master);
    if (cluster === undefined) return;
    this.#ports.progress(`${master}: starting anew`);
    await this.#within(cluster.close()).catch((error: unknown) => this.#ports.progress(`${master}: ${describeError(error)}`));
  }

  get #timeoutMs(): number {
    return this.#options.caseTimeoutMs ?? 30_000;
  }

  /** Null where it takes longer than a case may. What comes of it later is not looked at. */
  async #within<T>(work: Promise<T>): Promise<T | null> {
    const timer = new AbortController();
    work.catch(() => {});
    try {
      return await Promise.race([work, sleep(this.#timeoutMs, null, { signal: timer.signal })]);
    } finally {
      timer.abort();
    }
  }
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/gu, ' ').slice(0, 500);
}
