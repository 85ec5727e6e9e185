import t from 'tap';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConformanceCase, ErrorEntry } from './case.ts';
import { openCluster } from './cluster.ts';
import { ownCases, ownCasesPath } from './own-cases.ts';
import { runFiles } from './runner.ts';

async function run(files: readonly string[], masters: readonly string[], only: string | null = null): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = [];
  const code = await runFiles({ files, masters, only }, { openCluster, print: (line) => void lines.push(line), progress: () => {} });
  return { code, lines };
}

t.test('our own cases pass on threads and inline', async (t) => {
  const { code, lines } = await run([ownCasesPath()], ['local[2]', 'inline']);
  t.strictSame(lines, [`${ownCases().length} passed, 0 failed`]);
  t.equal(code, 0);
});

t.test('every own case fails when its expectation is changed', async (t) => {
  const file = join(t.testdir(), 'wrong.json');
  writeFileSync(file, JSON.stringify(ownCases().map(spoilt)));
  const { code, lines } = await run([file], ['inline']);
  t.equal(lines.at(-1), `0 passed, ${ownCases().length} failed`);
  t.equal(code, 1);
});

t.test('named actions are performed, and an operation that is not in the table says so', async (t) => {
  const folder = t.testdir();
  const entries: ErrorEntry[] = [
    { name: 'states', action: 'getState() before start, after start, after stop', errorClass: null, message: null, result: ['INITIALIZED', 'ACTIVE', 'STOPPED'] },
    { name: 'no-output-operation', action: 'no output; start()', errorClass: 'IllegalArgumentException', message: 'requirement failed: No output operations registered, so nothing to execute' },
    { name: 'map-after-start', action: 'map on a started context', errorClass: null, message: null, result: 'no error' },
  ];
  writeFileSync(join(folder, 'actions.json'), JSON.stringify(entries));
  const [template] = JSON.parse(readFileSync(ownCasesPath(), 'utf8')) as ConformanceCase[];
  writeFileSync(join(folder, 'unknown.json'), JSON.stringify([{ ...template, name: 'unknown', graph: [{ ...template?.graph[0], op: 'shuffleWords' }] }]));
  const { lines } = await run([join(folder, 'actions.json'), join(folder, 'unknown.json')], ['inline']);
  t.match(lines[0], /^FAIL actions\.json map-after-start: expected "no error", got ContextAlreadyStarted/);
  t.match(lines[1], /^FAIL unknown\.json unknown: build: ProgramThrew: .*Expected an operation of the table, got 'shuffleWords'/);
  t.equal(lines[2], '2 passed, 2 failed');
});

/** The case with one thing of what it expects changed. */
function spoilt(one: ConformanceCase): ConformanceCase {
  if (one.expectedError !== undefined) return { ...one, expectedError: { ...one.expectedError, errorClass: 'X', message: 'Remember duration already set' } };
  if (one.expectedText !== undefined) return { ...one, expectedText: `${one.expectedText}x` };
  if (one.expectedFiles !== undefined) return { ...one, expectedFiles: { ...one.expectedFiles, more: [''] } };
  if (one.expectedSlice !== undefined) return { ...one, expectedSlice: one.expectedSlice.slice(1) };
  return { ...one, expectedTimes: [...(one.expectedTimes ?? []), 1] };
}
