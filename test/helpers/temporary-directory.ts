/**
 * A directory for one context of a test, gone when the process ends.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const made: string[] = [];

/** A new one with each call: a checkpoint directory belongs to one run. */
export function temporaryDirectory(): string {
  if (made.length === 0) process.once('exit', () => made.forEach((directory) => rmSync(directory, { recursive: true, force: true })));
  const directory = mkdtempSync(join(tmpdir(), 'millrace-test-'));
  made.push(directory);
  return directory;
}
