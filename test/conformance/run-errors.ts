/**
 * The entries of errors.json: performing the named action, and comparing what was seen or thrown.
 *
 * Invariant: an entry without an action fails; so does one whose action needs a later part.
 */
import type { ErrorEntry } from './case.ts';
import { errorActions } from './error-actions.ts';
import type { ErrorKit } from './error-actions.ts';
import { notBuilt } from './not-built.ts';
import type { Verdict } from './run-case.ts';
import { describeError, differenceOfError, notBuiltYetIn } from './spark-errors.ts';
import { equalValues, previewValue } from './values.ts';

export async function runErrorEntry(kit: ErrorKit, entry: ErrorEntry): Promise<Verdict> {
  const action = Object.hasOwn(errorActions, entry.name) ? errorActions[entry.name] : undefined;
  if (action === undefined) return failed(notBuilt['errors.json']?.includes(entry.name) === true ? 'not built yet' : `no action is named '${entry.name}'`);
  let result: unknown;
  try {
    result = await action(kit);
  } catch (error) {
    if (notBuiltYetIn(error) !== null) return failed('not built yet');
    if (entry.errorClass === null) return failed(`expected ${previewValue(entry.result)}, got ${describeError(error)}`);
    const difference = differenceOfError(errorOf(entry, entry.errorClass), error);
    return difference === null ? { kind: 'passed' } : failed(difference);
  }
  if (entry.errorClass !== null) return failed(`expected ${entry.errorClass}, got ${previewValue(result)}`);
  return equalValues(entry.result, result) ? { kind: 'passed' } : failed(`expected ${previewValue(entry.result)}, got ${previewValue(result)}`);
}

/** The root cause says more than the job that it ended. */
function errorOf(entry: ErrorEntry, errorClass: string): { errorClass: string; message: string | null } {
  if (entry.causeClass === undefined || entry.causeMessage === undefined || entry.causeMessage === null) return { errorClass, message: entry.message };
  return { errorClass: entry.causeClass, message: entry.causeMessage };
}

function failed(reason: string): Verdict {
  return { kind: 'failed', reason };
}
