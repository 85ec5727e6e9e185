/**
 * The steps that a received block goes through in its block manager, in order:
 *
 *   stored --> replicate --> report --> acknowledged
 *              (a `_2` level: another   (the receiver tracker has it, and the ledger holds
 *              block manager knows it)   its memory)
 *
 * Each step is one ask for a group of blocks of one receiver's life. The tracker has the log synced, where there is one, before it answers: so
 * reports follow one another without waiting, and one sync is for many of them.
 *
 * Invariant: a block is reported only when all steps before have ended well for it, and it is acknowledged only when it was
 * reported; of one life, blocks are reported, and acknowledged, in the order in which they were cut.
 */
import type { Outcome, Turn } from '../lib/actor/behavior.ts';
import { refKey } from '../lib/actor/ref.ts';
import type { PutBlock, ToBlockManager } from '../protocol/block.ts';
import type { WireError } from '../protocol/errors.ts';
import type { ToReceiverTracker } from '../protocol/receiver.ts';
import type { ProgramId, StreamId } from '../protocol/ids.ts';
import type { ActorRef, ReplyTo } from '../protocol/ref.ts';
import { driverHost } from '../protocol/ref.ts';
import { programPlaces } from './places.ts';

type Manager = ActorRef<ToBlockManager>;

/** A block in one of the steps. */
export interface StoredPut {
  readonly kind: 'put';
  readonly put: PutBlock;
  /** Null: reported in the place of a block manager that is gone; nobody waits for it. */
  readonly replyTo: ReplyTo<null> | null;
  /** Which other block manager was asked to know it, and which does. */
  asked: Manager | null;
  replica: Manager | null;
  /** All that were asked: none is asked twice. */
  readonly tried: Set<string>;
}

/** Somebody waits for all that is before it. */
export interface Drain {
  readonly kind: 'drain';
  readonly program: ProgramId;
  readonly stream: StreamId;
  readonly replyTo: ReplyTo<null>;
}

export interface StepRun {
  readonly puts: readonly StoredPut[];
  /** One of those among them; null: there is none. */
  readonly drain: Drain | null;
  /** 0 the first time. */
  readonly attempt: number;
  /** All block managers, this one too. */
  readonly managers: readonly Manager[];
  readonly turn: Turn<ToBlockManager>;
  /** The messages by which a step ends, or is tried again. */
  readonly ended: (error: WireError | null) => ToBlockManager;
  readonly again: () => ToBlockManager;
}

interface Step {
  /** On how many groups of a life it works at a time. */
  readonly groupsMax: number;
  /** False: there is nothing to wait for, the step has ended well. */
  readonly run: (run: StepRun) => boolean;
}

/** A block manager that takes longer to know a block is passed over: the next one is asked. */
const replicateTimeoutMs = 5_000;
/** The driver's thread may be busy with a user's transform. A report that comes twice counts once. */
const reportTimeoutMs = 10_000;
const reportAttemptsMax = 5;
/** What a source that stores one block after another has under way, at most, until the next sync of the log. */
const reportsMax = 64;

/** Where no other block manager is to be had, a block goes on without its replica, and that is logged. */
const replicate: Step['run'] = ({ puts, attempt, managers, turn, ended, again }) => {
  const wanted = puts.filter(({ put, replica }) => put.copies > 1 && replica === null);
  if (wanted.length === 0) return false;
  const before = wanted[0]?.asked ?? null;
  // It may have them all the same: its answer was late.
  if (attempt > 0 && before !== null) forgetAt(before, wanted, turn);
  const next = nextReplica(wanted, managers, turn);
  if (next === null) return false;
  turn.ask<ToBlockManager, null>(next, (replyTo) => replicationOf(wanted, turn, replyTo), replicateTimeoutMs, (outcome) => (outcome.ok ? ended(null) : again()));
  return true;
};

const report: Step['run'] = ({ puts, drain, attempt, turn, ended, again }) => {
  const program = puts[0]?.put.program ?? drain?.program;
  if (program === undefined) return false;
  const tracker = programPlaces(program).receiverTracker;
  const blocks = puts.map(({ put: { copies: _copies, ...block } }) => block);
  turn.ask<ToReceiverTracker, null>(tracker, (replyTo) => ({ type: 'addBlocks', blocks, drained: drain?.stream ?? null, replyTo }), reportTimeoutMs, (outcome: Outcome<null>) => {
    if (outcome.ok) return ended(null);
    return outcome.error.code === 'AskTimeout' && attempt + 1 < reportAttemptsMax ? again() : ended(outcome.error);
  });
  return true;
};

export const blockSteps: readonly Step[] = [
  { groupsMax: 1, run: replicate },
  { groupsMax: reportsMax, run: report },
];

export function replicationOf(puts: readonly StoredPut[], turn: Turn<ToBlockManager>, replyTo: ReplyTo<null>): ToBlockManager {
  return { type: 'replicateBlocks', from: turn.self, life: turn.incarnation, blocks: puts.map(({ put }) => put), replyTo };
}

export function forgetAt(replica: Manager, puts: readonly StoredPut[], turn: Turn<ToBlockManager>): void {
  turn.tell(replica, { type: 'forgetReplicas', from: turn.self, life: turn.incarnation, blocks: puts.map(({ put }) => put.block.id) });
}

/** Whom to ask for these now: by name and not by place, since those that are gone leave the list at any time. Null: nobody is left, which is logged. */
export function nextReplica(puts: readonly StoredPut[], managers: readonly Manager[], turn: Turn<ToBlockManager>): Manager | null {
  const next = replicaPlaces(turn.self, managers).find((manager) => !puts.some(({ tried }) => tried.has(refKey(manager)))) ?? null;
  for (const put of puts) {
    put.asked = next;
    if (next !== null) put.tried.add(refKey(next));
  }
  if (next === null) turn.log('warn', `${puts.length} received blocks have no replica: no other thread could take one.`);
  return next;
}

/** Where a replica can be, the best first: the io threads behind this one, in turn; then the driver's. */
export function replicaPlaces(self: Manager, managers: readonly Manager[]): readonly Manager[] {
  const behind = (host: number): number => (host > self.host ? 0 : 1);
  const others = managers.filter(({ host }) => host !== self.host);
  const io = others.filter(({ host }) => host !== driverHost).sort((a, b) => behind(a.host) - behind(b.host) || a.host - b.host);
  return [...io, ...others.filter(({ host }) => host === driverHost)];
}
