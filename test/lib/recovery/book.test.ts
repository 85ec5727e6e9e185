/** The book: what a program would go on from, as a fold of its events. */
import fc from 'fast-check';
import t from 'tap';
import { asBlockId } from '../../../protocol/ids.ts';
import type { InputRecord, RecoveryEvent, StateCommit } from '../../../protocol/recovery.ts';
import { asBatchTime } from '../../../protocol/time.ts';
import { checkSteps, unfinishedBatches, waitingBlocks } from '../../../lib/recovery/book.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../../lib/recovery/checkpoint-file.ts';
import { logNeedsOf } from '../../../lib/recovery/log-needs.ts';
import { anyEvent, commitOf, contentOf, fold, identityOf, segmentOf } from '../../helpers/recovery-events.ts';
import type { PlacedEvent } from '../../helpers/recovery-events.ts';

const only = (event: RecoveryEvent): PlacedEvent => ({ event, place: null });
const added = (block: string, uid = 'in', segment = 1, bytes = 10): PlacedEvent => ({
  event: { type: 'blockAdded', uid, block: asBlockId(block), codec: 'text', records: 1, epoch: 0, position: null },
  place: { file: segmentOf('log', segment), offset: 100, bytes },
});
const took = (time: number, ...blocks: string[]): InputRecord => ({ uid: 'in', time: asBatchTime(time), taken: { kind: 'blocks', blocks: blocks.map(asBlockId) } });
const generated = (time: number, inputs: readonly InputRecord[] = [], broadcasts: readonly number[] = []): PlacedEvent => only({ type: 'batchGenerated', time: asBatchTime(time), inputs, broadcasts });
const completed = (time: number, states: readonly ReturnType<typeof commitOf>[] = [], accumulators: readonly Uint8Array[] | null = null): PlacedEvent => only({ type: 'batchCompleted', time: asBatchTime(time), states, accumulators });
const forgotten = (upTo: number): PlacedEvent => only({ type: 'batchesForgotten', upTo: asBatchTime(upTo) });

t.test('events that are applied twice change nothing', (t) => {
  fc.assert(fc.property(fc.array(anyEvent, { maxLength: 40 }), (events) => {
    const book = fold(events);
    const once = JSON.stringify(contentOf(book));
    return JSON.stringify(contentOf(fold(events, book))) === once;
  }), { seed: 1, numRuns: 200 });
  t.end();
});

t.test('from any checkpoint on, the events give the same book as from the beginning', (t) => {
  fc.assert(fc.property(fc.array(anyEvent, { maxLength: 40 }), fc.nat(40), (events, cut) => {
    const checkpoint = decodeCheckpoint('checkpoint', Buffer.concat(encodeCheckpoint(fold(events.slice(0, cut)))));
    return JSON.stringify(contentOf(fold(events, checkpoint))) === JSON.stringify(contentOf(fold(events)));
  }), { seed: 2, numRuns: 400 });
  t.end();
});

t.test('a block waits until a batch takes it, and goes with that batch', (t) => {
  const events = [added('b1'), added('b2'), added('b3', 'other'), generated(1_000, [took(1_000, 'b1')])];
  t.same([...waitingBlocks(fold(events))], [['in', ['b2']], ['other', ['b3']]]);
  t.same([...fold(events).blocks.keys()], ['b1', 'b2', 'b3']);
  t.same([...fold([...events, completed(1_000)]).blocks.keys()], ['b1', 'b2', 'b3'], 'a complete batch may be read again');
  t.same([...fold([...events, completed(1_000), forgotten(1_000)]).blocks.keys()], ['b2', 'b3']);
  t.end();
});

t.test('a block without bytes says how far its receiver had come, and is no block', (t) => {
  const position = Uint8Array.of(7);
  const event = { type: 'blockAdded' as const, uid: 'in', block: asBlockId('none'), codec: 'text' as const, records: 0, epoch: 2, position };
  const book = fold([{ event, place: null }, { event: { ...event, epoch: 1, position: null }, place: { file: segmentOf('log', 1), offset: 0, bytes: 0 } }]);
  t.same([...book.receivers], [['in', { epoch: 2, position }]], 'neither goes back');
  t.equal(book.blocks.size, 0);
  t.end();
});

t.test('batches that were generated and are not complete run again, oldest first', (t) => {
  const events = [generated(1_000), generated(2_000), generated(3_000), completed(1_000)];
  t.same(unfinishedBatches(fold(events)), [2_000, 3_000]);
  t.same(unfinishedBatches(fold([...events, forgotten(1_000)])), [2_000, 3_000]);
  t.same(unfinishedBatches(fold([...events, completed(2_000), completed(3_000)])), []);
  t.end();
});

t.test('of a broadcast variable the newest value stays, those that remembered batches see, and those that the next batch may', (t) => {
  const set = (version: number): PlacedEvent => only({ type: 'broadcastSet', broadcast: 0, version, value: Uint8Array.of(version) });
  const versionsOf = (...events: PlacedEvent[]): number[] => [...fold(events).broadcasts.get(0)!.keys()];
  const events = [set(1), generated(1_000, [], [1]), set(2), set(3), generated(2_000, [], [3]), set(4), completed(1_000), completed(2_000)];
  t.same(versionsOf(...events, forgotten(0)), [1, 3, 4]);
  t.same(versionsOf(...events, forgotten(1_000)), [3, 4]);
  t.same(versionsOf(...events, forgotten(2_000)), [3, 4]);
  // The batch at 3 s was begun when 4 was the newest, and is written down when 5 is.
  const overtaken = [...events, set(5), forgotten(1_000)];
  t.same(versionsOf(...overtaken), [3, 4, 5]);
  t.same(versionsOf(...overtaken, generated(3_000, [], [4]), completed(3_000), forgotten(2_000)), [4, 5]);
  t.end();
});

