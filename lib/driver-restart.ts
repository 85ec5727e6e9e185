/**
 * What is done when the driver's thread has died: which contexts go on by themselves, which end, and what they are told.
 *
 *   the driver dies ──► decideRestart ──┬─► ends: ContextFailed, with what to do about it
 *                                       └─► goes on: all threads are ended ─► a new cluster ─► recovery ─► it runs again
 *
 * Invariant: all here is pure. A context goes on only where everything that it would need is in its log: then it is as after a restart of the
 * process. As in OTP, more than `restartsMax` deaths within `restartsMs` are too many, whatever may go on.
 */
import type { ProgramId } from '../protocol/ids.ts';
import { asBatchTime } from '../protocol/time.ts';
import type { BatchTime } from '../protocol/time.ts';
import { MillraceError } from '../protocol/errors.ts';

/** What a context has to go on with. */
export interface Standing {
  readonly program: ProgramId;
  /** Null: it has none. */
  readonly checkpointDirectory: string | null;
  /** Threads can build it anew. False: it was built by calls, or is a plain function. */
  readonly isModule: boolean;
  /** A batch or the program itself has failed before. */
  readonly hasFailed: boolean;
}

export interface RestartLimits {
  readonly restartsMax: number;
  readonly restartsMs: number;
}

export interface RestartQuestion {
  readonly members: readonly Standing[];
  /** When the driver died, this time included, oldest first; by the clock that `nowMs` is of. */
  readonly deaths: readonly number[];
  readonly nowMs: number;
  readonly limits: RestartLimits;
  /** All threads are the app's own one, and the graph's objects are the driver's, too. */
  readonly inline: boolean;
}

export interface RestartDecision {
  readonly goOn: readonly ProgramId[];
  /** By program: why it ends, and what to do, as sentences. */
  readonly end: ReadonlyMap<ProgramId, string>;
  /** The deaths that still count next time. */
  readonly deaths: readonly number[];
}

export function decideRestart({ members, deaths, nowMs, limits, inline }: RestartQuestion): RestartDecision {
  const counted = deaths.filter((at) => at > nowMs - limits.restartsMs);
  const tooMany = counted.length > limits.restartsMax;
  const end = new Map<ProgramId, string>();
  for (const member of members) {
    const why = whyNot(member, inline) ?? (tooMany ? `It has died ${counted.length} times within ${limits.restartsMs} ms (driverRestartsMs), and driverRestartsMax is ${limits.restartsMax}. ${byHand(member)}` : null);
    if (why !== null) end.set(member.program, why);
  }
  return { goOn: members.flatMap(({ program }) => (end.has(program) ? [] : [program])), end, deaths: counted };
}

function whyNot(member: Standing, inline: boolean): string | null {
  if (member.checkpointDirectory === null) return 'Make a new context; with a checkpoint directory (ssc.checkpoint(directory), or the option checkpointDirectory) it goes on by itself.';
  if (inline || !member.isModule) return byHand(member);
  return member.hasFailed ? byHand(member) : null;
}

function byHand({ checkpointDirectory }: Standing): string {
  return `Make a new context: StreamingContext.getOrCreate goes on from ${String(checkpointDirectory)}.`;
}

/**
 * What the app had given of one kind (pushes into one queue, sets of one variable), and no answer of it had come when the driver died: how many of
 * these, oldest first, are in the log; the others are sent again. `before` and `now`: how many the log has of it in all, when the driver had started
 * and after its death.
 */
export function loggedOfThoseUnderWay({ before, now, answered, underWay }: { readonly before: number; readonly now: number; readonly answered: number; readonly underWay: number }): number {
  return Math.min(underWay, Math.max(0, now - before - answered));
}

/** The driver died before it had answered, and another follows. */
export function isDriverRestarted(thrown: unknown): boolean {
  return thrown instanceof MillraceError && thrown.code === 'DriverRestarted';
}

/** Where a program stands after a restart. */
export interface StandsAt {
  readonly completed: BatchTime | null;
  /** The last batch that was announced; the zero time where none was. */
  readonly announced: BatchTime;
}

/** What is still to be done for an advance up to `target`. */
export type RestOfAdvance = { readonly type: 'done' } | { readonly type: 'await' } | { readonly type: 'advance'; readonly batches: number };

export function restOfAdvance(target: BatchTime, { completed, announced }: StandsAt, intervalMs: number): RestOfAdvance {
  if (completed !== null && target <= completed) return { type: 'done' };
  if (target <= announced) return { type: 'await' };
  return { type: 'advance', batches: Math.round((target - announced) / intervalMs) };
}

export function targetOf(announced: BatchTime, batches: number, intervalMs: number): BatchTime {
  return asBatchTime(announced + batches * intervalMs);
}
