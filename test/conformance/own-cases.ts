/**
 * The conformance cases of this repository, found from wherever the build was put: our own (cases.json), and Spark's (vectors/).
 *
 * Invariant: files are read from the sources, since only .ts files are built.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseConformanceFile } from './case.ts';
import type { ConformanceCase } from './case.ts';

/** The path of test/conformance/cases.json in the project's sources. */
export function ownCasesPath(): string {
  return sourcePath('cases.json');
}

/** The paths of the files of cases that were recorded from Spark, in the order of their names. */
export function vectorPaths(): string[] {
  const folder = sourcePath('vectors');
  return readdirSync(folder).filter((name) => name.endsWith('.json')).sort().map((name) => join(folder, name));
}

export function ownCases(): readonly ConformanceCase[] {
  const file = parseConformanceFile(readFileSync(ownCasesPath(), 'utf8'));
  if (file.kind !== 'cases') throw new Error('Expected cases.json to hold cases.');
  return file.cases;
}

function sourcePath(name: string): string {
  for (let folder = new URL('./', import.meta.url); ; folder = new URL('../', folder)) {
    const url = new URL(`test/conformance/${name}`, folder);
    if (existsSync(url)) return fileURLToPath(url);
    if (folder.pathname === '/' || folder.pathname === new URL('../', folder).pathname) throw new Error(`Found no test/conformance/${name} above this file.`);
  }
}
