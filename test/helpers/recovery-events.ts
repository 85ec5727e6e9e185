/**
 * Events of a program's log for tests: random ones, and what is needed to compare books.
 *
 * Invariant: what is made here has the form that the runtime writes; it need not be a history that a program could have.
 */
import fc from 'fast-check';
import { asBlockId } from '../../protocol/ids.ts';
import type { RecoveryEvent, ProgramIdentity, StateCommit } from '../../protocol/recovery.ts';
import type { BlockRef, FilePlace, StateLink } from '../../protocol/rdd.ts';
import { asBatchTime } from '../../protocol/time.ts';
import { applyEvent, emptyBook, waitingBlocks } from '../../lib/recovery/book.ts';
import type { RecoveryBook } from '../../lib/recovery/book.ts';

export interface PlacedEvent {
  readonly event: RecoveryEvent;
  readonly place: FilePlace | null;
}

export function identityOf(operators: readonly (readonly [uid: string, kind: string])[], more: Partial<ProgramIdentity> = {}): ProgramIdentity {
  return {
    url: null, args: null, appName: 'a test', batchIntervalMs: 1_000, zeroTime: 0, startTime: 0,
    fingerprint: { hash: operators.join(), operators: operators.map(([uid, kind]) => ({ uid, kind, parameters: '{}', functionHash: '' })) },
    ...more,
  };
}

export const segmentOf = (folder: 'log' | 'state', first: number): string => `${folder}/${String(first).padStart(20, '0')}.log`;

export function linkOf(time: number, snapshot: boolean, segment = 1): StateLink {
  const pairs: BlockRef = { id: asBlockId(`pairs ${time}`), codec: 'records', records: 1, place: { file: segmentOf('state', segment), offset: 64, bytes: 8 } };
  return { time: asBatchTime(time), snapshot, pairs, extra: null };
}

export function commitOf(uid: string, time: number, base: number | null, snapshots: readonly boolean[], oldest = time, segment = 1): StateCommit {
  return { uid, oldest: asBatchTime(oldest), time: asBatchTime(time), version: { time: asBatchTime(time), base: base === null ? null : asBatchTime(base), stateVersion: 1, links: snapshots.map((snapshot) => linkOf(time, snapshot, segment)) } };
}

/** As the log would have them: numbers from 1. */
export function fold(events: readonly PlacedEvent[], book: RecoveryBook = emptyBook()): RecoveryBook {
  for (const [index, { event, place }] of events.entries()) applyEvent(book, index + 1, event, place);
  return book;
}

/** Plain, in the order of all that has one. */
export function contentOf(book: RecoveryBook): unknown {
  const plain = (value: unknown): unknown => {
    if (value instanceof Map) return [...value].map(([key, inner]) => [key, plain(inner)]);
    if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
    return value;
  };
  return plain({ ...book, waiting: waitingBlocks(book) });
}

const uids = ['in-a', 'in-b', 'state-a', 'state-b'] as const;
const time = fc.integer({ min: 1, max: 12 }).map((n) => asBatchTime(n * 1_000));
const bytes = fc.uint8Array({ maxLength: 4 });
const input = fc.constantFrom(uids[0], uids[1]);
const blockName = fc.integer({ min: 1, max: 15 }).map((n) => asBlockId(`block ${n}`));
const place = fc.record({ file: fc.integer({ min: 1, max: 40 }).map((first) => segmentOf('log', first)), offset: fc.nat(1_000), bytes: fc.nat(100) });
const taken = fc.oneof(
  fc.record({ kind: fc.constant('blocks' as const), blocks: fc.array(blockName, { maxLength: 3 }) }),
  fc.record({ kind: fc.constant('queue' as const), queue: fc.nat(1), items: fc.array(fc.nat(6), { maxLength: 2 }) }),
  fc.record({ kind: fc.constant('files' as const), files: fc.array(fc.record({ path: fc.constantFrom('a.txt', 'b.txt'), bytes: fc.nat(9) }), { maxLength: 2 }) }),
);
const inputs = fc.array(fc.record({ uid: input, time, taken }), { maxLength: 3 });
/** A base is older than what is made of it. */
const version = fc.record({ time, before: fc.option(fc.integer({ min: 1, max: 11 })), partitions: fc.array(fc.option(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 9 }))), { maxLength: 3 }) }).map(({ time: at, before, partitions }) => ({
  time: at, base: before === null ? null : asBatchTime(at - before * 1_000), stateVersion: 1, links: partitions.map((partition) => (partition === null ? null : linkOf(at, ...partition))),
}));
const commit = fc.record({ uid: fc.constantFrom(uids[2], uids[3]), oldest: time, version: fc.option(version, { freq: 6 }), at: time }).map(({ uid, oldest, version: made, at }): StateCommit => ({ uid, oldest, time: made?.time ?? at, version: made }));
const operators = fc.uniqueArray(fc.tuple(fc.constantFrom(...uids), fc.constantFrom('one kind', 'another kind')), { selector: ([uid]) => uid });

/** Of any kind, with names from few, so that they meet. */
export const anyEvent: fc.Arbitrary<PlacedEvent> = fc.oneof(
  { weight: 1, arbitrary: operators.map((list): PlacedEvent => ({ event: { type: 'programStarted', identity: identityOf(list) }, place: null })) },
  { weight: 4, arbitrary: fc.record({ event: fc.record({ type: fc.constant('blockAdded' as const), uid: input, block: blockName, codec: fc.constantFrom('text' as const, 'records' as const), records: fc.nat(9), epoch: fc.nat(3), position: fc.option(bytes) }), place: fc.option(place) }) },
  { weight: 3, arbitrary: fc.record({ event: fc.record({ type: fc.constant('batchGenerated' as const), time, inputs, broadcasts: fc.array(fc.nat(3), { maxLength: 2 }) }), place: fc.constant(null) }) },
  { weight: 3, arbitrary: fc.record({ event: fc.record({ type: fc.constant('batchCompleted' as const), time, states: fc.array(commit, { maxLength: 2 }), accumulators: fc.option(fc.array(bytes, { maxLength: 2 })) }), place: fc.constant(null) }) },
  { weight: 2, arbitrary: fc.record({ event: fc.record({ type: fc.constant('broadcastSet' as const), broadcast: fc.nat(1), version: fc.integer({ min: 1, max: 3 }), value: bytes }), place: fc.constant(null) }) },
  { weight: 2, arbitrary: fc.record({ event: fc.record({ type: fc.constant('queuePushed' as const), queue: fc.nat(1), item: fc.nat(6), partitions: fc.array(fc.record({ bytes, records: fc.nat(3) }), { maxLength: 2 }) }), place: fc.constant(null) }) },
  { weight: 2, arbitrary: fc.record({ event: fc.record({ type: fc.constant('batchesForgotten' as const), upTo: time }), place: fc.constant(null) }) },
);
