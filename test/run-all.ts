/**
 * `npm test`: runs every built test file in a process of its own, two at a time, and ends in a line `N passed, N failed`.
 *
 *   npm test                            all of them
 *   npm test -- supervisor socket       those whose path holds one of the words
 *   npm test -- --jobs 1                one file at a time
 *
 * Invariant: each file has a bound on its time, and what it started dies with it. The files are plain tap tests: with
 * `node dist/test/…/x.test.js`, or `npx tap dist/test/…/x.test.js`, each runs by itself, too.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readTap } from './helpers/tap-output.ts';
import type { FileEnd, FileResult } from './helpers/tap-output.ts';

const fileTimeoutMs = 180_000;
/** What is kept of a file's standard error, from its end. */
const errorCharactersMax = 20_000;

const folder = fileURLToPath(new URL('.', import.meta.url));
const { values, positionals } = parseArgs({ allowPositionals: true, options: { jobs: { type: 'string', default: '2' } } });

const running = new Set<ChildProcess>();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    for (const child of running) endGroup(child);
    process.exit(130);
  });
}

const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.js') && (positionals.length === 0 || positionals.some((word) => file.includes(word))))
  .sort();
const total = { passed: 0, failed: 0, skipped: 0 };
const failed: { readonly file: string; readonly text: string }[] = [];

const waiting = files[Symbol.iterator]();
await Promise.all(Array.from({ length: Math.max(1, Number(values.jobs)) }, () => work()));

for (const { file, text } of failed) process.stdout.write(`\n${file}\n${text}`);
if (files.length === 0) total.failed += 1;
process.stdout.write(`\n${files.length} files${total.skipped === 0 ? '' : `, ${total.skipped} tests skipped`}\n`);
process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
process.exitCode = total.failed === 0 ? 0 : 1;

/** Takes one file after another until none is left. */
async function work(): Promise<void> {
  for (const file of waiting) {
    const startedMs = performance.now();
    const { result, errors } = await runFile(file);
    for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += result[key];
    const tookMs = Math.round(performance.now() - startedMs);
    process.stdout.write(`${result.failed === 0 ? 'ok  ' : 'FAIL'} ${file} (${result.passed} of ${result.passed + result.failed}, ${tookMs} ms)\n`);
    if (result.failed > 0) failed.push({ file, text: failureText(result, errors) });
  }
}

function runFile(file: string): Promise<{ readonly result: FileResult; readonly errors: string }> {
  // A process group of its own: what the file has started can be ended with it. tap's own limit is a little shorter, since it can say which test hangs.
  const child = spawn(process.execPath, [`${folder}${file}`], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TAP_TIMEOUT: String((fileTimeoutMs - 10_000) / 1_000) },
  });
  running.add(child);
  let output = '';
  let errors = '';
  let timedOutMs: number | null = null;
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-errorCharactersMax)));
  const timer = setTimeout(() => {
    timedOutMs = fileTimeoutMs;
    endGroup(child);
  }, fileTimeoutMs);
  return new Promise((resolve) => {
    child.once('exit', () => endGroup(child));
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      const end: FileEnd = { code, signal, timedOutMs };
      resolve({ result: readTap(output, end), errors });
    });
  });
}

/** Ends the file's process and all that it has started. */
function endGroup(child: ChildProcess): void {
  try {
    process.kill(-(child.pid as number), 'SIGKILL');
  } catch {
    // There is nothing left of it.
  }
}

function failureText({ failures }: FileResult, errors: string): string {
  const shown = failures.map(({ path, diagnostics }) => [`  FAIL ${path.join(' > ')}`, ...diagnostics.map((line) => `       ${line}`), ''].join('\n'));
  const said = errors.trim() === '' ? '' : `  its standard error:\n${errors.trimEnd().split('\n').map((line) => `       ${line}`).join('\n')}\n`;
  return `${shown.join('\n')}\n${said}`;
}
