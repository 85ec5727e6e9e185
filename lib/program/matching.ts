/**
 * Whether a program fits the checkpoint that it is to go on from: operators are matched by uid.
 *
 * Invariant: what a checkpoint holds of an operator (a state, an input's records) goes to the operator of the same uid and kind, or to
 * none; where it goes to none the call throws and lists both sides, unless that is allowed.
 */
import { MillraceError } from '../../protocol/errors.ts';
import type { ProgramBuilder } from './program-builder.ts';
import type { RecoveryBook } from '../recovery/book.ts';

/** Throws CheckpointMismatch. */
export function checkAgainst(book: RecoveryBook, builder: ProgramBuilder, allowNonRestoredState: boolean): void {
  const there = new Map((book.identity?.fingerprint.operators ?? []).map((operator) => [operator.uid, operator]));
  const here = new Map(builder.graph.operators.map((stream) => [stream.operatorUid, stream]));
  const lost = needed(book).filter(({ uid }) => here.get(uid)?.kind !== there.get(uid)?.kind || !here.has(uid));
  const fresh = builder.graph.operators.filter((stream) => (stream.spec.keepsNewest === true || stream.parents.length === 0) && there.get(stream.operatorUid)?.kind !== stream.kind);
  if (lost.length === 0 || allowNonRestoredState) return;
  const listed = (lines: readonly string[]): string => (lines.length === 0 ? 'none' : lines.join(', '));
  throw new MillraceError(
    'CheckpointMismatch',
    `Expected the program to have the operators that the checkpoint holds something of. Only in the checkpoint: ${listed(lost.map(({ uid, what }) => `${what} of ${there.get(uid)?.kind ?? 'an operator'} ${JSON.stringify(uid)}`))}. ` +
      `Only in the program: ${listed(fresh.map((stream) => `${stream.kind} ${JSON.stringify(stream.operatorUid)}`))}. Give the operator its uid back (.uid(...)), or set allowNonRestoredState to go on without it.`,
    { details: { lost: lost.map(({ uid }) => uid), fresh: fresh.map(({ operatorUid }) => operatorUid) } },
  );
}

function needed(book: RecoveryBook): { readonly uid: string; readonly what: string }[] {
  const blocks = new Set([...book.blocks.values()].map(({ uid }) => uid));
  return [...[...book.states].flatMap(([uid, { versions }]) => (versions.length === 0 ? [] : [{ uid, what: 'the state' }])), ...[...blocks].map((uid) => ({ uid, what: 'received blocks' }))];
}
