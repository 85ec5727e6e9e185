/**
 * What a program would go on from, if it died now: the fold of all events of its log.
 *
 * Invariant: a book depends on the events alone, so the same log gives the same book; a checkpoint is a book written down.
 * It holds what is still of use and no more: batches that are remembered, blocks that a batch of these has or that none has
 * yet, the steps of keyed state from the last snapshot on, the newest values.
 *
 *   blocks:   b1 b2 b3 | b4 b5 |  b6            batches:  t1 { b1 b2 b3 } completed
 *             `- t1 --'  `-t2-'   waiting                 t2 { b4 b5 }    generated: runs again
 */
import type { InputRecord, ProgramIdentity, RecoveryEvent, StateCommit } from '../../protocol/recovery.ts';
import type { Fingerprint } from '../../protocol/host.ts';
import type { EncodedPartition } from '../../protocol/batch.ts';
import type { BlockCodec, FilePlace } from '../../protocol/rdd.ts';
import type { StateVersion } from '../../protocol/state.ts';
import { MillraceError } from '../../protocol/errors.ts';
import type { BlockId } from '../../protocol/ids.ts';
import type { BatchTime } from '../../protocol/time.ts';
import { versionsNeeded } from '../rdd/state/state-versions.ts';
import { goesOn, operatorsByUid, stateKinds } from './same-operator.ts';
import { renamedIn, renamedStates } from './state-names.ts';

export interface LoggedBlock {
  readonly uid: string;
  readonly codec: BlockCodec;
  readonly records: number;
  readonly place: FilePlace;
}

export interface LoggedBatch {
  readonly inputs: readonly InputRecord[];
  readonly broadcasts: readonly number[];
}

/** One operator's keyed state: its versions, oldest first, with the steps that those are made of which can be read. */
export interface LoggedState {
  readonly oldest: BatchTime;
  /** Up to here nothing of it is to be made any more. Earlier than the last complete batch where no output has asked for it since. */
  readonly upTo: BatchTime;
  readonly versions: readonly StateVersion[];
}

/** Plain data, but for maps, which are changed in place by `applyEvent` alone. */
export interface RecoveryBook {
  /** Of the last event in it; 0: none. */
  sequence: number;
  identity: ProgramIdentity | null;
  /** In the order in which they came. */
  readonly blocks: Map<BlockId, LoggedBlock>;
  /** How far the receivers had come, by the input's uid. */
  readonly receivers: Map<string, { readonly epoch: number; readonly position: Uint8Array | null }>;
  readonly batches: Map<BatchTime, LoggedBatch>;
  /** The last batch that was generated, and the last that is complete; null: none. */
  generated: BatchTime | null;
  completed: BatchTime | null;
  forgotten: BatchTime | null;
  /** Values by variable, then by version: those that a remembered batch sees, or the next one may. */
  readonly broadcasts: Map<number, Map<number, Uint8Array>>;
  readonly queues: Map<number, { next: number; readonly items: Map<number, readonly EncodedPartition[]> }>;
  accumulators: readonly Uint8Array[] | null;
  readonly states: Map<string, LoggedState>;
}

export function emptyBook(): RecoveryBook {
  return {
    sequence: 0, identity: null, blocks: new Map(), receivers: new Map(), batches: new Map(), generated: null, completed: null, forgotten: null,
    broadcasts: new Map(), queues: new Map(), accumulators: null, states: new Map(),
  };
}

/** Changes the book by the event at `sequence`. `place`: where the event's own bytes lie, for those that have any. */
export function applyEvent(book: RecoveryBook, sequence: number, event: RecoveryEvent, place: FilePlace | null): void {
  if (sequence <= book.sequence) return;
  book.sequence = sequence;
  switch (event.type) {
    case 'programStarted':
      changeProgram(book, event.identity.fingerprint);
      book.identity = event.identity;
      return;
    case 'blockAdded':
      book.receivers.set(event.uid, { epoch: Math.max(event.epoch, book.receivers.get(event.uid)?.epoch ?? 0), position: event.position ?? book.receivers.get(event.uid)?.position ?? null });
      if (place !== null && place.bytes > 0) book.blocks.set(event.block, { uid: event.uid, codec: event.codec, records: event.records, place });
      return;
    case 'batchGenerated':
      book.batches.set(event.time, { inputs: event.inputs, broadcasts: event.broadcasts });
      book.generated = later(book.generated, event.time);
      return;
    case 'batchCompleted':
      book.completed = later(book.completed, event.time);
      if (event.accumulators !== null) book.accumulators = event.accumulators;
      for (const commit of event.states) commitState(book, commit);
      return;
    case 'broadcastSet': {
      const versions = book.broadcasts.get(event.broadcast) ?? new Map<number, Uint8Array>();
      book.broadcasts.set(event.broadcast, versions.set(event.version, event.value));
      return;
    }
    case 'queuePushed': {
      const queue = book.queues.get(event.queue) ?? { next: 0, items: new Map<number, readonly EncodedPartition[]>() };
      queue.items.set(event.item, event.partitions);
      queue.next = Math.max(queue.next, event.item + 1);
      book.queues.set(event.queue, queue);
      return;
    }
    case 'batchesForgotten':
      forget(book, event.upTo);
      return;
  }
}

/**
 * What operators had that a changed program does not have any more, or has as one that can't go on with it: nobody takes it up again, so it is not kept,
 * and a later restart has nothing to say of it. The program was asked before (see matching.ts). A state that is new begins empty where the others go
 * on; it isn't made of the batches that these have seen.
 */
