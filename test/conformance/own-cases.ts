/**
 * Our own conformance cases (cases.json), found from wherever the build was put.
 *
 * Invariant: the file is read from the sources, since only .ts files are built.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseConformanceFile } from './case.ts';
import type { ConformanceCase } from './case.ts';

/** The path of test/conformance/cases.json in the project's sources. */
export function ownCasesPath(): string {
  for (let folder = new URL('./', import.meta.url); ; folder = new URL('../', folder)) {
    const url = new URL('test/conformance/cases.json', folder);
    if (existsSync(url)) return fileURLToPath(url);
    if (folder.pathname === '/' || folder.pathname === new URL('../', folder).pathname) throw new Error('Found no test/conformance/cases.json above this file.');
  }
}

export function ownCases(): readonly ConformanceCase[] {
  const file = parseConformanceFile(readFileSync(ownCasesPath(), 'utf8'));
  if (file.kind !== 'cases') throw new Error('Expected cases.json to hold cases.');
  return file.cases;
}
