/**
 * Where in the user's own files a call comes from, and errors that say so.
 *
 * Invariant: a place is `file:line:column` of the nearest frame that is neither ours nor Node's, or '' where there is none.
 */
import { MillraceError } from '../../protocol/errors.ts';
import type { ErrorCode } from '../../protocol/errors.ts';

/**
 * The error for a call of `method` that can't be done as it was written: its text and its details (`name`, `place`) say where
 * the user wrote it. Made in the call itself, since the place is read off the stack.
 */
export function callError(code: ErrorCode, method: string, text: string, details: Readonly<Record<string, unknown>> = {}): MillraceError {
  const place = callerPlace();
  return new MillraceError(code, place === '' ? text : `${text} (${method} at ${place})`, { details: { name: method, place, ...details } });
}

/** Where `thrown` came from in the user's files: what it says itself, else the first frame of its stack that is the user's. */
export function placeOfError(thrown: unknown): { readonly name?: unknown; readonly place: unknown } {
  if (thrown instanceof MillraceError && 'place' in thrown.details) return { name: thrown.details['name'], place: thrown.details['place'] };
  return { place: thrown instanceof Error ? placeIn(thrown.stack ?? '', ourFolders) : '' };
}

// The folder above lib/, in the sources as well as in the build: frames of its lib/, actors/ and protocol/ are ours.
const packageRoot = new URL('../../', import.meta.url).href;
const ourFolders = ['lib/', 'actors/', 'protocol/'].map((folder) => packageRoot + folder);
const frameDepthMax = 30;

/** `file:line:column` of the nearest caller outside this package, or ''. */
export function callerPlace(): string {
  const depth = Error.stackTraceLimit;
  Error.stackTraceLimit = frameDepthMax;
  const stack = new Error().stack ?? '';
  Error.stackTraceLimit = depth;
  return placeIn(stack, ourFolders);
}

/** The place of the first frame of `stack` that lies in none of the folders, nor in Node itself. */
export function placeIn(stack: string, folders: readonly string[]): string {
  for (const line of stack.split('\n').slice(1)) {
    const found = /(?:\(|at (?:async )?)((?:file:\/\/|\/|[A-Za-z]:\\).*:\d+:\d+)\)?$/.exec(line.trim());
    const frame = found?.[1];
    if (frame === undefined) continue;
    if (!folders.some((folder) => frame.startsWith(folder) || `file://${frame}`.startsWith(folder))) return pathOf(frame);
  }
  return '';
}

function pathOf(frame: string): string {
  if (!frame.startsWith('file://')) return frame;
  try {
    return decodeURIComponent(frame.slice('file://'.length));
  } catch {
    return frame;
  }
}
