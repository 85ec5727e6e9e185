/**
 * An error as the command line shows it: code and message of each cause, then the stack of the innermost one where that is the
 * user's own.
 *
 * Invariant: an error of Millrace is told by its code and text alone; only an error that comes from elsewhere shows a stack.
 */
import { MillraceError } from '../../protocol/errors.ts';

/** Causes beyond this depth are left out. */
const causesMax = 8;

export function errorText(thrown: unknown): string {
  const chain: unknown[] = [thrown];
  while (chain.length < causesMax) {
    const last = chain.at(-1);
    if (!(last instanceof Error) || last.cause === undefined || last.cause === null) break;
    chain.push(last.cause);
  }
  return chain.map((one, depth) => `${'  '.repeat(depth)}${depth === 0 ? '' : 'caused by '}${oneText(one, depth === chain.length - 1, '  '.repeat(depth))}`).join('\n');
}

function oneText(thrown: unknown, isInnermost: boolean, indent: string): string {
  if (!(thrown instanceof Error)) return `a value that is no error: ${String(thrown)}`;
  if (thrown instanceof MillraceError) return `${thrown.code}: ${thrown.message}`;
  const code = (thrown as { code?: unknown }).code;
  const head = `${thrown.name}${typeof code === 'string' ? ` [${code}]` : ''}: ${thrown.message}`;
  const stack = isInnermost ? (thrown.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line)) : [];
  return [head, ...stack.map((line) => `${indent}    ${line.trim()}`)].join('\n');
}
