/**
 * The names of states that users name by the operator that stands for them: mapWithState by what it emits, reduceByWindow and countByWindow by
 * the stream of their values. `.uid('m')` there names the state `m/state`.
 *
 *   program:     pairs ──► mapWithState ──► mapWithState.emitted          the user has the last one alone
 *   uids:                  m/state          m
 *
 * Invariant: a state gets another name only where both programs, by their fingerprints alone, say that it is the same one. So the same log gives the
 * same names, whenever it is read.
 */
import { stateUidOf } from '../../protocol/ids.ts';
import type { Fingerprint, OperatorPrint } from '../../protocol/host.ts';
import { stateKinds } from './same-operator.ts';

/** What a state is called in `before`, to what it is called in `now`. */
export function renamedStates(before: Fingerprint, now: Fingerprint): Map<string, string> {
  const names = new Map<string, string>();
  const kept = new Set(before.operators.map(({ uid }) => uid));
  for (const outer of now.operators) {
    const state = stateUnder(now, outer);
    if (state === null || state.uid !== stateUidOf(outer.uid) || kept.has(state.uid)) continue;
    const known = earlier(before, outer, state);
    // Of two that had one derived uid it was the first's.
    if (known === null || names.has(known.uid) || now.operators.some(({ uid, kind }) => uid === known.uid && kind === known.kind)) continue;
    names.set(known.uid, state.uid);
  }
  return names;
}

export function renamedIn(fingerprint: Fingerprint, names: ReadonlyMap<string, string>): Fingerprint {
  const operators = fingerprint.operators.map((operator) => (stateKinds.has(operator.kind) ? { ...operator, uid: names.get(operator.uid) ?? operator.uid } : operator));
  return { ...fingerprint, operators };
}

/** What `.uid(...)` was given, or is to be given, for the operator to have this uid. */
export function givenUid(fingerprint: Fingerprint | undefined, uid: string): string {
  if (fingerprint === undefined) return uid;
  return fingerprint.operators.find((outer) => stateUidOf(outer.uid) === uid && stateUnder(fingerprint, outer)?.uid === uid)?.uid ?? uid;
}

function earlier(before: Fingerprint, outer: OperatorPrint, state: OperatorPrint): OperatorPrint | null {
  // There was a time when the state kept its derived uid, whatever the operator on it was called.
  const same = before.operators.find(({ uid, kind }) => uid === outer.uid && kind === outer.kind);
  const under = same === undefined ? null : stateUnder(before, same);
  if (under?.kind === state.kind && isDerived(under)) return under;
  // A state without a name is listed by its derived uid: given as the name, it brings that back.
  return before.operators.find((operator) => operator.uid === outer.uid && operator.kind === state.kind && isDerived(operator)) ?? null;
}

/** The state that it is made of, and of nothing else. */
function stateUnder({ operators }: Fingerprint, { kind, parameters }: OperatorPrint): OperatorPrint | null {
  if (kind !== 'mapWithState.emitted' && kind !== 'map') return null;
  const { parents = [] } = JSON.parse(parameters) as { readonly parents?: readonly number[] };
  const state = operators[parents[0] ?? -1];
  return state !== undefined && stateKinds.has(state.kind) ? state : null;
}

/** See `derivedUid` in lib/dstream/uid.ts. */
function isDerived({ uid, kind }: OperatorPrint): boolean {
  return uid.startsWith(`${kind}-`) && /^[0-9a-f]{16}$/.test(uid.slice(kind.length + 1));
}
