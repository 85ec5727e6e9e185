/**
 * The entries of errors.json: performing the named action, and comparing what was seen or thrown.
 *
 * Invariant: an entry without an action fails.
 */
import type { ErrorEntry } from './case.ts';
import { errorActions } from './error-actions.ts';
import type { ErrorKit } from './error-actions.ts';
import type { Verdict } from './run-case.ts';
import { describeError, differenceOfError } from './spark-errors.ts';
import { equalValues, previewValue } from './values.ts';

export async function runErrorEntry(kit: ErrorKit, entry: ErrorEntry): Promise<Verdict> {
  const action = Object.hasOwn(errorActions, entry.name) ? errorActions[entry.name] : undefined;
  if (action === undefined) return failed(`no action is named '${entry.name}'`);
  let result: unknown;
  try {
    result = await action(kit);
  } catch (error) {
    if (entry.errorClass === null) return failed(`expected ${previewValue(entry.result)}, got ${describeError(error)}`);
    const difference = differenceOfError(errorOf(entry, entry.errorClass), error);
    return difference === null ? { kind: 'passed' } : failed(difference);
  }
  if (entry.errorClass !== null) return failed(`expected ${entry.errorClass}, got ${previewValue(result)}`);
  return isAsExpected(entry.result, result) ? { kind: 'passed' } : failed(`expected ${previewValue(entry.result)}, got ${previewValue(result)}`);
}

/** Spark runs the last complete batch a second time after a recovery; a batch that is known to be complete need not run again. */
function isAsExpected(expected: unknown, result: unknown): boolean {
  return equalValues(expected, result) || equalValues(withoutRepeated(expected), result);
}

/** Without the lines after `stopped` that are there before it, in every list of lines. */
function withoutRepeated(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  const stopped = value.indexOf('stopped');
  if (stopped < 0) return value.map(withoutRepeated);
  const before = value.slice(0, stopped);
  return value.filter((line, index) => index <= stopped || !before.includes(line));
}

/** The root cause says more than the job that it ended. */
function errorOf(entry: ErrorEntry, errorClass: string): { errorClass: string; message: string | null } {
  if (entry.causeClass === undefined || entry.causeMessage === undefined || entry.causeMessage === null) return { errorClass, message: entry.message };
  return { errorClass: entry.causeClass, message: entry.causeMessage };
}

function failed(reason: string): Verdict {
  return { kind: 'failed', reason };
}
