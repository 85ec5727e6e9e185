/** A receiver tracker whose neighbours are the test: two streams, whose blocks it reports, and the answers of the ledger. */
import { receiverTracker } from '../../actors/receiver-tracker.ts';
import type { ReceiverTrackerArgs } from '../../actors/receiver-tracker.ts';
import type { ReceivedBlock, StreamBlocks, ToReceiver, ToReceiverTracker } from '../../protocol/receiver.ts';
import type { ActorRef } from '../../protocol/ref.ts';
import { asActorPath, asBlockId, asHostId, asProgramId, asStreamId } from '../../protocol/ids.ts';
import { asBatchTime } from '../../protocol/time.ts';
import { handle } from './stub-services.ts';
import { Driven, wireError } from './stub-turn.ts';

export const [first, second] = [asStreamId(0), asStreamId(1)];

export const limits = { restartsMax: Infinity, restartsMs: 60_000, backoff: { minMs: 100, maxMs: 2_000, jitter: 0, resetAfterMs: 10_000 } };

export type Tracker = Driven<unknown, ToReceiverTracker, ReceiverTrackerArgs>;

export function tracker(given: Partial<typeof limits> = {}, logsBlocks = false): Tracker {
  return new Driven(receiverTracker(), { limits: { ...limits, ...given }, flushTimeoutMs: 25, logsBlocks, isRestored: false, receiverTimeoutMs: 1_000, program: asProgramId(0), inputs: [first, second].map((stream) => ({ stream, operator: { uid: `socket-${stream}`, name: 'socketTextStream', place: `two.js:${stream}:1` } })) });
}

/** The number of the last ask. */
export let asks = 1_000;

/** A number for an ask that nobody looks at. */
export function nextAsk(): number {
  return (asks += 1);
}

export function block(number: number, stream = first, more: Partial<ReceivedBlock> = {}): ReceivedBlock {
  const place = { id: asBlockId(`b${number}`), codec: 'text', place: handle(number), records: 10 } as const;
  return { program: asProgramId(0), stream, epoch: 1, sequence: number, records: 10, position: null, block: place, resumes: false, ...more };
}

/** Reported by a block manager, and held by the ledger. Gives the number of its ask. */
export function add(tracker: Tracker, number: number, stream = first, more: Partial<ReceivedBlock> = {}, held = true): number {
  return report(tracker, [block(number, stream, more)], held);
}

export function report(tracker: Tracker, blocks: readonly ReceivedBlock[], held = true): number {
  asks += 1;
  const before = tracker.asked.length;
  tracker.send({ type: 'addBlocks', blocks, drained: null, replyTo: tracker.replyTo(asks) });
  if (tracker.asked.length > before) tracker.answer(blocks.map(() => held), ({ message }) => message.type === 'holdLive');
  return asks;
}

/** Its first life has begun: blocks of it can come. */
export function begun(given: Partial<typeof limits> = {}): Tracker {
  const s = tracker(given);
  for (const stream of [first, second]) s.send({ ...receiverOn(2, stream) }, { type: 'ioHostDown', host: asHostId(2), error: wireError('gone'), replyTo: s.replyTo((asks += 1)) });
  s.take();
  return s;
}

export function receiverOn(host: number, stream = first): ToReceiverTracker {
  const receiver = { host: asHostId(host), cell: 1, path: asActorPath('/receiver') } as ActorRef<ToReceiver>;
  return { type: 'receiverStarted', stream, host: asHostId(host), receiver, replyTo: { host: asHostId(9), cell: 9, ask: (asks += 1) } };
}

export function allocate(tracker: Tracker, time: number, ask: number): void {
  tracker.send({ type: 'allocate', time: asBatchTime(time), replyTo: tracker.replyTo(ask) });
}

export function blocksOf(tracker: Tracker, ask: number): string[] {
  return ((tracker.replies.get(ask) as readonly StreamBlocks[] | undefined) ?? []).flatMap(({ stream, blocks }) => blocks.map(({ id }) => `${stream}:${id}`));
}
