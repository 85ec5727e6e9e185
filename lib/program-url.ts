/**
 * Which module a program's name means.
 *
 * Invariant: it does not depend on where Millrace is installed nor on the directory that the process was started in: threads resolve
 * it by themselves, and must all find the same file.
 */
import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { previewOf } from '../protocol/errors.ts';
import { callError } from './base/caller-place.ts';

/** A URL as it is, an absolute path as a file's URL. Throws InvalidArgument for anything else. */
export function programUrl(program: unknown): string {
  if (program instanceof URL) return program.href;
  if (typeof program === 'string') {
    // First: C:\app\words.js would be a URL of the scheme c.
    if (isAbsolute(program)) return pathToFileURL(program).href;
    if (URL.canParse(program)) return program;
  }
  const named = typeof program === 'string' && program !== '' ? program : './program.js';
  throw callError('InvalidArgument', 'create', `create expects a program's URL, its absolute path or its function, and got ${previewOf(program)}, which would be looked for beside Millrace's own files. Give new URL(${JSON.stringify(named)}, import.meta.url); for a package, import.meta.resolve.`);
}
