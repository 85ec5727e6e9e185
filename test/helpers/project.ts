/**
 * The project's own files, for tests that read them.
 *
 * Invariant: paths are from the project's root and have slashes, wherever the tests were built to.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json. */
export const projectRoot: string = rootAbove(dirname(fileURLToPath(import.meta.url)));

/** The files below a folder whose names end so. */
export function filesBelow(folder: string, end: string): string[] {
  return readdirSync(join(projectRoot, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '.' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return filesBelow(path, end);
    return entry.name.endsWith(end) ? [path] : [];
  });
}

export function textOf(path: string): string {
  return readFileSync(join(projectRoot, path), 'utf8');
}

function rootAbove(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : rootAbove(dirname(folder));
}
