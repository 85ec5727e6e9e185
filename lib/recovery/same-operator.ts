/**
 * Whether an operator of a program can go on with what was written down of one of the same uid.
 *
 * Invariant: yes only where the next value, made of the last one, is what it would have been had the program been this from the start on:
 * of the same kind, and for a window with an inverse function of the same length and slide, since these say which batches leave it.
 */
import type { Fingerprint, OperatorPrint } from '../../protocol/host.ts';

/** The operators that keep state. */
export const stateKinds: ReadonlySet<string> = new Set(['updateStateByKey', 'mapWithState', 'reduceByKeyAndWindow']);

/** By kind: parameters that what is kept depends on. In ms. */
const decisive: Readonly<Record<string, readonly string[]>> = { reduceByKeyAndWindow: ['windowMs', 'slideMs'] };

/** Without the line of the program as a whole, whose uid an operator may have, too. */
export function operatorsByUid(fingerprint: Fingerprint | undefined): Map<string, OperatorPrint> {
  return new Map((fingerprint?.operators ?? []).flatMap((operator) => (operator.kind === 'program' ? [] : [[operator.uid, operator]])));
}

export function goesOn(before: OperatorPrint | undefined, now: OperatorPrint | undefined): boolean {
  return before?.kind === now?.kind && changedParameters(before, now).length === 0;
}

/** The names of those that keep an operator of the same kind from going on. */
export function changedParameters(before: OperatorPrint | undefined, now: OperatorPrint | undefined): { readonly name: string; readonly before: unknown; readonly now: unknown }[] {
  if (before === undefined || now === undefined || before.kind !== now.kind) return [];
  const [there, here] = [before, now].map(({ parameters }) => JSON.parse(parameters) as Readonly<Record<string, unknown>>);
  return (decisive[now.kind] ?? []).map((name) => ({ name, before: there?.[name], now: here?.[name] })).filter((each) => each.before !== each.now);
}
