/**
 * A real process with real files, killed with SIGKILL at random instants under load and started again, until all is delivered.
 *
 *   this process: source, load ──TCP──> app: receiver, log, batches, state ──> files ──> verifier, a process of its own
 *                      `── SIGKILL, again and again ──'
 *
 * Invariant: what counts as sent is what this process has put into the source; the verdict is the verifier's alone.
 */
import { fork, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createPrng } from '../../../lib/base/prng.ts';
import type { Prng } from '../../../lib/base/prng.ts';
import { SourceServer } from './source-server.ts';

export interface KillRunOptions {
  readonly seed: number;
  readonly kills: number;
  readonly say: (line: string) => void;
}

export interface KillRunResult {
  readonly delivered: boolean;
  /** What the verifier has printed. */
  readonly verdict: string;
  readonly counts: { readonly kills: number; readonly killedWhileStarting: number; readonly cuts: number; readonly records: number };
}

/** A life that takes longer has not started, or never ends. */
const lifeTimeoutMs = 180_000;
const stopTimeoutMs = 600_000;
const recordsEachMs = 10;

export async function killRun({ seed, kills, say }: KillRunOptions): Promise<KillRunResult> {
  const prng = createPrng(`kills ${seed}`);
  const root = await mkdtemp(join(tmpdir(), 'millrace-chaos-'));
  const source = await SourceServer.open(prng.fork('words'));
  const files = { checkpoints: join(root, 'checkpoints'), output: join(root, 'output'), sent: join(root, 'sent') };
  await mkdir(files.output);
  const counts = { kills: 0, killedWhileStarting: 0, cuts: 0, records: 0 };
  const load = setInterval(() => {
    // Bursts, so that blocks and batches are of all sizes. A source that is not read does not grow without end.
    if (source.words.length - source.acknowledged.size < 20_000) source.add(prng.int(4) === 0 ? prng.int(120) : prng.int(12));
  }, recordsEachMs);
  let kept = false;
  try {
    while (counts.kills < kills) {
      const app = start(files, source.port);
      if (!(await liveAndDie(app, prng, source, counts))) throw new Error(`The app has ended by itself (life ${counts.kills}).`);
      counts.kills += 1;
      if (counts.kills % 10 === 0) say(`${counts.kills} kills, ${source.acknowledged.size} records acknowledged`);
    }
    const app = start(files, source.port);
    if (!(await started(app))) throw new Error('The app has ended by itself.');
    await pause(1_000);
    clearInterval(load);
    await until(() => source.allAcknowledged, 'all records to be acknowledged');
    app.send('stop');
    const [code] = (await within(once(app, 'exit'), 'the app to stop', stopTimeoutMs)) as [number | null];
    if (code !== 0) throw new Error(`The app has stopped with exit code ${code}.`);
    await writeFile(files.sent, source.words.map((word) => `${word}\n`).join(''));
    counts.records = source.words.length;
    const verdict = await verify(files.sent, files.output);
    const delivered = verdict.endsWith('ALL-RECORDS-DELIVERED\n');
    kept = !delivered;
    return { delivered, verdict, counts };
  } catch (thrown) {
    kept = true;
    throw thrown;
  } finally {
    clearInterval(load);
    source.close();
    for (const app of running) app.kill('SIGKILL');
    if (kept) say(`The files are kept in ${root}`);
    else await rm(root, { recursive: true, force: true });
  }
}

const running = new Set<ChildProcess>();

function start(files: { readonly checkpoints: string; readonly output: string }, port: number): ChildProcess {
  const app = fork(fileURLToPath(new URL('./app.js', import.meta.url)), [files.checkpoints, files.output, String(port)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  running.add(app);
  app.once('exit', () => running.delete(app));
  return app;
}

/** False: it ended before it was killed. */
async function liveAndDie(app: ChildProcess, prng: Prng, source: SourceServer, counts: { killedWhileStarting: number; cuts: number }): Promise<boolean> {
  const ended = once(app, 'exit');
  // One in four while it starts or recovers; the others under load.
  if (prng.int(4) === 0) {
    await Promise.race([pause(prng.int(900)), started(app)]);
    counts.killedWhileStarting += 1;
  } else {
    await started(app);
    if (prng.int(5) === 0) {
      await pause(prng.int(500));
      source.cut();
      counts.cuts += 1;
    }
    await Promise.race([pause(prng.int(1_500)), ended]);
  }
  if (app.exitCode !== null) return false;
  app.kill('SIGKILL');
  await ended;
  return true;
}

/** False: it ended before. */
function started(app: ChildProcess): Promise<boolean> {
  return within(Promise.race([once(app, 'message').then(() => true), once(app, 'exit').then(() => false)]), 'the app to start');
}

function verify(sent: string, output: string): Promise<string> {
  const verifier = spawn(process.execPath, [fileURLToPath(new URL('./verifier.js', import.meta.url)), sent, output], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  verifier.stdout.setEncoding('utf8').on('data', (more: string) => (text += more));
  return once(verifier, 'close').then(() => text);
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const startedMs = performance.now();
  while (!condition()) {
    if (performance.now() - startedMs > lifeTimeoutMs) throw new Error(`Waited ${lifeTimeoutMs} ms for ${what}.`);
    await pause(20);
  }
}

async function within<R>(promise: Promise<R>, what: string, timeoutMs = lifeTimeoutMs): Promise<R> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited ${timeoutMs} ms for ${what}.`)), timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
