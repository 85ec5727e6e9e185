/** Benchmarks in their short form: that they work, whatever they measure. Those that have tests of their own are looked at there. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { AllResult } from '../../bench/all.ts';

const runScript = fileURLToPath(new URL('../../bench/run.js', import.meta.url));

function runBench(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [runScript, ...args], (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }));
  });
}

for (const names of [['word-count-socket', 'overload', 'word-count-engine'], ['batch-overhead', 'messages', 'startup', 'shuffle'], ['scaling', 'many-programs']]) {
  t.test(`${names.join(', ')}: together they are one result, which can be compared`, async (t) => {
    const { code, stdout, stderr } = await runBench('all', ...names, '--short', '--peer', 'limit', '--json');
    t.equal(code, 0, stderr);
    const result = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as AllResult;
    t.match(result, { bench: 'all', unit: 'benchmarks', better: 'higher', value: names.length, details: { failed: [] } });
    t.same([...new Set(result.figures.map(({ bench }) => bench))], names);
    t.ok(result.figures.every(({ value }) => Number.isFinite(value)));
    const file = join(t.testdir(), 'result.json');
    writeFileSync(file, stdout);
    const compared = await runBench('compare', file, file, '--json');
    t.match(JSON.parse(compared.stdout), { bench: 'compare', gone: [], added: [], figures: result.figures.map(({ name, value }) => ({ name, before: value, after: value })) });
  });
}

t.test('one that fails is named, the others give their result, and the exit code is 1', async (t) => {
  const { code, stdout, stderr } = await runBench('all', 'messages', 'word-count-engine', '--short', '--master', 'local[0]', '--json');
  t.equal(code, 1);
  t.match(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? ''), { value: 1, details: { failed: [{ bench: 'word-count-engine', error: String }] } });
  t.match(stderr, /word-count-engine failed/);
});
