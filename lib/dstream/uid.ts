/**
 * Names of operators that outlive a process, and the places in the user's file where they were made.
 *
 * Invariant: a derived uid depends on the upstream path alone (kinds, inputs' names, parameters, explicit uids), never on a
 * counter, a thread or the order in which operators were made. So it stays the same when unrelated operators come or go.
 */
import { createHash } from 'node:crypto';

const hashCharacters = 16;

/** A short hash of a text; the same in every process. */
export function hashText(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, hashCharacters);
}

/** The hash of a function's text. Two threads that loaded the same module have the same. */
export function hashFunction(fn: Function): string {
  return hashText(Function.prototype.toString.call(fn));
}

/** JSON with sorted keys, so that two objects with the same content have the same text. */
export function stableText(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'bigint') return `${inner}n`;
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  }) ?? 'undefined';
}

/** The uid of an operator without an explicit one. `parents`: the uids of its parents, in order. */
export function derivedUid(kind: string, parameters: Readonly<Record<string, unknown>>, parents: readonly string[]): string {
  return `${kind}-${hashText(stableText([kind, parameters, parents]))}`;
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