export function changeProgram(book: RecoveryBook, fingerprint: Fingerprint): void {
  renameStates(book, fingerprint);
  const before = operatorsByUid(book.identity?.fingerprint);
  const now = operatorsByUid(fingerprint);
  const isGone = (uid: string): boolean => before.has(uid) && !goesOn(before.get(uid), now.get(uid));
  for (const uid of book.states.keys()) if (isGone(uid)) book.states.delete(uid);
  for (const uid of book.receivers.keys()) if (isGone(uid)) book.receivers.delete(uid);
  for (const [block, { uid }] of book.blocks) if (isGone(uid)) book.blocks.delete(block);
  if (book.completed === null) return;
  for (const [uid, operator] of now) {
    if (stateKinds.has(operator.kind) && !goesOn(before.get(uid), operator)) book.states.set(uid, { oldest: book.completed, upTo: book.completed, versions: [] });
  }
}

/** What is kept of a state that has another name in the program goes on under that one: see state-names.ts. */
export function renameStates(book: RecoveryBook, fingerprint: Fingerprint): void {
  if (book.identity === null) return;
  const names = renamedStates(book.identity.fingerprint, fingerprint);
  if (names.size === 0) return;
  book.identity = { ...book.identity, fingerprint: renamedIn(book.identity.fingerprint, names) };
  for (const [before, now] of names) {
    const state = book.states.get(before);
    if (state === undefined) continue;
    book.states.delete(before);
    book.states.set(now, state);
  }
}

/** The blocks that no batch has yet, in the order in which they came, by the input's uid. */
export function waitingBlocks(book: RecoveryBook): Map<string, BlockId[]> {
  const taken = new Set([...book.batches.values()].flatMap(({ inputs }) => inputs.flatMap((input) => (input.taken.kind === 'blocks' ? input.taken.blocks : []))));
  const waiting = new Map<string, BlockId[]>();
  for (const [id, { uid }] of book.blocks) {
    if (taken.has(id)) continue;
    const ids = waiting.get(uid);
    if (ids === undefined) waiting.set(uid, [id]);
    else ids.push(id);
  }
  return waiting;
}

/** Batches that were generated and are not complete, oldest first: they run again. */
export function unfinishedBatches(book: RecoveryBook): BatchTime[] {
  return [...book.batches.keys()].filter((time) => book.completed === null || time > book.completed).sort((a, b) => a - b);
}

function commitState(book: RecoveryBook, { uid, oldest, time, version }: StateCommit): void {
  const { versions: before = [], upTo = null } = book.states.get(uid) ?? {};
  // Made again after a restart, of the same batches: the same.
  if (upTo !== null && time <= upTo) return;
  const versions = version === null ? before : [...before, version];
  book.states.set(uid, { oldest, upTo: time, versions: versionsNeeded(versions, remembered(versions, oldest)) });
}

/**
 * A step from a version that was never written down leads nowhere, and the book would drop it. Asked before an event is applied, by who has just written it and by
 * who reads it: so it is not found out by a state that is empty after a restart. Throws WalCorrupted.
 */
export function checkSteps(book: RecoveryBook, event: RecoveryEvent): void {
  if (event.type !== 'batchCompleted') return;
  event.states.forEach(({ uid, version }, index) => {
    const { versions = [], upTo = null } = book.states.get(uid) ?? {};
    if (version === null || (upTo !== null && version.time <= upTo)) return;
    const before = event.states.slice(0, index).flatMap((other) => (other.uid === uid && other.version !== null ? [other.version] : []));
    checkStep(uid, [...versions, ...before], version);
  });
}

function checkStep(uid: string, before: readonly StateVersion[], { time, base, links }: StateVersion): void {
  if (base === null || before.some((known) => known.time === base) || links.every((link) => link === null || link.snapshot)) return;
  throw new MillraceError('WalCorrupted', `Expected the state of ${JSON.stringify(uid)} at ${time} ms to be a step from a version that is written down; it is one from ${base} ms, and there are ${before.length === 0 ? 'none' : before.map((known) => known.time).join(', ')}. This is a bug of Millrace: please report it.`, { details: { uid, time, base } });
}

/** Those that can be read, and one that stands in for the oldest of them where that failed. */
function remembered(versions: readonly StateVersion[], oldest: BatchTime): BatchTime[] {
  const first = versions.findLastIndex(({ time }) => time <= oldest);
  return versions.slice(Math.max(0, first)).map(({ time }) => time);
}

function forget(book: RecoveryBook, upTo: BatchTime): void {
  book.forgotten = later(book.forgotten, upTo);
  const last = book.batches.get(book.generated ?? upTo)?.broadcasts;
  for (const [time, { inputs }] of book.batches) {
    if (time > upTo) continue;
    for (const { taken } of inputs) {
      if (taken.kind === 'blocks') for (const block of taken.blocks) book.blocks.delete(block);
      if (taken.kind === 'queue') for (const item of taken.items) book.queues.get(taken.queue)?.items.delete(item);
    }
    book.batches.delete(time);
  }
  const seen = [...book.batches.values()].map(({ broadcasts }) => broadcasts);
  for (const [broadcast, versions] of book.broadcasts) {
    const newest = Math.max(...versions.keys());
    // A batch that is being generated, and not in the log yet, sees one that was the newest when that began: the last batch's, or a later one.
    const open = last?.[broadcast] ?? 0;
    for (const version of versions.keys()) if (version < Math.min(open, newest) && !seen.some((at) => at[broadcast] === version)) versions.delete(version);
  }
}

function later(a: BatchTime | null, b: BatchTime): BatchTime {
  return a === null || b > a ? b : a;
}
