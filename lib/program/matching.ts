/**
 * Whether a program fits the checkpoint that it is to go on from: operators are matched by uid; what has none (queues, broadcast variables,
 * accumulators) by the order in which it is made.
 *
 * Invariant: what a checkpoint holds goes to what it was of, as far as the program says, or to none; where it goes to none the call throws and
 * lists both sides, unless that is allowed.
 */
import { MillraceError } from '../../protocol/errors.ts';
import type { Fingerprint, OperatorPrint } from '../../protocol/host.ts';
import type { RecoveryBook } from '../recovery/book.ts';
import { notMigrated } from '../rdd/state/not-migrated.ts';
import { changedParameters, goesOn, operatorsByUid } from '../recovery/same-operator.ts';
import { isLogged } from '../dstream/uid.ts';
import { givenUid } from '../recovery/state-names.ts';
import type { ProgramBuilder } from './program-builder.ts';

/** Throws CheckpointMismatch, StateNotMigrated. */
export function checkAgainst(book: RecoveryBook, builder: ProgramBuilder, allowNonRestoredState: boolean): void {
  const there = operatorsByUid(book.identity?.fingerprint);
  if (!allowNonRestoredState) checkMatches(book, builder, there);
  for (const { kind, operator, operatorUid, spec } of builder.graph.states) {
    const { stateVersion: wanted = 1, migrates = false } = spec;
    if (migrates || there.get(operatorUid)?.kind !== kind) continue;
    const other = book.states.get(operatorUid)?.versions.find(({ stateVersion }) => stateVersion !== wanted);
    if (other !== undefined) throw notMigrated(operator, other.stateVersion, wanted);
  }
}

function checkMatches(book: RecoveryBook, builder: ProgramBuilder, there: ReadonlyMap<string, OperatorPrint>): void {
  const fingerprint = builder.fingerprint();
  const here = operatorsByUid(fingerprint);
  const lost = needed(book).filter(({ uid }) => !here.has(uid) || !goesOn(there.get(uid), here.get(uid)));
  const misplaced = [...misplacedMade(book, madeOf(book.identity?.fingerprint), madeOf(fingerprint)), ...misplacedQueues(book, there, here)];
  if (lost.length === 0 && misplaced.length === 0) return;
  const fresh = builder.graph.operators.filter((stream) => isLogged(stream) && there.get(stream.operatorUid)?.kind !== stream.kind);
  // As the program says them, so that they can be given back.
  const lostUid = (uid: string): string => givenUid(book.identity?.fingerprint, uid);
  const freshUid = ({ operatorUid }: { readonly operatorUid: string }): string => givenUid(fingerprint, operatorUid);
  const listed = (lines: readonly string[]): string => (lines.length === 0 ? 'none' : lines.join(', '));
  const operators =
    lost.length === 0
      ? ''
      : `Only in the checkpoint: ${listed(lost.map(({ uid, what }) => `${what} of ${there.get(uid)?.kind ?? 'an operator'} ${JSON.stringify(lostUid(uid))}${changes(there.get(uid), here.get(uid))}`))}. ` +
        `Only in the program: ${listed(fresh.map((stream) => `${stream.kind} ${JSON.stringify(freshUid(stream))}`))}. Give the operator its uid back (.uid(...)), or set allowNonRestoredState to go on without it. `;
  const others = misplaced.length === 0 ? '' : `${misplaced.map((line) => `${line}. `).join('')}These are matched by the order in which the program makes them: make them in the order of before and new ones behind, or set allowNonRestoredState to take them as they come.`;
  throw new MillraceError('CheckpointMismatch', `Expected the program to have what the checkpoint holds something of. ${operators}${others}`.trimEnd(), {
    details: { lost: lost.map(({ uid }) => lostUid(uid)), fresh: fresh.map(freshUid), misplaced },
  });
}

function needed(book: RecoveryBook): { readonly uid: string; readonly what: string }[] {
  const blocks = new Set([...book.blocks.values()].map(({ uid }) => uid));
  const states = [...book.states].filter(([, { versions }]) => versions.length > 0).map(([uid]) => uid);
  // Where the source of a receiver is to be read on from: a receiver that begins anew would bring all of it again.
  const positions = [...book.receivers].filter(([uid, { position }]) => position !== null && !blocks.has(uid)).map(([uid]) => uid);
  return [...states.map((uid) => ({ uid, what: 'the state' })), ...[...blocks].map((uid) => ({ uid, what: 'received blocks' })), ...positions.map((uid) => ({ uid, what: 'the position' }))];
}

function changes(before: OperatorPrint | undefined, now: OperatorPrint | undefined): string {
  const changed = changedParameters(before, now).map((each) => `${each.name} ${String(each.before)}, and ${String(each.now)} in the program`);
  return changed.length === 0 ? '' : ` (${changed.join('; ')})`;
}

/** Of the program as a whole: see `ProgramBuilder.fingerprint`. */
interface Made {
  readonly queues: number;
  readonly broadcasts: number;
  /** Their names. */
  readonly accumulators: readonly string[];
}

function madeOf(fingerprint: Fingerprint | undefined): Made | null {
  return parametersOf<Made>(fingerprint?.operators.find(({ kind }) => kind === 'program'));
}

/** What is kept of these would go to another one of them, or to none. Sentences without an end. */
function misplacedMade(book: RecoveryBook, before: Made | null, now: Made | null): string[] {
  if (before === null || now === null) return [];
  const holdsTotals = book.accumulators !== null;
  const fewer = (name: string, holds: boolean, had: number, has: number): string[] => (holds && has < had ? [`The checkpoint is of a program with ${had} ${name}, and this one has ${has}`] : []);
  const renamed = before.accumulators.flatMap((name, index) => {
    const other = now.accumulators[index];
    return holdsTotals && other !== undefined && other !== name ? [`In the checkpoint accumulator ${index} is ${JSON.stringify(name)}, and in the program ${JSON.stringify(other)}, counted from 0`] : [];
  });
  return [
    ...fewer('queues', book.queues.size > 0, before.queues, now.queues),
    ...fewer('broadcast variables', book.broadcasts.size > 0, before.broadcasts, now.broadcasts),
    ...fewer('accumulators', holdsTotals, before.accumulators.length, now.accumulators.length),
    ...renamed,
  ];
}

/** A stream would read what was pushed for another one. */
function misplacedQueues(book: RecoveryBook, there: ReadonlyMap<string, OperatorPrint>, here: ReadonlyMap<string, OperatorPrint>): string[] {
  if (book.queues.size === 0) return [];
  return [...there].flatMap(([uid, operator]) => {
    const stream = here.get(uid);
    if (operator.kind !== 'queueStream' || stream?.kind !== 'queueStream') return [];
    const [had, has] = [operator, stream].map((each) => parametersOf<{ readonly queue: number | null }>(each)?.queue ?? null);
    return had === has ? [] : [`In the checkpoint queueStream ${JSON.stringify(uid)} reads queue ${String(had)}, and in the program queue ${String(has)}, counted from 0`];
  });
}

function parametersOf<T>(operator: OperatorPrint | undefined): T | null {
  return operator === undefined ? null : (JSON.parse(operator.parameters) as T);
}
