/**
 * Reads what a test file has said in TAP: how many of its tests passed, and for each failure the way to it and its diagnostics.
 *
 * Invariant: a file that ended early, said nothing, or ended badly after passing counts as at least one failure: silence is
 * never a success.
 *
 *   # Subtest: a supervisor restarts           the way down, by indentation
 *       not ok 2 - the child is back           a failure inside: shown
 *         ---
 *         diff: ...                            its diagnostics: shown
 *         ...
 *   not ok 1 - a supervisor restarts           counted; not shown again
 */
export interface FileResult {
  /** Tests at the file's top level. */
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly failures: readonly Failure[];
}

export interface Failure {
  /** From the file's test down to the assertion. */
  readonly path: readonly string[];
  readonly diagnostics: readonly string[];
}

/** How the file's process ended. */
export interface FileEnd {
  readonly code: number | null;
  readonly signal: string | null;
  /** Set where it was ended for taking too long. */
  readonly timedOutMs: number | null;
}

const indentOfLevel = 4;

export function readTap(output: string, end: FileEnd): FileResult {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const failures: Failure[] = [];
  const way: string[] = [];
  let planned = false;
  const lines = output.split('\n');
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] as string;
    const [, indent = '', what = ''] = /^( *)(.*)$/.exec(line) ?? [];
    const level = indent.length / indentOfLevel;
    const subtest = /^# Subtest: (.*)$/.exec(what);
    if (subtest !== null) {
      way.length = Math.min(way.length, level);
      way.push(subtest[1] as string);
      continue;
    }
    if (level === 0 && /^1\.\.\d+/.test(what)) planned = true;
    const point = /^(not )?ok \d+(?: - (.*?))?(?: # (.*))?$/.exec(what);
    if (point === null) continue;
    const [, not, name = '', directive = ''] = point;
    const excused = /^(skip|todo)/i.test(directive);
    if (level === 0) counts[excused ? 'skipped' : not === undefined ? 'passed' : 'failed'] += 1;
    if (not === undefined || excused) continue;
    const path = [...way.slice(0, level), name];
    const told = failures.some((failure) => failure.path.length > path.length && path.every((step, at) => failure.path[at] === step));
    if (!told) failures.push({ path, diagnostics: diagnosticsAfter(lines, index, indent) });
  }
  const wrong = wrongEnd(end, counts, planned);
  if (wrong === null) return { ...counts, failures };
  return { ...counts, failed: counts.failed + 1, failures: [...failures, { path: [wrong], diagnostics: [] }] };
}

/** The yaml block behind a test point, without its fences and indentation. */
function diagnosticsAfter(lines: readonly string[], at: number, indent: string): string[] {
  if (lines[at + 1] !== `${indent}  ---`) return [];
  const end = lines.indexOf(`${indent}  ...`, at + 2);
  return lines.slice(at + 2, end < 0 ? at + 2 : end).map((line) => line.slice(indent.length + 2));
}

function wrongEnd({ code, signal, timedOutMs }: FileEnd, counts: { readonly passed: number; readonly failed: number; readonly skipped: number }, planned: boolean): string | null {
  if (timedOutMs !== null) return `the file was not done after ${timedOutMs} ms and was ended`;
  if (signal !== null) return `the file's process was ended by ${signal}`;
  if (counts.failed > 0) return null;
  if (code !== 0) return `the file's process ended with code ${code}, though no test of it failed`;
  if (!planned) return 'the file ended before its tests did';
  return counts.passed + counts.skipped === 0 ? 'the file has no test' : null;
}
