/**
 * What Spark says when something is wrong -> our code for it.
 *
 * Invariant: a failure of ours is as expected where its code, or the code of one of its causes, is one that the table
 * names for Spark's class and message. What a user's own function threw has no code: then where and when it shows is all.
 */
import type { ErrorCode } from '../../protocol/errors.ts';

interface Rule {
  readonly message: RegExp;
  /** One of these. */
  readonly codes: readonly ErrorCode[];
}

const rules: readonly Rule[] = [
  { message: /No output operations registered/u, codes: ['NoOutputOperation'] },
  { message: /Adding new inputs.* after starting a context/u, codes: ['ContextAlreadyStarted'] },
  { message: /Adding new inputs.* after stopping a context/u, codes: ['ContextStopped'] },
  { message: /StreamingContext has already been stopped/u, codes: ['ContextStopped'] },
  { message: /Only one StreamingContext may be started/u, codes: ['ContextActive'] },
  { message: /(window|slide) duration of .* must be (a )?multiple of the slide duration of parent/iu, codes: ['WindowNotMultiple'] },
  { message: /checkpoint interval for .* has been set to/u, codes: ['CheckpointIntervalInvalid'] },
  { message: /checkpoint directory has not been set/u, codes: ['CheckpointDirectoryMissing'] },
  { message: /Cannot change (checkpoint interval|storage level) of a DStream/u, codes: ['CannotChangeAfterStart'] },
  { message: /Remember duration already set/u, codes: ['RememberAlreadySet'] },
  // Also of an operator that is added to a recovered graph: Spark finds out at the start, here it can't be added.
  { message: /has not been initialized/u, codes: ['NotInitialized', 'ContextAlreadyStarted'] },
  { message: /different slide durations/u, codes: ['SlideMismatch'] },
  { message: /different contexts/u, codes: ['ContextMismatch'] },
  { message: /next on empty iterator|head of empty list|empty\.head/u, codes: ['NoStreams'] },
  { message: /must not return null/u, codes: ['TransformReturnedNull'] },
  { message: /Could(n't| not) generate RDD from a? ?parent/u, codes: ['NoRddFromParent'] },
  { message: /Neither previous window has value for key/u, codes: ['InverseWindowInconsistent', 'UserFunctionFailed'] },
  { message: /Failed to read checkpoint/u, codes: ['CheckpointCorrupted'] },
  { message: /queueStream doesn't support checkpointing/u, codes: ['QueueNotRecoverable'] },
  { message: /^\/ by zero$/u, codes: ['InvalidArgument', 'WindowNotMultiple'] },
  { message: /State is not set|after it has been removed|has already been removed|that is timing out/u, codes: ['InvalidStateCall'] },
  { message: /boom/u, codes: ['UserFunctionFailed', 'OutputFailed'] },
];

/** Classes of Java whose message is Java's own: a record function failed, and only place and time are compared. */
const classesOfUserFunctions = new Set(['ClassCastException', 'RuntimeException', 'NullPointerException', 'NumberFormatException', 'MatchError', 'StringIndexOutOfBoundsException']);
const codesOfUserFunctions = ['UserFunctionFailed', 'TaskFailed', 'OutputFailed'];

/** Our codes for Spark's error; null where the table has none: then nothing of ours is as expected. */
export function codesFor(errorClass: string, message: string | null): readonly string[] | null {
  const rule = rules.find((one) => one.message.test(message ?? ''));
  return rule?.codes ?? (classesOfUserFunctions.has(errorClass) ? codesOfUserFunctions : null);
}

/** Null where `thrown`, or one of its causes, has an expected code; else the reason of the failure. */
export function differenceOfError(expected: { readonly errorClass: string; readonly message: string | null }, thrown: unknown): string | null {
  const codes = codesFor(expected.errorClass, expected.message);
  if (codes === null) return `Spark's ${expected.errorClass} (${expected.message ?? 'no message'}) has no code in the table of errors`;
  const found = codesIn(thrown);
  return found.some((code) => codes.includes(code)) ? null : `expected ${codes.join(' or ')}, got ${describeError(thrown)}`;
}

/** The codes of an error and its causes, outermost first. */
export function codesIn(thrown: unknown): string[] {
  return chainOf(thrown).flatMap((error) => (typeof error.code === 'string' ? [error.code] : []));
}

/** One line: code or name and message, of the error and its causes. */
export function describeError(thrown: unknown): string {
  const texts = chainOf(thrown).map((error) => `${error.code ?? error.name ?? 'Error'}: ${String(error.message).split('\n')[0]?.slice(0, 160)}`);
  return texts.length === 0 ? String(thrown) : texts.slice(0, 3).join(' <- ');
}

interface AnyError {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly cause?: unknown;
}

function chainOf(thrown: unknown): AnyError[] {
  const chain: AnyError[] = [];
  let error = thrown;
  while (typeof error === 'object' && error !== null && chain.length < 10) {
    chain.push(error);
    error = (error as AnyError).cause;
  }
  return chain;
}