t.test('what was pushed into a queue goes with the batch that took it; numbers go on', (t) => {
  const push = (item: number): PlacedEvent => only({ type: 'queuePushed', queue: 0, item, partitions: [{ bytes: Uint8Array.of(item), records: 1 }] });
  const take = (time: number, ...items: number[]): InputRecord => ({ uid: 'queue', time: asBatchTime(time), taken: { kind: 'queue', queue: 0, items } });
  const book = fold([push(0), push(1), push(2), generated(1_000, [take(1_000, 0, 1)]), completed(1_000), forgotten(1_000)]);
  t.same([...book.queues.get(0)!.items.keys()], [2]);
  t.equal(book.queues.get(0)!.next, 3);
  const all = fold([push(0), generated(1_000, [take(1_000, 0)]), completed(1_000), forgotten(1_000)]);
  t.equal(all.queues.get(0)!.next, 1, 'the next push is no item that was there');
  t.end();
});

t.test('accumulators stay as the last batch left them that changed them', (t) => {
  const book = fold([completed(1_000, [], [Uint8Array.of(1)]), completed(2_000)]);
  t.same(book.accumulators, [Uint8Array.of(1)]);
  t.equal(book.completed, 2_000);
  t.end();
});

t.test('of a state its steps from the last snapshot on are kept, and no others', (t) => {
  const timesOf = (...events: PlacedEvent[]): number[] => fold(events).states.get('state')!.versions.map(({ time }) => time);
  const steps = [completed(1_000, [commitOf('state', 1_000, null, [true, true])]), completed(2_000, [commitOf('state', 2_000, 1_000, [false, false])])];
  t.same(timesOf(...steps), [1_000, 2_000]);
  const half = completed(3_000, [commitOf('state', 3_000, 2_000, [true, false])]);
  t.same(timesOf(...steps, half), [1_000, 2_000, 3_000], 'one partition still needs them');
  t.same(fold([...steps, half]).states.get('state')!.versions.map(({ links }) => links.map((link) => link !== null)), [[false, true], [false, true], [true, true]]);
  const full = completed(4_000, [commitOf('state', 4_000, 3_000, [true, true])]);
  t.same(timesOf(...steps, half, full), [4_000]);
  t.same(timesOf(...steps, half, completed(4_000, [commitOf('state', 4_000, 3_000, [true, true], 3_000)])), [1_000, 2_000, 3_000, 4_000], 'the version before may still be read');
  t.end();
});

t.test('a version of a state that is made again after a restart counts once', (t) => {
  const first = completed(1_000, [commitOf('state', 1_000, null, [true])]);
  t.same(contentOf(fold([first, first])), { ...(contentOf(fold([first])) as object), sequence: 2 });
  t.end();
});

t.test('a program that starts without an operator leaves behind what that one had; a new one changes nothing, and a new state begins there', (t) => {
  const started = (...operators: [string, string][]): PlacedEvent => only({ type: 'programStarted', identity: identityOf(operators) });
  const events = [
    started(['in', 'socket'], ['old', 'socket'], ['a', 'updateStateByKey'], ['b', 'updateStateByKey']),
    added('b1'), added('b2', 'old'), completed(1_000, [commitOf('a', 1_000, null, [true]), commitOf('b', 1_000, null, [true])]),
  ];
  const same = fold([...events, started(['in', 'socket'], ['old', 'socket'], ['a', 'updateStateByKey'], ['b', 'updateStateByKey'], ['new', 'map'])]);
  t.same([[...same.blocks.keys()], [...same.states.keys()]], [['b1', 'b2'], ['a', 'b']]);
  const changed = fold([...events, started(['in', 'socket'], ['a', 'mapWithState'], ['b', 'updateStateByKey'])]);
  t.same([[...changed.blocks.keys()], [...changed.states.keys()], [...changed.receivers.keys()]], [['b1'], ['b', 'a'], ['in']]);
  t.same(changed.states.get('a'), { oldest: 1_000, upTo: 1_000, versions: [] }, 'empty, and not to be made of earlier batches');
  t.end();
});

t.test('a book needs the log from its oldest block on, and the state\'s from its oldest step on', (t) => {
  t.same(logNeedsOf(fold([])), { log: 1, state: Infinity });
  const events = [added('b1', 'in', 1), added('b2', 'in', 2), generated(1_000, [took(1_000, 'b1')]), completed(1_000, [commitOf('state', 1_000, null, [true], 1_000, 3)])];
  t.same(logNeedsOf(fold(events)), { log: 1, state: 3 });
  t.same(logNeedsOf(fold([...events, forgotten(1_000)])), { log: 2, state: 3 });
  const next = [generated(2_000, [took(2_000, 'b2')]), completed(2_000, [commitOf('state', 2_000, 1_000, [true], 2_000, 5)]), forgotten(2_000)];
  t.same(logNeedsOf(fold([...events, forgotten(1_000), ...next])), { log: 9, state: 5 });
  t.end();
});

t.test('a step from a version that was never written down is refused, and one that can be read by itself is not', (t) => {
  const book = fold([completed(1_000, [commitOf('state-a', 1_000, null, [true])])]);
  const check = (commit: StateCommit) => (): void => checkSteps(book, { type: 'batchCompleted', time: commit.time, states: [commit], accumulators: null });
  t.doesNotThrow(check(commitOf('state-a', 2_000, 1_000, [false])));
  t.throws(check(commitOf('state-a', 4_000, 3_000, [false])), { code: 'WalCorrupted' });
  t.doesNotThrow(check(commitOf('state-a', 4_000, 3_000, [true])));
  t.doesNotThrow(check(commitOf('state-a', 1_000, 500, [false])), 'written already');
  t.end();
});
