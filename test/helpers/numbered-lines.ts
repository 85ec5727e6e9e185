/** Files for test/fixtures/numbered-lines.ts. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from './temporary-directory.ts';

export function numberedLinesFile(count: number): string {
  const file = join(temporaryDirectory(), 'lines');
  writeFileSync(file, Array.from({ length: count }, (_, line) => `${String(line).padStart(7, '0')}\n`).join(''));
  return file;
}
