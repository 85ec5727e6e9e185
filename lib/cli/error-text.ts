/**
 * An error as the command line shows it: code and message, the causes that say something more, and where in the user's files
 * it came from.
 *
 * Invariant: no frame of Node's or of Millrace's own code is shown; they tell a user nothing.
 */
import { MillraceError } from '../../protocol/errors.ts';

/** Causes beyond this depth are left out. */
const causesMax = 8;

/** `ownCode`: the URL of the folder whose files are Millrace's own, as it begins stack frames. */
export function errorText(thrown: unknown, ownCode: string): string {
  const lines: string[] = [];
  let cause: unknown = thrown;
  let said = '';
  for (let depth = 0; depth < causesMax && (depth === 0 || (cause !== undefined && cause !== null)); depth += 1) {
    const message = cause instanceof Error ? cause.message : String(cause);
    // A cause that its effect has quoted already is not said again.
    if (depth === 0 || !said.includes(message)) lines.push(`${depth === 0 ? '' : '  caused by '}${headOf(cause, message)}`);
    said = message;
    if (cause instanceof Error && !(cause instanceof MillraceError)) lines.push(...userFrames(cause, ownCode));
    cause = cause instanceof Error ? cause.cause : null;
  }
  return lines.join('\n');
}

function headOf(thrown: unknown, message: string): string {
  if (thrown instanceof MillraceError) return `${thrown.code}: ${message}`;
  if (!(thrown instanceof Error)) return `a thrown value that is no error: ${message}`;
  const code = (thrown as { code?: unknown }).code;
  return `${thrown.name}${typeof code === 'string' ? ` [${code}]` : ''}: ${message}`;
}

function userFrames(error: Error, ownCode: string): string[] {
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return frames.filter((line) => !line.includes(ownCode) && !/\(?node:|<anonymous>|\[eval/.test(line)).map((line) => `    ${line.trim()}`);
}
